//! The schedule's lane alone: the stream is off.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use processor::Summary;
use processor::event::{Event, Response, Share};
use tidings_domain::job::JobStatus;
use tidings_harness::{Plan, Providers, Receiver, Reply, Table};

use crate::support::{GRACE, PATIENCE, Wishes, World, new_job};

#[tokio::test]
async fn the_schedule_alone_completes_everything() {
    let world = World::new().await;
    let jobs = world.accept_many(100).await;
    world.clock.advance(GRACE);
    let summary = world.tick(&world.processor()).await;
    assert_eq!(summary, Summary { finished: 100, ..Summary::default() });
    world.assert_all_done_once(&jobs).await;
}

#[tokio::test]
async fn shares_of_the_agenda_make_up_the_whole_and_none_does_anothers_work() {
    let world = World::new().await;
    let jobs = world.accept_many(60).await;
    world.clock.advance(GRACE);
    let processor = world.processor();
    let runs = (0..4).map(|share| {
        let event = format!("{{\"share\":{share},\"of\":4}}");
        processor.handle(serde_json::from_str::<Event>(&event).unwrap(), world.deadline())
    });
    let mut finished = 0;
    for response in futures::future::try_join_all(runs).await.unwrap() {
        let Response::Tick(summary) = response else { panic!("{response:?}") };
        assert_eq!(summary.lost, 0);
        finished += summary.finished;
    }
    assert_eq!(finished, 60);
    world.assert_all_done_once(&jobs).await;
}

#[tokio::test]
async fn a_run_that_finds_nothing_ends_at_once() {
    let world = World::new().await;
    // Due after the coming minute: not this run's business.
    world.accept_for(&world.receiver.url(), Duration::from_secs(70)).await;
    let started = Instant::now();
    assert_eq!(world.tick(&world.processor()).await, Summary::default());
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_run_ends_soon_after_its_last_work() {
    let world = World::new().await;
    world.accept_many(3).await;
    world.clock.advance(GRACE);
    let started = Instant::now();
    world.tick(&world.processor()).await;
    assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
}

#[tokio::test]
async fn what_falls_due_within_the_coming_minute_is_done_at_its_time() {
    let world = World::new().await;
    let jobs = [
        world.accept_for(&world.receiver.url(), Duration::from_secs(3)).await,
        world.accept_for(&world.receiver.url(), Duration::from_millis(4500)).await,
    ];
    let summary = world.tick(&world.processor()).await;
    assert_eq!(summary.finished, 2);
    for job in &jobs {
        let arrived = world.receiver.deliveries_of(&job.id.to_string())[0].arrived;
        let due = job.next_due.unwrap();
        assert!(arrived >= due && arrived.since(due) < Duration::from_secs(1), "due {due}, arrived {arrived}");
    }
}

#[tokio::test]
async fn short_delays_of_the_schedule_are_kept_by_one_run_until_the_last_try() {
    let world = World::new().await;
    world.providers.set_plan(Plan::status(404));
    let job = world.accept().await;
    world.clock.advance(GRACE);
    let processor = world.processor_with(Wishes { schedule: "1,2", ..Wishes::default() });
    let started = Instant::now();
    let summary = world.tick(&processor).await;
    assert_eq!(summary, Summary { finished: 1, postponed: 2, ..Summary::default() });
    assert!((3..6).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    let failed = world.stored(&job).await.job;
    assert_eq!((failed.status, failed.tries, world.providers.count("gas")), (JobStatus::Failed, 3, 3));
}

#[tokio::test]
async fn nothing_is_started_that_could_not_end_before_the_function_does() {
    let world = World::new().await;
    let job = world.accept().await;
    world.clock.advance(GRACE);
    let started = Instant::now();
    let deadline = world.clock.now() + PATIENCE;
    let response = world.processor().handle(Event::Tick(Share::ALL), deadline).await.unwrap();
    assert!(matches!(response, Response::Tick(summary) if summary == Summary::default()), "{response:?}");
    assert!(started.elapsed() < Duration::from_secs(1));
    let stored = world.stored(&job).await.job;
    assert_eq!((stored.tries, world.providers.total(), world.agenda().await[0].tries), (0, 0, 0));
}

#[tokio::test]
async fn an_entry_without_its_record_is_dropped() {
    let world = World::new().await;
    let job = new_job(&world.receiver.url(), world.clock.now(), Duration::ZERO);
    put_entry(&world, &format!("{:015}#job#{}", world.clock.now().as_millis(), job.work().record), job.work().shard())
        .await;
    let summary = world.tick(&world.processor()).await;
    assert_eq!(summary, Summary { dropped: 1, ..Summary::default() });
    assert_eq!(world.agenda().await, []);
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_set_aside_and_the_rest_goes_on() {
    let world = World::new().await;
    let now = world.clock.now().as_millis();
    for shard in [0, 7, 15] {
        put_entry(&world, &format!("{now:015}#unheard-of#thing"), shard).await;
    }
    let jobs = world.accept_many(10).await;
    world.clock.advance(GRACE);
    let processor = world.processor();
    let summary = world.tick(&processor).await;
    assert_eq!(summary, Summary { finished: 10, set_aside: 3, ..Summary::default() });
    world.assert_all_done_once(&jobs).await;
    assert_eq!(world.tick(&processor).await, Summary::default());
}

#[tokio::test]
async fn an_entry_whose_record_cannot_be_read_is_set_aside() {
    let world = World::new().await;
    let jobs = world.accept_many(3).await;
    let key = tidings_store::keys::job(jobs[1].organization, jobs[1].id);
    let client = world.table.store().client();
    let spoiled = client
        .update_item()
        .table_name(Table::NAME)
        .key("pk", AttributeValue::S(key.pk))
        .key("sk", AttributeValue::S(key.sk))
        .update_expression("SET providers = :none")
        .expression_attribute_values(":none", AttributeValue::N("1".to_owned()));
    spoiled.send().await.unwrap();
    world.clock.advance(GRACE);
    let summary = world.tick(&world.processor()).await;
    assert_eq!(summary, Summary { finished: 2, set_aside: 1, ..Summary::default() });
    let left = world.agenda().await;
    assert!(left.len() == 1 && left[0].key.due.since(world.clock.now()) > Duration::from_secs(3_500), "{left:?}");
}

#[tokio::test]
async fn a_try_that_never_ends_comes_to_an_end_by_its_schedule() {
    let world = World::new().await;
    let job = world.accept().await;
    let processor = world.processor_with(Wishes { schedule: "1,1", ..Wishes::default() });
    // Three processors claimed it, and died.
    for _ in 0..3 {
        world.clock.advance(GRACE);
        let entry = world.agenda().await.remove(0);
        world.table.store().claim(&entry, world.clock.now() + GRACE).await.unwrap().unwrap();
    }
    world.clock.advance(GRACE);
    assert_eq!(world.tick(&processor).await.finished, 1);
    let failed = world.stored(&job).await.job;
    assert_eq!((failed.status, failed.last_error.as_deref()), (JobStatus::Failed, Some("the last try did not end")));
    assert_eq!(world.receiver.count(), 0);
}

#[tokio::test]
async fn a_receiver_that_hangs_does_not_delay_the_others() {
    let world = World::new().await;
    let dead = Receiver::start(Plan::always(Reply::Hang)).await;
    for _ in 0..40 {
        world.accept_for(&dead.url(), GRACE).await;
    }
    world.accept_many(40).await;
    world.clock.advance(GRACE);
    let processor = world.processor_with(Wishes { patience: Duration::from_secs(5), ..Wishes::default() });
    let started = Instant::now();
    tokio::select! {
        summary = world.tick(&processor) => panic!("{summary:?}, although some hang"),
        _ = world.receiver.wait_for(40) => {}
    }
    let waited = started.elapsed();
    assert!(waited < Duration::from_secs(5), "the healthy ones waited {waited:?} for those that hang");
    assert!(dead.most_at_once() <= 16, "{}", dead.most_at_once());
}

#[tokio::test]
async fn providers_that_fail_half_the_time_delay_jobs_and_lose_none() {
    let world = World::new().await;
    world.providers.set_plan(Providers::failing_plan(7, 0.5));
    let jobs = world.accept_many(50).await;
    world.clock.advance(GRACE);
    let processor = world.processor_with(Wishes { schedule: "1x20", ..Wishes::default() });
    assert_eq!(world.tick(&processor).await.finished, 50);
    world.assert_all_done_once(&jobs).await;
}

async fn put_entry(world: &World, sk: &str, shard: u8) {
    let put = world.table.store().client().put_item().table_name(Table::NAME);
    put.item("pk", AttributeValue::S(format!("DUE#{shard:02}")))
        .item("sk", AttributeValue::S(sk.to_owned()))
        .item("entity", AttributeValue::S("agenda".to_owned()))
        .item("v", AttributeValue::N("1".to_owned()))
        .item("tries", AttributeValue::N("0".to_owned()))
        .send()
        .await
        .unwrap();
}
