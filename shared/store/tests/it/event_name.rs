use futures::future::join_all;
use proptest::prelude::*;
use tidings_domain::broadcast::MAX_RECEIVERS;
use tidings_domain::broker::EventName;
use tidings_domain::endpoint::Endpoint;
use tidings_domain::idempotency::KeptAnswer;
use tidings_domain::ids::EndpointId;
use tidings_domain::message::Route;
use tidings_domain::names::Reference;
use tidings_domain::webhook_url::WebhookUrl;
use tidings_harness::{Fault, Rule, Table};
use tidings_store::event_name::Subscription;
use tidings_store::message::NewMessage;
use tidings_store::{Repetition, Store, StoreError, Subscribed, keys};

use crate::application::{application, kept};
use crate::endpoint::{endpoint, message, store_with_application};
use crate::support::{NOW, at, organization};

fn name(text: &str) -> EventName {
    text.to_owned().try_into().unwrap()
}

fn url(number: u16) -> WebhookUrl {
    format!("https://example.com/{number}").try_into().unwrap()
}

/// The endpoint with this number, that brings events of a name to the URL of another number. Higher ones are younger.
fn bringing(event: &EventName, number: u16, to: u16) -> Endpoint {
    Endpoint {
        uid: Some(event.endpoint_uid(&url(to))),
        url: url(to),
        event_types: Some(vec![event.event_type()]),
        ..endpoint(number)
    }
}

async fn subscribe(store: &Store, event: &EventName, number: u16, to: u16) -> Subscribed {
    store.subscribe(organization(1), event, &bringing(event, number, to), None, None).await.unwrap()
}

async fn urls(store: &Store, event: &EventName) -> Vec<WebhookUrl> {
    let found = store.subscriptions(organization(1), event).await.unwrap();
    found.into_iter().map(|subscription| subscription.url).collect()
}

async fn names(store: &Store, offset: usize, limit: usize) -> Vec<String> {
    let found = store.event_names(organization(1), offset, limit).await.unwrap();
    found.into_iter().map(String::from).collect()
}

/// How many URLs a name is said to have.
async fn counted(store: &Store, event: &EventName) -> Option<usize> {
    let key = keys::event_name(organization(1), event);
    let item = store
        .client()
        .get_item()
        .table_name("tidings")
        .key("pk", aws_sdk_dynamodb::types::AttributeValue::S(key.pk))
        .key("sk", aws_sdk_dynamodb::types::AttributeValue::S(key.sk))
        .send();
    item.await.unwrap().item.map(|item| item["urls"].as_n().unwrap().parse().unwrap())
}

async fn endpoints(store: &Store) -> Vec<EndpointId> {
    let found = store.endpoints_of(organization(1), application(1).id).await.unwrap();
    found.into_iter().map(|endpoint| endpoint.id).collect()
}

#[tokio::test]
async fn a_pair_is_there_once_with_its_endpoint() {
    let store = store_with_application().await;
    let event = name("upload#image");
    assert_eq!(subscribe(&store, &event, 2, 7).await, Subscribed::New);
    assert_eq!(subscribe(&store, &event, 3, 7).await, Subscribed::Known);
    assert_eq!(subscribe(&store, &event, 1, 8).await, Subscribed::New);
    let first = Subscription { endpoint: endpoint(1).id, url: url(8) };
    let second = Subscription { endpoint: endpoint(2).id, url: url(7) };
    assert_eq!(store.subscriptions(organization(1), &event).await.unwrap(), [first, second], "oldest first");
    assert_eq!(endpoints(&store).await, [endpoint(1).id, endpoint(2).id]);
    assert_eq!(counted(&store, &event).await, Some(2));
    let by_uid = Reference::Uid(event.endpoint_uid(&url(7)));
    let found = store.endpoint(organization(1), application(1).id, &by_uid).await.unwrap();
    assert_eq!(found, Some(bringing(&event, 2, 7)));
    assert!(urls(&store, &name("upload")).await.is_empty(), "a name that starts alike is another");
    assert!(store.subscriptions(organization(2), &event).await.unwrap().is_empty(), "another tenant's");
    assert!(store.event_names(organization(2), 0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn with_its_last_url_a_name_goes() {
    let store = store_with_application().await;
    let event = name("upload_image");
    for number in 1..=3 {
        assert_eq!(subscribe(&store, &event, number, number).await, Subscribed::New);
    }
    for left in (0..3_u16).rev() {
        let gone = bringing(&event, left + 1, left + 1);
        assert!(store.unsubscribe(organization(1), &event, &gone, None).await.unwrap());
        assert!(!store.unsubscribe(organization(1), &event, &gone, None).await.unwrap(), "twice");
        assert_eq!(counted(&store, &event).await, Some(left.into()).filter(|_| left > 0));
        assert_eq!((urls(&store, &event).await.len(), endpoints(&store).await.len()), (left.into(), left.into()));
    }
    assert!(names(&store, 0, 10).await.is_empty());
    assert_eq!(subscribe(&store, &event, 4, 1).await, Subscribed::New, "its uid is free");
}

#[tokio::test]
async fn names_are_sorted_and_paged_by_a_count_of_them() {
    let store = store_with_application().await;
    let sorted = ["AAA", "aaa", "aab#1", "b b", "zz~", "\u{e9}t\u{e9}"];
    for (number, text) in (0..).zip([3, 0, 5, 1, 4, 2].map(|index: usize| sorted[index])) {
        assert_eq!(subscribe(&store, &name(text), number, number).await, Subscribed::New);
    }
    assert_eq!(names(&store, 0, 10).await, sorted);
    assert_eq!(names(&store, 0, 2).await, sorted[..2]);
    assert_eq!(names(&store, 2, 3).await, sorted[2..5]);
    assert_eq!(names(&store, 5, 100).await, sorted[5..]);
    assert!(names(&store, 6, 1).await.is_empty() && names(&store, 10_000, 100).await.is_empty());
}

#[tokio::test]
async fn a_pair_whose_endpoint_was_deleted_is_replaced_or_dropped() {
    let store = store_with_application().await;
    let event = name("upload_image");
    for number in 1..=2 {
        let _ = subscribe(&store, &event, number, number).await;
        // As an endpoint of the application.
        assert!(store.delete_endpoint(&bringing(&event, number, number), None).await.unwrap());
    }
    assert_eq!((urls(&store, &event).await, counted(&store, &event).await), (vec![url(1), url(2)], Some(2)));
    assert_eq!(subscribe(&store, &event, 3, 1).await, Subscribed::New);
    assert_eq!((urls(&store, &event).await, counted(&store, &event).await), (vec![url(2), url(1)], Some(2)));
    assert_eq!(subscribe(&store, &event, 4, 1).await, Subscribed::Known);
    let stale = |number, to| Subscription { endpoint: endpoint(number).id, url: url(to) };
    let drop = async |stale: Subscription| store.drop_subscription(organization(1), &event, &stale).await.unwrap();
    assert!(!drop(stale(1, 1)).await, "it has another endpoint by now");
    assert!(drop(stale(2, 2)).await && !drop(stale(2, 2)).await);
    assert_eq!((urls(&store, &event).await, counted(&store, &event).await), (vec![url(1)], Some(1)));
    // An endpoint whose pair somebody dropped can be deleted all the same.
    assert!(drop(stale(3, 1)).await);
    assert!(store.unsubscribe(organization(1), &event, &bringing(&event, 3, 1), None).await.unwrap());
    assert!(endpoints(&store).await.is_empty() && names(&store, 0, 1).await.is_empty());
}

#[tokio::test]
async fn an_endpoint_that_was_moved_or_renamed_can_be_unsubscribed() {
    let store = store_with_application().await;
    let event = name("upload_image");
    let _ = subscribe(&store, &event, 1, 1).await;
    let before = bringing(&event, 1, 1);
    let moved = Endpoint { url: url(9), updated_at: at(1), ..before.clone() };
    let _ = store.replace_endpoint(&before, &moved, None).await.unwrap();
    let renamed = Endpoint { uid: None, updated_at: at(2), ..moved.clone() };
    let _ = store.replace_endpoint(&moved, &renamed, None).await.unwrap();
    assert!(store.unsubscribe(organization(1), &event, &moved, None).await.unwrap(), "it was renamed meanwhile");
    assert!(endpoints(&store).await.is_empty() && urls(&store, &event).await.is_empty());
    assert_eq!(counted(&store, &event).await, None);
}

#[tokio::test]
async fn what_is_told_and_answered_is_written_with_the_pair_or_not_at_all() {
    let store = store_with_application().await;
    let event = name("upload_image");
    let messages: Vec<_> = (0..4).map(message).collect();
    let news: Vec<_> =
        messages.iter().map(|message| NewMessage { message, due: at(30), route: Route::Endpoints }).collect();
    let told = async |number: usize| {
        let found = store.message(organization(1), application(1).id, messages[number].id, NOW).await.unwrap();
        found.is_some()
    };
    let subscribe = async |number, news: &NewMessage<'_>, kept: Option<&KeptAnswer>| {
        store.subscribe(organization(1), &event, &bringing(&event, number, 1), Some(news), kept).await.unwrap()
    };
    assert_eq!(subscribe(1, &news[0], Some(&kept("a", "x"))).await, Subscribed::New);
    let repeated = subscribe(2, &news[1], Some(&kept("a", "y"))).await;
    assert_eq!(repeated, Subscribed::Repeated(Repetition::Same(kept("a", "x").answer)));
    let other = subscribe(2, &news[1], Some(&kept("b", "y"))).await;
    assert_eq!(other, Subscribed::Repeated(Repetition::Other));
    assert_eq!(subscribe(2, &news[1], None).await, Subscribed::Known);
    assert_eq!((told(0).await, told(1).await), (true, false));
    let gone = bringing(&event, 1, 1);
    assert!(store.unsubscribe(organization(1), &event, &gone, Some(&news[2])).await.unwrap());
    assert!(!store.unsubscribe(organization(1), &event, &gone, Some(&news[3])).await.unwrap());
    assert_eq!((told(2).await, told(3).await), (true, false));
}

#[tokio::test]
async fn a_name_has_no_more_urls_than_a_message_can_have_receivers() {
    let store = store_with_application().await;
    let event = name("upload_image");
    let most = u16::try_from(MAX_RECEIVERS).unwrap();
    for number in 0..most {
        assert_eq!(subscribe(&store, &event, number, number).await, Subscribed::New);
    }
    assert_eq!(subscribe(&store, &event, most, most).await, Subscribed::TooMany);
    assert_eq!(subscribe(&store, &event, most, 0).await, Subscribed::Known);
    assert_eq!((endpoints(&store).await.len(), urls(&store, &event).await.len()), (MAX_RECEIVERS, MAX_RECEIVERS));
    // One whose endpoint is gone is replaced, not one more.
    assert!(store.delete_endpoint(&bringing(&event, 3, 3), None).await.unwrap());
    assert_eq!(subscribe(&store, &event, most, 3).await, Subscribed::New);
    assert_eq!(counted(&store, &event).await, Some(MAX_RECEIVERS));
    let second = name("another");
    assert_eq!(subscribe(&store, &second, most + 1, 0).await, Subscribed::New);
    let _ = subscribe(&store, &second, most + 2, 1).await;
    assert_eq!(endpoints(&store).await.len(), MAX_RECEIVERS + 1, "no more are read");
}

#[tokio::test]
async fn a_pair_needs_its_application() {
    let store = store_with_application().await;
    assert!(store.delete_application(&application(1), at(30)).await.unwrap());
    let event = name("upload_image");
    let refused = store.subscribe(organization(1), &event, &bringing(&event, 1, 1), None, None).await;
    assert!(matches!(refused, Err(StoreError::Contended)), "{refused:?}");
    assert!(names(&store, 0, 1).await.is_empty());
}

#[tokio::test]
async fn a_pair_that_is_thrown_back_leaves_nothing() {
    let table = Table::start().await;
    let _ = table.store().create_application(&application(1), None).await.unwrap();
    let event = name("upload_image");
    table.faults().inject(Rule::new(Fault::Conflict).on("TransactWriteItems"));
    let pair = bringing(&event, 1, 1);
    let refused = table.faulty_store().subscribe(organization(1), &event, &pair, None, None).await;
    assert!(matches!(refused, Err(StoreError::Contended)), "{refused:?}");
    assert!(names(table.store(), 0, 1).await.is_empty() && endpoints(table.store()).await.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whoever comes and goes at the same time: a name says how many pairs it has, and every pair has its endpoint.
    #[test]
    fn the_count_of_urls_is_right_whatever_happens_at_once(
        rounds in prop::collection::vec(prop::collection::vec((0_u16..4, 0_u8..4), 1..5), 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = store_with_application().await;
            let event = name("upload_image");
            let mut number = 0;
            for round in rounds {
                let steps = round.into_iter().map(|(to, action)| {
                    number += 1;
                    let (store, event, own) = (&store, &event, bringing(&event, number, to));
                    async move {
                        let pairs = store.subscriptions(organization(1), event).await.unwrap();
                        let pair = pairs.into_iter().find(|pair| pair.url == url(to));
                        let of = |pair: &Subscription| Endpoint { id: pair.endpoint, ..own.clone() };
                        match (action, pair) {
                            (0 | 1, _) => drop(store.subscribe(organization(1), event, &own, None, None).await.unwrap()),
                            (2, Some(pair)) => {
                                let gone = store.unsubscribe(organization(1), event, &of(&pair), None).await.unwrap();
                                // Its endpoint was deleted as one: the pair alone is left.
                                if !gone {
                                    store.drop_subscription(organization(1), event, &pair).await.unwrap();
                                }
                            }
                            (3, Some(pair)) => drop(store.delete_endpoint(&of(&pair), None).await.unwrap()),
                            _ => (),
                        }
                    }
                });
                join_all(steps).await;
                let pairs = store.subscriptions(organization(1), &event).await.unwrap();
                assert_eq!(counted(&store, &event).await.unwrap_or_default(), pairs.len());
                assert_eq!(names(&store, 0, 9).await.len(), usize::from(!pairs.is_empty()));
                for endpoint in endpoints(&store).await {
                    assert!(pairs.iter().any(|pair| pair.endpoint == endpoint), "an endpoint without its pair");
                }
            }
        });
    }
}
