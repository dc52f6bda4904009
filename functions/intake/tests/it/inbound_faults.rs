//! A table that fails, or is slow: the sender comes again, and then the webhook is there once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::future::join_all;
use insta::assert_snapshot;
use tidings_domain::source::SourceKind;
use tidings_domain::transaction::TransactionName;
use tidings_harness::{Fault, Rule};

use crate::support::inbound::{DOCEBO_BODY, Sender, new_transaction};
use crate::support::{NOW, Service, shown};

const FAULTS: [Fault; 6] =
    [Fault::Throttled, Fault::Conflict, Fault::InternalError, Fault::Gateway, Fault::Unreachable, Fault::Refused];

/// How long Docebo waits.
const SENDERS_PATIENCE: Duration = Duration::from_secs(5);

fn docebo() -> Sender {
    Sender::of(SourceKind::Docebo)
}

/// A webhook of its own for each number.
fn numbered(number: usize) -> String {
    DOCEBO_BODY.replace("wh-20240313-145834", &format!("wh-{number}"))
}

fn name(number: usize) -> TransactionName {
    TransactionName::of_message(&format!("wh-{number}-5bf0ce52-91d0-40fa-98d8-d8286b78f8b8"))
}

#[tokio::test]
async fn a_table_that_fails_is_503_and_the_redelivery_is_accepted_once() {
    let mut answers = Vec::new();
    for fault in FAULTS {
        for operation in ["GetItem", "PutItem"] {
            let service = Service::start().await;
            let (source, path) = service.source_for(&docebo()).await;
            service.table.faults().inject(Rule::new(fault).on(operation));
            answers.push(shown(service.send(docebo().request(&path)).await).await);
            assert_eq!(service.kept().await, (0, 0), "{fault:?} {operation}");
            service.table.faults().clear();
            new_transaction(service.send(docebo().request(&path)).await).await;
            assert_eq!(service.kept().await, (1, 0), "{fault:?} {operation}");
            assert_eq!(service.transaction(&source, &docebo().name()).await.unwrap().body, DOCEBO_BODY);
        }
    }
    answers.dedup();
    assert_snapshot!(answers.join("\n"), @r#"
    503 Service Unavailable
    retry-after: 1
    {"code":"unavailable","detail":"The service cannot answer right now."}
    "#);
}

#[tokio::test]
async fn a_webhook_whose_entry_was_not_written_is_not_accepted_and_its_redelivery_writes_it() {
    for fault in FAULTS {
        let service = Service::start().await;
        let (_, path) = service.source_for(&docebo()).await;
        service.table.faults().inject(Rule::new(fault).on("BatchWriteItem").containing("DUE#"));
        assert_eq!(service.send(docebo().request(&path)).await.status(), 503, "{fault:?}");
        assert_eq!(service.kept().await, (1, 0), "{fault:?}");
        service.table.faults().clear();
        new_transaction(service.send(docebo().request(&path)).await).await;
        assert_eq!(service.kept().await, (1, 0), "{fault:?}");
        let mut owed = 0;
        for shard in 0..tidings_domain::agenda::SHARDS {
            let due = NOW + Duration::from_mins(10);
            owed += service.table.store().due(shard, due, None, 50).await.unwrap().entries.len();
        }
        assert_eq!(owed, 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_one_transaction() {
    for lost in 1..=4 {
        let service = Service::start().await;
        let (_, path) = service.source_for(&docebo()).await;
        service.table.faults().inject(Rule::new(Fault::AnswerLost).on("PutItem").containing("course.").times(lost));
        let first = service.send(docebo().request(&path)).await;
        assert_eq!(first.status(), if lost < 4 { 200 } else { 503 }, "{lost}");
        service.table.faults().clear();
        new_transaction(service.send(docebo().request(&path)).await).await;
        assert_eq!(service.kept().await, (1, 0), "{lost}");
    }
}

#[tokio::test]
async fn a_rejected_request_that_cannot_be_kept_is_503() {
    for fault in FAULTS {
        let service = Service::start().await;
        let (source, path) = service.source_for(&docebo()).await;
        new_transaction(service.send(docebo().request(&path)).await).await;
        let rejected = [
            ("{}".to_owned(), 400),
            (format!("{DOCEBO_BODY} "), 409),
            (format!("{DOCEBO_BODY}{}", " ".repeat(300_000)), 413),
        ];
        for (number, (body, status)) in rejected.into_iter().enumerate() {
            service.table.faults().inject(Rule::new(fault).on("BatchWriteItem").containing("terr_"));
            let answer = service.send(docebo().sends(&path, body.clone())).await.status();
            assert_eq!(answer, 503, "{fault:?} {status}");
            service.table.faults().clear();
            assert_eq!(service.errors(&source).await.len(), number, "{fault:?}");
            assert_eq!(service.send(docebo().sends(&path, body)).await.status(), status);
            assert_eq!(service.errors(&source).await.len(), number + 1, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn a_5xx_shows_nothing_of_the_table_or_the_source() {
    let service = Service::start().await;
    let (source, path) = service.source_for(&docebo()).await;
    for fault in FAULTS {
        service.table.faults().inject(Rule::new(fault));
        let answer = shown(service.send(docebo().request(&path)).await).await;
        service.table.faults().clear();
        for secret in ["injected", "dynamodb", "tidings", &source.name, "hunter2"] {
            assert!(!answer.to_lowercase().contains(secret), "{answer}");
        }
    }
}

/// Each sender's status and the time that it waited.
async fn send_all(service: &Service, path: &str, numbers: std::ops::Range<usize>) -> Vec<(u16, Duration)> {
    let one = |number| async move {
        let started = Instant::now();
        let status = service.send(docebo().sends(path, numbered(number))).await.status().as_u16();
        (status, started.elapsed())
    };
    join_all(numbers.map(one)).await
}

#[tokio::test]
async fn with_a_table_of_two_seconds_a_call_fifty_senders_are_answered_within_their_patience() {
    const SENDERS: usize = 50;
    for uid in [None, Some("docebo")] {
        let service = Service::start().await;
        let source = docebo().source(service.table.store(), 1, uid).await;
        let path = uid.map_or_else(|| format!("/in/{}", source.id), |_| "/transaction".to_owned());
        service.table.faults().inject(Rule::new(Fault::Slow(Duration::from_secs(2))));
        // They come, they come again, and when they come for the third time the table is well.
        let mut last = Vec::new();
        for round in 0..3 {
            if round == 2 {
                service.table.faults().clear();
            }
            let answers = send_all(&service, &path, 0..SENDERS).await;
            for (status, waited) in &answers {
                assert!(matches!(status, 200 | 503), "{status}");
                assert!(*waited < SENDERS_PATIENCE, "{waited:?} in round {round}");
            }
            last = answers.into_iter().map(|(status, _)| status).collect();
        }
        assert_eq!(last, [200; SENDERS]);
        assert_eq!(service.kept().await, (SENDERS, 0), "each is there once");
        let mut ids = BTreeSet::new();
        for number in 0..SENDERS {
            let kept = service.transaction(&source, &name(number)).await.unwrap();
            assert_eq!(kept.body, numbered(number));
            ids.insert(kept.id);
        }
        assert_eq!(ids.len(), SENDERS);
    }
}

#[tokio::test]
async fn once_the_source_is_known_one_round_of_slow_writes_is_in_time() {
    let service = Service::start().await;
    let (_, path) = service.source_for(&docebo()).await;
    new_transaction(service.send(docebo().sends(&path, numbered(0))).await).await;
    for (seconds, senders) in [(1, 1..51), (2, 51..52)] {
        service.table.faults().clear();
        service.table.faults().inject(Rule::new(Fault::Slow(Duration::from_secs(seconds))));
        for (status, waited) in send_all(&service, &path, senders).await {
            assert_eq!(status, 200);
            assert!(waited < SENDERS_PATIENCE, "{waited:?}");
        }
    }
    assert_eq!(service.kept().await, (52, 0));
}

#[tokio::test]
async fn a_table_that_never_answers_is_a_503_in_time_and_the_redelivery_is_accepted_once() {
    let service = Service::start().await;
    let (source, path) = service.source_for(&docebo()).await;
    new_transaction(service.send(docebo().sends(&path, numbered(0))).await).await;
    service.table.faults().inject(Rule::new(Fault::Slow(Duration::from_mins(1))));
    let answers = send_all(&service, &path, 1..50).await;
    for (status, waited) in answers {
        assert_eq!(status, 503);
        assert!(waited < SENDERS_PATIENCE, "{waited:?}");
    }
    service.table.faults().clear();
    let answers = send_all(&service, &path, 0..50).await;
    assert!(answers.iter().all(|(status, _)| *status == 200));
    assert_eq!(service.kept().await, (50, 0));
    assert!(service.transaction(&source, &name(49)).await.is_some());
}
