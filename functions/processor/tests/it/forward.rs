//! Messages that a second Tidings delivers: none is lost while it is down, and none is delivered twice.

use std::time::Duration;

use processor::Processor;
use tidings_domain::agenda::Kind;
use tidings_domain::message::{Message, Route};
use tidings_store::agenda::Starts;

use crate::support::outbound::impatient;
use crate::support::platform::{Disturbance, Second, acme};
use crate::support::{CLAIM, GRACE, Wishes, World};

/// The path of the messages there.
fn is_a_message(call: &str) -> bool {
    call.starts_with("POST") && call.ends_with("/msg")
}

/// A world whose organization has an endpoint at a second Tidings.
async fn platform() -> (World, Second, Processor) {
    let mut world = World::new().await;
    let second = Second::start(&mut world).await;
    let processor = world.processor_with(Wishes { schedule: "60x20", ..impatient() });
    world.initialize().await;
    world.stream(&processor).await;
    assert_eq!(second.endpoints().await.len(), 2);
    (world, second, processor)
}

/// Each of these was delivered to the two endpoints once, and nothing is owed.
async fn assert_delivered_once(world: &World, second: &Second, messages: &[Message]) {
    second.work_off().await;
    assert_eq!(world.agenda().await, []);
    let mut names: Vec<_> = messages.iter().map(|message| format!("tidings.{}", message.id)).collect();
    let mut there = second.world.event_ids().await;
    there.sort();
    names.sort();
    assert_eq!(there, names);
    assert_eq!(world.receiver.count(), 2 * messages.len());
}

#[tokio::test]
async fn a_message_is_handed_over_and_delivered_there() {
    let (world, second, processor) = platform().await;
    let application = world.table.store().application(world.initialization().await.tenant, &reference()).await;
    assert_eq!(application.unwrap(), None, "this side needs one for its messages only");
    let application = world.organization().await;
    let message = world.forwarded(&application).await;
    world.stream(&processor).await;
    assert_eq!(world.receiver.count(), 0, "it is not this side that delivers");
    assert_delivered_once(&world, &second, std::slice::from_ref(&message)).await;
    let sent = &world.receiver.deliveries()[0];
    let payload: serde_json::Value = serde_json::from_slice(&message.payload.unwrap()).unwrap();
    assert_eq!(sent.json(), payload);
}

fn reference() -> tidings_domain::names::Reference<tidings_domain::ids::ApplicationId> {
    tidings_domain::names::Reference::Uid(acme())
}

#[tokio::test]
async fn what_is_handed_over_again_is_delivered_once() {
    let (world, second, processor) = platform().await;
    let application = world.organization().await;
    let message = world.forwarded(&application).await;
    let records = world.changes(1).await;
    // The stream brings it twice, the answer of the second time is lost, and the schedule finds it again.
    world.send(&processor, records.clone()).await;
    second.disturb(|call| if is_a_message(call) { Disturbance::Lost(500) } else { Disturbance::None });
    let again = tidings_domain::agenda::EntryKey { due: world.clock.now(), work: message.work(Route::Provider) };
    let again = tidings_domain::agenda::Entry { key: again, tries: 0, destination: None, note: None };
    world.table.store().put_entries(std::slice::from_ref(&again), Starts::WhenDue).await.unwrap();
    world.tick(&processor).await;
    assert_eq!(world.agenda().await.len(), 1);
    second.mend();
    world.work_off(&world.processor_with(impatient())).await;
    assert!(second.calls("POST") > 4, "it was handed over again");
    assert_delivered_once(&world, &second, &[message]).await;
}

#[tokio::test]
async fn an_answer_that_is_lost_is_no_second_delivery() {
    let (world, second, processor) = platform().await;
    let application = world.organization().await;
    let mut lost = false;
    second.disturb(move |call| {
        let first = is_a_message(call) && !std::mem::replace(&mut lost, true);
        if first { Disturbance::Lost(502) } else { Disturbance::None }
    });
    let message = world.forwarded(&application).await;
    world.stream(&processor).await;
    assert_eq!(world.agenda().await.len(), 1, "nobody knows whether it was taken");
    world.work_off(&processor).await;
    assert_delivered_once(&world, &second, &[message]).await;
}

#[tokio::test]
async fn a_senders_own_event_id_is_kept() {
    let (world, second, processor) = platform().await;
    let application = world.organization().await;
    world.forwarded_as(&application, |message| message.event_id = "order-1".parse().ok()).await;
    world.stream(&processor).await;
    assert_eq!(second.world.event_ids().await, ["order-1"]);
}

#[tokio::test]
async fn what_was_accepted_while_the_server_is_down_is_delivered_when_it_is_back() {
    let (world, mut second, processor) = platform().await;
    let application = world.organization().await;
    second.stop().await;
    let mut messages = Vec::new();
    for _ in 0..10 {
        messages.push(world.forwarded(&application).await);
    }
    world.stream(&processor).await;
    for _ in 0..3 {
        world.clock.advance(CLAIM + GRACE);
        world.tick(&processor).await;
    }
    assert_eq!(world.agenda().await.len(), 10, "all of them are kept");
    second.go_on().await;
    world.work_off(&processor).await;
    assert_delivered_once(&world, &second, &messages).await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_waited_for_in_the_slow_lane_only() {
    let (world, second, processor) = platform().await;
    let application = world.organization().await;
    second.disturb(|call| if is_a_message(call) { Disturbance::Hang } else { Disturbance::None });
    let first = world.forwarded(&application).await;
    world.stream(&processor).await;
    let entry = world.agenda().await.remove(0);
    assert_eq!((entry.key.work.kind, entry.tries), (Kind::Forward, 0), "being cut off is no try");
    let asked = second.calls("POST");
    let others = [world.forwarded(&application).await, world.forwarded(&application).await];
    world.stream(&processor).await;
    assert_eq!(second.calls("POST"), asked, "the next batch does not wait for it");
    world.clock.advance(CLAIM + GRACE);
    world.tick(&processor).await;
    assert!(second.calls("POST") > asked && world.agenda().await.len() == 3);
    second.mend();
    world.work_off(&processor).await;
    let [one, two] = others;
    assert_delivered_once(&world, &second, &[first, one, two]).await;
}

#[tokio::test]
async fn whatever_may_pass_is_tried_again() {
    for status in [401, 403, 408, 429, 500, 503] {
        let (world, second, processor) = platform().await;
        let application = world.organization().await;
        second.disturb(move |call| if is_a_message(call) { Disturbance::Answer(status) } else { Disturbance::None });
        let message = world.forwarded(&application).await;
        world.stream(&processor).await;
        assert_eq!(world.agenda().await.len(), 1, "{status}");
        second.mend();
        world.work_off(&processor).await;
        assert_delivered_once(&world, &second, &[message]).await;
    }
}

#[tokio::test]
async fn what_the_server_refuses_for_good_is_given_up_at_once() {
    let (world, second, processor) = platform().await;
    let application = world.organization().await;
    second.disturb(|call| if is_a_message(call) { Disturbance::Answer(413) } else { Disturbance::None });
    world.forwarded(&application).await;
    world.stream(&processor).await;
    assert_eq!(world.agenda().await, []);
}

#[tokio::test]
async fn a_message_is_given_up_when_its_schedule_is_over() {
    let (world, mut second, _) = platform().await;
    let application = world.organization().await;
    second.stop().await;
    world.forwarded(&application).await;
    let before = second.calls("");
    let processor = world.processor_with(Wishes { schedule: "60x3", ..impatient() });
    world.work_off(&processor).await;
    second.go_on().await;
    assert_eq!((world.agenda().await, second.calls("")), (Vec::new(), before));
}

#[tokio::test]
async fn an_application_that_was_deleted_there_is_made_again() {
    let (world, second, processor) = platform().await;
    let application = world.organization().await;
    let there = second.world.table.store().application(application.organization, &reference()).await.unwrap().unwrap();
    let due = second.world.clock.now() + GRACE;
    assert!(second.world.table.store().delete_application(&there, due).await.unwrap());
    world.forwarded(&application).await;
    world.stream(&processor).await;
    assert_eq!((world.agenda().await.len(), second.world.event_ids().await.len()), (0, 1));
}

#[tokio::test]
async fn what_nobody_gets_any_more_is_dropped() {
    let (world, second, processor) = platform().await;
    let application = world.organization().await;
    let expired = world.forwarded_as(&application, |message| message.payload_until = message.created_at).await;
    world.clock.advance(Duration::from_millis(1));
    world.forwarded(&application).await;
    assert!(world.table.store().delete_application(&application, world.clock.now()).await.unwrap());
    let before = second.calls("POST");
    world.work_off(&processor).await;
    assert_eq!(second.calls("POST"), before, "{}", expired.id);
}

#[tokio::test]
async fn without_that_server_the_messages_go_to_the_organizations_own_endpoints() {
    let mut world = World::new().await;
    let second = Second::start(&mut world).await;
    let application = world.organization().await;
    world.endpoint(&application, &world.receiver.url()).await;
    let message = world.forwarded(&application).await;
    world.svix = None;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    world.work_off(&processor).await;
    assert_eq!((world.answers(&message).await, second.calls("")), (vec![200], 0));
}
