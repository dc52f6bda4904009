//! Endpoints: what they are, their headers and secrets.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use chrono::{TimeDelta, Utc};
use js_option::JsOption;
use svix::api::{EndpointGetStatsOptions, EndpointListOptions};
use svix::models::{
    EndpointHeadersIn, EndpointHeadersPatchIn, EndpointIn, EndpointOut, EndpointPatch, EndpointSecretRotateIn,
    EndpointUpsertIn, EventExampleIn, Ordering,
};
use svix::webhooks::Webhook;

use crate::event_type::{ORDER_PLACED, example};
use crate::scene::{Inbox, Scene, call, signing_secret};
use crate::tour::{Tour, invalid, pages, refused, same};

pub(crate) async fn endpoints(tour: &mut Tour, scene: &Scene) -> Result<()> {
    let client = &scene.client;
    let app = scene.application("Endpoints").await?;
    let inbox = scene.inbox()?;
    let key = signing_secret()?;
    let given = full(&inbox, &key);
    let made = call!(client, endpoint.create(app.clone(), given.clone(), None))?;

    tour.step("endpoint.create answers what was made", async { as_given(&made, &given) }).await;
    tour.step("endpoint.create with a taken uid: 409 conflict", async {
        refused(409, "conflict", call!(client, endpoint.create(app.clone(), given.clone(), None)))
    })
    .await;
    tour.step("endpoint.create with a URL that is none: 422", async {
        let wrong = EndpointIn::new("ftp://127.0.0.1/".to_owned());
        invalid(call!(client, endpoint.create(app.clone(), wrong, None)))
    })
    .await;
    tour.step("endpoint.get by id and by uid", async {
        same!(call!(client, endpoint.get(app.clone(), made.id.clone()))?, made);
        same!(call!(client, endpoint.get(app.clone(), "main".to_owned()))?, made);
        refused(404, "not_found", call!(client, endpoint.get(app.clone(), "other".to_owned())))
    })
    .await;
    tour.step("endpoint.upsert creates, then updates", upsert(scene, &app, &inbox)).await;
    tour.step("endpoint.patch changes what it names and leaves the rest", patch(scene, &app, &made)).await;
    tour.step("endpoint.list pages in both orders", lists(scene, &app, &inbox)).await;
    headers(tour, scene, &app, &made.id).await;
    secrets(tour, scene, &app, &made.id, &key).await;
    tour.step("endpoint.send_example sends an example of the event type's schema, or a ping", async {
        let ping = EventExampleIn::new("svix.ping".to_owned());
        let ping = call!(client, endpoint.send_example(app.clone(), made.id.clone(), ping, None))?;
        ensure!(ping.id.starts_with("msg_"), "{ping:?}");
        let sent = EventExampleIn::new(ORDER_PLACED.to_owned());
        let sent = call!(client, endpoint.send_example(app.clone(), made.id.clone(), sent, None))?;
        let seen = inbox.wait(2).await?;
        let delivery = seen.iter().find(|one| one.header("webhook-id") == sent.id).context("not delivered")?;
        same!(serde_json::from_slice::<serde_json::Value>(&delivery.body)?, example());
        Webhook::new(&scene.secret(&app, &made.id).await?)?.verify(&delivery.body, &delivery.headers)?;
        Ok(())
    })
    .await;
    tour.step("endpoint.get_stats of an endpoint that was sent nothing", async {
        let idle = scene.endpoint(&app, &inbox).await?.id;
        let span = EndpointGetStatsOptions { since: Some(Utc::now() - TimeDelta::hours(1)), until: Some(Utc::now()) };
        let stats = call!(client, endpoint.get_stats(app.clone(), idle, Some(span)))?;
        same!([stats.success, stats.pending, stats.sending, stats.fail], [0; 4]);
        Ok(())
    })
    .await;
    tour.step("endpoint.delete; then 404 not_found", async {
        call!(client, endpoint.delete(app.clone(), "put".to_owned()))?;
        refused(404, "not_found", call!(client, endpoint.get(app.clone(), "put".to_owned())))?;
        refused(404, "not_found", call!(client, endpoint.delete(app.clone(), "put".to_owned())))
    })
    .await;
    Ok(())
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn full(inbox: &Inbox<'_>, key: &str) -> EndpointIn {
    EndpointIn {
        uid: Some("main".to_owned()),
        description: Some("The main one".to_owned()),
        event_types: Some(set(&["order.placed", "order.sent"])),
        channels: Some(set(&["north"])),
        metadata: Some(BTreeMap::from([("team".to_owned(), "a".to_owned())])),
        throttle_rate: Some(100),
        secret: Some(key.to_owned()),
        ..EndpointIn::new(inbox.url.clone())
    }
}

fn as_given(made: &EndpointOut, given: &EndpointIn) -> Result<()> {
    ensure!(made.id.starts_with("ep_") && made.id.len() == 30, "{made:?}");
    same!((&made.url, &made.uid), (&given.url, &given.uid));
    same!(Some(&made.description), given.description.as_ref());
    same!((&made.event_types, &made.channels), (&given.event_types, &given.channels));
    same!((Some(&made.metadata), made.throttle_rate), (given.metadata.as_ref(), given.throttle_rate));
    ensure!(made.disabled != Some(true), "{made:?}");
    Ok(())
}

async fn upsert(scene: &Scene, app: &str, inbox: &Inbox<'_>) -> Result<()> {
    let (client, uid) = (&scene.client, "put".to_owned());
    let given = EndpointUpsertIn { uid: Some(uid.clone()), ..EndpointUpsertIn::new(inbox.url.clone()) };
    let created = call!(client, endpoint.upsert(app.to_owned(), uid.clone(), given.clone()))?;
    let url = format!("{}-put", inbox.url);
    let again = EndpointUpsertIn { url: url.clone(), disabled: Some(true), ..given };
    let updated = call!(client, endpoint.upsert(app.to_owned(), uid, again))?;
    same!((updated.id, updated.url, updated.disabled), (created.id, url, Some(true)));
    Ok(())
}

async fn patch(scene: &Scene, app: &str, made: &EndpointOut) -> Result<()> {
    let client = &scene.client;
    let description = Some("Changed".to_owned());
    let change = EndpointPatch { description, event_types: JsOption::Null, ..Default::default() };
    let patched = call!(client, endpoint.patch(app.to_owned(), made.id.clone(), change))?;
    same!((patched.description.as_str(), patched.event_types, &patched.channels), ("Changed", None, &made.channels));
    let change = EndpointPatch { channels: JsOption::Null, throttle_rate: JsOption::Null, ..Default::default() };
    let open = call!(client, endpoint.patch(app.to_owned(), made.id.clone(), change))?;
    same!((open.channels, open.throttle_rate, open.description.as_str()), (None, None, "Changed"));
    Ok(())
}

async fn lists(scene: &Scene, app: &str, inbox: &Inbox<'_>) -> Result<()> {
    scene.endpoint(app, inbox).await?;
    let ask = async |limit, iterator: Option<String>, order| {
        let options = EndpointListOptions { limit: Some(limit), iterator, order };
        call!(scene.client, endpoint.list(app.to_owned(), Some(options)))
    };
    let ids = |list: Vec<EndpointOut>| list.into_iter().map(|one| one.id).collect::<Vec<_>>();
    let up = ids(pages!(iterator => ask(1, iterator, None).await));
    ensure!(up.len() == 3 && up.is_sorted(), "{up:?}");
    let mut down = ids(pages!(iterator => ask(2, iterator, Some(Ordering::Descending)).await));
    down.reverse();
    same!(down, up);
    Ok(())
}

async fn headers(tour: &mut Tour, scene: &Scene, app: &str, endpoint: &str) {
    let (client, app, endpoint) = (&scene.client, app.to_owned(), endpoint.to_owned());
    let given = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let shown = async |expected: (&str, &str)| {
        let got = call!(client, endpoint.get_headers(app.clone(), endpoint.clone()))?;
        let named = got.headers.iter().map(|(name, value)| (name.to_lowercase(), value.as_str())).collect::<Vec<_>>();
        same!(named, [(expected.0.to_owned(), expected.1)]);
        same!(got.sensitive.iter().map(|name| name.to_lowercase()).collect::<Vec<_>>(), ["authorization"]);
        ensure!(!format!("{got:?}").contains("hidden"), "{got:?}");
        anyhow::Ok(())
    };
    tour.step("endpoint.set_headers, get_headers: the sensitive ones are named and not shown", async {
        let headers = EndpointHeadersIn::new(given(&[("X-Tour", "one"), ("Authorization", "Bearer hidden")]));
        call!(client, endpoint.set_headers(app.clone(), endpoint.clone(), headers))?;
        shown(("x-tour", "one")).await
    })
    .await;
    tour.step("endpoint.patch_headers adds and deletes", async {
        let change = EndpointHeadersPatchIn {
            delete_headers: Some(vec!["X-Tour".to_owned()]),
            ..EndpointHeadersPatchIn::new(given(&[("X-More", "two")]))
        };
        call!(client, endpoint.patch_headers(app.clone(), endpoint.clone(), change))?;
        shown(("x-more", "two")).await
    })
    .await;
    tour.step("headers that frame a message or carry its signature: 422", async {
        for name in ["Host", "Content-Length", "webhook-signature", "svix-id"] {
            let headers = EndpointHeadersIn::new(given(&[(name, "x")]));
            invalid(call!(client, endpoint.set_headers(app.clone(), endpoint.clone(), headers)))?;
        }
        Ok(())
    })
    .await;
}

async fn secrets(tour: &mut Tour, scene: &Scene, app: &str, endpoint: &str, key: &str) {
    let client = &scene.client;
    let rotate = async |endpoint: &str, key: Option<String>| {
        let given = EndpointSecretRotateIn { key, ..Default::default() };
        call!(client, endpoint.rotate_secret(app.to_owned(), endpoint.to_owned(), given, None))
    };
    tour.step("endpoint.get_secret answers the one that was given", async {
        same!(scene.secret(app, endpoint).await?, key);
        Ok(())
    })
    .await;
    tour.step("endpoint.rotate_secret to a given one, and to a made one", async {
        let next = signing_secret()?;
        same!(rotate(endpoint, Some(next.clone())).await?.key, next);
        same!(scene.secret(app, endpoint).await?, next);
        let made = rotate(endpoint, None).await?.key;
        same!(scene.secret(app, endpoint).await?, made);
        ensure!(made.starts_with("whsec_") && made != next, "{made}");
        Ok(())
    })
    .await;
    tour.step("endpoint.rotate_secret with a secret that is none: 422", async {
        invalid(rotate(endpoint, Some("whsec_c2hvcnQ=".to_owned())).await)
    })
    .await;
    tour.step("endpoint.rotate_secret more often than ten times within the grace: 400", async {
        let given = EndpointIn::new("http://127.0.0.1:9/".to_owned());
        let other = call!(client, endpoint.create(app.to_owned(), given, None))?.id;
        for _ in 0..10 {
            rotate(&other, None).await?;
        }
        refused(400, "limit_reached", rotate(&other, None).await)
    })
    .await;
}
