//! The two delivery providers, side by side: Tidings itself, and a second Tidings that is spoken to as a Svix server.

use std::time::{Duration, Instant};

use tidings_domain::Timestamp;
use tidings_domain::ids::OrganizationId;
use tidings_domain::message::Message;
use tidings_domain::names::Uid;
use tidings_outbound::provider::{Made, NewPlatformEndpoint, Provider, ProviderError};

use crate::support::World;
use crate::support::outbound::{impatient, organization};
use crate::support::platform::{Disturbance, Second, acme};

fn new_endpoint(world: &World, uid: Option<&str>) -> NewPlatformEndpoint {
    NewPlatformEndpoint {
        url: world.receiver.url().try_into().unwrap(),
        description: "All".to_owned(),
        event_types: Some(vec!["user.created".parse().unwrap()]),
        uid: uid.map(|uid| uid.parse().unwrap()),
    }
}

fn somebody_else() -> OrganizationId {
    OrganizationId::new(Timestamp::from_millis(1_710_341_906_007), [2; 15])
}

/// What holds of both.
async fn works(world: &World, provider: &Provider) {
    let tenant = organization();
    assert_eq!(provider.endpoints(tenant, &acme()).await.unwrap(), [], "there is no application yet");
    assert!(!provider.delete_endpoint(tenant, &acme(), "x").await.unwrap());
    provider.health().await.unwrap();

    let Made::New(first) = provider.make_endpoint(tenant, &acme(), &new_endpoint(world, Some("all"))).await.unwrap()
    else {
        panic!("it is new");
    };
    let application = provider.ensure_application(tenant, &acme()).await.unwrap();
    assert_eq!(provider.ensure_application(tenant, &acme()).await.unwrap(), application);
    let found = provider.make_endpoint(tenant, &acme(), &new_endpoint(world, Some("all"))).await.unwrap();
    assert_eq!(found, Made::Found(first.clone()));
    assert_eq!((first.url.clone(), first.description.as_str()), (world.receiver.url(), "All"));
    assert_eq!(first.event_types, Some(vec!["user.created".to_owned()]));
    let second = provider.create_endpoint(tenant, &acme(), &new_endpoint(world, None)).await.unwrap();
    assert_ne!(first.id, second.id);
    assert_eq!(provider.endpoints(tenant, &acme()).await.unwrap().len(), 2);

    let refused =
        NewPlatformEndpoint { url: "http://10.0.0.1/".to_owned().try_into().unwrap(), ..new_endpoint(world, None) };
    let error = provider.create_endpoints(tenant, &acme(), &[new_endpoint(world, Some("new")), refused]).await;
    assert!(matches!(error, Err(ProviderError::Url(_))), "{error:?}");
    assert_eq!(provider.endpoints(tenant, &acme()).await.unwrap().len(), 2, "what was made is deleted again");

    // A path that climbs up, what is no name, what is not there, another organization, another tenant.
    for id in ["..", ".", "", "a/b", "ep_x", "../../app"] {
        assert!(!provider.delete_endpoint(tenant, &acme(), id).await.unwrap(), "{id}");
    }
    let beta: Uid = "beta".parse().unwrap();
    assert!(!provider.delete_endpoint(tenant, &beta, &first.id).await.unwrap());
    assert!(!provider.delete_endpoint(somebody_else(), &acme(), &first.id).await.unwrap());
    assert_eq!(provider.endpoints(somebody_else(), &acme()).await.unwrap(), []);
    // A name that has the form of somebody's id is not that somebody.
    assert_eq!(provider.endpoints(tenant, &application.parse().unwrap()).await.unwrap(), []);

    assert!(provider.delete_endpoint(tenant, &acme(), &second.id).await.unwrap());
    assert!(!provider.delete_endpoint(tenant, &acme(), &second.id).await.unwrap());
}

#[tokio::test]
async fn organizations_have_their_endpoints_here() {
    let world = World::new().await;
    works(&world, &world.provider()).await;
}

#[tokio::test]
async fn organizations_have_their_endpoints_there() {
    let mut world = World::new().await;
    let second = Second::start(&mut world).await;
    works(&world, &world.provider()).await;
    assert_eq!(second.endpoints().await.len(), 1);
    let taken = world.provider().ensure_application(somebody_else(), &acme()).await;
    assert!(matches!(taken, Err(ProviderError::ApplicationTaken)), "{taken:?}");
    let application = world.organization().await;
    let theirs = Message { organization: somebody_else(), ..world.new_message(&application) };
    let refused = world.provider().send(&acme(), &theirs).await;
    assert!(matches!(refused, Err(ProviderError::ApplicationTaken)), "{refused:?}");
}

#[tokio::test]
async fn a_look_at_the_servers_health_is_short() {
    let mut world = World::new().await;
    let mut second = Second::start(&mut world).await;
    let provider = world.provider();
    second.disturb(|_| Disturbance::Hang);
    let started = Instant::now();
    let error = provider.health().await;
    assert!(matches!(error, Err(ProviderError::OutOfTime)), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(6));
    second.disturb(|_| Disturbance::Answer(500));
    let error = provider.health().await.unwrap_err();
    assert!(error.retryable() && error.to_string().contains("500"), "{error}");
    second.stop().await;
    assert!(provider.health().await.unwrap_err().retryable());
    second.mend();
    second.go_on().await;
    provider.health().await.unwrap();
}

#[tokio::test]
async fn attempts_are_told_of_under_this_sides_name_of_the_message() {
    let mut world = World::new().await;
    let second = Second::start(&mut world).await;
    let (provider, processor) = (world.provider(), world.processor_with(impatient()));
    provider.create_endpoint(organization(), &acme(), &new_endpoint(&world, None)).await.unwrap();
    let application = world.organization().await;
    let message = world.forwarded(&application).await;
    let attempts = async || provider.attempts(organization(), &acme(), message.id).await.unwrap();
    assert_eq!(attempts().await, Some(Vec::new()), "it was not handed over yet");
    world.stream(&processor).await;
    second.work_off().await;
    let [attempt] = attempts().await.unwrap().try_into().unwrap();
    assert_eq!((attempt.message, attempt.response_status), (message.id, 200));
    assert_eq!(attempt.url, world.receiver.url());
    let unknown = world.new_message(&application).id;
    assert_eq!(provider.attempts(organization(), &acme(), unknown).await.unwrap(), None);
}

#[tokio::test]
async fn a_payload_arrives_as_it_was_sent_but_for_its_spaces() {
    let mut world = World::new().await;
    let second = Second::start(&mut world).await;
    let (provider, processor) = (world.provider(), world.processor_with(impatient()));
    provider.create_endpoint(organization(), &acme(), &new_endpoint(&world, None)).await.unwrap();
    let application = world.organization().await;
    let payload = r#"{"z":1,"a":[12345678901234567,0.1,-0.5,true,null],"text":"\"\u00fc\u20ac\n"}"#;
    world.forwarded_as(&application, |message| message.payload = Some(payload.into())).await;
    world.stream(&processor).await;
    second.work_off().await;
    let body = &world.receiver.deliveries()[0].body;
    assert_eq!(
        std::str::from_utf8(body).unwrap(),
        "{\"z\":1,\"a\":[12345678901234567,0.1,-0.5,true,null],\"text\":\"\\\"\u{fc}\u{20ac}\\n\"}"
    );
}
