//! What tells the stream's filter for live updates whom and what it is for.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use tidings_domain::attempt::Attempt;
use tidings_domain::endpoint::Endpoint;
use tidings_domain::ids::OrganizationId;
use tidings_harness::{Fault, Rule, Table};
use tidings_store::agenda::Starts;
use tidings_store::{LIVE, QUIET, Store, keys};

use crate::application::application;
use crate::connection::connection;
use crate::endpoint::endpoint;
use crate::outbound::{delivery, failure, pending, success};
use crate::support::{at, organization};

/// What the stream would show of an item.
async fn image(store: &Store, key: keys::Key) -> serde_dynamo::Item {
    let item = store
        .client()
        .get_item()
        .table_name("tidings")
        .key("pk", AttributeValue::S(key.pk))
        .key("sk", AttributeValue::S(key.sk))
        .send();
    serde_dynamo::Item::from(item.await.unwrap().item.unwrap())
}

async fn is_live(store: &Store, attempt: &Attempt) -> bool {
    let image = image(store, keys::attempt(&attempt.delivery, attempt.id)).await;
    let live = image.get(LIVE).cloned();
    assert_eq!(tidings_store::attempt::from_image(image).unwrap(), *attempt);
    assert!(matches!(live, None | Some(serde_dynamo::AttributeValue::Bool(true))));
    live.is_some()
}

/// An attempt at this second, whose answer took no time.
fn taken(second: i64) -> Attempt {
    Attempt { duration: Duration::ZERO, ..success(delivery(second, 1), second) }
}

#[tokio::test]
async fn attempts_are_live_while_somebody_of_their_organization_listens() {
    let table = Table::start().await;
    let (here, elsewhere) = (table.faulty_store(), table.store());
    elsewhere.put_connection(&connection("theirs", organization(2))).await.unwrap();
    let live = async |attempt: Attempt| {
        here.put_attempt(&attempt).await.unwrap();
        is_live(elsewhere, &attempt).await
    };
    assert!(!live(taken(0)).await);
    elsewhere.put_connection(&connection("mine", organization(1))).await.unwrap();
    assert!(!live(taken(2)).await, "within three seconds");
    assert!(live(taken(3)).await);
    assert!(live(failure(delivery(4, 1), 4)).await);
    let failed = pending(delivery(5, 1), 5);
    let next = failed.delivery.entry(at(305), 1, tidings_domain::delivery::Origin::Schedule);
    let _ = here.put_failed_attempt(&failed, None, Some((&next, Starts::WhenDue)), None).await.unwrap();
    assert!(is_live(elsewhere, &failed).await);
    here.delete_connection(&"mine".parse().unwrap()).await.unwrap();
    assert!(!live(taken(6)).await);
    let gone = connection("mine", organization(1));
    here.put_connection(&tidings_domain::connection::Connection { until: at(7), ..gone }).await.unwrap();
    assert!(!live(taken(7)).await, "its time is over");
}

#[tokio::test]
async fn an_answer_that_is_removed_is_no_news() {
    let table = Table::start().await;
    let store = table.store();
    store.put_connection(&connection("mine", organization(1))).await.unwrap();
    let attempt = taken(0);
    store.put_attempt(&attempt).await.unwrap();
    assert!(is_live(store, &attempt).await);
    let delivery = attempt.delivery;
    assert!(
        store.expunge_attempt(delivery.organization, delivery.application, delivery.message, attempt.id).await.unwrap()
    );
    assert!(!is_live(store, &Attempt { response: None, ..attempt }).await);
}

#[tokio::test]
async fn an_attempt_does_not_wait_for_the_answer_who_listens() {
    let table = Table::start().await;
    let store = table.faulty_store();
    table.store().put_connection(&connection("mine", organization(1))).await.unwrap();
    table.faults().inject(Rule::new(Fault::Slow(Duration::from_secs(60))).on("Query"));
    let start = Instant::now();
    for second in 0..3 {
        store.put_attempt(&taken(second)).await.unwrap();
        assert!(!is_live(table.store(), &taken(second)).await);
    }
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!(table.meter().count("Query"), 1, "nor is it asked for again at once");
}

#[tokio::test]
async fn an_attempt_is_written_when_nobody_can_tell_who_listens() {
    let table = Table::start().await;
    let store = table.faulty_store();
    table.store().put_connection(&connection("mine", organization(1))).await.unwrap();
    table.faults().inject(Rule::new(Fault::Refused).on("Query").times(1));
    store.put_attempt(&taken(0)).await.unwrap();
    assert!(!is_live(table.store(), &taken(0)).await);
    store.put_attempt(&taken(2)).await.unwrap();
    assert!(!is_live(table.store(), &taken(2)).await, "for three seconds nobody does");
    store.put_attempt(&taken(3)).await.unwrap();
    assert!(is_live(table.store(), &taken(3)).await);
}

#[tokio::test]
async fn changes_of_health_are_quiet_and_changes_that_people_make_are_not() {
    let table = Table::start().await;
    let store = table.store();
    let _ = store.create_application(&application(1), None).await.unwrap();
    let _ = store.create_endpoint(&endpoint(1), None, None).await.unwrap();
    let key = || keys::endpoint(organization(1), application(1).id, endpoint(1).id);
    let seen = async || {
        let image = image(store, key()).await;
        let quiet = tidings_store::endpoint::is_quiet(&image);
        assert_eq!(quiet, image.get(QUIET).is_some());
        (tidings_store::endpoint::from_image(image).unwrap(), quiet)
    };
    assert_eq!(seen().await, (endpoint(1), false));
    store.endpoint_failed(&endpoint(1), at(1)).await.unwrap();
    let (failing, quiet) = seen().await;
    assert_eq!((failing.failing_since, quiet), (Some(at(1)), true));
    let changed = Endpoint { description: "new".to_owned(), updated_at: at(2), ..failing.clone() };
    let _ = store.replace_endpoint(&failing, &changed, None).await.unwrap();
    assert_eq!(seen().await, (changed.clone(), false));
    store.endpoint_recovered(&changed).await.unwrap();
    let (recovered, quiet) = seen().await;
    assert_eq!((recovered.failing_since, quiet), (None, true));
    store.endpoint_failed(&recovered, at(3)).await.unwrap();
    let (failing, _) = seen().await;
    assert!(store.disable_endpoint(&failing, at(4), None).await.unwrap());
    let (disabled, quiet) = seen().await;
    assert!(disabled.disabled && !quiet);
    let enabled = Endpoint { disabled: false, failing_since: None, updated_at: at(5), ..disabled.clone() };
    let _ = store.replace_endpoint(&disabled, &enabled, None).await.unwrap();
    assert_eq!(seen().await, (enabled, false));
}

#[tokio::test]
async fn a_removed_endpoint_is_known_by_its_key_and_nothing_else_is() {
    let image = |key: keys::Key| {
        let text = |value| AttributeValue::S(value);
        serde_dynamo::Item::from(std::collections::HashMap::from([
            ("pk".to_owned(), text(key.pk)),
            ("sk".to_owned(), text(key.sk)),
        ]))
    };
    let (org, app, ep): (OrganizationId, _, _) = (organization(1), application(1).id, endpoint(1).id);
    let removed = |key| tidings_store::endpoint::removed_key(&image(key));
    assert_eq!(removed(keys::endpoint(org, app, ep)), Some((org, app, ep)));
    let uid = ep.to_string().parse().unwrap();
    let others = [
        keys::application(org, app),
        keys::endpoint_uid(org, app, &uid),
        keys::message(org, app, crate::outbound::message_id(0)),
        keys::attempt(&delivery(0, 1), taken(0).id),
        keys::rate(org, app, Some(ep), at(0)),
        keys::broadcast(org, app, crate::outbound::message_id(0)),
    ];
    for key in others {
        assert_eq!(removed(key), None);
    }
    assert_eq!(tidings_store::endpoint::removed_key(&serde_dynamo::Item::default()), None);
}
