use std::time::Duration;

use tidings_domain::Timestamp;
use tidings_domain::api_key::ApiKeyHash;
use tidings_domain::caller::{Caller, Role, Scope};
use tidings_domain::connection::{Connection, ConnectionId, Credential, Protocol};
use tidings_domain::ids::OrganizationId;
use tidings_domain::token::TokenHash;
use tidings_harness::{Fault, Rule, Table};
use tidings_store::{Store, StoreError};

use crate::application::application;
use crate::support::{at, organization, store};

/// A connection of an organization, for an hour.
pub(crate) fn connection(name: &str, organization: OrganizationId) -> Connection {
    let caller = Caller {
        organization,
        scope: Scope::Organization,
        role: Role::User,
        organizations: Vec::new(),
        feature_flags: Vec::new(),
    };
    Connection {
        id: name.parse().unwrap(),
        protocol: Protocol::Plain,
        caller: Some(caller),
        credential: None,
        created_at: at(0),
        until: at(3600),
    }
}

fn id(name: &str) -> ConnectionId {
    name.parse().unwrap()
}

async fn listeners(store: &Store, now: Timestamp) -> Vec<String> {
    let found = store.listeners(organization(1), now).await.unwrap();
    found.into_iter().map(|connection| connection.id.to_string()).collect()
}

#[tokio::test]
async fn a_connection_is_read_as_it_was_written() {
    let store = store().await;
    let plain = connection("L0SM9cOFvHcCIhw=", organization(1));
    let caller = Caller {
        scope: Scope::Application(application(1).id),
        role: Role::Admin,
        organizations: vec!["acme".to_owned(), "#".to_owned()],
        feature_flags: vec!["beta".parse().unwrap()],
        ..plain.caller.clone().unwrap()
    };
    let token = Credential::Token { hash: TokenHash::of("a.b.c"), issued_at: Some(at(-9)) };
    let full = Connection {
        id: id("+a/b-c_"),
        protocol: Protocol::SocketIo,
        caller: Some(caller),
        credential: Some(token),
        ..plain.clone()
    };
    let no_time = Credential::Token { hash: TokenHash::of("a.b.d"), issued_at: None };
    let api_key = Credential::ApiKey(ApiKeyHash::from_stored("0123abcd".to_owned()));
    let all = [
        Connection { id: id("1"), credential: Some(no_time), ..plain.clone() },
        Connection { id: id("2"), credential: Some(api_key), ..plain.clone() },
        Connection { id: id("3"), caller: None, ..plain.clone() },
        plain,
        full,
    ];
    for connection in &all {
        store.put_connection(connection).await.unwrap();
        assert_eq!(store.connection(&connection.id).await.unwrap().as_ref(), Some(connection));
    }
    store.delete_connection(&all[0].id).await.unwrap();
    store.delete_connection(&all[0].id).await.unwrap();
    assert_eq!(store.connection(&all[0].id).await.unwrap(), None);
    assert_eq!(store.connection(&id("never")).await.unwrap(), None);
}

#[tokio::test]
async fn those_who_listen_are_known_and_in_time() {
    let store = store().await;
    let unknown = Connection { caller: None, ..connection("unknown", organization(1)) };
    let short = Connection { until: at(60), ..connection("short", organization(1)) };
    let theirs = connection("theirs", organization(2));
    for connection in [&unknown, &short, &theirs, &connection("+long", organization(1))] {
        store.put_connection(connection).await.unwrap();
    }
    assert_eq!(listeners(&store, at(59)).await, ["+long", "short"]);
    assert_eq!(listeners(&store, at(60)).await, ["+long"]);
    // It says who it is.
    store.put_connection(&connection("unknown", organization(1))).await.unwrap();
    assert_eq!(listeners(&store, at(60)).await, ["+long", "unknown"]);
    store.delete_connection(&id("+long")).await.unwrap();
    assert_eq!(listeners(&store, at(60)).await, ["unknown"]);
}

#[tokio::test]
async fn more_than_a_batch_of_reads_listen() {
    let store = store().await;
    let all: Vec<_> = (0..250).map(|number| connection(&format!("c{number:03}"), organization(1))).collect();
    for connection in &all {
        store.put_connection(connection).await.unwrap();
    }
    assert_eq!(store.listeners(organization(1), at(1)).await.unwrap(), all);
}

#[tokio::test]
async fn listeners_are_kept_for_three_seconds_but_for_the_processes_own_writes() {
    let table = Table::start().await;
    let (here, elsewhere) = (table.faulty_store(), table.store());
    let count = async |millis: u64| {
        let now = at(0) + Duration::from_millis(millis);
        here.cached_listeners(organization(1), now).await.unwrap().len()
    };
    assert_eq!(count(0).await, 0);
    elsewhere.put_connection(&connection("a", organization(1))).await.unwrap();
    table.meter().reset();
    assert_eq!((count(2999).await, table.meter().total().count), (0, 0), "that nobody does is kept, too");
    assert_eq!(count(3000).await, 1);
    here.put_connection(&connection("b", organization(1))).await.unwrap();
    assert_eq!(count(3001).await, 2);
    elsewhere.delete_connection(&id("a")).await.unwrap();
    assert_eq!(count(3002).await, 2);
    here.delete_connection(&id("b")).await.unwrap();
    assert_eq!(count(3002).await, 0);
    // One that this process has not read yet goes too, and one that says now who it is comes.
    let silent = Connection { caller: None, ..connection("c", organization(1)) };
    here.put_connection(&silent).await.unwrap();
    assert_eq!(count(3003).await, 0);
    here.clone().put_connection(&connection("c", organization(1))).await.unwrap();
    assert_eq!(count(3003).await, 1);
}

#[tokio::test]
async fn keys_that_a_batch_leaves_unread_are_read_again() {
    let table = Table::start().await;
    for name in ["a", "b", "c"] {
        table.store().put_connection(&connection(name, organization(1))).await.unwrap();
    }
    table.faults().inject(Rule::new(Fault::Unprocessed).on("BatchGetItem").times(2));
    assert_eq!(listeners(table.faulty_store(), at(1)).await, ["a", "b", "c"]);
    table.faults().inject(Rule::new(Fault::Throttled).on("Query"));
    let error = table.faulty_store().listeners(organization(1), at(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Throttled(_)), "{error:?}");
}
