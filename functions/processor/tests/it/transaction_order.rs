//! Whatever the order, the repetitions and the groups in which events come, and whoever computes them, the table ends with
//! the same enrollments.

use std::collections::BTreeMap;

use futures::future::join_all;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError};
use serde_json::{Value as Json, json};
use tidings_domain::docebo;
use tidings_domain::enrollment::{Enrollment, EnrollmentKey};
use tidings_domain::source::Source;
use tidings_domain::transaction::{Transaction, TransactionStatus};

use crate::support::inbound::{fired, group, single};
use crate::support::outbound::impatient;
use crate::support::{GRACE, World};

const VERBS: [&str; 5] = ["created", "update", "updated", "completed", "deleted"];

/// An event's name and its payload.
type Event = (String, Json);

/// How a request comes about and what becomes of it.
#[derive(Debug, Clone, Copy)]
struct Fate {
    /// How often it is delivered.
    deliveries: usize,
    /// Whether the stream brings it to the first processor, to the second.
    brought: [bool; 2],
}

/// A request of the sender: one event, or a group of one name.
#[derive(Debug, Clone)]
struct Request {
    event: String,
    payloads: Vec<Json>,
    fate: Fate,
}

/// An event of two users, two courses and a session, within three seconds, so that many are of the same one.
fn event() -> impl Strategy<Value = Event> {
    let verb = prop::sample::select(VERBS.to_vec());
    let status = prop::option::of(prop::sample::select(vec![json!("subscribed"), json!("waiting"), json!(null)]));
    let name = prop::option::of(prop::sample::select(vec!["jane", "joe", ""]));
    (verb, any::<bool>(), 1_u64..=2, 1_u64..=2, 0_u32..3, status, name).prop_map(
        |(verb, session, user, course, second, status, name)| {
            let mut payload = json!({"fired_at": fired(second), "user_id": user, "course_id": course, "session_id": 9});
            let fields = [("status", status), ("username", name.map(Json::from))];
            let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
            payload.as_object_mut().unwrap().extend(fields);
            (format!("{}.enrollment.{verb}", if session { "ilt.session" } else { "course" }), payload)
        },
    )
}

/// The requests that bring these events: grouped where neighbours have one name, in this order.
fn requests(events: Vec<Event>) -> impl Strategy<Value = Vec<Request>> {
    let fate = (1_usize..=3, any::<[bool; 2]>()).prop_map(|(deliveries, brought)| Fate { deliveries, brought });
    prop::collection::vec((fate, any::<bool>()), events.len()).prop_map(move |choices| {
        let mut requests: Vec<Request> = Vec::new();
        for ((event, payload), (fate, joins)) in events.iter().cloned().zip(choices) {
            match requests.last_mut() {
                Some(last) if joins && last.event == event => last.payloads.push(payload),
                _ => requests.push(Request { event, payloads: vec![payload], fate }),
            }
        }
        requests
    })
}

/// Events, some of them in more than one request, and their requests in some order.
fn traffic() -> impl Strategy<Value = (Vec<Event>, Vec<Request>)> {
    prop::collection::vec(event(), 1..14).prop_flat_map(|events| {
        let repeated = prop::collection::vec(prop::sample::select(events.clone()), 0..=4);
        repeated.prop_flat_map(move |repeated| {
            let all = [events.clone(), repeated].concat();
            (Just(events.clone()), Just(all).prop_shuffle().prop_flat_map(requests))
        })
    })
}

/// What the events come to by themselves.
fn expected(source: &Source, events: &[Event]) -> BTreeMap<EnrollmentKey, Enrollment> {
    let mut enrollments = BTreeMap::new();
    for (event, payload) in events {
        let change = docebo::change(event, payload, source.created_at).unwrap().unwrap();
        let unknown = || Enrollment::unknown(source.organization, source.id, change.key);
        enrollments.entry(change.key).or_insert_with(unknown).merge(&change);
    }
    enrollments
}

impl World {
    /// Takes a request in, as often as it is delivered.
    async fn deliver(&self, source: &Source, number: usize, request: &Request) -> Transaction {
        let Request { event, payloads, fate } = request;
        let message_id = format!("wh-{number}");
        let body = match &payloads[..] {
            [payload] => single(&message_id, event, payload),
            payloads => group(&message_id, event, payloads),
        };
        let mut first = None;
        for _ in 0..fate.deliveries {
            let transaction = self.new_transaction(source, &message_id, event, &body);
            let accepted = self.put_transaction(source, &transaction, GRACE).await;
            first.get_or_insert((transaction, accepted));
        }
        first.unwrap().0
    }
}

async fn all_come_to_the_same(events: &[Event], requests: &[Request]) {
    let world = World::new().await;
    let source = world.source().await;
    let mut transactions = Vec::new();
    for (number, request) in requests.iter().enumerate() {
        transactions.push(world.deliver(&source, number, request).await);
    }
    let records = world.changes(requests.len()).await;
    let brought = |processor: usize| {
        let all = records.iter().zip(requests);
        all.filter(|(_, request)| request.fate.brought[processor]).map(|(record, _)| record.clone()).collect()
    };
    // Two at once with the stream, then two with what it did not bring.
    let processors = [world.processor_with(impatient()), world.processor_with(impatient())];
    let sending = [0, 1].map(|number| world.send(&processors[number], brought(number)));
    assert_eq!(join_all(sending).await.concat(), Vec::<String>::new());
    world.clock.advance(GRACE);
    join_all(processors.iter().map(|processor| world.tick(processor))).await;
    // Two entries of one transaction are not always worked on in one run.
    world.work_off(&processors[0]).await;
    for transaction in &transactions {
        assert_eq!(world.transaction_status(transaction).await, TransactionStatus::Computed);
    }
    let expected = expected(&source, events);
    let filter = tidings_store::enrollment::EnrollmentFilter::default();
    let page = world.table.store().enrollments(&source, world.clock.now(), &filter, None, 250).await.unwrap();
    assert!(page.done);
    let found: BTreeMap<_, _> = page.data.into_iter().map(|enrollment| (enrollment.key, enrollment)).collect();
    assert_eq!(found, expected);
}

#[test]
fn two_processors_come_to_the_same_enrollments_whatever_comes_when_and_how_often() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = Config { cases: 32, max_shrink_iters: 64, failure_persistence: None, ..Config::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let tested = runner.run(&traffic(), |(events, requests)| {
        let case = std::panic::AssertUnwindSafe(|| runtime.block_on(all_come_to_the_same(&events, &requests)));
        std::panic::catch_unwind(case).map_err(|_| TestCaseError::fail("see the panic above"))
    });
    tested.unwrap_or_else(|failure| panic!("{failure}"));
}
