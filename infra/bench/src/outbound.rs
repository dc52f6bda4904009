//! Messages through `tidings serve`, or through another server of the same API: how many a second, how soon, and with how
//! much CPU and memory; and what one bad endpoint does to the others.

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::load::{Behaviour, Connection, Figures, Load, Receiver, Request, Server};
use crate::report::{Grid, section};
use crate::sample::Sample;
use crate::service::{Service, Storage};
use crate::{Options, Other, REST};

/// Bytes of a payload.
const PAYLOAD_BYTES: usize = 1024;

/// Endpoints of an application whose messages fan out.
const FAN_OUT: usize = 10;

/// What is measured.
const CASES: [Case; 5] = [
    Case { name: "16 clients", clients: 16, count: 6_000, rate: None, endpoints: 1 },
    Case { name: "64 clients", clients: 64, count: 6_000, rate: None, endpoints: 1 },
    Case { name: "100 a second", clients: 16, count: 1_000, rate: Some(100), endpoints: 1 },
    Case { name: "16 clients, to 10 endpoints", clients: 16, count: 1_000, rate: None, endpoints: FAN_OUT },
    Case { name: "64 clients, to 10 endpoints", clients: 64, count: 1_000, rate: None, endpoints: FAN_OUT },
];

/// What the tenth endpoint does.
const TENTH: [(&str, Behaviour); 3] = [
    ("takes what it gets", Behaviour::Takes),
    ("answers 500", Behaviour::Refuses),
    ("accepts and never answers", Behaviour::Hangs),
];

/// Messages of an isolation run.
const ISOLATION_COUNT: usize = 400;

/// The same, a second: a load that leaves the machine room, so that what is seen is the tenth endpoint's doing.
const ISOLATION_RATE: u32 = 40;

struct Case {
    name: &'static str,
    clients: usize,
    count: usize,
    rate: Option<u32>,
    endpoints: usize,
}

/// What is driven: a service of our own, new in each round, or somebody else's.
enum Target {
    Own(Box<Service>),
    Other(Server),
}

impl Target {
    async fn start(options: &Options, storage: Storage) -> anyhow::Result<Self> {
        if let Some(Other { address, token, pids }) = options.server.clone() {
            return Ok(Self::Other(Server { address, token, pids }));
        }
        let service = Service::start(options, storage).await?;
        sleep(REST).await;
        Ok(Self::Own(Box::new(service)))
    }

    fn server(&self) -> &Server {
        match self {
            Self::Own(service) => service.server(),
            Self::Other(server) => server,
        }
    }

    async fn stop(self) -> anyhow::Result<()> {
        match self {
            Self::Own(service) => service.stop().await,
            Self::Other(_) => Ok(()),
        }
    }
}

/// Storages that are compared; another server has its own.
fn storages(options: &Options) -> &'static [Storage] {
    if options.server.is_some() { &[Storage::Disk] } else { &[Storage::Disk, Storage::Memory] }
}

fn name(options: &Options, storage: Storage) -> &'static str {
    if options.server.is_some() { "another server" } else { storage.name() }
}

/// Measures under load.
pub async fn run(options: &Options) -> anyhow::Result<String> {
    let mut rounds = Vec::new();
    for _ in 0..options.rounds {
        for storage in storages(options) {
            rounds.push((*storage, round(options, *storage).await?));
        }
    }
    let mut grid = Grid::new(&[
        "load, storage",
        "accepted/s",
        "delivered/s",
        "accept p50, ms",
        "accept p99, ms",
        "delivery p50, ms",
        "delivery p99, ms",
        "CPU, ms a message",
        "memory, MB",
    ]);
    let mut repeated = 0;
    for (position, case) in CASES.iter().enumerate() {
        for storage in storages(options) {
            let of_storage = rounds.iter().filter(|(other, _)| other == storage);
            let figures: Vec<&Figures> = of_storage.filter_map(|(_, figures)| figures.get(position)).collect();
            repeated += figures.iter().map(|figures| figures.repeated).sum::<usize>();
            let spread = |value: fn(&Figures) -> f64, digits| {
                Sample::of(figures.iter().copied().map(value)).spread(digits).to_string()
            };
            grid.row([
                format!("{}, {}", case.name, name(options, *storage)),
                spread(|figures| figures.accepted_per_second, 0),
                spread(|figures| figures.delivered_per_second, 0),
                spread(|figures| figures.accept.median(), 1),
                spread(|figures| figures.accept.percentile(99), 1),
                spread(|figures| figures.delivery.median(), 1),
                spread(|figures| figures.delivery.percentile(99), 1),
                spread(|figures| figures.cpu * 1e3, 2),
                spread(|figures| figures.most_mb, 0),
            ]);
        }
    }
    let before = format!(
        "Messages with {PAYLOAD_BYTES} bytes of payload, {} rounds, a new service in each. Every client sends a message, \
         waits for the answer, and sends the next; at \"100 a second\" they are sent evenly. Clients, receiver and service \
         share the machine's cores, so a second machine for the clients would show more. \"Accept\" is from sending the \
         request to having its answer, \"delivery\" from sending the request to its arrival at the receiver. Memory is \
         the most that was seen.",
        options.rounds,
    );
    let after = format!("Deliveries that came twice: {repeated}. None was missing.");
    Ok(section("One machine: messages a second", &before, &grid, &after))
}

async fn round(options: &Options, storage: Storage) -> anyhow::Result<Vec<Figures>> {
    let target = Target::start(options, storage).await?;
    let receiver = Receiver::start().await?;
    let body = message();
    let mut all = Vec::new();
    for Case { name: _, clients, count, rate, endpoints } in CASES {
        let urls: Vec<String> = (0..endpoints).map(|number| receiver.url(Behaviour::Takes, number)).collect();
        let path = application(target.server(), &urls).await?;
        let request = Request { path: &path, body: &body, status: 202, id: "id" };
        let load = Load { request, clients, count: options.scaled(count), rate, deliveries: endpoints };
        all.push(load.run(target.server(), &receiver).await?);
    }
    target.stop().await?;
    Ok(all)
}

/// Measures what one endpoint of ten does to the nine others.
pub async fn isolation(options: &Options) -> anyhow::Result<String> {
    let mut rounds = vec![Vec::new(); TENTH.len()];
    for _ in 0..options.rounds {
        for ((_, behaviour), figures) in TENTH.iter().zip(&mut rounds) {
            figures.push(isolated(options, *behaviour).await?);
        }
    }
    let median =
        |figures: &[(f64, f64, f64)], value: fn(&(f64, f64, f64)) -> f64| Sample::of(figures.iter().map(value));
    let healthy = rounds.first().map(|figures| median(figures, |figures| figures.1).median()).unwrap_or_default();
    let mut grid =
        Grid::new(&["the tenth endpoint", "delivered/s to the nine", "p50, ms", "p99, ms", "p50 to the first row's"]);
    for ((name, _), figures) in TENTH.iter().zip(&rounds) {
        let p50 = median(figures, |figures| figures.1);
        grid.row([
            (*name).to_owned(),
            median(figures, |figures| figures.0).spread(0).to_string(),
            p50.spread(1).to_string(),
            median(figures, |figures| figures.2).spread(1).to_string(),
            format!("{:.2}", p50.median() / healthy),
        ]);
    }
    let before = format!(
        "An application with ten endpoints, {} messages, {ISOLATION_RATE} a second, {} rounds in turns, on disk, a new service \
         for each. Only what came to the nine others counts.",
        options.scaled(ISOLATION_COUNT),
        options.rounds,
    );
    Ok(section("One machine: one bad endpoint of ten", &before, &grid, ""))
}

/// Deliveries a second, p50 and p99 at the nine others.
async fn isolated(options: &Options, tenth: Behaviour) -> anyhow::Result<(f64, f64, f64)> {
    let target = Target::start(options, Storage::Disk).await?;
    let receiver = Receiver::start().await?;
    let mut urls: Vec<String> = (1..FAN_OUT).map(|number| receiver.url(Behaviour::Takes, number)).collect();
    // Where it takes what it gets, it is another receiver, so that its deliveries do not count either.
    let other = Receiver::start().await?;
    urls.push(if tenth == Behaviour::Takes { other.url(tenth, 0) } else { receiver.url(tenth, 0) });
    let path = application(target.server(), &urls).await?;
    let body = message();
    let request = Request { path: &path, body: &body, status: 202, id: "id" };
    let count = options.scaled(ISOLATION_COUNT);
    let load = Load { request, clients: 16, count, rate: Some(ISOLATION_RATE), deliveries: FAN_OUT - 1 };
    let figures = load.run(target.server(), &receiver).await?;
    target.stop().await?;
    Ok((figures.delivered_per_second, figures.delivery.median(), figures.delivery.percentile(99)))
}

/// A message's body.
pub(crate) fn message() -> String {
    let empty = json!({"type": "bench.message", "text": ""}).to_string().len();
    let payload = json!({"type": "bench.message", "text": "x".repeat(PAYLOAD_BYTES - empty)});
    json!({"eventType": "bench.message", "payload": payload}).to_string()
}

/// Makes an application with endpoints at these URLs; the path that its messages are posted to.
async fn application(server: &Server, urls: &[String]) -> anyhow::Result<String> {
    let mut connection = Connection::open(server.address).await?;
    let mut post = async |path: &str, body: Value| {
        let (status, answer) = connection.send(&server.post(path, &body.to_string())).await?;
        anyhow::ensure!(status == 201, "{path}: {status}: {}", String::from_utf8_lossy(answer));
        let answer: Value = serde_json::from_slice(answer)?;
        answer.get("id").and_then(Value::as_str).map(str::to_owned).context("the answer names nothing")
    };
    let application = post("/api/v1/app", json!({"name": "bench"})).await?;
    let path = format!("/api/v1/app/{application}/endpoint");
    for url in urls {
        post(&path, json!({"url": url, "version": 1})).await?;
    }
    Ok(format!("/api/v1/app/{application}/msg"))
}
