use std::time::Duration;

use insta::assert_snapshot;
use serde_json::json;
use tidings_domain::attempt::Attempt;

use crate::outbound::{self, Acme, at, failed, pending, succeeded};
use crate::support::NOW;

const APP: &str = "/api/v1/app/acme";

/// At `hook` message 1 was taken at its second attempt, 2 is pending, 3 and 4 failed; another endpoint took 1.
async fn arranged() -> Acme {
    let acme = Acme::start().await;
    let other = acme.endpoint(2, |_| {}).await;
    let [first, second, third, fourth] =
        [acme.message(1).await, acme.message(2).await, acme.message(3).await, acme.message(4).await];
    for attempt in [
        pending(&acme.endpoint, &first, 5),
        succeeded(&acme.endpoint, &first, 6),
        pending(&acme.endpoint, &second, 7),
        failed(&acme.endpoint, &third, 8),
        failed(&acme.endpoint, &fourth, 100),
        succeeded(&other, &first, 10),
    ] {
        outbound::attempt(acme.store(), &attempt).await;
    }
    acme
}

#[tokio::test]
async fn messages_are_counted_by_their_newest_attempt_and_attempts_each() {
    let acme = arranged().await;
    assert_snapshot!(acme.service.get(&format!("{APP}/endpoint/hook/stats")).await.shown(), @r#"
    200
    {"success":1,"pending":1,"sending":0,"fail":2,"canceled":0}
    "#);
    assert_snapshot!(acme.service.get(&format!("{APP}/endpoint/hook/attempt-stats")).await.shown(), @r#"
    200
    {"success":1,"fail":4}
    "#);
    assert_snapshot!(acme.service.get(&format!("{APP}/stats")).await.shown(), @r#"
    200
    {"success":2,"pending":1,"sending":0,"fail":2,"canceled":0}
    "#);
}

#[tokio::test]
async fn since_counts_and_until_does_not() {
    let acme = arranged().await;
    let count = async |query: String| {
        let body = acme.service.get(&format!("{APP}/endpoint/hook/stats?{query}")).await.json();
        ["success", "pending", "fail"].map(|name| body[name].as_u64().unwrap())
    };
    assert_eq!(count(format!("since={}&until={}", at(7), at(8))).await, [0, 1, 0]);
    assert_eq!(count(format!("until={}", at(6))).await, [0, 1, 0], "as it stood then");
    assert_eq!(count(format!("since={}", at(8))).await, [0, 0, 2]);
}

#[tokio::test]
async fn the_last_28_days_are_counted_when_nobody_says() {
    let acme = Acme::start().await;
    let message = acme.message(1).await;
    for (days, number) in [(27, 1), (29, 2)] {
        let made_at = NOW - Duration::from_hours(24 * days);
        let id = tidings_domain::ids::AttemptId::new(made_at, [7; 15]);
        let attempt = Attempt { id, made_at, ..failed(&acme.endpoint, &message, number) };
        outbound::attempt(acme.store(), &attempt).await;
    }
    let counted = acme.service.get(&format!("{APP}/endpoint/hook/attempt-stats")).await.json();
    assert_eq!(counted, json!({"success": 0, "fail": 1}));
}

#[tokio::test]
async fn a_range_that_is_none_is_422() {
    let acme = Acme::start().await;
    for query in [format!("since={}&until={}", at(5), at(5)), "since=x&until=".to_owned()] {
        let answer = acme.service.get(&format!("{APP}/endpoint/hook/stats?{query}")).await;
        assert_eq!(answer.status, 422, "{query}");
    }
}
