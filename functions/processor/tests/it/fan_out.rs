//! A message reaches every endpoint that wants it.

use std::time::{Duration, Instant};

use tidings_domain::attempt::AttemptStatus;
use tidings_domain::delivery::Trigger;
use tidings_domain::message::Message;
use tidings_harness::{Fault, Plan, Receiver, Reply, Rule};

use crate::support::outbound::impatient;
use crate::support::{GRACE, World};

#[tokio::test]
async fn the_stream_alone_delivers_what_is_healthy_and_leaves_nothing() {
    let world = World::new().await;
    let application = world.application().await;
    let url = world.receiver.url();
    let mut endpoints = Vec::new();
    for number in 0..5 {
        endpoints.push(world.endpoint(&application, &format!("{url}/{number}")).await);
    }
    let message = world.message(&application).await;
    world.stream(&world.processor()).await;
    let attempts = world.attempts(&message).await;
    assert_eq!((attempts.len(), world.receiver.count()), (5, 5));
    for attempt in &attempts {
        assert_eq!((attempt.status, attempt.response_status), (AttemptStatus::Success, 200));
        assert_eq!((attempt.number, attempt.trigger, attempt.next_attempt), (1, Trigger::Scheduled, None));
        assert_eq!(attempt.event_type, message.event_type);
        let endpoint = endpoints.iter().find(|endpoint| endpoint.id == attempt.delivery.endpoint).unwrap();
        assert_eq!(attempt.url, endpoint.url);
    }
    assert_eq!(world.agenda().await, []);
}

#[tokio::test]
async fn one_healthy_endpoint_costs_one_batch_for_the_attempt_and_one_for_the_entry_and_no_read() {
    let world = World::new().await;
    let (application, _) = world.receiver_endpoint().await;
    let processor = world.processor();
    world.message(&application).await;
    world.stream(&processor).await;
    world.table.meter().reset();
    world.message(&application).await;
    world.stream(&processor).await;
    let calls: Vec<_> = world.table.meter().calls().into_iter().map(|(name, calls)| (name, calls.count)).collect();
    assert_eq!(calls, [("BatchWriteItem".to_owned(), 2)]);
    assert_eq!(world.agenda().await, []);
}

#[tokio::test]
async fn an_endpoint_gets_its_types_and_channels_only() {
    let world = World::new().await;
    let application = world.application().await;
    let url = world.receiver.url();
    let typed = |name: &'static str| {
        move |endpoint: &mut tidings_domain::endpoint::Endpoint| {
            endpoint.event_types = Some(vec![name.parse().unwrap()]);
        }
    };
    world.endpoint_with(&application, &format!("{url}/typed"), typed("user.created")).await;
    world.endpoint_with(&application, &format!("{url}/other-type"), typed("user.deleted")).await;
    let channelled = |endpoint: &mut tidings_domain::endpoint::Endpoint| {
        endpoint.channels = Some(vec!["eu".parse().unwrap()]);
    };
    world.endpoint_with(&application, &format!("{url}/channel"), channelled).await;
    world.endpoint_with(&application, &format!("{url}/off"), |endpoint| endpoint.disabled = true).await;
    world.endpoint(&application, &format!("{url}/all")).await;
    world.message(&application).await;
    let mut in_channel = world.new_message(&application);
    in_channel.channels = vec!["eu".parse().unwrap()];
    world.put_message(&in_channel, GRACE).await;
    world.stream(&world.processor()).await;
    let mut paths: Vec<_> = world.receiver.deliveries().into_iter().map(|delivery| delivery.path).collect();
    paths.sort();
    let expected = ["all", "all", "channel", "typed", "typed"].map(|name| format!("/complete/{name}"));
    assert_eq!(paths, expected);
    assert_eq!(world.agenda().await, []);
}

#[tokio::test]
async fn a_fan_out_taken_over_by_the_slow_lane_repeats_no_settled_endpoint() {
    let world = World::new().await;
    let application = world.application().await;
    let url = world.receiver.url();
    for number in 0..4 {
        world.endpoint(&application, &format!("{url}/{number}")).await;
    }
    let message = world.message(&application).await;
    // The fast lane gets everything done but taking the message's entry off.
    let records = world.changes(1).await;
    world.table.faults().inject(Rule::new(Fault::Refused).on("BatchWriteItem").containing("DeleteRequest"));
    let processor = world.processor_with(impatient());
    world.send(&processor, records).await;
    assert_eq!((world.receiver.count(), world.agenda().await.len()), (4, 1));
    world.table.faults().clear();
    // One was added meanwhile: it is the only one without an attempt.
    world.endpoint(&application, &format!("{url}/late")).await;
    world.clock.advance(GRACE);
    world.work_off(&processor).await;
    assert_eq!((world.receiver.count(), world.attempts(&message).await.len()), (5, 5));
}

#[tokio::test]
async fn the_schedule_alone_delivers_everything() {
    let world = World::new().await;
    let application = world.application().await;
    let url = world.receiver.url();
    for number in 0..3 {
        world.endpoint(&application, &format!("{url}/{number}")).await;
    }
    let mut messages = Vec::new();
    for _ in 0..20 {
        messages.push(world.message(&application).await);
    }
    world.work_off(&world.processor_with(impatient())).await;
    assert_eq!(world.receiver.count(), 60);
    for message in &messages {
        assert_eq!(world.answers(message).await, [200, 200, 200]);
    }
}

#[tokio::test]
async fn a_batch_that_comes_again_delivers_nothing_twice() {
    let world = World::new().await;
    let (application, _) = world.receiver_endpoint().await;
    world.message(&application).await;
    world.message(&application).await;
    let records = world.changes(2).await;
    world.send(&world.processor(), records[..1].to_vec()).await;
    world.send(&world.processor(), records).await;
    assert_eq!((world.receiver.count(), world.agenda().await.len()), (2, 0));
}

#[tokio::test]
async fn a_message_of_a_deleted_application_is_delivered_to_nobody() {
    let world = World::new().await;
    let (application, _) = world.receiver_endpoint().await;
    let records = {
        world.message(&application).await;
        world.changes(1).await
    };
    let purge = world.clock.now() + GRACE;
    assert!(world.table.store().delete_application(&application, purge).await.unwrap());
    world.send(&world.processor(), records).await;
    assert_eq!(world.receiver.count(), 0);
}

#[tokio::test]
async fn an_endpoint_whose_keys_do_not_open_is_set_aside_and_the_others_get_theirs() {
    let world = World::new().await;
    let (application, _) = world.receiver_endpoint().await;
    let copied = |endpoint: &mut tidings_domain::endpoint::Endpoint| endpoint.keys.0.reverse();
    world.endpoint_with(&application, &world.receiver.url(), copied).await;
    let message = world.message(&application).await;
    let processor = world.processor_with(impatient());
    world.stream(&processor).await;
    assert_eq!((world.receiver.count(), world.answers(&message).await), (1, vec![200]));
    world.clock.advance(GRACE);
    assert_eq!(world.tick(&processor).await.set_aside, 1);
}

#[tokio::test]
async fn more_endpoints_than_a_batch_waits_for_get_deliveries_of_their_own() {
    let world = World::new().await;
    let application = world.application().await;
    let url = world.receiver.url();
    for number in 0..120 {
        world.endpoint(&application, &format!("{url}/{number}")).await;
    }
    let message = world.message(&application).await;
    world.stream(&world.processor()).await;
    assert_eq!((world.receiver.count(), world.attempts(&message).await.len()), (120, 120));
    assert_eq!(world.agenda().await, []);
}

/// In pages, and resumable: killed in the middle, it goes on where it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_endpoints_of_one_application_are_all_reached_although_the_fan_out_broke_off() {
    const ENDPOINTS: usize = 10_000;
    let world = World::alone().await;
    let application = world.application().await;
    // Nobody answers, which is quick; what counts is that each is tried.
    let template = world.new_endpoint(&application, &world.receiver.url());
    let started = Instant::now();
    for chunk in 0..ENDPOINTS / 100 {
        let endpoints = (0..100).map(|_| {
            let mut endpoint = template.clone();
            endpoint.id = tidings_domain::ids::EndpointId::new(world.clock.now(), tidings_runtime::random::bytes());
            let sealed = tidings_domain::signature::EndpointKeys::new(crate::support::outbound::key()).seal_text();
            endpoint.keys = crate::support::outbound::seal(&endpoint, "keys", &sealed);
            endpoint
        });
        futures::future::join_all(endpoints.map(async |endpoint| world.put_endpoint(&endpoint).await)).await;
        assert!(chunk < ENDPOINTS);
    }
    println!("{ENDPOINTS} endpoints after {:?}", started.elapsed());
    let message = world.message(&application).await;
    let records = world.changes(1).await;
    let processor = world.processor_with(impatient());
    // The table breaks off in the middle of the fast lane's pages, after some progress was written.
    let calls = 30;
    world.table.faults().inject(Rule::new(Fault::Refused).on("Query").containing("EP#").after(calls));
    world.send(&processor, records).await;
    let made = world.agenda().await.len();
    assert!((1000..ENDPOINTS).contains(&made), "{made} deliveries made");
    world.table.faults().clear();
    // What the stream brought of it is delivered by the stream; the rest by the schedule.
    world.stream(&processor).await;
    world.clock.advance(GRACE + Duration::from_secs(60));
    world.work_off(&processor).await;
    println!("all delivered after {:?}", started.elapsed());
    assert_eq!(world.receiver.count(), ENDPOINTS);
    let Message { organization, application, id, .. } = message;
    let newest = world.table.store().newest_attempts_of_message(organization, application, id).await.unwrap();
    assert_eq!(newest.len(), ENDPOINTS);
}

#[tokio::test]
async fn an_endpoint_that_kept_a_batch_waiting_is_the_slow_lanes_until_it_answers() {
    let world = World::new().await;
    let application = world.application().await;
    let slow = Receiver::start(Plan::always(Reply::Hang)).await;
    world.endpoint(&application, &slow.url()).await;
    world.endpoint(&application, &world.receiver.url()).await;
    let processor = world.processor_with(impatient());
    world.message(&application).await;
    world.stream(&processor).await;
    assert_eq!((slow.count(), world.receiver.count()), (1, 1));
    // The next message's batch does not wait for it, and the slow lane starts on it at once.
    let second = world.message(&application).await;
    let started = Instant::now();
    world.stream(&processor).await;
    assert!(started.elapsed() < crate::support::FAST_PATIENCE, "{:?}", started.elapsed());
    assert_eq!((slow.count(), world.receiver.count(), world.attempts(&second).await.len()), (1, 2, 1));
    slow.set_plan(Plan::status(200));
    world.tick(&processor).await;
    assert_eq!((slow.count(), world.answers(&second).await), (2, vec![200, 200]));
    // It answered: it is quick again.
    let third = world.message(&application).await;
    world.stream(&processor).await;
    assert_eq!((slow.count(), world.answers(&third).await), (3, vec![200, 200]));
}
