use std::time::Duration;

use http::Method;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::background_task::BackgroundTaskType;
use tidings_domain::ids::BackgroundTaskId;

use crate::arrange::GRACE;
use crate::outbound::{Acme, at};
use crate::support::{Answer, NOW, application, organization, request, token};

const PATH: &str = "/api/v1/app/acme/endpoint/hook";
const BOTH: [(&str, BackgroundTaskType); 2] =
    [("recover", BackgroundTaskType::Recover), ("replay-missing", BackgroundTaskType::ReplayMissing)];

/// An answer without the id of the task that it names.
fn shown(answer: &Answer) -> String {
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert!(id.parse::<BackgroundTaskId>().is_ok(), "{id}");
    answer.shown().replace(&id, "qtask_[id]")
}

#[tokio::test]
async fn recover_and_replay_missing_start_a_task_whose_progress_can_be_read() {
    let acme = Acme::start().await;
    let since = json!({"since": at(1)});
    assert_snapshot!(shown(&acme.service.post(&format!("{PATH}/recover"), &since).await), @r#"
    202
    {"id":"qtask_[id]","status":"running","task":"endpoint.recover","updatedAt":"2027-01-15T08:00:00.000Z"}
    "#);
    assert_snapshot!(shown(&acme.service.post(&format!("{PATH}/replay-missing"), &since).await), @r#"
    202
    {"id":"qtask_[id]","status":"running","task":"endpoint.replay","updatedAt":"2027-01-15T08:00:00.000Z"}
    "#);
    for (name, kind) in BOTH {
        let body = json!({"since": at(1), "until": at(50)});
        let started = acme.service.post(&format!("{PATH}/{name}"), &body).await.json();
        let id: BackgroundTaskId = started["id"].as_str().unwrap().parse().unwrap();
        let task = acme.store().background_task(acme.application.organization, id).await.unwrap().unwrap();
        assert_eq!((task.task, task.since, task.until, task.endpoint), (kind, at(1), at(50), acme.endpoint.id));
        let owed = acme.owed(&task.work()).await;
        assert_eq!(owed.iter().map(|entry| entry.key.due).collect::<Vec<_>>(), [NOW + GRACE]);
        let read = acme.service.get(&format!("/api/v1/background-task/{id}")).await.json();
        let expected = json!({
            "appId": acme.application.id, "endpointId": acme.endpoint.id, "since": at(1), "until": at(50),
            "examined": 0, "scheduled": 0,
        });
        assert_eq!((&read["data"], &read["task"], &read["status"]), (&expected, &started["task"], &json!("running")));
    }
}

#[tokio::test]
async fn a_range_ends_now_and_begins_at_most_14_days_ago() {
    let acme = Acme::start().await;
    let fourteen = NOW - Duration::from_hours(24 * 14);
    for (name, _) in BOTH {
        let path = format!("{PATH}/{name}");
        for body in [json!({"since": fourteen}), json!({"since": at(1), "until": null})] {
            let started = acme.service.post(&path, &body).await;
            assert_eq!(started.status, 202, "{body}");
            let path = format!("/api/v1/background-task/{}", started.json()["id"].as_str().unwrap());
            assert_eq!(acme.service.get(&path).await.json()["data"]["until"], json!(NOW));
        }
        let later = acme.service.post(&path, &json!({"since": at(1), "until": at(1000)})).await.json();
        let read = acme.service.get(&format!("/api/v1/background-task/{}", later["id"].as_str().unwrap())).await;
        assert_eq!(read.json()["data"]["until"], json!(NOW), "what comes is sent anyway");
    }
    let early = fourteen - Duration::from_millis(1);
    let faults =
        async |body: Value| format!("{body}\n{}", acme.service.post(&format!("{PATH}/recover"), &body).await.faults());
    let mut all = String::new();
    for body in [
        json!([]),
        json!({}),
        json!({"since": null}),
        json!({"since": "yesterday", "until": 7}),
        json!({"since": early}),
        json!({"since": at(100)}),
        json!({"since": at(5), "until": at(5)}),
        json!({"since": early, "until": early, "x": 1}),
    ] {
        all.push_str(&faults(body).await);
    }
    assert_snapshot!(all, @r#"
    []
      ["body"] type_error "must be an object"
    {}
      ["body","since"] value_error.missing "is required"
    {"since":null}
      ["body","since"] type_error "must be a string"
    {"since":"yesterday","until":7}
      ["body","since"] value_error "must be a date and time as in RFC 3339"
      ["body","until"] type_error "must be a string"
    {"since":"2027-01-01T07:59:59.999Z"}
      ["body","since"] value_error "must be at most 14 days ago"
    {"since":"2027-01-15T08:00:00.000Z"}
      ["body","since"] value_error "must be in the past"
    {"since":"2027-01-15T06:25:00.000Z","until":"2027-01-15T06:25:00.000Z"}
      ["body","until"] value_error "must be after `since`"
    {"since":"2027-01-01T07:59:59.999Z","until":"2027-01-01T07:59:59.999Z","x":1}
      ["body","since"] value_error "must be at most 14 days ago"
      ["body","until"] value_error "must be after `since`"
      ["body","x"] value_error.extra "is not known here"
    "#);
    let listed = acme.service.get("/api/v1/background-task").await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 6, "nothing else was started");
}

#[tokio::test]
async fn a_task_is_started_once_under_a_key() {
    let acme = Acme::start().await;
    let send = |path: &str, body: Value| {
        let request = request(&token(&organization(1)), Method::POST, path).header("idempotency-key", "once");
        acme.service.send(request.body(body.to_string().into()).unwrap())
    };
    let first = send(&format!("{PATH}/recover"), json!({"since": at(1)})).await;
    let again = send(&format!("{PATH}/recover"), json!({"since": at(1)})).await;
    assert_eq!((again.status, &again.body), (202, &first.body));
    assert_eq!(send(&format!("{PATH}/recover"), json!({"since": at(2)})).await.status, 409, "another body");
    assert_eq!(send(&format!("{PATH}/replay-missing"), json!({"since": at(1)})).await.status, 409, "another path");
}

#[tokio::test]
async fn a_disabled_endpoint_is_not_repaired() {
    let acme = Acme::start().await;
    acme.store().disable_endpoint(&acme.endpoint, at(100), None).await.unwrap();
    for (name, _) in BOTH {
        let answer = acme.service.post(&format!("{PATH}/{name}"), &json!({"since": at(1)})).await;
        assert_eq!(answer.status, 409, "{answer:?}");
    }
}

#[tokio::test]
async fn an_application_repairs_its_own_endpoints_and_no_others() {
    let acme = Acme::start().await;
    let body = json!({"since": at(1)});
    for (name, _) in BOTH {
        let path = format!("{PATH}/{name}");
        assert_eq!(acme.service.post_as(&token(&application()), &path, &body).await.status, 202);
        assert_eq!(acme.service.post_as(&token(&organization(2)), &path, &body).await.status, 404);
        let unknown = format!("/api/v1/app/acme/endpoint/nobody/{name}");
        assert_eq!(acme.service.post(&unknown, &body).await.status, 404);
    }
}
