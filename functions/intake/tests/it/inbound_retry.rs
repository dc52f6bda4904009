//! Rejected webhooks that are tried again.

use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use insta::assert_snapshot;
use tidings_domain::ids::TransactionErrorId;
use tidings_domain::source::{Names, Scheme, Source, SourceKind};
use tidings_domain::transaction::TransactionName;
use tidings_harness::{Fault, Rule};
use tidings_store::Replaced;

use crate::support::inbound::{DOCEBO_BODY, Sender, new_transaction};
use crate::support::{NOW, Service, application, organization, shown, token};

/// As the user of organization 1.
async fn retry(service: &Service, source: &str, error: TransactionErrorId) -> Response<Body> {
    retry_as(service, &token(&organization(1)), source, error).await
}

async fn retry_as(service: &Service, bearer: &str, source: &str, error: TransactionErrorId) -> Response<Body> {
    let request = Request::post(format!("/in/{source}/transaction-errors/{error}/retry"))
        .header("authorization", format!("Bearer {bearer}"));
    service.send(request.body(Body::empty()).unwrap()).await
}

/// From now on the source is one that verifies nothing.
async fn reconfigured(service: &Service, before: &Source, names: Names) -> Source {
    let mut after = before.clone();
    (after.scheme, after.keys) = (Scheme::None { names }, None);
    after.updated_at = NOW + Duration::from_secs(1);
    let replaced = service.table.store().replace_source(before, &after, NOW).await.unwrap();
    assert_eq!(replaced, Replaced::Written);
    after
}

/// A source of Docebo's kind that was sent something else.
async fn rejected(service: &Service, body: &str) -> (Source, TransactionErrorId) {
    let sender = Sender::of(SourceKind::Docebo);
    let source = sender.source(service.table.store(), 1, Some("learning")).await;
    let mut request = sender.sends("/in/learning", body);
    request.headers_mut().insert("user-agent", "Docebo".parse().unwrap());
    assert_eq!(service.send(request).await.status(), 400);
    let [error] = service.errors(&source).await.try_into().unwrap();
    (source, error.id)
}

#[tokio::test]
async fn what_is_still_faulty_is_told_and_stays() {
    let service = Service::start().await;
    let (source, error) = rejected(&service, r#"{"event":"course.updated"}"#).await;
    let answer = shown(retry(&service, "learning", error).await).await;
    assert_snapshot!(answer.replace("},{", "},\n  {"), @r#"
    422 Unprocessable Entity
    {"detail":[{"loc":["body","message_id"],"msg":"is required","type":"value_error.missing"},
      {"loc":["body","fired_by_batch_action"],"msg":"is required","type":"value_error.missing"},
      {"loc":["body","payload"],"msg":"is required, or `payloads`","type":"value_error.missing"}]}
    "#);
    assert_eq!(service.errors(&source).await.len(), 1);
    assert_eq!(service.kept().await, (0, 1));
}

#[tokio::test]
async fn what_its_source_takes_by_now_is_accepted_and_its_error_is_gone() {
    let service = Service::start().await;
    let body = " {\"event\":\"course.updated\"}\n";
    let (source, error) = rejected(&service, body).await;
    let source = reconfigured(&service, &source, Names::default()).await;
    service.clock.advance(Duration::from_secs(60));
    let transaction = new_transaction(retry(&service, &source.id.to_string(), error).await).await;
    assert_eq!((&transaction["event"], &transaction["status"]), (&"course.updated".into(), &"pending".into()));
    assert_eq!(transaction["receivedAt"], "2027-01-15T08:01:00.000Z");
    assert_eq!(service.kept().await, (1, 0));
    let id = transaction["id"].as_str().unwrap().parse().unwrap();
    let kept = service.table.store().transaction_by_id(&source, id, service.clock.now()).await.unwrap().unwrap();
    assert_eq!(kept.body, body);
    assert!(kept.headers.0.contains(&("user-agent".to_owned(), "Docebo".to_owned())));
    assert_eq!(retry(&service, "learning", error).await.status(), 404);
}

#[tokio::test]
async fn a_retry_whose_end_was_not_written_is_one_transaction_with_the_next() {
    let service = Service::start().await;
    let (source, error) = rejected(&service, r#"{"event":"course.updated"}"#).await;
    reconfigured(&service, &source, Names::default()).await;
    service.table.faults().inject(Rule::new(Fault::Throttled).on("DeleteItem"));
    service.table.faults().inject(Rule::new(Fault::Throttled).on("BatchWriteItem"));
    assert_eq!(retry(&service, "learning", error).await.status(), 503);
    assert_eq!(service.kept().await, (1, 1));
    service.table.faults().clear();
    service.clock.advance(Duration::from_secs(60));
    new_transaction(retry(&service, "learning", error).await).await;
    assert_eq!(service.kept().await, (1, 0));
}

#[tokio::test]
async fn two_retries_at_once_are_one_transaction() {
    let service = Service::start().await;
    let (source, error) = rejected(&service, r#"{"event":"course.updated"}"#).await;
    reconfigured(&service, &source, Names::default()).await;
    let (one, other) = futures::join!(retry(&service, "learning", error), retry(&service, "learning", error));
    let statuses = [one.status().as_u16(), other.status().as_u16()];
    assert!(statuses.contains(&200) && statuses.iter().all(|status| matches!(status, 200 | 404)), "{statuses:?}");
    assert_eq!(service.kept().await, (1, 0));
}

#[tokio::test]
async fn an_id_in_a_header_is_known_again() {
    let service = Service::start().await;
    let sender = Sender::of(SourceKind::Github);
    let (source, path) = service.source_for(&sender).await;
    assert_eq!(service.send(sender.sends(&path, "not JSON")).await.status(), 400);
    let [error] = service.errors(&source).await.try_into().unwrap();
    // It cannot become JSON; but that is all that is wrong with it.
    let answer = shown(retry(&service, &source.id.to_string(), error.id).await).await;
    assert_eq!(answer.matches("\"loc\"").count(), 1, "{answer}");
    // Refused because its id was used for another body, it still is.
    new_transaction(service.send(sender.request(&path)).await).await;
    assert_eq!(service.send(sender.sends(&path, "{}")).await.status(), 409);
    let conflict = service.errors(&source).await.into_iter().find(|error| error.status == 409).unwrap();
    assert_snapshot!(shown(retry(&service, &source.id.to_string(), conflict.id).await).await, @r#"
    409 Conflict
    {"code":"conflict","detail":"Another body was received under this id before."}
    "#);
    assert_eq!(service.kept().await, (1, 2), "a retry that is refused is no error more");
    // Once that transaction is forgotten, it is the first with its id.
    service.clock.advance(Duration::from_hours(24 * 90) - Duration::from_secs(1));
    assert!(service.transaction(&source, &TransactionName::of_message(sender.message_id.unwrap())).await.is_some());
}

#[tokio::test]
async fn of_what_only_the_beginning_was_kept_nothing_is_made() {
    let service = Service::start().await;
    let body = format!("{DOCEBO_BODY}{}x", " ".repeat(16 * 1024));
    let (source, error) = rejected(&service, &body).await;
    reconfigured(&service, &source, Names::default()).await;
    assert_snapshot!(shown(retry(&service, "learning", error).await).await, @r#"
    409 Conflict
    {"code":"conflict","detail":"Only the beginning of its body was kept."}
    "#);
    assert_eq!(service.kept().await, (0, 1));
}

#[tokio::test]
async fn an_error_is_its_organizations_and_its_sources() {
    let service = Service::start().await;
    let (source, error) = rejected(&service, "{}").await;
    let store = service.table.store();
    let sender = Sender::of(SourceKind::None);
    let other = sender.source(store, 2, None).await;
    let theirs = sender.source_of(store, 2, 3, Some("learning")).await;
    let (id, other, theirs) = (source.id.to_string(), other.id.to_string(), theirs.id.to_string());
    let (ours, second) = (token(&organization(1)), token(&organization(2)));
    for (bearer, source, status) in [
        (&ours, &other, 404),
        (&ours, &theirs, 404),
        (&second, &id, 404),
        (&second, &theirs, 404),
        (&second, &"learning".to_owned(), 404),
        (&token(&application()), &id, 403),
        (&"nobody".to_owned(), &id, 401),
        (&ours, &id, 422),
    ] {
        assert_eq!(retry_as(&service, bearer, source, error).await.status(), status, "{source}");
    }
    for path in [format!("/in/{id}/transaction-errors/terr_1/retry"), format!("/in/{id}/transaction-errors//retry")] {
        let request = Request::post(path).header("authorization", format!("Bearer {ours}"));
        assert_eq!(service.send(request.body(Body::empty()).unwrap()).await.status(), 404);
    }
    assert_eq!(service.kept().await, (0, 1));
}
