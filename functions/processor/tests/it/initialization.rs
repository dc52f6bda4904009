//! Organizations are initialized and updated: each step once, whatever breaks off between them.

use std::time::Duration;

use processor::Processor;
use tidings_domain::initialization::{Goal, InitializationState};
use tidings_harness::{Fault, Rule};

use crate::support::outbound::impatient;
use crate::support::platform::{Disturbance, Second, acme};
use crate::support::{CLAIM, GRACE, World};

/// Faults that pass.
const PASSING: [Fault; 4] = [Fault::Throttled, Fault::InternalError, Fault::Unreachable, Fault::AnswerLost];

/// More calls of the table than an update makes.
const CALLS: usize = 40;

fn is_a_new_endpoint(call: &str) -> bool {
    call.starts_with("POST") && call.ends_with("/endpoint")
}

/// Answers so to new endpoints from the given one on, and well to everything else.
fn from_endpoint(number: usize, disturbance: Disturbance) -> impl FnMut(&str) -> Disturbance + Send {
    let mut count = 0;
    move |call| {
        count += usize::from(is_a_new_endpoint(call));
        if is_a_new_endpoint(call) && count >= number { disturbance } else { Disturbance::None }
    }
}

fn urls(world: &World) -> Vec<String> {
    ["created", "all"].map(|suffix| format!("{}/acme/{suffix}", world.receiver.url())).to_vec()
}

/// The organization is initialized, and has exactly the endpoints that are written down, here or there.
async fn assert_initialized(world: &World, provider: &World) {
    let record = world.initialization().await;
    assert_eq!((record.state, record.last_error.as_deref()), (InitializationState::Initialized, None));
    assert!(record.application.unwrap().starts_with("app_"));
    // Those of one moment have no order in a list.
    let endpoints = provider.endpoints_of(&acme()).await;
    assert_eq!(endpoints.len(), 2, "{endpoints:?}");
    for (id, url) in record.endpoints.iter().zip(urls(world)) {
        let endpoint = endpoints.iter().find(|endpoint| endpoint.id.to_string() == *id);
        assert_eq!(endpoint.unwrap().url.to_string(), url);
    }
    assert_eq!(record.endpoints.len(), 2);
}

fn sorted(ids: &[String]) -> Vec<String> {
    let mut ids = ids.to_vec();
    ids.sort();
    ids
}

async fn ids_of(second: &Second) -> Vec<String> {
    sorted(&second.endpoints().await.iter().map(|endpoint| endpoint.id.to_string()).collect::<Vec<_>>())
}

async fn started() -> (World, Second, Processor) {
    let mut world = World::new().await;
    let second = Second::start(&mut world).await;
    let processor = world.processor_with(impatient());
    (world, second, processor)
}

#[tokio::test]
async fn an_organization_gets_its_application_and_its_endpoints_here() {
    let world = World::new().await;
    let processor = world.processor_with(impatient());
    world.initialize().await;
    world.stream(&processor).await;
    assert_initialized(&world, &world).await;
    assert_eq!((world.agenda().await, world.initialization().await.retry_count), (Vec::new(), 0));

    let application = world.initialization().await.application.unwrap().parse().unwrap();
    let reference = tidings_domain::names::Reference::Id(application);
    let application = world.table.store().application(world.initialization().await.tenant, &reference).await.unwrap();
    let message = world.message(&application.unwrap()).await;
    world.stream(&processor).await;
    assert_eq!(world.answers(&message).await, [200, 200]);
}

#[tokio::test]
async fn an_organization_gets_its_application_and_its_endpoints_there() {
    let (world, second, processor) = started().await;
    world.initialize().await;
    world.stream(&processor).await;
    assert_initialized(&world, &second.world).await;
    assert_eq!(world.endpoints_of(&acme()).await, []);
}

#[tokio::test]
async fn what_is_done_is_not_done_again() {
    let (world, second, processor) = started().await;
    world.initialize().await;
    world.stream(&processor).await;
    let before = (world.initialization().await, second.calls("POST"));
    world.ask_again(Goal::Initialize).await;
    world.stream(&processor).await;
    assert_initialized(&world, &second.world).await;
    let after = world.initialization().await;
    assert_eq!((after.endpoints, second.calls("POST")), (before.0.endpoints, before.1));
}

#[tokio::test]
async fn while_the_server_is_down_it_fails_and_is_done_when_it_is_back() {
    let (world, mut second, processor) = started().await;
    second.stop().await;
    world.initialize().await;
    world.stream(&processor).await;
    let failed = world.initialization().await;
    assert_eq!(failed.state, InitializationState::Failed);
    let error = "Failed to create Svix application: the delivery provider refused the connection";
    assert_eq!((failed.last_error.as_deref(), failed.retry_count), (Some(error), 0));
    assert_eq!((failed.application, failed.endpoints.len()), (None, 0));
    world.clock.advance(Duration::from_secs(10));
    world.tick(&processor).await;
    assert_eq!(world.initialization().await.retry_count, 1);
    second.go_on().await;
    world.work_off(&processor).await;
    assert_initialized(&world, &second.world).await;
    assert_eq!((world.initialization().await.retry_count, world.agenda().await), (2, Vec::new()));
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_a_failed_step() {
    let (world, second, processor) = started().await;
    second.disturb(|_| Disturbance::Hang);
    world.initialize().await;
    world.stream(&processor).await;
    world.clock.advance(GRACE);
    world.tick(&processor).await;
    let error = "Failed to create Svix application: the delivery provider did not answer in time";
    assert_eq!(world.initialization().await.last_error.as_deref(), Some(error));
    second.mend();
    world.work_off(&processor).await;
    assert_initialized(&world, &second.world).await;
}

#[tokio::test]
async fn the_second_step_goes_on_where_it_failed() {
    for disturbance in [Disturbance::Answer(500), Disturbance::Answer(422), Disturbance::Lost(502)] {
        let (world, second, processor) = started().await;
        second.disturb(from_endpoint(2, disturbance));
        world.initialize().await;
        world.stream(&processor).await;
        let failed = world.initialization().await;
        let error = failed.last_error.unwrap();
        assert!(error.starts_with("Failed to create endpoints: the delivery provider"), "{error}");
        assert!(failed.application.is_some() && failed.endpoints.is_empty());
        second.mend();
        world.work_off(&processor).await;
        assert_initialized(&world, &second.world).await;
    }
}

#[tokio::test]
async fn a_try_that_was_given_up_can_be_asked_for_again() {
    let (world, second, processor) = started().await;
    second.disturb(|_| Disturbance::Answer(503));
    world.initialize().await;
    world.work_off(&processor).await;
    let given_up = world.initialization().await;
    assert_eq!((given_up.state, given_up.retry_count), (InitializationState::Failed, 7));
    second.mend();
    world.ask_again(Goal::Initialize).await;
    world.work_off(&processor).await;
    assert_initialized(&world, &second.world).await;
}

#[tokio::test]
async fn asking_again_takes_the_place_of_the_scheduled_tries() {
    let (world, second, processor) = started().await;
    second.disturb(|_| Disturbance::Answer(503));
    world.initialize().await;
    world.stream(&processor).await;
    world.ask_again(Goal::Initialize).await;
    world.stream(&processor).await;
    let asked = second.calls("POST");
    world.work_off(&world.processor_with(impatient())).await;
    // Seven more tries of one schedule, not of two.
    assert_eq!(second.calls("POST") - asked, 7);
}

#[tokio::test]
async fn an_update_puts_new_endpoints_in_the_place_of_the_old_ones() {
    let (world, second, processor) = started().await;
    world.initialize().await;
    world.stream(&processor).await;
    let before = world.initialization().await;
    world.ask_again(Goal::Update).await;
    world.stream(&processor).await;
    assert_initialized(&world, &second.world).await;
    let after = world.initialization().await;
    assert!(after.endpoints.iter().all(|id| !before.endpoints.contains(id)));
    assert_eq!((after.application, world.agenda().await), (before.application, Vec::new()));
}

#[tokio::test]
async fn an_update_that_fails_midway_keeps_the_old_endpoints_and_no_new_ones() {
    for disturbance in [Disturbance::Answer(500), Disturbance::Answer(422)] {
        let (world, second, processor) = started().await;
        world.initialize().await;
        world.stream(&processor).await;
        let before = world.initialization().await;
        second.disturb(from_endpoint(2, disturbance));
        world.ask_again(Goal::Update).await;
        world.stream(&processor).await;
        let failed = world.initialization().await;
        assert_eq!((failed.state, &failed.endpoints), (InitializationState::Failed, &before.endpoints));
        assert_eq!(ids_of(&second).await, sorted(&before.endpoints), "what was made is gone again");
        second.mend();
        world.work_off(&processor).await;
        assert_initialized(&world, &second.world).await;
        assert_ne!(world.initialization().await.endpoints, before.endpoints);
    }
}

#[tokio::test]
async fn old_endpoints_that_cannot_be_deleted_at_once_are_deleted_later() {
    let (world, second, processor) = started().await;
    world.initialize().await;
    world.stream(&processor).await;
    let before = world.initialization().await;
    second.disturb(|call| if call.starts_with("DELETE") { Disturbance::Answer(500) } else { Disturbance::None });
    world.ask_again(Goal::Update).await;
    world.stream(&processor).await;
    let after = world.initialization().await;
    assert_eq!((after.state, second.endpoints().await.len()), (InitializationState::Initialized, 4));
    assert_ne!(after.endpoints, before.endpoints);
    second.mend();
    world.work_off(&processor).await;
    assert_initialized(&world, &second.world).await;
}

#[tokio::test]
async fn an_update_that_was_given_up_leaves_no_new_endpoint_behind() {
    let (world, second, processor) = started().await;
    world.initialize().await;
    world.stream(&processor).await;
    let before = world.initialization().await;
    let mut endpoints = from_endpoint(2, Disturbance::Answer(422));
    second.disturb(move |call| if call.starts_with("DELETE") { Disturbance::Answer(500) } else { endpoints(call) });
    world.ask_again(Goal::Update).await;
    let is_given_up = async || {
        let agenda = world.agenda().await;
        let [entry] = agenda.as_slice() else { panic!("{agenda:?}") };
        world.clock.advance(entry.key.due.since(world.clock.now()) + Duration::from_secs(1));
        entry.note.as_ref().is_some_and(|note| note.starts_with("delete:"))
    };
    while !is_given_up().await {
        world.tick(&processor).await;
    }
    assert_eq!(second.endpoints().await.len(), 3);
    second.mend();
    world.work_off(&processor).await;
    assert_eq!(ids_of(&second).await, sorted(&before.endpoints));
    assert_eq!(world.initialization().await.endpoints, before.endpoints);
}

#[tokio::test]
async fn another_tenants_organization_of_the_same_name_is_out_of_reach() {
    let (world, second, processor) = started().await;
    let application = second
        .world
        .application_with(|application| {
            application.uid = Some(acme());
            let mark = [("tidings.tenant".to_owned(), "org_of_somebody_else".to_owned())];
            application.metadata = std::collections::BTreeMap::from(mark).try_into().unwrap();
        })
        .await;
    world.initialize().await;
    world.stream(&processor).await;
    let error = world.initialization().await.last_error.unwrap();
    assert!(error.starts_with("Failed to create Svix application:") && error.contains("somebody else's"), "{error}");
    assert_eq!(second.endpoints().await, [], "{}", application.id);
}

#[tokio::test]
async fn an_application_that_was_there_before_is_used() {
    let (world, second, processor) = started().await;
    let before = second.world.organization().await;
    world.initialize().await;
    world.stream(&processor).await;
    assert_initialized(&world, &second.world).await;
    assert_eq!(world.initialization().await.application, Some(before.id.to_string()));
}

#[tokio::test]
async fn whichever_call_of_the_table_fails_it_ends_with_each_step_done_once() {
    for fault in PASSING {
        let world = World::new().await;
        for (goal, position) in (0..CALLS).step_by(3).map(|position| (Goal::Update, position)) {
            if position == 0 {
                world.initialize().await;
            } else {
                world.ask_again(goal).await;
            }
            // Five calls: more than the client repeats by itself.
            world.table.faults().inject(Rule::new(fault).after(position).times(5));
            let processor = world.processor_with(impatient());
            let records = world.changes_so_far();
            world.send(&processor, records).await;
            world.clock.advance(CLAIM + GRACE);
            // It may break off: that is the point.
            drop(world.try_tick(&processor).await);
            world.table.faults().clear();
            world.work_off(&world.processor_with(impatient())).await;
            assert_initialized(&world, &world).await;
            world.changes_so_far();
        }
    }
}
