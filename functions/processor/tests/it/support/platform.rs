//! A platform's organizations, and a second Tidings that delivers for them as a Svix server.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use processor::Processor;
use tidings_domain::application::Application;
use tidings_domain::caller::{Caller, Role, Scope};
use tidings_domain::endpoint::Endpoint;
use tidings_domain::ids::{MessageId, OrganizationId};
use tidings_domain::initialization::{Goal, Initialization, InitializationState};
use tidings_domain::message::{Message, Route};
use tidings_domain::names::{Reference, Uid};
use tidings_domain::page::{Order, PageLimit};
use tidings_http::Credentials;
use tidings_http::credential::{MintOptions, mint};
use tidings_outbound::endpoint::Endpoints;
use tidings_outbound::provider::Provider;
use tidings_runtime::Settings;
use tidings_runtime::settings::{Defaults, SvixServer};
use tidings_store::message::{MessageAccepted, NewMessage};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::outbound::{impatient, organization};
use super::{ENCRYPTION_KEY, GRACE, SECRET, World, egress, vault};

/// The organization that the tests are about.
pub(crate) fn acme() -> Uid {
    "acme".parse().unwrap()
}

/// What becomes of a call of the second Tidings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disturbance {
    /// It is answered.
    None,
    /// It is refused with a status.
    Answer(u16),
    /// It is done, and then answered with a status.
    Lost(u16),
    /// It is never answered.
    Hang,
}

type Rule = Box<dyn FnMut(&str) -> Disturbance + Send>;

#[derive(Clone)]
struct Watch {
    rule: Arc<Mutex<Rule>>,
    calls: Arc<Mutex<Vec<String>>>,
}

/// A second Tidings.
pub(crate) struct Second {
    pub(crate) world: World,
    processor: Processor,
    router: axum::Router,
    watch: Watch,
    address: SocketAddr,
    serving: Option<JoinHandle<()>>,
}

impl Second {
    /// Starts one, and lets it deliver for this world's organizations.
    pub(crate) async fn start(first: &mut World) -> Self {
        let world = World::beside(first).await;
        let rule: Rule = Box::new(|_| Disturbance::None);
        let watch = Watch { rule: Arc::new(Mutex::new(rule)), calls: Arc::default() };
        let router = router(&world).layer(from_fn_with_state(watch.clone(), disturb));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = Some(serve(listener, router.clone()));
        first.svix = Some(server(address, &token(&world, organization())));
        let processor = world.processor_with(impatient());
        Self { world, processor, router, watch, address, serving }
    }

    /// Closes its port, and breaks off what it was answering.
    pub(crate) async fn stop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            assert!(serving.await.unwrap_err().is_cancelled());
        }
    }

    /// Goes on at the same port.
    pub(crate) async fn go_on(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.serving = Some(serve(listener, self.router.clone()));
    }

    /// What becomes of calls such as `POST /api/v1/app` from now on.
    pub(crate) fn disturb(&self, rule: impl FnMut(&str) -> Disturbance + Send + 'static) {
        *self.watch.rule.lock().unwrap() = Box::new(rule);
    }

    /// All is well again.
    pub(crate) fn mend(&self) {
        self.disturb(|_| Disturbance::None);
    }

    /// How many calls there were that begin so.
    pub(crate) fn calls(&self, start: &str) -> usize {
        self.watch.calls.lock().unwrap().iter().filter(|call| call.starts_with(start)).count()
    }

    /// Delivers all that it was given.
    pub(crate) async fn work_off(&self) {
        self.world.work_off(&self.processor).await;
    }

    /// The organization's endpoints there, oldest first.
    pub(crate) async fn endpoints(&self) -> Vec<Endpoint> {
        self.world.endpoints_of(&acme()).await
    }
}

fn serve(listener: TcpListener, router: axum::Router) -> JoinHandle<()> {
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() })
}

/// With these variables, as they would be set.
fn server(address: SocketAddr, token: &str) -> SvixServer {
    let (url, token) = (format!("http://{address}"), token.to_owned());
    let get = move |name: &str| match name {
        "SVIX_SERVER_URL" => Some(url.clone()),
        "SVIX_AUTH_TOKEN" => Some(token.clone()),
        _ => None,
    };
    Settings::read(Defaults::Local, get).unwrap().svix.unwrap()
}

fn token(world: &World, organization: OrganizationId) -> String {
    let caller = Caller {
        organization,
        scope: Scope::Organization,
        role: Role::User,
        organizations: Vec::new(),
        feature_flags: Vec::new(),
    };
    let options = MintOptions { caller: &caller, now: world.clock.now(), expires_in: Duration::from_hours(24 * 365) };
    mint(SECRET.as_bytes(), options).unwrap()
}

async fn disturb(State(watch): State<Watch>, request: Request, next: Next) -> Response {
    let call = format!("{} {}", request.method(), request.uri().path());
    let disturbance = (watch.rule.lock().unwrap())(&call);
    watch.calls.lock().unwrap().push(call);
    match disturbance {
        Disturbance::None => next.run(request).await,
        Disturbance::Answer(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Disturbance::Lost(status) => {
            next.run(request).await;
            StatusCode::from_u16(status).unwrap().into_response()
        }
        Disturbance::Hang => std::future::pending().await,
    }
}

fn router(world: &World) -> axum::Router {
    let get = |name: &str| match name {
        "TIDINGS_JWT_SECRET" => Some(SECRET.to_owned()),
        "TIDINGS_ENCRYPTION_KEY" => Some(ENCRYPTION_KEY.to_owned()),
        _ => None,
    };
    let settings = Settings::read(Defaults::Local, get).unwrap();
    let (store, clock) = (world.table.store().clone(), world.clock.clock());
    let credentials = Credentials::from_settings(&settings, &store, &clock).unwrap();
    let endpoints =
        Endpoints { store: store.clone(), egress: egress(), vault: vault(), clock: clock.clone(), grace: GRACE };
    let provider = Provider::new(endpoints, None);
    let intake = intake::State {
        store: store.clone(),
        egress: egress(),
        vault: vault(),
        credentials: credentials.clone(),
        clock: clock.clone(),
        providers: settings.providers.into(),
        grace: GRACE,
        route: provider.route(),
        inbound_organization: None,
    };
    let api = api::State {
        store,
        egress: egress(),
        vault: vault(),
        credentials,
        clock,
        secret: SECRET.parse().unwrap(),
        grace: GRACE,
        provider,
        preconfigured: world.preconfigured.clone().into(),
    };
    tidings_http::finish(intake::router(intake).merge(api::router(api)))
}

impl World {
    /// The application of the organization, here.
    pub(crate) async fn organization(&self) -> Application {
        self.application_with(|application| application.uid = Some(acme())).await
    }

    /// A message of the organization, accepted now, which another server delivers.
    pub(crate) async fn forwarded(&self, application: &Application) -> Message {
        self.forwarded_as(application, |_| {}).await
    }

    pub(crate) async fn forwarded_as(&self, application: &Application, change: impl FnOnce(&mut Message)) -> Message {
        let mut message = self.new_message(application);
        change(&mut message);
        let new = NewMessage { message: &message, due: message.created_at + GRACE, route: Route::Provider };
        assert_eq!(self.table.store().create_message(&new, None).await.unwrap(), MessageAccepted::Written);
        message
    }

    /// All messages of the organization here, by their `eventId`.
    pub(crate) async fn event_ids(&self) -> Vec<String> {
        let reference = Reference::Uid(acme());
        let Some(application) = self.table.store().application(organization(), &reference).await.unwrap() else {
            return Vec::new();
        };
        let deliveries = self.receiver_messages(&application).await;
        deliveries.into_iter().filter_map(|message| message.event_id.map(String::from)).collect()
    }

    async fn receiver_messages(&self, application: &Application) -> Vec<Message> {
        let (messages, more) = self
            .table
            .store()
            .messages_between(
                application.organization,
                application.id,
                None::<MessageId>,
                application.created_at - Duration::from_secs(1),
                self.clock.now() + Duration::from_secs(1),
                100,
            )
            .await
            .unwrap();
        assert!(!more, "too many for a test");
        messages
    }

    /// An initialization of the organization, asked for now.
    pub(crate) async fn initialize(&self) -> Initialization {
        let now = self.clock.now();
        let new = Initialization {
            tenant: organization(),
            organization: acme(),
            state: InitializationState::Pending,
            goal: Goal::Initialize,
            application: None,
            endpoints: Vec::new(),
            last_error: None,
            retry_count: 0,
            created_at: now,
            updated_at: now,
        };
        assert!(self.table.store().create_initialization(&new, now + GRACE).await.unwrap());
        new
    }

    /// As the API asks again.
    pub(crate) async fn ask_again(&self, goal: Goal) -> Initialization {
        let before = self.initialization().await;
        let now = self.clock.now();
        let updated_at = now.max(before.updated_at + Duration::from_millis(1));
        let after = Initialization { goal, state: InitializationState::Pending, updated_at, ..before.clone() };
        assert!(self.table.store().restart_initialization(&before, &after, now + GRACE).await.unwrap());
        after
    }

    pub(crate) async fn initialization(&self) -> Initialization {
        self.table.store().initialization(organization(), &acme()).await.unwrap().unwrap()
    }

    /// An organization's endpoints here, oldest first.
    pub(crate) async fn endpoints_of(&self, uid: &Uid) -> Vec<Endpoint> {
        let store = self.table.store();
        let reference = Reference::Uid(uid.clone());
        let Some(application) = store.application(organization(), &reference).await.unwrap() else {
            return Vec::new();
        };
        let limit = PageLimit::try_from(250).unwrap();
        store.endpoints(organization(), application.id, None, Order::Ascending, limit).await.unwrap().data
    }
}
