//! `tidings serve`: everything on one machine.

use std::io::IsTerminal as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use generator::Generator;
use processor::{FAST_REQUEST_TIMEOUT, Options, Processor};
use tidings_domain::caller::{Caller, Role, Scope};
use tidings_domain::preconfigured::Preconfigured;
use tidings_egress::Egress;
use tidings_engine::Engine;
use tidings_http::Credentials;
use tidings_outbound::endpoint::Endpoints;
use tidings_outbound::provider::Provider;
use tidings_runtime::settings::Defaults;
use tidings_runtime::{Clock, Settings};
use tidings_telemetry::metric::Metrics;
use tidings_telemetry::{Format, chain, ignore};
use tidings_vault::Vault;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};
use tokio::time::interval;
use tracing::{info, warn};
use url::Url;

use crate::banner::{Banner, Data};
use crate::data::{Identity, passing_identity};
use crate::engine::{Place, Table};
use crate::generate::generate;
use crate::live::Live;
use crate::router::{Parts, router};
use crate::stop::{Gate, Requests};
use crate::token::token;
use crate::work::{SWEEP, feed_options, follow_changes, follow_schedule};

/// How long the banner's token is good.
const TOKEN_DAYS: u64 = 30;

/// How long open connections may take to end.
const CONNECTIONS_END: Duration = Duration::from_secs(10);

#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    #[command(flatten)]
    place: Place,
    /// Make orders up, every `GENERATORFREQUENCY` milliseconds, for this service's clients.
    #[arg(long)]
    generator: bool,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { port, host, place, generator } = arguments;
    let mut settings = Settings::from_env(Defaults::Local)?;
    let format = if std::io::stderr().is_terminal() { Format::Terminal } else { Format::Json };
    tidings_telemetry::init(format, &settings.log_filter)?;

    let listener = TcpListener::bind((host, port)).await.with_context(|| {
        format!("cannot listen on {host}:{port} (is another service there? --port chooses another)")
    })?;
    let url = base_url(listener.local_addr()?);
    let folder = place.folder()?;
    let identity = match &folder {
        Some(folder) => folder.identity(&settings)?,
        None => passing_identity(&settings)?,
    };
    settings.jwt_secret = Some(identity.secret.clone());
    let table = place.open(&settings.table_name).await?;
    if let Some(folder) = &folder {
        folder.note_address(&url)?;
    }

    let generator = generator.then(|| new_generator(&settings, &identity, &table));
    let mut service = Service::start(&settings, &identity, table, &url)?;
    if let Some(generator) = generator {
        service.background.spawn(generate(generator, settings.generator_frequency, service.gate.clone()));
    }
    // Before the banner: whoever has read it may ask to stop.
    let requests = Requests::listen()?;
    show_banner(&settings, &identity, &place, &url)?;
    info!(url, "listening");
    service.run(listener, requests).await
}

fn new_generator(settings: &Settings, identity: &Identity, table: &Table) -> Generator {
    Generator::new(generator::Options {
        store: table.store.clone(),
        clock: Clock::system(),
        organization: settings.generator_organization.unwrap_or(identity.organization),
        frequency: settings.generator_frequency,
        grace: settings.grace,
    })
}

/// A running service.
struct Service {
    router: Router,
    engine: Option<Engine>,
    live: Option<Live>,
    gate: Gate,
    background: JoinSet<()>,
}

impl Service {
    /// Starts everything but the listening.
    fn start(settings: &Settings, identity: &Identity, table: Table, url: &str) -> anyhow::Result<Self> {
        let Table { store, engine } = table;
        let clock = Clock::system();
        let egress =
            Egress::new(tidings_egress::Options { allow: settings.egress_allow.clone(), ..Default::default() })?;
        let secret = &identity.secret;
        let vault = Vault::new(&identity.encryption_keys);
        let endpoints = Endpoints {
            store: store.clone(),
            egress: egress.clone(),
            vault: vault.clone(),
            clock: clock.clone(),
            grace: settings.grace,
        };
        let provider = Provider::new(endpoints, settings.svix.as_ref());
        let (rows, base) = (settings.preconfigured_endpoints.as_deref(), settings.preconfigured_base_url.as_ref());
        let preconfigured = Preconfigured::parse(rows, base)?;
        let credentials = Credentials::from_settings(settings, &store, &clock)?;
        let live = engine.is_some().then(|| Live::new(&store, &credentials, &clock));
        let parts = Parts {
            settings,
            store: &store,
            credentials: &credentials,
            egress: &egress,
            vault: &vault,
            clock: &clock,
            secret,
            provider: &provider,
            preconfigured: &preconfigured,
            inbound_organization: settings.inbound_organization.unwrap_or(identity.organization),
            live: live.as_ref(),
        };
        let router = router(&parts);
        let service_endpoint = match &settings.service_endpoint {
            Some(endpoint) => endpoint.clone(),
            None => Url::parse(url)?.join("/providers/")?,
        };
        let processor = Processor::new(Options {
            store,
            egress,
            clock: clock.clone(),
            metrics: Metrics::off(),
            secret: secret.clone(),
            service_endpoint,
            vault,
            provider,
            preconfigured,
            job_retry_schedule: settings.job_retry_schedule.clone(),
            retry_schedule: settings.retry_schedule.clone(),
            grace: settings.grace,
            request_timeout: settings.request_timeout,
            fast_request_timeout: FAST_REQUEST_TIMEOUT.min(settings.request_timeout),
            stay: Duration::ZERO,
        });
        let gate = Gate::new();
        let mut background = JoinSet::new();
        if let Some(engine) = &engine {
            let feed = engine.feed(feed_options());
            background.spawn(follow_changes(feed, processor.clone(), clock.clone(), gate.clone()));
            background.spawn(sweep(engine.clone()));
            if let Some(live) = &live {
                background.spawn(live.clone().follow(engine.feed(Live::feed_options()), gate.clone()));
            }
        }
        background.spawn(follow_schedule(processor, clock, gate.clone()));
        Ok(Self { router, engine, live, gate, background })
    }

    /// Serves until somebody asks to stop, then finishes what was started.
    async fn run(self, listener: TcpListener, mut requests: Requests) -> anyhow::Result<()> {
        let Self { router, engine, live, gate, background } = self;
        let (stop, mut stopped) = tokio::sync::watch::channel(());
        let server: JoinHandle<std::io::Result<()>> = tokio::spawn(async move {
            axum::serve(listener, router)
                .with_graceful_shutdown(async move { ignore(stopped.changed().await, "the service has ended") })
                .await
        });
        requests.asked().await;
        info!("stopping: finishing what was started; a second signal ends at once");
        ignore(stop.send(()), "the server has ended by itself");
        tokio::select! {
            () = finish(server, live, &gate, engine) => {}
            () = requests.asked() => warn!("ended at once; what was on its way is done after the next start"),
        }
        drop(background);
        Ok(())
    }
}

async fn finish(server: JoinHandle<std::io::Result<()>>, live: Option<Live>, gate: &Gate, engine: Option<Engine>) {
    if let Some(live) = live {
        live.close().await;
    }
    // A client that keeps its connection open must not keep the service alive.
    if let Ok(ended) = tokio::time::timeout(CONNECTIONS_END, server).await {
        ignore(ended.map_err(anyhow::Error::from).and_then(|end| Ok(end?)), "the service ends anyway");
    } else {
        info!("closed connections that were still open");
    }
    gate.close().await;
    if let Some(engine) = engine {
        engine.close().await;
    }
    info!("stopped");
}

async fn sweep(engine: Engine) {
    let mut times = interval(SWEEP);
    loop {
        times.tick().await;
        let engine = engine.clone();
        match spawn_blocking(move || engine.sweep_ttl()).await {
            Ok(Ok(0)) | Err(_) => {}
            Ok(Ok(items)) => info!(items, "deleted expired items"),
            Ok(Err(error)) => warn!(error = chain(&error), "could not delete expired items"),
        }
    }
}

#[expect(clippy::print_stdout, reason = "the banner is for whoever started the service")]
fn show_banner(settings: &Settings, identity: &Identity, place: &Place, url: &str) -> anyhow::Result<()> {
    let caller = Caller {
        organization: identity.organization,
        scope: Scope::Organization,
        role: Role::Admin,
        organizations: Vec::new(),
        feature_flags: Vec::new(),
    };
    let token = token(identity, &caller, Duration::from_hours(24 * TOKEN_DAYS))?;
    let data = match &place.endpoint {
        Some(endpoint) => Data::Endpoint(endpoint),
        None if place.memory => Data::Memory,
        None => Data::Folder(&place.data),
    };
    let failure_probability = settings.failure_probability;
    print!("{}", Banner { url, token: &token, token_days: TOKEN_DAYS, data, failure_probability });
    Ok(())
}

/// Where this machine reaches the service.
fn base_url(address: SocketAddr) -> String {
    let port = address.port();
    match address.ip() {
        ip if ip.is_unspecified() => format!("http://127.0.0.1:{port}"),
        IpAddr::V4(ip) => format!("http://{ip}:{port}"),
        IpAddr::V6(ip) => format!("http://[{ip}]:{port}"),
    }
}
