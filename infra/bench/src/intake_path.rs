//! What accepting a job takes: the handler by itself, and the real function behind a Lambda Runtime API.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedHttpClient};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt as _;
use tidings_domain::message::Route;
use tidings_egress::Egress;
use tidings_harness::events::{HttpAnswer, HttpRequest as Event};
use tidings_harness::{Environment, Table};
use tidings_runtime::settings::Defaults;
use tidings_runtime::{Clock, Settings};
use tidings_store::Store;
use tidings_vault::Vault;
use tower::ServiceExt as _;

use crate::report::{Grid, section};
use crate::sample::Sample;
use crate::{BASELINE, ENCRYPTION_KEY, Options, SECRET, function, job, process_time, token};

/// Requests of each kind in a round.
const REQUESTS: usize = 2_000;

const CALLBACK: &str = "https://example.com/complete";

/// Measures both.
pub async fn run(options: &Options) -> anyhow::Result<String> {
    Ok(format!("{}\n{}", handler(options).await?, binary(options).await?))
}

/// The router, in this process, over a table that answers at once.
pub async fn handler(options: &Options) -> anyhow::Result<String> {
    let router = router()?;
    let token = token()?;
    let one = job(&["gas"], CALLBACK);
    let two = job(&["gas", "internet"], CALLBACK);
    let kinds = [
        ("an unknown path: 404", Kind { path: "/nowhere", token: &token, body: &two, key: false, status: 404 }),
        ("no valid token: 401", Kind { path: "/webhook", token: "none", body: &two, key: false, status: 401 }),
        ("a job of 1 provider", Kind { path: "/webhook", token: &token, body: &one, key: false, status: 201 }),
        ("a job of 2 providers", Kind { path: "/webhook", token: &token, body: &two, key: false, status: 201 }),
        ("the same with a key", Kind { path: "/webhook", token: &token, body: &two, key: true, status: 201 }),
    ];
    let count = options.scaled(REQUESTS);
    let mut times = vec![Vec::new(); kinds.len()];
    // The first round warms up.
    for round in 0..=options.rounds {
        for ((_, kind), times) in kinds.iter().zip(&mut times) {
            let each = kind.time(&router, count).await?;
            if round > 0 {
                times.push(each * 1e6);
            }
        }
    }
    let samples: Vec<_> = times.into_iter().map(Sample::of).collect();
    let refused = samples.get(1).map(Sample::median).unwrap_or_default();
    let mut grid = Grid::new(&["request", "µs", "to a refusal"]);
    for ((name, _), sample) in kinds.iter().zip(&samples) {
        grid.row([(*name).to_owned(), sample.spread(1).to_string(), format!("{:.1}", sample.median() / refused)]);
    }
    let before = format!(
        "`intake`'s router, called in the process, one request after the other: {count} of each kind in a round, {} rounds \
         in turns. The token is checked, the table's client builds, signs and reads as it does on AWS, and an HTTP client \
         in the process answers it at once.",
        options.rounds
    );
    Ok(section("Intake: the handler without the table", &before, &grid, ""))
}

struct Kind<'a> {
    path: &'a str,
    token: &'a str,
    body: &'a str,
    key: bool,
    status: u16,
}

impl Kind<'_> {
    /// Seconds for one request, on average.
    async fn time(&self, router: &Router, count: usize) -> anyhow::Result<f64> {
        let mut requests = Vec::with_capacity(count);
        for number in 0..count {
            let mut request = Request::post(self.path)
                .header("authorization", format!("Bearer {}", self.token))
                .header("content-type", "application/json");
            if self.key {
                request = request.header("idempotency-key", format!("key-{number}"));
            }
            requests.push(request.body(Body::from(self.body.to_owned()))?);
        }
        let started = Instant::now();
        for request in requests {
            let Ok(response) = router.clone().oneshot(request).await;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await?.to_bytes();
            anyhow::ensure!(status == self.status, "{status} for {}: {}", self.path, String::from_utf8_lossy(&body));
        }
        Ok(started.elapsed().as_secs_f64() / f64::from(u32::try_from(count)?))
    }
}

fn router() -> anyhow::Result<Router> {
    let settings =
        Settings::read(Defaults::Deployed, |name| (name == "TIDINGS_JWT_SECRET").then(|| SECRET.to_owned()))?;
    let client = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("bench", "bench", None, None, "bench"))
        .http_client(SharedHttpClient::new(Canned))
        .build();
    let store = Store::new(aws_sdk_dynamodb::Client::from_conf(client), Table::NAME);
    let clock = Clock::system();
    let state = intake::State {
        credentials: tidings_http::Credentials::from_settings(&settings, &store, &clock)?,
        egress: Egress::new(tidings_egress::Options::default())?,
        vault: Vault::new(&ENCRYPTION_KEY.parse()?),
        store,
        clock,
        providers: settings.providers.into(),
        grace: settings.grace,
        route: Route::Endpoints,
        inbound_organization: None,
    };
    Ok(tidings_http::finish(intake::router(state)))
}

/// Answers every request at once, as the table does when it has written.
#[derive(Debug, Clone)]
struct Canned;

impl HttpClient for Canned {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Self)
    }
}

impl HttpConnector for Canned {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(
            StatusCode::try_from(200)
                .map(|status| HttpResponse::new(status, SdkBody::from("{}")))
                .map_err(|error| aws_smithy_runtime_api::client::result::ConnectorError::other(error.into(), None)),
        )
    }
}

/// The function's process, by the CPU time that the kernel counts for it.
pub async fn binary(options: &Options) -> anyhow::Result<String> {
    let table = Table::start().await;
    let token = token()?;
    let post = Event::new("POST", "/webhook")
        .header("content-type", "application/json")
        .body(job(&["gas", "internet"], CALLBACK));
    let (accepted, refused) = (post.clone().bearer(&token), post.bearer("none"));
    let kinds = [
        (BASELINE, "any event", accepted.http_api(), None),
        ("intake", "no valid token: 401", refused.http_api(), Some(401)),
        ("intake", "a job, HTTP API", accepted.http_api(), Some(201)),
        ("intake", "a job, REST API", accepted.rest_api(), Some(201)),
    ];
    let count = options.scaled(REQUESTS);
    let mut runs = Vec::new();
    for (name, label, event, status) in kinds {
        let environment = function(&options.binary(name)?, "http://127.0.0.1:9/").table(&table).start().await;
        let event = Bytes::from(event.to_string());
        check(&environment, &event, status).await?;
        runs.push(Run { label: format!("`{name}`: {label}"), environment, event, cpu: Vec::new(), wall: Vec::new() });
    }
    let calls_before = table.meter().total().count;
    for _ in 0..options.rounds {
        for run in &mut runs {
            run.round(count).await?;
        }
    }
    let calls = table.meter().total().count - calls_before;
    let jobs = 2 * options.rounds * count;
    let samples: Vec<_> = runs.iter().map(|run| (Sample::of(run.cpu.clone()), Sample::of(run.wall.clone()))).collect();
    let baseline = samples.first().map(|(cpu, _)| cpu.median()).unwrap_or_default();
    let mut grid = Grid::new(&["function and event", "CPU, µs", "to hello", "time, µs"]);
    for (run, (cpu, wall)) in runs.iter().zip(&samples) {
        let ratio = format!("{:.1}", cpu.median() / baseline);
        grid.row([run.label.clone(), cpu.spread(0).to_string(), ratio, wall.spread(0).to_string()]);
    }
    let before = format!(
        "The release binaries behind a Lambda Runtime API, one event after the other: {count} of each kind in a round, {} \
         rounds in turns. CPU is what the kernel counts for the process. Time is from handing the event over to having the \
         answer, the table's (in the benchmark's own process, over HTTP) and the Runtime API's own included.",
        options.rounds
    );
    let after =
        format!("Calls to the table: {calls} for {jobs} accepted jobs, {} for the refusals.", calls - jobs.min(calls));
    Ok(section("Intake: the function", &before, &grid, &after))
}

struct Run {
    label: String,
    environment: Environment,
    event: Bytes,
    cpu: Vec<f64>,
    wall: Vec<f64>,
}

impl Run {
    async fn round(&mut self, count: usize) -> anyhow::Result<()> {
        let pid = self.environment.pid().context("the process runs")?;
        let (cpu, started) = (process_time::cpu(pid)?, Instant::now());
        for _ in 0..count {
            self.environment.invoke_bytes(self.event.clone()).await?;
        }
        let micros = |time: Duration| anyhow::Ok(time.as_secs_f64() * 1e6 / f64::from(u32::try_from(count)?));
        self.wall.push(micros(started.elapsed())?);
        self.cpu.push(micros(process_time::cpu(pid)?.saturating_sub(cpu))?);
        Ok(())
    }
}

async fn check(environment: &Environment, event: &Bytes, status: Option<u16>) -> anyhow::Result<()> {
    let answer = environment.invoke_bytes(event.clone()).await?;
    let Some(status) = status else { return Ok(()) };
    let answer = HttpAnswer::read(&serde_json::from_slice(&answer)?).context("no answer of an HTTP function")?;
    anyhow::ensure!(answer.status == status, "{}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    Ok(())
}
