use http::Method;
use insta::assert_snapshot;
use serde_json::Value;
use tidings_domain::background_task::{BackgroundTask, BackgroundTaskStatus, BackgroundTaskType};

use crate::outbound::{self, Acme, imagined_task};
use crate::support::{application, organization, token};

const PATH: &str = "/api/v1/background-task";

/// Tasks 1 to 4: the second replays, the third is finished, the fourth was given up.
async fn four() -> (Acme, Vec<BackgroundTask>) {
    let acme = Acme::start().await;
    let task = |number| imagined_task(&acme.endpoint, number);
    let tasks = vec![
        task(1),
        BackgroundTask { task: BackgroundTaskType::ReplayMissing, ..task(2) },
        BackgroundTask { status: BackgroundTaskStatus::Finished, examined: 17, scheduled: 3, ..task(3) },
        BackgroundTask { status: BackgroundTaskStatus::Failed, ..task(4) },
    ];
    for task in &tasks {
        outbound::write_task(acme.store(), task).await;
    }
    (acme, tasks)
}

#[tokio::test]
async fn a_task_is_shown_with_how_far_it_is() {
    let (acme, tasks) = four().await;
    assert_snapshot!(acme.service.get(&format!("{PATH}/{}", tasks[2].id)).await.shown(), @r#"
    200
    {"id":"qtask_3OuWxfKmaYwtMR5W0epUwTBCnGl","task":"endpoint.recover","status":"finished","data":{"appId":"app_2YBXZHqGPF3goKyMne51BMbZlIv","endpointId":"ep_2YBXZHqCjgF6iXy9lNopsnrO1Mv","since":"2027-01-15T06:20:00.000Z","until":"2027-01-15T06:21:00.000Z","examined":17,"scheduled":3},"updatedAt":"2027-01-15T06:23:00.000Z"}
    "#);
    for id in ["qtask_0ujsswThIGTUYm2K8FjOOfXtY1K", "qtask_", "x"] {
        assert_eq!(acme.service.get(&format!("{PATH}/{id}")).await.status, 404, "{id}");
    }
}

#[tokio::test]
async fn tasks_are_listed_in_either_order_with_every_filter() {
    let (acme, tasks) = four().await;
    for (query, expected) in [
        ("", vec![0, 1, 2, 3]),
        ("order=descending", vec![3, 2, 1, 0]),
        ("status=running", vec![0, 1]),
        ("status=finished", vec![2]),
        ("status=failed", vec![3]),
        ("task=endpoint.recover", vec![0, 2, 3]),
        ("task=endpoint.replay&status=running", vec![1]),
        ("task=endpoint.replay&status=finished", vec![]),
    ] {
        let body = acme.service.get(&format!("{PATH}?{query}")).await.json();
        let ids: Vec<_> = body["data"].as_array().unwrap().iter().map(|task| task["id"].clone()).collect();
        let expected: Vec<_> =
            expected.into_iter().map(|index: usize| Value::from(tasks[index].id.to_string())).collect();
        assert_eq!(ids, expected, "{query}");
    }
    let refused = acme.service.get(&format!("{PATH}?status=done&task=x&order=up&iterator=1")).await;
    assert_snapshot!(refused.faults(), @r#"
    ["query","order"] value_error "must be `ascending` or `descending`"
    ["query","iterator"] value_error "must be `qtask_` followed by 27 letters or digits"
    ["query","status"] value_error "must be `running`, `finished` or `failed`"
    ["query","task"] value_error "must be `endpoint.recover` or `endpoint.replay`"
    "#);
}

#[tokio::test]
async fn pages_of_tasks_follow_one_another_both_ways() {
    let (acme, tasks) = four().await;
    for order in ["ascending", "descending"] {
        let page = async |rest: &str| acme.service.get(&format!("{PATH}?limit=1&order={order}{rest}")).await.json();
        let (mut ids, mut iterator, mut back) = (Vec::new(), String::new(), String::new());
        while ids.len() < tasks.len() {
            let body = page(&iterator).await;
            ids.push(body["data"][0]["id"].as_str().unwrap().to_owned());
            assert_eq!(body["done"], ids.len() == tasks.len());
            iterator = format!("&iterator={}", body["iterator"].as_str().unwrap());
            back = format!("&iterator={}", body["prevIterator"].as_str().unwrap());
        }
        let before = page(&back).await;
        assert_eq!(before["data"][0]["id"], ids[2], "{order}");
    }
}

#[tokio::test]
async fn tasks_are_the_organizations_own() {
    let (acme, tasks) = four().await;
    let path = format!("{PATH}/{}", tasks[0].id);
    assert_eq!(acme.service.ask_as(&token(&organization(2)), Method::GET, &path).await.status, 404);
    let theirs = acme.service.ask_as(&token(&organization(2)), Method::GET, PATH).await.json();
    assert_eq!(theirs["data"], serde_json::json!([]));
    for path in [path.as_str(), PATH] {
        assert_eq!(acme.service.ask_as(&token(&application()), Method::GET, path).await.status, 403, "{path}");
    }
}
