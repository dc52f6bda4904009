//! Ten thousand pending jobs, worked off by the real binary.

use std::time::Duration;

use futures::stream::StreamExt as _;
use tidings_harness::events;

use crate::support::{World, new_job};

const JOBS: usize = 10_000;

/// What the process may grow by while it works everything off. All jobs at once would be several times as much.
const GROWTH_BYTES: u64 = 16 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_pending_jobs_are_worked_off_page_by_page_in_bounded_memory() {
    let world = World::alone().await;
    let url = world.receiver.url();
    let accepting = (0..JOBS).map(|_| async {
        let mut job = new_job(&url, world.clock.now(), Duration::ZERO);
        job.providers.truncate(1);
        world.table.store().create_job(&job, None).await.unwrap()
    });
    futures::stream::iter(accepting).buffer_unordered(32).for_each(|_| std::future::ready(())).await;

    let processor = world.function().env("RUST_LOG", "warn").start().await;
    // A share without shards: the process is warm, and has done nothing.
    processor.invoke(&events::share(254, 255)).await.unwrap();
    let before = processor.peak_memory_bytes().unwrap();
    let mut finished = 0;
    while finished < JOBS {
        let summary = processor.invoke(&events::schedule()).await.unwrap();
        let worked_off = summary["finished"].as_u64().unwrap();
        assert!(worked_off > 0, "{finished} of {JOBS} finished, and then none: {summary}");
        finished += usize::try_from(worked_off).unwrap();
    }
    let after = processor.peak_memory_bytes().unwrap();
    println!("{JOBS} jobs: from {before} to {after} bytes");
    assert!(after - before < GROWTH_BYTES, "it grew from {before} to {after} bytes");
    // One destination's share of what a run does at once.
    assert!((2..=16).contains(&world.receiver.most_at_once()), "{}", world.receiver.most_at_once());
    assert_eq!(world.receiver.count(), JOBS);
    assert!(world.agenda().await.is_empty());
}
