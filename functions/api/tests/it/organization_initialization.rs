//! Preparing organizations: what is asked for here, and how far it is. The processor does it, and its tests show that.

use std::time::Duration;

use http::Method;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::agenda::{Entry, EntryKey};
use tidings_domain::initialization::{Goal, Initialization, InitializationState};
use tidings_store::Store;

use crate::arrange::GRACE;
use crate::organization::{ACME, NONE, PLATFORM, each};
use crate::support::{NOW, Service, member, organization, token};

impl Service {
    async fn standing(&self, name: &str) -> Option<Initialization> {
        self.store.initialization(organization(1).organization, &name.parse().unwrap()).await.unwrap()
    }

    /// What the agenda holds for an organization.
    async fn owed(&self, name: &str) -> Vec<Entry> {
        let work = self.standing(name).await.unwrap().work();
        let until = self.clock.now() + Duration::from_secs(3600);
        let page = self.store.due(work.shard(), until, None, 100).await.unwrap();
        page.entries.into_iter().filter(|entry| entry.key.work == work).collect()
    }

    /// An organization of organization 1's platform, as its processor has left it.
    async fn left(&self, name: &str, change: impl FnOnce(&mut Initialization)) -> Initialization {
        left(&self.store, 1, name, change).await
    }

    async fn initialized(&self, name: &str) -> Initialization {
        self.left(name, |initialization| {
            initialization.state = InitializationState::Initialized;
            initialization.application = Some(format!("app_of_{name}"));
            initialization.endpoints = vec!["ep_1".to_owned(), "ep_2".to_owned()];
        })
        .await
    }

    async fn failed(&self, name: &str) -> Initialization {
        failed(&self.store, 1, name).await
    }
}

/// An organization of somebody's platform, as the processor has left it.
async fn left(store: &Store, number: u8, name: &str, change: impl FnOnce(&mut Initialization)) -> Initialization {
    let tenant = organization(number).organization;
    let new = Initialization::asked_for(tenant, name.parse().unwrap(), NOW);
    let due = NOW + GRACE;
    assert!(store.create_initialization(&new, due).await.unwrap());
    let mut after = Initialization { updated_at: NOW + Duration::from_secs(1), ..new.clone() };
    change(&mut after);
    assert!(store.restart_initialization(&new, &after, due).await.unwrap());
    store.take_off(&EntryKey { due, work: new.work() }).await.unwrap();
    after
}

/// One whose endpoints could not be made, so far.
pub(crate) async fn failed(store: &Store, number: u8, name: &str) -> Initialization {
    left(store, number, name, |initialization| {
        initialization.state = InitializationState::Failed;
        initialization.application = Some(format!("app_of_{name}"));
        initialization.last_error = Some("Failed to create endpoints: no answer".to_owned());
        initialization.retry_count = 3;
    })
    .await
}

#[tokio::test]
async fn an_initialization_is_accepted_once_and_owes_its_work() {
    let service = Service::start().await;
    let path = format!("{ACME}/initialize");
    assert_snapshot!(service.rule(Method::POST, &path, &NONE).await.shown(), @r#"
    201
    location: /api/webhooks/organizations/acme/initialization-status
    {"organizationId":"acme","svixApplicationCreated":false,"svixApplicationId":null,"endpointsCreated":false,"endpointIds":[],"lastError":null,"retryCount":0,"createdAt":"2027-01-15T08:00:00.000Z","updatedAt":"2027-01-15T08:00:00.000Z"}
    "#);
    let owed = service.owed("acme").await;
    assert_eq!(owed.iter().map(|entry| entry.key.due).collect::<Vec<_>>(), [service.clock.now() + GRACE]);
    let first = service.standing("acme").await;
    service.clock.advance(Duration::from_secs(5));
    assert_eq!(service.rule(Method::POST, &path, &NONE).await.status, 201);
    assert_eq!((service.standing("acme").await, service.owed("acme").await), (first, owed));
}

#[tokio::test]
async fn what_is_initialized_stays_so() {
    let service = Service::start().await;
    let before = service.initialized("acme").await;
    service.clock.advance(Duration::from_secs(5));
    assert_snapshot!(service.rule(Method::POST, &format!("{ACME}/initialize"), &NONE).await.shown(), @r#"
    201
    location: /api/webhooks/organizations/acme/initialization-status
    {"organizationId":"acme","svixApplicationCreated":true,"svixApplicationId":"app_of_acme","endpointsCreated":true,"endpointIds":["ep_1","ep_2"],"lastError":null,"retryCount":0,"createdAt":"2027-01-15T08:00:00.000Z","updatedAt":"2027-01-15T08:00:01.000Z"}
    "#);
    assert_eq!((service.standing("acme").await, service.owed("acme").await.len()), (Some(before), 0));
}

#[tokio::test]
async fn what_failed_is_tried_again_at_once_from_where_it_was() {
    let service = Service::start().await;
    let before = service.failed("acme").await;
    service.clock.advance(Duration::from_secs(5));
    assert_snapshot!(service.rule(Method::POST, &format!("{ACME}/initialize"), &NONE).await.shown(), @r#"
    201
    location: /api/webhooks/organizations/acme/initialization-status
    {"organizationId":"acme","svixApplicationCreated":true,"svixApplicationId":"app_of_acme","endpointsCreated":false,"endpointIds":[],"lastError":"Failed to create endpoints: no answer","retryCount":3,"createdAt":"2027-01-15T08:00:00.000Z","updatedAt":"2027-01-15T08:00:05.000Z"}
    "#);
    let updated_at = service.clock.now();
    let expected = Initialization { state: InitializationState::Pending, updated_at, ..before };
    assert_eq!((service.standing("acme").await, service.owed("acme").await.len()), (Some(expected), 1));
}

#[tokio::test]
async fn the_status_is_for_who_belongs_to_the_organization() {
    let service = Service::start().await;
    let path = format!("{ACME}/initialization-status");
    assert_snapshot!(service.rule(Method::GET, &path, &NONE).await.shown(), @r#"
    404
    {"code":"not_found","detail":"Not found."}
    "#);
    service.initialized("acme").await;
    let answer = service.call_as(&token(&member(1, "acme")), Method::GET, &path, &NONE).await;
    assert_snapshot!(answer.shown(), @r#"
    200
    {"organizationId":"acme","svixApplicationCreated":true,"svixApplicationId":"app_of_acme","endpointsCreated":true,"endpointIds":["ep_1","ep_2"],"lastError":null,"retryCount":0,"createdAt":"2027-01-15T08:00:00.000Z","updatedAt":"2027-01-15T08:00:01.000Z"}
    "#);
    assert_eq!(service.call_as(&token(&member(1, "other")), Method::GET, &path, &NONE).await.status, 404);
}

#[tokio::test]
async fn the_counts_are_those_of_the_table() {
    let service = Service::start().await;
    let path = format!("{PLATFORM}/initialization-stats");
    assert_snapshot!(service.rule(Method::GET, &path, &NONE).await.shown(), @r#"
    200
    {"totalOrganizations":0,"initializedOrganizations":0,"failedInitializations":0,"pendingInitializations":0}
    "#);
    for name in ["a", "b", "c"] {
        service.initialized(name).await;
    }
    for name in ["d", "e"] {
        service.failed(name).await;
    }
    service.rule(Method::POST, &format!("{ACME}/initialize"), &NONE).await;
    assert_snapshot!(service.rule(Method::GET, &path, &NONE).await.shown(), @r#"
    200
    {"totalOrganizations":6,"initializedOrganizations":3,"failedInitializations":2,"pendingInitializations":1}
    "#);
}

#[tokio::test]
async fn every_failed_initialization_is_retried_and_no_other() {
    let service = Service::start().await;
    let path = format!("{PLATFORM}/retry-failed-initializations");
    assert_eq!(service.rule(Method::POST, &path, &NONE).await.shown(), "200\n{\"retried\":[]}");
    for number in 0..60 {
        service.failed(&format!("org-{number:02}")).await;
    }
    let initialized = service.initialized("zebra").await;
    service.clock.advance(Duration::from_secs(5));
    let retried = service.rule(Method::POST, &path, &NONE).await.json();
    let expected: Vec<_> = (0..60).map(|number| format!("org-{number:02}")).collect();
    assert_eq!(retried, json!({"retried": expected}));
    let one = service.standing("org-59").await.unwrap();
    assert_eq!((one.state, one.goal, one.retry_count), (InitializationState::Pending, Goal::Initialize, 3));
    assert_eq!((service.owed("org-59").await.len(), service.standing("zebra").await), (1, Some(initialized)));
    assert_eq!(service.rule(Method::POST, &path, &NONE).await.json(), json!({"retried": []}));
}

#[tokio::test]
async fn every_organization_with_endpoints_is_to_get_new_ones_and_keeps_its_own_until_then() {
    let service = Service::start().await;
    for name in ["a", "c"] {
        service.initialized(name).await;
    }
    // An update of it failed.
    service
        .left("b", |initialization| {
            initialization.state = InitializationState::Failed;
            initialization.goal = Goal::Update;
            initialization.endpoints = vec!["ep_9".to_owned()];
        })
        .await;
    // Never had any.
    let never = service.failed("d").await;
    service.rule(Method::POST, &format!("{ACME}/initialize"), &NONE).await;
    service.clock.advance(Duration::from_secs(5));
    let answer = service.rule(Method::POST, &format!("{PLATFORM}/update-all-endpoints"), &NONE).await;
    assert_snapshot!(answer.shown(), @r#"
    200
    {"updating":["a","b","c"]}
    "#);
    let one = service.standing("a").await.unwrap();
    assert_eq!((one.state, one.goal), (InitializationState::Pending, Goal::Update));
    assert_eq!((one.endpoints, service.owed("a").await.len()), (vec!["ep_1".to_owned(), "ep_2".to_owned()], 1));
    assert_eq!(service.standing("d").await, Some(never));
    assert_eq!(service.standing("acme").await.unwrap().goal, Goal::Initialize);
}

#[tokio::test]
async fn endpoints_that_come_back_are_written_down_where_the_lost_ones_were() {
    let service = Service::start().await;
    let (preconfigured, endpoints) = (format!("{ACME}/preconfigured-endpoints"), format!("{ACME}/endpoints"));
    let ids = |answer: Value| each(&answer, "id").into_iter().map(str::to_owned).collect::<Vec<_>>();
    let first = ids(service.rule(Method::POST, &preconfigured, &NONE).await.json());
    let before = service
        .left("acme", |initialization| {
            initialization.state = InitializationState::Initialized;
            initialization.endpoints.clone_from(&first);
        })
        .await;
    service.rule(Method::POST, &preconfigured, &NONE).await;
    assert_eq!(service.standing("acme").await.unwrap(), before, "nothing came back");
    service.rule(Method::DELETE, &format!("{endpoints}/{}", first[2]), &NONE).await;
    service.clock.advance(Duration::from_secs(5));
    let second = ids(service.rule(Method::POST, &preconfigured, &NONE).await.json());
    assert!(first[2] != second[2] && first[..2] == second[..2] && first[3..] == second[3..], "{second:?}");
    let after = service.standing("acme").await.unwrap();
    assert_eq!((after.state, after.endpoints), (InitializationState::Initialized, second));
}
