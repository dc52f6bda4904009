//! Webhooks that are accepted: once, whatever their senders repeat.

use std::time::Duration;

use axum::body::Body;
use futures::future::join_all;
use http::{Request, Response};
use insta::assert_snapshot;
use tidings_domain::source::SourceKind;
use tidings_domain::transaction::{Transaction, TransactionStatus};

use crate::support::inbound::{DOCEBO_BODY, Sender, new_transaction};
use crate::support::{NOW, Service, redact, shown};

const HOUR: Duration = Duration::from_hours(1);

/// The id of the transaction that an answer tells of.
async fn id(response: Response<Body>) -> String {
    new_transaction(response).await["id"].as_str().unwrap().to_owned()
}

fn docebo() -> Sender {
    Sender::of(SourceKind::Docebo)
}

#[tokio::test]
async fn a_webhook_is_answered_with_its_transaction() {
    let service = Service::start().await;
    let (_, path) = service.source_for(&docebo()).await;
    assert_snapshot!(shown(service.send(docebo().request(&path)).await).await, @r#"
    200 OK
    {"message":"Transaction has been saved successfully","newTransaction":{"id":"txn_[id]","messageId":"wh-20240313-145834-5bf0ce52-91d0-40fa-98d8-d8286b78f8b8","event":"course.enrollment.created","status":"pending","receivedAt":"2027-01-15T08:00:00.000Z","computedAt":null,"message":null}}
    "#);
}

#[tokio::test]
async fn what_was_sent_is_kept_byte_for_byte_with_what_is_owed() {
    let service = Service::with(&[("GRACE_SECONDS", "7")]).await;
    let (source, path) = service.source_for(&docebo()).await;
    let body = format!("\n\t{}  \r\n", DOCEBO_BODY.replace("13250", "1.3250E4").replace("jane", "j\\u00e4ne/\\/"));
    let mut request = docebo().sends(&path, body.clone());
    request.headers_mut().insert("user-agent", "Docebo".parse().unwrap());
    request.headers_mut().insert("cookie", "session=secret".parse().unwrap());
    let answered = id(service.send(request).await).await;
    let kept = service.transaction(&source, &docebo().name()).await.unwrap();
    let Transaction { id, body: stored, headers, status, received_at, computed_at, message, .. } = &kept;
    assert_eq!((id.to_string(), stored), (answered, &axum::body::Bytes::from(body)));
    assert_eq!((*status, *received_at, *computed_at, *message), (TransactionStatus::Pending, NOW, None, None));
    let headers: Vec<_> = headers.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(headers, [("content-type", "application/json"), ("user-agent", "Docebo")]);
    let mut owed = Vec::new();
    for shard in 0..tidings_domain::agenda::SHARDS {
        owed.extend(service.table.store().due(shard, NOW + HOUR, None, 50).await.unwrap().entries);
    }
    let owed: Vec<_> = owed.into_iter().map(|entry| (entry.key.work, entry.key.due)).collect();
    assert_eq!(owed, [(kept.work(), NOW + Duration::from_secs(7))]);
    let written = service.written().await;
    assert!(!written.contains("hunter2") && !written.contains("session=secret"), "{written}");
}

/// Else the schedule could find the entry due, and no transaction: while the transaction is still being written.
#[tokio::test]
async fn an_entry_is_not_due_before_it_is_certain_whether_its_transaction_is_there() {
    let service = Service::with(&[("GRACE_SECONDS", "1")]).await;
    let (source, path) = service.source_for(&docebo()).await;
    service.send(docebo().request(&path)).await;
    let shard = service.transaction(&source, &docebo().name()).await.unwrap().work().shard();
    let due =
        async |after: Duration| service.table.store().due(shard, NOW + after, None, 50).await.unwrap().entries.len();
    assert_eq!((due(Duration::from_millis(4_999)).await, due(Duration::from_secs(5)).await), (0, 1));
}

#[tokio::test]
async fn an_accepted_webhook_is_two_writes_side_by_side_and_its_source_is_read_once() {
    let service = Service::start().await;
    let sender = Sender::of(SourceKind::None);
    let (_, path) = service.source_for(&sender).await;
    for _ in 0..3 {
        id(service.send(sender.request(&path)).await).await;
    }
    let meter = service.table.meter();
    let counts = ["GetItem", "PutItem", "BatchWriteItem"].map(|operation| meter.count(operation));
    assert_eq!((counts, meter.total().count), ([1, 3, 3], 7), "{:?}", meter.calls());
}

#[tokio::test]
async fn a_redelivery_is_answered_with_the_first_transaction_and_does_nothing_twice() {
    let service = Service::start().await;
    for (number, sender) in (1..).zip(Sender::all()).filter(|(_, sender)| sender.message_id.is_some()) {
        let source = sender.source(service.table.store(), number, None).await;
        let path = format!("/in/{}", source.id);
        let first = new_transaction(service.send(sender.request(&path)).await).await;
        let again = service.send(sender.request(&path)).await;
        assert_eq!(again.headers()["idempotent-replayed"], "true", "{sender:?}");
        assert_eq!(new_transaction(again).await, first, "{sender:?}");
    }
    assert_eq!(service.kept().await, (7, 0));
}

#[tokio::test]
async fn a_redelivery_long_after_is_one_too_until_the_transaction_is_forgotten() {
    let service = Service::start().await;
    let (_, path) = service.source_for(&docebo()).await;
    let first = id(service.send(docebo().request(&path)).await).await;
    service.clock.advance(Duration::from_hours(24 * 90) - Duration::from_secs(1));
    let again = new_transaction(service.send(docebo().request(&path)).await).await;
    assert_eq!((again["id"].as_str().unwrap(), &again["receivedAt"]), (&*first, &"2027-01-15T08:00:00.000Z".into()));
    service.clock.advance(Duration::from_secs(2));
    let anew = service.send(docebo().request(&path)).await;
    assert!(!anew.headers().contains_key("idempotent-replayed"));
    assert_ne!(id(anew).await, first);
    assert_eq!(service.kept().await, (1, 0));
}

#[tokio::test]
async fn a_known_id_with_another_body_is_refused_and_kept() {
    let service = Service::start().await;
    let (source, path) = service.source_for(&docebo()).await;
    id(service.send(docebo().request(&path)).await).await;
    let other = DOCEBO_BODY.replace("jane", "joe");
    assert_snapshot!(shown(service.send(docebo().sends(&path, other.clone())).await).await, @r#"
    409 Conflict
    {"code":"conflict","detail":"Another body was received under this id before."}
    "#);
    let [error] = service.errors(&source).await.try_into().unwrap();
    assert_eq!((error.status, &*error.body, error.body_bytes), (409, other.as_bytes(), other.len()));
    assert_eq!(error.faults, ["Another body was received under this id before."]);
    let kept = service.transaction(&source, &docebo().name()).await.unwrap();
    assert_eq!(kept.body, DOCEBO_BODY, "the first one stays");
    // The same in other bytes is another body: what was signed, or compared by whoever asks, are bytes.
    assert_eq!(service.send(docebo().sends(&path, format!("{DOCEBO_BODY} "))).await.status(), 409);
}

#[tokio::test]
async fn stripe_repeats_an_event_with_another_body() {
    let service = Service::start().await;
    let sender = Sender::of(SourceKind::Stripe);
    let (source, path) = service.source_for(&sender).await;
    let first = id(service.send(sender.request(&path)).await).await;
    let again = sender.body.replace("\"pending_webhooks\":2", "\"pending_webhooks\":1");
    assert_ne!(again, sender.body);
    assert_eq!(id(service.send(sender.sends(&path, again)).await).await, first);
    assert_eq!(service.transaction(&source, &sender.name()).await.unwrap().body, sender.body);
    assert_eq!(service.kept().await, (1, 0));
}

#[tokio::test]
async fn without_an_id_each_request_is_a_transaction() {
    let service = Service::start().await;
    let sender = Sender::of(SourceKind::None);
    let (_, path) = service.source_for(&sender).await;
    let (first, second) = (service.send(sender.request(&path)).await, service.send(sender.request(&path)).await);
    assert_ne!(id(first).await, id(second).await);
    assert_eq!(service.kept().await, (2, 0));
}

#[tokio::test]
async fn an_id_is_one_of_its_source() {
    let service = Service::start().await;
    let store = service.table.store();
    let (one, two) = (docebo().source(store, 1, None).await, docebo().source(store, 2, None).await);
    let theirs = docebo().source_of(store, 2, 3, None).await;
    let mut ids = Vec::new();
    for source in [&one, &two, &theirs] {
        ids.push(id(service.send(docebo().request(&format!("/in/{}", source.id))).await).await);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn of_many_redeliveries_at_once_there_is_one_transaction() {
    let service = Service::start().await;
    let (_, path) = service.source_for(&docebo()).await;
    let ids = join_all((0..20).map(|_| async { id(service.send(docebo().request(&path)).await).await })).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(service.kept().await, (1, 0));
}

#[tokio::test]
async fn of_two_bodies_at_once_under_one_id_one_is_accepted() {
    let service = Service::start().await;
    let (source, path) = service.source_for(&docebo()).await;
    let bodies = [DOCEBO_BODY.to_owned(), DOCEBO_BODY.replace("jane", "joe")];
    let answers = join_all(bodies.iter().map(|body| service.send(docebo().sends(&path, body.clone())))).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    let won = statuses.iter().position(|status| *status == 200).unwrap();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    assert_eq!(service.transaction(&source, &docebo().name()).await.unwrap().body, bodies[won]);
    assert_eq!(service.errors(&source).await[0].body, bodies[1 - won]);
}

#[tokio::test]
async fn a_uid_is_known_in_the_inbound_organization_and_an_id_in_all() {
    let service = Service::start().await;
    let store = service.table.store();
    let ours = docebo().source(store, 1, Some("learning")).await;
    let theirs = docebo().source_of(store, 2, 2, Some("theirs")).await;
    let same_name = docebo().source_of(store, 2, 3, Some("learning")).await;
    let found = service.send(docebo().request("/in/learning")).await;
    let named = id(found).await;
    assert_eq!(service.transaction(&ours, &docebo().name()).await.unwrap().id.to_string(), named);
    assert!(service.transaction(&same_name, &docebo().name()).await.is_none());
    assert_eq!(service.send(docebo().request("/in/theirs")).await.status(), 404);
    id(service.send(docebo().request(&format!("/in/{}", theirs.id))).await).await;
    assert!(service.transaction(&theirs, &docebo().name()).await.is_some());
}

#[tokio::test]
async fn docebos_own_door_is_the_source_of_that_uid() {
    let service = Service::start().await;
    let store = service.table.store();
    docebo().source_of(store, 2, 2, Some("docebo")).await;
    assert_snapshot!(shown(service.send(docebo().request("/transaction")).await).await, @r#"
    404 Not Found
    {"code":"not_found","detail":"Not found."}
    "#);
    // That there is none is known for some seconds.
    service.clock.advance(Duration::from_secs(5));
    let source = docebo().source(store, 1, Some("docebo")).await;
    let first = id(service.send(docebo().request("/transaction")).await).await;
    let again = service.send(docebo().request(&format!("/in/{}", source.id))).await;
    assert_eq!(id(again).await, first, "they are one door");
}

#[tokio::test]
async fn a_source_that_is_not_there_is_not_found_whatever_is_sent() {
    let service = Service::start().await;
    let (source, _) = service.source_for(&docebo()).await;
    let mut answers = Vec::new();
    let unknown = "src_1srOrx2ZWZBpBUvZwXKQmoEYga2";
    for place in [unknown, "nobody", "src_", "a%20b", "%FF", "%00", "..", &source.id.to_string().to_uppercase()] {
        for body in [DOCEBO_BODY, "{", ""] {
            let request = Request::post(format!("/in/{place}")).body(Body::from(body)).unwrap();
            answers.push(shown(service.send(request).await).await);
        }
        let large = Request::post(format!("/in/{place}")).header("content-length", "99999999").body(Body::empty());
        answers.push(shown(service.send(large.unwrap()).await).await);
    }
    answers.dedup();
    assert_snapshot!(redact(&answers.join("\n---\n")), @r#"
    404 Not Found
    {"code":"not_found","detail":"Not found."}
    "#);
    assert_eq!(service.kept().await, (0, 0));
}

#[tokio::test]
async fn the_door_has_no_other_methods_and_no_rooms() {
    let service = Service::start().await;
    let (_, path) = service.source_for(&Sender::of(SourceKind::None)).await;
    for (method, path) in [("PUT", &*path), ("DELETE", &path), ("PATCH", "/transaction"), ("OPTIONS", "/transaction")] {
        let request = Request::builder().method(method).uri(path).body(Body::from("{}")).unwrap();
        let answer = service.send(request).await;
        assert_eq!((answer.status().as_u16(), &answer.headers()["allow"]), (405, &"POST,GET,HEAD".parse().unwrap()));
    }
    for path in ["/in", "/in/", "/in/a/b", "/transaction/", "/transaction/a", "/transactions"] {
        let request = Request::post(path).body(Body::from("{}")).unwrap();
        assert_eq!(service.send(request).await.status(), 404, "{path}");
    }
    assert_eq!(service.kept().await, (0, 0));
}
