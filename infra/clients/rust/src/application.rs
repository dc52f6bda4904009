//! Applications, and what all operations share: typed errors and pages.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use chrono::Utc;
use js_option::JsOption;
use svix::api::ApplicationListOptions;
use svix::models::{ApplicationIn, ApplicationOut, ApplicationPatch, Ordering};

use crate::scene::{Client, Scene, call, unique};
use crate::tour::{Tour, invalid, pages, refused, same};

pub(crate) async fn applications(tour: &mut Tour, scene: &Scene) -> Result<()> {
    let client = &scene.client;
    let uid = unique("app")?;
    let mut given = named("First", Some(&uid));
    given.metadata = Some(BTreeMap::from([("plan".to_owned(), "gold".to_owned())]));
    given.throttle_rate = Some(50);
    let first = call!(client, application.create(given.clone(), None))?;
    let mut made = vec![first.id.clone()];

    tour.step("application.create answers what was made", async {
        ensure!(first.id.starts_with("app_") && first.id.len() == 31, "{first:?}");
        same!((&first.name, &first.uid, first.throttle_rate), (&given.name, &given.uid, Some(50)));
        same!(Some(&first.metadata), given.metadata.as_ref());
        ensure!((Utc::now() - first.created_at).abs().num_seconds() < 60, "{first:?}");
        Ok(())
    })
    .await;
    tour.step("application.create with a taken uid: 409 conflict", async {
        refused(409, "conflict", call!(client, application.create(named("Second", Some(&uid)), None)))
    })
    .await;
    tour.step("application.get_or_create gives the existing one, else a new one", async {
        same!(call!(client, application.get_or_create(named("Other", Some(&uid)), None))?.id, first.id);
        let other = call!(client, application.get_or_create(named("Other", Some(&unique("other")?)), None))?;
        ensure!(other.id != first.id && other.name == "Other", "{other:?}");
        made.push(other.id);
        Ok(())
    })
    .await;
    tour.step("application.get by id and by uid", async {
        same!(call!(client, application.get(first.id.clone()))?, first);
        same!(call!(client, application.get(uid.clone()))?, first);
        Ok(())
    })
    .await;
    tour.step("application.upsert creates, then updates", async {
        let uid = unique("put")?;
        let created = call!(client, application.upsert(uid.clone(), named("Put", Some(&uid))))?;
        made.push(created.id.clone());
        let updated = call!(client, application.upsert(uid.clone(), named("Put again", Some(&uid))))?;
        same!((updated.id, updated.name.as_str()), (created.id, "Put again"));
        Ok(())
    })
    .await;
    tour.step("application.patch changes what it names and leaves the rest", patch(client, &first, &uid)).await;
    tour.step("application.list pages forth and back, in both orders", lists(client, &mut made)).await;
    tour.step("application.delete; then 404 not_found", async {
        let last = made.last().context("none")?.clone();
        call!(client, application.delete(last.clone()))?;
        refused(404, "not_found", call!(client, application.get(last.clone())))?;
        refused(404, "not_found", call!(client, application.delete(last)))
    })
    .await;
    tour.step("what is invalid: 422 with where and why", async {
        same!(invalid(call!(client, application.create(named("x", Some("not a uid!")), None)))?, ["body", "uid"]);
        let options = ApplicationListOptions { limit: Some(251), ..Default::default() };
        invalid(call!(client, application.list(Some(options)))).map(drop)
    })
    .await;
    tour.step("a bad token: 401 authentication_failed", async {
        let stranger = client.with_token("not.a.token");
        refused(401, "authentication_failed", call!(stranger, application.list(None)))
    })
    .await;
    Ok(())
}

fn named(name: &str, uid: Option<&str>) -> ApplicationIn {
    ApplicationIn { uid: uid.map(str::to_owned), ..ApplicationIn::new(name.to_owned()) }
}

async fn patch(client: &Client, first: &ApplicationOut, uid: &str) -> Result<()> {
    let change = ApplicationPatch { name: Some("Renamed".to_owned()), ..Default::default() };
    let patched = call!(client, application.patch(first.id.clone(), change))?;
    same!((patched.name.as_str(), &patched.uid, &patched.metadata), ("Renamed", &first.uid, &first.metadata));
    let change = ApplicationPatch { uid: JsOption::Null, throttle_rate: JsOption::Null, ..Default::default() };
    let without = call!(client, application.patch(first.id.clone(), change))?;
    same!((without.uid, without.throttle_rate, without.name.as_str()), (None, None, "Renamed"));
    refused(404, "not_found", call!(client, application.get(uid.to_owned())))
}

async fn lists(client: &Client, made: &mut Vec<String>) -> Result<()> {
    while made.len() < 7 {
        made.push(call!(client, application.create(named("Page", None), None))?.id);
    }
    let ask = async |limit, iterator: Option<String>, order| {
        let options = ApplicationListOptions { limit: Some(limit), iterator, order, ..Default::default() };
        call!(client, application.list(Some(options)))
    };
    let ids = |list: &[ApplicationOut]| list.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
    let mut sorted = made.clone();
    sorted.sort();
    same!(ids(&pages!(iterator => ask(3, iterator, None).await)), sorted);
    sorted.reverse();
    same!(ids(&pages!(iterator => ask(2, iterator, Some(Ordering::Descending)).await)), sorted);
    let one = ask(3, None, None).await?;
    let two = ask(3, one.iterator, None).await?;
    same!(ids(&ask(3, two.prev_iterator, None).await?.data), ids(&one.data));
    Ok(())
}
