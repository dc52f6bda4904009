//! The same for broadcasts, names of events, initializations and connections.

use tidings_domain::broadcast::{Broadcast, Counts, Ended, Tally};
use tidings_domain::broker::EventName;
use tidings_domain::endpoint::{Retried, Sealed};
use tidings_domain::ids::{ApplicationId, EndpointId, MessageId};
use tidings_domain::initialization::InitializationState;
use tidings_domain::page::PageLimit;
use tidings_store::event_name::Subscription;

use crate::frozen::{organization, stored};
use crate::support::at;

fn application() -> ApplicationId {
    "app_2dmHlPBrNdbSXHkUrzEyTQ3mEXz".parse().unwrap()
}

fn endpoint() -> EndpointId {
    "ep_2dmHlPBrNdbSXHkUrzEyTQ3mEXz".parse().unwrap()
}

#[tokio::test]
async fn broadcasts_of_version_1_are_read_and_counted() {
    let store = stored(include_str!("../fixtures/v1/broadcast.json")).await;
    let page = store.broadcasts(organization(), application(), None, PageLimit::default()).await.unwrap();
    let id: MessageId = "msg_2dmHlRqYhKBaVUuWxGxZ7IfOEEp".parse().unwrap();
    let open = Broadcast {
        organization: organization(),
        application: application(),
        message: id,
        subject: "upload_image".to_owned(),
        receivers: vec![endpoint(), "ep_2dmHlRqYhKBaVUuWxGxZ7IfOEEp".parse().unwrap()],
        created_at: at(3),
        ended: None,
    };
    let tally = Tally {
        main: Counts { completed: 2, failed: 3, ..Counts::default() },
        dead_letters: Counts { completed: 1, failed: 2, ..Counts::default() },
    };
    let ended = Broadcast {
        message: "msg_2dmHlPBrNdbSXHkUrzEyTQ3mEXz".parse().unwrap(),
        receivers: Vec::new(),
        created_at: at(0),
        ended: Some(Ended { at: at(60), tally }),
        ..open.clone()
    };
    assert_eq!(page.data, [open.clone(), ended]);
    assert_eq!(store.open_broadcasts(organization(), application()).await.unwrap(), [open]);
    let total = store.broadcast_totals(organization(), application()).await.unwrap();
    let mut expected = tally;
    expected += Tally { main: Counts { completed: 7, ..Counts::default() }, ..Tally::default() };
    assert_eq!(total, expected);
}

#[tokio::test]
async fn what_endpoints_of_a_surface_have_more_is_read() {
    let store = stored(include_str!("../fixtures/v1/surface_endpoint.json")).await;
    let read = store.endpoints_of(organization(), application()).await.unwrap().remove(0);
    assert_eq!((read.id, read.token, read.retried), (endpoint(), Some(Sealed(vec![1, 2, 3])), Retried::Transient));
}

#[tokio::test]
async fn names_of_events_of_version_1_are_read() {
    let store = stored(include_str!("../fixtures/v1/event_name.json")).await;
    let names = store.event_names(organization(), 0, 10).await.unwrap();
    let name: EventName = "upload#image".to_owned().try_into().unwrap();
    assert_eq!(names, std::slice::from_ref(&name));
    let url = "https://example.com/hook".to_owned().try_into().unwrap();
    let subscriptions = store.subscriptions(organization(), &name).await.unwrap();
    assert_eq!(subscriptions, [Subscription { endpoint: endpoint(), url }]);
    assert!(store.drop_subscription(organization(), &name, &subscriptions[0]).await.unwrap());
    assert!(store.event_names(organization(), 0, 10).await.unwrap().is_empty(), "it was the only one, and counted");
}

#[tokio::test]
async fn initializations_of_version_1_are_read() {
    let store = stored(include_str!("../fixtures/v1/initialization.json")).await;
    let mut all = Vec::new();
    for state in InitializationState::ALL {
        all.extend(store.initializations(organization(), state, None, PageLimit::default()).await.unwrap().data);
    }
    insta::assert_debug_snapshot!(all);
}

#[tokio::test]
async fn connections_of_version_1_are_read() {
    let store = stored(include_str!("../fixtures/v1/connection.json")).await;
    let mut all = store.listeners(organization(), at(0)).await.unwrap();
    all.extend(store.connection(&"silent=".parse().unwrap()).await.unwrap());
    insta::assert_debug_snapshot!(all);
}
