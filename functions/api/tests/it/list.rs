use std::fmt::Write as _;

use http::Method;
use insta::assert_snapshot;
use serde_json::Value;

use crate::arrange;
use crate::support::{Answer, Service, organization, token};

/// Six jobs, two of each status, and one of another organization.
async fn six() -> Service {
    let service = Service::start().await;
    for number in [1, 2] {
        arrange::complete(&service.store, number).await;
        arrange::failed(&service.store, number + 2).await;
        arrange::pending(&service.store, number + 4).await;
    }
    let body = serde_json::json!({"providers": ["gas"], "callbackUrl": "https://example.com/"});
    assert_eq!(service.post_as(&token(&organization(2)), "/webhook", &body).await.status, 201);
    service
}

/// The numbers of the jobs that an answer lists.
fn numbers(answer: &Answer) -> Vec<i64> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    let number = |job: &Value| (0..200).find(|number| arrange::job(*number).id.to_string() == job["jobId"]).unwrap();
    body["data"].as_array().unwrap().iter().map(number).collect()
}

#[tokio::test]
async fn jobs_are_listed_newest_first_whatever_their_status() {
    let service = six().await;
    assert_eq!(numbers(&service.get("/webhook").await), [6, 5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn a_status_lists_the_jobs_that_stand_there() {
    let service = six().await;
    for (status, expected) in [("pending", [6, 5]), ("failed", [4, 3]), ("complete", [2, 1])] {
        assert_eq!(numbers(&service.get(&format!("/webhook?status={status}")).await), expected, "{status}");
    }
}

#[tokio::test]
async fn an_entry_of_the_list_is_the_job_without_its_records() {
    let service = six().await;
    assert_snapshot!(service.get("/webhook?status=failed&limit=1").await.shown(), @r#"
    200
    {"data":[{"jobId":"job_3OuiYz9OotPRCsuVwrqy9IC5JPL","status":"failed","providers":["gas","internet"],"callbackUrl":"https://example.com/complete","createdAt":"2027-01-15T07:58:24.000Z","updatedAt":"2027-01-15T07:59:24.000Z","attempts":1,"lastError":"internet: answered 500","nextDueAt":null}],"iterator":"job_3OuiYz9OotPRCsuVwrqy9IC5JPL","prevIterator":"-job_3OuiYz9OotPRCsuVwrqy9IC5JPL","done":false}
    "#);
}

#[tokio::test]
async fn an_empty_list_is_done_and_has_no_iterator() {
    assert_snapshot!(Service::start().await.get("/webhook").await.shown(), @r#"
    200
    {"data":[],"iterator":null,"prevIterator":null,"done":true}
    "#);
}

#[tokio::test]
async fn pages_follow_one_another_by_the_iterator_until_done() {
    let all = vec![6, 5, 4, 3, 2, 1];
    for (filter, limit, expected) in [("", 1, all.clone()), ("", 4, all), ("status=failed&", 1, vec![4, 3])] {
        let service = six().await;
        let (mut listed, mut path) = (Vec::new(), format!("/webhook?{filter}limit={limit}"));
        loop {
            let answer = service.get(&path).await;
            let (page, body) = (numbers(&answer), answer.json());
            assert!(page.len() <= limit);
            listed.extend(page);
            if body["done"] == true {
                break;
            }
            // What comes in meanwhile is newer, and moves nothing.
            arrange::pending(&service.store, 100 + i64::try_from(listed.len()).unwrap()).await;
            path = format!("/webhook?{filter}limit={limit}&iterator={}", body["iterator"].as_str().unwrap());
        }
        assert_eq!(listed, expected, "{filter}limit={limit}");
    }
}

#[tokio::test]
async fn going_back_shows_the_same_jobs_in_the_same_order() {
    let service = six().await;
    let page = async |query: String| service.get(&format!("/webhook?{query}")).await;
    for limit in 1..=4 {
        let last = page("limit=6".to_owned()).await;
        let mut back = format!("-{}", last.json()["iterator"].as_str().unwrap());
        let mut seen = numbers(&last).split_off(5);
        loop {
            let answer = page(format!("limit={limit}&iterator={back}")).await;
            seen = [numbers(&answer), seen].concat();
            let body = answer.json();
            if body["done"] == true {
                break;
            }
            back = body["prevIterator"].as_str().unwrap().to_owned();
        }
        assert_eq!(seen, numbers(&last), "{limit}");
    }
    // There and back: the page before the second one is the first one.
    let first = page("limit=2".to_owned()).await;
    let second = page(format!("limit=2&iterator={}", first.json()["iterator"].as_str().unwrap())).await;
    let again = page(format!("limit=2&iterator={}", second.json()["prevIterator"].as_str().unwrap())).await;
    assert_eq!(numbers(&again), numbers(&first));
}

#[tokio::test]
async fn the_last_page_keeps_its_iterator_to_ask_later_for_more() {
    let service = six().await;
    let body = service.get("/webhook?limit=6").await.json();
    assert_eq!((&body["done"], body["iterator"].as_str()), (&true.into(), Some(&*arrange::job(1).id.to_string())));
    let after = service.get(&format!("/webhook?iterator={}", arrange::job(1).id)).await;
    assert_eq!(numbers(&after), Vec::<i64>::new());
}

#[tokio::test]
async fn another_organizations_iterator_shows_nothing_of_it() {
    let service = six().await;
    let theirs = token(&organization(2));
    // An iterator is a place in time, and every list is its owner's.
    let answer = service.ask_as(&theirs, Method::GET, &format!("/webhook?iterator={}", arrange::job(6).id)).await;
    assert_eq!(numbers(&answer), Vec::<i64>::new());
    let answer = service.ask_as(&theirs, Method::GET, "/webhook").await;
    assert_eq!(answer.json()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_bad_query_is_422_with_every_fault() {
    let service = six().await;
    let mut answers = String::new();
    for query in [
        "limit=0",
        "limit=251",
        "limit=-1",
        "limit=ten",
        "limit=1.5",
        "limit=",
        "limit=99999999999999999999",
        "limit=1&limit=2",
        "status=done",
        "status=PENDING",
        "status=",
        "status=pending&status=failed",
        "iterator=",
        "iterator=6",
        "iterator=-",
        "iterator=key_0ujsswThIGTUYm2K8FjOOfXtY1K",
        "limit=x&status=y&iterator=z",
    ] {
        let answer = service.get(&format!("/webhook?{query}")).await;
        assert_eq!(answer.status, 422, "{query}");
        writeln!(answers, "{query}").unwrap();
        for fault in answer.json()["detail"].as_array().unwrap() {
            writeln!(answers, "  {} {} {}", fault["loc"], fault["type"].as_str().unwrap(), fault["msg"]).unwrap();
        }
    }
    assert_snapshot!(answers, @r#"
    limit=0
      ["query","limit"] value_error "must be a number from 1 to 250"
    limit=251
      ["query","limit"] value_error "must be a number from 1 to 250"
    limit=-1
      ["query","limit"] value_error "must be a number from 1 to 250"
    limit=ten
      ["query","limit"] value_error "must be a number from 1 to 250"
    limit=1.5
      ["query","limit"] value_error "must be a number from 1 to 250"
    limit=
      ["query","limit"] value_error "must be a number from 1 to 250"
    limit=99999999999999999999
      ["query","limit"] value_error "must be a number from 1 to 250"
    limit=1&limit=2
      ["query","limit"] value_error "must be there once"
    status=done
      ["query","status"] value_error "must be `pending`, `complete` or `failed`"
    status=PENDING
      ["query","status"] value_error "must be `pending`, `complete` or `failed`"
    status=
      ["query","status"] value_error "must be `pending`, `complete` or `failed`"
    status=pending&status=failed
      ["query","status"] value_error "must be there once"
    iterator=
      ["query","iterator"] value_error "must be `job_` followed by 27 letters or digits"
    iterator=6
      ["query","iterator"] value_error "must be `job_` followed by 27 letters or digits"
    iterator=-
      ["query","iterator"] value_error "must be `job_` followed by 27 letters or digits"
    iterator=key_0ujsswThIGTUYm2K8FjOOfXtY1K
      ["query","iterator"] value_error "must be `job_` followed by 27 letters or digits"
    limit=x&status=y&iterator=z
      ["query","status"] value_error "must be `pending`, `complete` or `failed`"
      ["query","limit"] value_error "must be a number from 1 to 250"
      ["query","iterator"] value_error "must be `job_` followed by 27 letters or digits"
    "#);
}

#[tokio::test]
async fn bounds_are_taken_and_parameters_that_nobody_knows_are_passed_over() {
    let service = six().await;
    for query in ["limit=1", "limit=250", "limit=%31", "before=yesterday&x", "&&", "Limit=0"] {
        assert_eq!(service.get(&format!("/webhook?{query}")).await.status, 200, "{query}");
    }
}

#[tokio::test]
async fn more_jobs_than_one_read_takes_are_on_one_page() {
    let service = Service::start().await;
    for number in 0..150 {
        arrange::pending(&service.store, number).await;
    }
    let listed = numbers(&service.get("/webhook?limit=140").await);
    assert_eq!(listed, (10..150).rev().collect::<Vec<_>>());
    assert_eq!(service.get("/webhook").await.json()["data"].as_array().unwrap().len(), 50);
}

#[tokio::test]
async fn jobs_whose_time_is_over_are_passed_over_although_the_table_still_has_them() {
    let service = Service::start().await;
    let old = arrange::pending(&service.store, 1).await;
    for number in [2, 3, 4] {
        arrange::complete(&service.store, number).await;
    }
    // It ends 60 seconds after the tests' first moment, the ones before it half a minute before that moment.
    let young = arrange::complete(&service.store, 100).await;
    service.clock.advance(tidings_store::job::RETENTION);
    let first = service.get("/webhook?limit=1").await;
    assert_eq!(first.json()["data"][0]["jobId"], young.id.to_string());
    let second = service.get(&format!("/webhook?limit=1&iterator={}", young.id)).await;
    assert_eq!(numbers(&second), [1], "behind three jobs that are over");
    let last = service.get(&format!("/webhook?limit=1&iterator={}", old.id)).await;
    assert_eq!(last.json(), serde_json::json!({"data": [], "iterator": null, "prevIterator": null, "done": true}));
    assert_eq!(numbers(&service.get("/webhook?status=complete&limit=1").await), [100]);
    service.clock.advance(std::time::Duration::from_secs(60));
    let body = service.get("/webhook?status=complete&limit=1").await.json();
    // Empty and not done, without an iterator: a client would start over for ever.
    assert_eq!((&body["data"], &body["done"]), (&serde_json::json!([]), &true.into()));
}
