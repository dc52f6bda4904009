//! What a receiver gets: the bytes, the headers, signatures that the libraries verify.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use svix::models::{EndpointHeadersPatchIn, EndpointIn, EndpointSecretRotateIn};

use crate::scene::{Delivery, Inbox, Scene, call, signing_secret};
use crate::tour::{Tour, invalid, same};

/// Checks a delivery by both libraries and both families of headers.
fn verify(key: &str, delivery: &Delivery) -> Result<()> {
    let (svix, standard) = (svix::webhooks::Webhook::new(key)?, standardwebhooks::Webhook::new(key)?);
    for family in ["webhook-", "svix-"] {
        svix.verify(&delivery.body, &delivery.only(family)).context(family)?;
    }
    standard.verify(&delivery.body, &delivery.only("webhook-")).context("standardwebhooks")
}

/// Neither library takes it.
fn refuse(key: &str, delivery: &Delivery) -> Result<()> {
    let (svix, standard) = (svix::webhooks::Webhook::new(key)?, standardwebhooks::Webhook::new(key)?);
    ensure!(svix.verify(&delivery.body, &delivery.headers).is_err(), "svix verified it");
    ensure!(standard.verify(&delivery.body, &delivery.headers).is_err(), "standardwebhooks verified it");
    Ok(())
}

/// An endpoint with an inbox of its own, in an application of its own.
struct Listener<'a> {
    scene: &'a Scene,
    app: String,
    inbox: Inbox<'a>,
    endpoint: String,
    key: String,
}

impl<'a> Listener<'a> {
    async fn new(scene: &'a Scene) -> Result<Self> {
        Self::with(scene, |given| given).await
    }

    async fn with(scene: &'a Scene, change: impl FnOnce(EndpointIn) -> EndpointIn) -> Result<Self> {
        let app = scene.application("Deliveries").await?;
        let inbox = scene.inbox()?;
        let given = change(EndpointIn::new(inbox.url.clone()));
        let endpoint = call!(scene.client, endpoint.create(app.clone(), given, None))?.id;
        let key = scene.secret(&app, &endpoint).await?;
        Ok(Self { scene, app, inbox, endpoint, key })
    }

    async fn rotate(&self, key: Option<String>, grace_period_seconds: Option<u32>) -> Result<()> {
        let given = EndpointSecretRotateIn { key, grace_period_seconds };
        let (app, endpoint) = (self.app.clone(), self.endpoint.clone());
        call!(self.scene.client, endpoint.rotate_secret(app, endpoint, given, None))?;
        Ok(())
    }

    async fn delivered(&self, payload: Value) -> Result<Delivery> {
        self.scene.message(&self.app, payload).await?;
        self.inbox.only().await
    }
}

pub(crate) async fn deliveries(tour: &mut Tour, scene: &Scene) {
    tour.step("a delivery is verified by both libraries and both families of headers", async {
        let there = Listener::new(scene).await?;
        let payload = json!({"text": "Größe ✓ \u{7} \"quoted\"", "list": [1, 2.5, -3e-7], "nested": {"null": null}});
        let sent = scene.message(&there.app, payload.clone()).await?;
        let delivery = there.inbox.only().await?;
        verify(&there.key, &delivery)?;
        same!(String::from_utf8_lossy(&delivery.body), payload.to_string());
        same!(delivery.header("webhook-id"), sent.id);
        for part in ["id", "timestamp", "signature"] {
            same!(delivery.header(&format!("svix-{part}")), delivery.header(&format!("webhook-{part}")));
        }
        same!(delivery.header("content-type"), "application/json");
        ensure!(delivery.header("user-agent").starts_with("Tidings/"), "{delivery:?}");
        refuse(&there.key, &Delivery { body: b"{}".to_vec(), ..delivery.clone() })?;
        refuse(&signing_secret()?, &delivery)
    })
    .await;
    tour.step("headers given at the endpoint's creation, and set later, are sent", async {
        let header = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let given = header("X-Given", "at birth");
        let there = Listener::with(scene, |endpoint| EndpointIn { headers: Some(given), ..endpoint }).await?;
        let change = EndpointHeadersPatchIn::new(header("X-Api-Key", "k-1"));
        call!(scene.client, endpoint.patch_headers(there.app.clone(), there.endpoint.clone(), change))?;
        let delivery = there.delivered(json!({})).await?;
        same!((delivery.header("x-given"), delivery.header("x-api-key")), ("at birth", "k-1"));
        Ok(())
    })
    .await;
    tour.step("the payload is delivered byte for byte as it was posted", async {
        let there = Listener::new(scene).await?;
        let payload =
            "{ \"b\" : 1.0,\n\t\"a\":1e2, \"big\":12345678901234567890, \"ü\" : \"\\u00fc\\/\", \"z\":-0.0 , \"a b\":[ ]}";
        let body = format!("{{\"payload\": {payload} , \"eventType\":\"order.placed\"}}");
        same!(scene.post_message(&there.app, body).await?.as_u16(), 202);
        let delivery = there.inbox.only().await?;
        same!(String::from_utf8_lossy(&delivery.body), payload);
        verify(&there.key, &delivery)
    })
    .await;
    rotation(tour, scene).await;
    asymmetric(tour, scene).await;
}

async fn rotation(tour: &mut Tour, scene: &Scene) {
    tour.step("during a rotation's grace both the old and the new secret verify", async {
        let (there, next) = (Listener::new(scene).await?, signing_secret()?);
        there.rotate(Some(next.clone()), None).await?;
        let delivery = there.delivered(json!({"during": true})).await?;
        verify(&there.key, &delivery)?;
        verify(&next, &delivery)?;
        same!(delivery.header("webhook-signature").split(' ').count(), 2);
        Ok(())
    })
    .await;
    tour.step("without a grace only the new secret verifies", async {
        let there = Listener::new(scene).await?;
        there.rotate(None, Some(0)).await?;
        let next = scene.secret(&there.app, &there.endpoint).await?;
        let delivery = there.delivered(json!({"after": true})).await?;
        verify(&next, &delivery)?;
        refuse(&there.key, &delivery)
    })
    .await;
}

/// An Ed25519 key as an endpoint's secret (the seed and the public half), and as it is shown.
struct Pair {
    secret: String,
    shown: String,
}

impl Pair {
    fn new() -> Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)?;
        let public = pair.public_key().as_ref();
        let secret = format!("whsk_{}", BASE64_STANDARD.encode([&seed[..], public].concat()));
        Ok(Self { secret, shown: format!("whpk_{}", BASE64_STANDARD.encode(public)) })
    }
}

/// No published verifier knows `v1a` yet, so this is AWS-LC's Ed25519, by the public half as Tidings shows it.
fn verifies_asymmetrically(shown: &str, delivery: &Delivery) -> Result<bool> {
    let public = BASE64_STANDARD.decode(shown.strip_prefix("whpk_").context("no public half")?)?;
    let key = UnparsedPublicKey::new(&ED25519, public);
    let mut text = format!("{}.{}.", delivery.header("webhook-id"), delivery.header("webhook-timestamp")).into_bytes();
    text.extend_from_slice(&delivery.body);
    let mut signatures = delivery.header("webhook-signature").split(' ').filter_map(|one| one.strip_prefix("v1a,"));
    Ok(signatures.any(|one| BASE64_STANDARD.decode(one).is_ok_and(|signature| key.verify(&text, &signature).is_ok())))
}

async fn asymmetric(tour: &mut Tour, scene: &Scene) {
    tour.step("an asymmetric key: its public half is shown, and verifies v1a", async {
        let pair = Pair::new()?;
        let there = Listener::with(scene, |given| EndpointIn { secret: Some(pair.secret.clone()), ..given }).await?;
        same!(there.key, pair.shown);
        let delivery = there.delivered(json!({"signed": "v1a"})).await?;
        ensure!(verifies_asymmetrically(&pair.shown, &delivery)?, "{delivery:?}");
        ensure!(!verifies_asymmetrically(&pair.shown, &Delivery { body: b"{}".to_vec(), ..delivery.clone() })?);
        ensure!(!verifies_asymmetrically(&Pair::new()?.shown, &delivery)?);
        Ok(())
    })
    .await;
    tour.step("from a shared secret to an asymmetric key: both verify during the grace", async {
        let (there, pair) = (Listener::new(scene).await?, Pair::new()?);
        there.rotate(Some(pair.secret), None).await?;
        let delivery = there.delivered(json!({"moving": true})).await?;
        verify(&there.key, &delivery)?;
        ensure!(verifies_asymmetrically(&pair.shown, &delivery)?, "{delivery:?}");
        Ok(())
    })
    .await;
    tour.step("an asymmetric key of the wrong length: 422", async {
        let app = scene.application("Wrong key").await?;
        let secret = Some(format!("whsk_{}", BASE64_STANDARD.encode([0; 20])));
        let wrong = EndpointIn { secret, ..EndpointIn::new("http://127.0.0.1:9/".to_owned()) };
        invalid(call!(scene.client, endpoint.create(app, wrong, None)))
    })
    .await;
}
