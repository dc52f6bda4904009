use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tidings_domain::ids::MessageId;
use tidings_domain::message::{Message, RETENTION};
use tidings_domain::page::{PageLimit, Position};
use tidings_engine::{Engine, Storage};
use tidings_harness::{Changes, Table};
use tidings_store::message::{MessageAccepted, MessageFilter, from_image};
use tidings_store::{Store, agenda};

use crate::outbound::{application, message, message_id, new};
use crate::support::{all_due, at, organization, store};

async fn create(store: &Store, message: &Message) {
    assert_eq!(store.create_message(&new(message), None).await.unwrap(), MessageAccepted::Written);
}

fn limit(limit: u64) -> PageLimit {
    PageLimit::try_from(limit).unwrap()
}

#[tokio::test]
async fn a_message_is_read_byte_for_byte_as_it_came() {
    let store = store().await;
    let message = Message {
        event_id: None,
        channels: vec!["eu".parse().unwrap(), "us".parse().unwrap()],
        tags: vec!["a".parse().unwrap()],
        payload: Some(Bytes::from_static(
            "{ \"b\":1.0e2,\t\"a\": \"gr\u{fc}\u{df}e \\u00fc\\/\u{1f600}\"}\n".as_bytes(),
        )),
        payload_until: at(0) + Duration::from_secs(5 * 24 * 3600),
        ..message(0)
    };
    create(&store, &message).await;
    let read = store.message(organization(1), application(), message.id, at(1)).await.unwrap();
    assert_eq!(read, Some(message));
}

#[tokio::test]
async fn a_message_owes_its_work_to_both_lanes() {
    let table = Table::start().await;
    let changes = Changes::of(table.engine());
    create(table.store(), &message(0)).await;
    let image = changes.take(1).await.remove(0).change.new_image;
    assert_eq!(agenda::owed(&image).unwrap().unwrap(), all_due(table.store(), at(30)).await[0].key);
    assert_eq!(from_image(image).unwrap(), message(0));
}

#[tokio::test]
async fn the_payload_is_moved_out_of_an_image() {
    let table = Table::start().await;
    let changes = Changes::of(table.engine());
    create(table.store(), &message(0)).await;
    let image = changes.take(1).await.remove(0).change.new_image;
    let Some(serde_dynamo::AttributeValue::S(payload)) = image.get("payload") else { panic!("no payload") };
    let place = payload.as_ptr();
    assert_eq!(from_image(image).unwrap().payload.unwrap().as_ptr(), place);
}

#[tokio::test]
async fn a_message_is_gone_after_its_retention_although_the_table_still_has_it() {
    let store = store().await;
    create(&store, &message(0)).await;
    let filter = MessageFilter::default();
    for (now, is_there) in [(message(0).created_at + RETENTION, false), (at(90 * 24 * 3600 - 1), true)] {
        let read = store.message(organization(1), application(), message_id(0), now).await.unwrap();
        let page = store.messages(organization(1), application(), &filter, None, limit(5), now).await.unwrap();
        assert_eq!((read.is_some(), page.data.len(), page.done), (is_there, usize::from(is_there), true));
    }
}

#[tokio::test]
async fn another_tenants_messages_are_not_found() {
    let store = store().await;
    create(&store, &message(0)).await;
    assert!(store.message(organization(2), application(), message_id(0), at(1)).await.unwrap().is_none());
    let filter = MessageFilter::default();
    let page = store.messages(organization(2), application(), &filter, None, limit(5), at(1)).await.unwrap();
    assert!(page.data.is_empty() && page.done);
    assert!(!store.expunge_message(organization(2), application(), message_id(0)).await.unwrap());
}

#[tokio::test]
async fn an_expunged_payload_is_gone_and_starts_nothing() {
    let engine = Engine::open(Storage::Memory).unwrap();
    let store = Store::new(engine.client(), "tidings");
    store.ensure_table().await.unwrap();
    create(&store, &message(0)).await;
    let changes = Changes::of(&engine);
    assert!(store.expunge_message(organization(1), application(), message_id(0)).await.unwrap());
    create(&store, &message(1)).await;
    assert_eq!(changes.take(1).await.len(), 1, "only the second message owes its work");
    let read = store.message(organization(1), application(), message_id(0), at(1)).await.unwrap().unwrap();
    assert_eq!(read, Message { payload: None, ..message(0) });
    assert!(store.expunge_message(organization(1), application(), message_id(0)).await.unwrap());
    assert!(!store.expunge_message(organization(1), application(), message_id(9)).await.unwrap());
}

#[tokio::test]
async fn a_payload_that_goes_early_owes_its_end() {
    let store = store().await;
    let message = Message { payload_until: at(5 * 24 * 3600), ..message(0) };
    create(&store, &message).await;
    let entries = all_due(&store, at(5 * 24 * 3600)).await;
    let due = entries.iter().find(|entry| entry.key.work == message.expunge_work()).unwrap().key.due;
    assert_eq!((entries.len(), due), (2, message.payload_until));
    assert_eq!(all_due(&store, at(5 * 24 * 3600 - 1)).await.len(), 1);
}

#[tokio::test]
async fn messages_are_listed_by_what_they_are() {
    let store = store().await;
    for second in 0..40 {
        let message = Message {
            event_type: if second % 2 == 0 { "even" } else { "odd" }.parse().unwrap(),
            channels: if second % 3 == 0 { vec!["third".parse().unwrap()] } else { Vec::new() },
            tags: if second % 5 == 0 { vec!["fifth".parse().unwrap(), "x".parse().unwrap()] } else { Vec::new() },
            ..message(second)
        };
        create(&store, &message).await;
    }
    let list = async |filter: MessageFilter| {
        let page = store.messages(organization(1), application(), &filter, None, limit(50), at(100)).await.unwrap();
        assert!(page.done);
        page.data.into_iter().map(|message| message.created_at.since(at(0)).as_secs()).collect::<Vec<_>>()
    };
    let all = MessageFilter::default;
    assert_eq!(list(MessageFilter { event_types: vec!["odd".parse().unwrap()], ..all() }).await.len(), 20);
    let both = vec!["odd".parse().unwrap(), "even".parse().unwrap()];
    assert_eq!(list(MessageFilter { event_types: both, ..all() }).await.len(), 40);
    let third = Some("third".parse().unwrap());
    let fifth = Some("fifth".parse().unwrap());
    assert_eq!(list(MessageFilter { tag: fifth.clone(), channel: third, ..all() }).await, [30, 15, 0]);
    let times = MessageFilter { since: Some(at(10)), before: Some(at(20)), tag: fifth, ..all() };
    assert_eq!(list(times).await, [15, 10]);
    let nothing = MessageFilter { since: Some(at(20)), before: Some(at(10)), ..all() };
    assert!(list(nothing).await.is_empty());
}

#[tokio::test]
async fn lists_have_payloads_only_if_asked_for() {
    let store = store().await;
    create(&store, &message(0)).await;
    for with_payload in [false, true] {
        let filter = MessageFilter { with_payload, ..MessageFilter::default() };
        let page = store.messages(organization(1), application(), &filter, None, limit(5), at(1)).await.unwrap();
        let expected = Message { payload: message(0).payload.filter(|_| with_payload), ..message(0) };
        assert_eq!(page.data, [expected]);
    }
}

#[tokio::test]
async fn messages_between_go_on_after_a_message() {
    let store = store().await;
    for second in 0..10 {
        create(&store, &message(second)).await;
    }
    let ids = async |after: Option<i64>, limit| {
        let after = after.map(message_id);
        let found = store.messages_between(organization(1), application(), after, at(2), at(8), limit).await.unwrap();
        assert!(found.0.iter().all(|message| message.payload.is_none()));
        (found.0.into_iter().map(|message| message.created_at.since(at(0)).as_secs()).collect::<Vec<_>>(), found.1)
    };
    assert_eq!(ids(None, 4).await, (vec![2, 3, 4, 5], true));
    assert_eq!(ids(Some(5), 4).await, (vec![6, 7], false));
    assert_eq!(ids(None, 6).await, (vec![2, 3, 4, 5, 6, 7], false));
    assert_eq!(ids(Some(7), 4).await, (vec![], false));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn pages_of_messages_go_both_ways_without_gap_or_repeat(count in 0..30_i64, size in 1..8_u64, rare in 1..6_i64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = store().await;
            for second in 0..count {
                let kind = if second % rare == 0 { "wanted" } else { "other" };
                create(&store, &Message { event_type: kind.parse().unwrap(), ..message(second) }).await;
            }
            let expected: Vec<MessageId> =
                (0..count).rev().filter(|second| second % rare == 0).map(message_id).collect();
            let filter = MessageFilter { event_types: vec!["wanted".parse().unwrap()], ..MessageFilter::default() };
            let read = async |position| {
                let page = store.messages(organization(1), application(), &filter, position, limit(size), at(1000));
                let page = page.await.unwrap();
                assert!(page.done || !page.data.is_empty());
                (page.data.into_iter().map(|message| message.id).collect::<Vec<_>>(), page.done)
            };
            let (mut forward, mut position) = (Vec::new(), None);
            loop {
                let (ids, done) = read(position).await;
                forward.extend(&ids);
                position = forward.last().copied().map(Position::After);
                if done {
                    break;
                }
            }
            assert_eq!(forward, expected);
            let mut position = Some(Position::Before(message_id(-1)));
            let mut backward: Vec<MessageId> = Vec::new();
            loop {
                let (ids, done) = read(position).await;
                backward.splice(0..0, ids);
                position = backward.first().copied().map(Position::Before);
                if done {
                    break;
                }
            }
            assert_eq!(backward, expected);
        });
    }
}
