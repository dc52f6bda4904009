//! Jobs through `tidings serve`: how many a second, how soon, and with how much CPU and memory.

use std::time::Duration;

use tokio::time::sleep;

use crate::load::{Behaviour, Figures, Load, Receiver, Request};
use crate::report::{Grid, section};
use crate::sample::Sample;
use crate::service::{Service, Storage};
use crate::{Options, REST, job, process_time};

/// Clients at once, and jobs that they ask for together in a round.
const LOADS: [(usize, usize); 3] = [(1, 400), (16, 3_000), (64, 3_000)];

/// How long a service that does nothing is watched.
const IDLE: Duration = Duration::from_secs(30);

/// What one service showed in a round.
struct Round {
    storage: Storage,
    idle_mb: f64,
    loads: Vec<Figures>,
    after_mb: f64,
}

/// Measures under load.
pub async fn run(options: &Options) -> anyhow::Result<String> {
    let mut rounds = Vec::new();
    for _ in 0..options.rounds {
        for storage in [Storage::Disk, Storage::Memory] {
            rounds.push(round(options, storage).await?);
        }
    }
    let mut grid = Grid::new(&[
        "clients, storage",
        "accepted/s",
        "completed/s",
        "accept p50, ms",
        "accept p99, ms",
        "callback p50, ms",
        "callback p99, ms",
        "CPU, ms a job",
    ]);
    let mut repeated = 0;
    for (position, (clients, _)) in LOADS.iter().enumerate() {
        for storage in [Storage::Disk, Storage::Memory] {
            let of_storage = rounds.iter().filter(|round| round.storage == storage);
            let figures: Vec<&Figures> = of_storage.filter_map(|round| round.loads.get(position)).collect();
            repeated += figures.iter().map(|figures| figures.repeated).sum::<usize>();
            let spread = |value: fn(&Figures) -> f64, digits| {
                Sample::of(figures.iter().copied().map(value)).spread(digits).to_string()
            };
            grid.row([
                format!("{clients}, {}", storage.name()),
                spread(|figures| figures.accepted_per_second, 0),
                spread(|figures| figures.delivered_per_second, 0),
                spread(|figures| figures.accept.median(), 1),
                spread(|figures| figures.accept.percentile(99), 1),
                spread(|figures| figures.delivery.median(), 0),
                spread(|figures| figures.delivery.percentile(99), 0),
                spread(|figures| figures.cpu * 1e3, 2),
            ]);
        }
    }
    let before = format!(
        "`tidings serve`, on disk and with `--memory`, in turns, {} rounds, a new service in each. Every client asks for a job of two \
         providers, waits for the answer, and asks for the next; the jobs are {:?} for {:?} clients. The providers are the service's own \
         mock, which never fails here; the callbacks go to the benchmark. Clients, receiver and service share the machine's \
         cores, so a second machine for the clients would show more. \"Accept\" is from sending the request to having \
         its answer, \"callback\" from sending the request to the callback's arrival. Logs are on, as a user has them, to a file.",
        options.rounds,
        LOADS.map(|(_, count)| options.scaled(count)),
        LOADS.map(|(clients, _)| clients),
    );
    let after = format!("Callbacks that came twice: {repeated}. None was missing.\n\n{}", memory(&rounds).text());
    Ok(section("One machine: jobs a second", &before, &grid, after.trim_end()))
}

fn memory(rounds: &[Round]) -> Grid {
    let mut grid = Grid::new(&["memory, MB", "disk", "in memory"]);
    let mut row = |name: String, value: &dyn Fn(&Round) -> f64| {
        let cell = |storage| {
            let values = rounds.iter().filter(|round| round.storage == storage).map(value);
            Sample::of(values).spread(0).to_string()
        };
        grid.row([name, cell(Storage::Disk), cell(Storage::Memory)]);
    };
    row("started, idle".to_owned(), &|round| round.idle_mb);
    for (position, (clients, _)) in LOADS.iter().enumerate() {
        row(format!("most under {clients} clients"), &move |round| {
            round.loads.get(position).map(|figures| figures.most_mb).unwrap_or_default()
        });
    }
    row("afterwards".to_owned(), &|round| round.after_mb);
    grid
}

async fn round(options: &Options, storage: Storage) -> anyhow::Result<Round> {
    let service = Service::start(options, storage).await?;
    let receiver = Receiver::start().await?;
    let body = job(&["gas", "internet"], &receiver.url(Behaviour::Takes, 0));
    let request = Request { path: "/webhook", body: &body, status: 201, id: "jobId" };
    sleep(REST).await;
    let idle_mb = process_time::memory_mb(service.pid())?;
    let mut loads = Vec::new();
    for (clients, count) in LOADS {
        let load = Load { request, clients, count: options.scaled(count), rate: None, deliveries: 1 };
        loads.push(load.run(service.server(), &receiver).await?);
    }
    sleep(REST).await;
    let after_mb = process_time::memory_mb(service.pid())?;
    service.stop().await?;
    Ok(Round { storage, idle_mb, loads, after_mb })
}

/// Measures what a service costs that nobody uses.
pub async fn idle(options: &Options) -> anyhow::Result<String> {
    let time = if options.divisor > 1 { Duration::from_secs(1) } else { IDLE };
    let mut grid = Grid::new(&["storage", "CPU, ms", "of one core, %", "MB"]);
    for storage in [Storage::Disk, Storage::Memory] {
        let service = Service::start(options, storage).await?;
        sleep(REST).await;
        let before = process_time::cpu(service.pid())?;
        sleep(time).await;
        let used = process_time::cpu(service.pid())?.saturating_sub(before);
        grid.row([
            storage.name().to_owned(),
            used.as_millis().to_string(),
            format!("{:.2}", 100.0 * used.as_secs_f64() / time.as_secs_f64()),
            format!("{:.0}", process_time::memory_mb(service.pid())?),
        ]);
        service.stop().await?;
    }
    let before = format!(
        "A service with an empty table, over {} s. It looks at all 16 shards of its agenda every second.",
        time.as_secs()
    );
    Ok(section("One machine: idle", &before, &grid, ""))
}
