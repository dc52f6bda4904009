//! Event types.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use js_option::JsOption;
use serde_json::{Value, json};
use svix::api::{EventTypeDeleteOptions, EventTypeListOptions};
use svix::models::{EventTypeIn, EventTypePatch, EventTypeUpsertIn};

use crate::scene::{Scene, call};
use crate::tour::{Tour, invalid, pages, refused, same};

/// What `send-example` sends for the type that has it in its schema.
pub(crate) fn example() -> Value {
    json!({"order": "o-17", "total": 12})
}

fn schemas() -> Value {
    let properties = json!({"order": {"type": "string"}, "total": {"type": "number"}});
    json!({"1": {"title": "Order placed", "type": "object", "properties": properties, "examples": [example()]}})
}

/// An event type's name.
pub(crate) const ORDER_PLACED: &str = "tour.order-placed";

pub(crate) fn named(name: &str) -> EventTypeIn {
    EventTypeIn::new(name.to_owned(), "An order".to_owned())
}

pub(crate) async fn event_types(tour: &mut Tour, scene: &Scene) -> Result<()> {
    let client = &scene.client;
    let flags = BTreeSet::from(["beta".to_owned()]);
    let given = EventTypeIn {
        schemas: Some(schemas()),
        feature_flags: Some(flags.clone()),
        group_name: Some("tour".to_owned()),
        ..named(ORDER_PLACED)
    };
    let made = call!(client, event_type.create(given, None))?;

    tour.step("event_type.create answers what was made", async {
        same!((made.name.as_str(), made.description.as_str()), (ORDER_PLACED, "An order"));
        same!((&made.schemas, &made.feature_flags), (&Some(schemas()), &Some(flags.clone())));
        same!((made.group_name.as_deref(), made.deprecated), (Some("tour"), false));
        ensure!(made.archived != Some(true), "{made:?}");
        Ok(())
    })
    .await;
    tour.step("event_type.create with a taken name: 409 conflict", async {
        refused(409, "conflict", call!(client, event_type.create(named(ORDER_PLACED), None)))
    })
    .await;
    tour.step("event_type.create with a name that is none: 422", async {
        invalid(call!(client, event_type.create(named("no spaces here"), None)))
    })
    .await;
    tour.step("event_type.get", async {
        same!(call!(client, event_type.get(ORDER_PLACED.to_owned()))?, made);
        Ok(())
    })
    .await;
    tour.step("event_type.upsert creates, then updates", async {
        let given = EventTypeUpsertIn::new("Put".to_owned());
        same!(call!(client, event_type.upsert("tour.put".to_owned(), given))?.name, "tour.put");
        let given = EventTypeUpsertIn { deprecated: Some(true), ..EventTypeUpsertIn::new("Put again".to_owned()) };
        let updated = call!(client, event_type.upsert("tour.put".to_owned(), given))?;
        same!((updated.description.as_str(), updated.deprecated), ("Put again", true));
        Ok(())
    })
    .await;
    tour.step("event_type.patch changes what it names and leaves the rest", async {
        let description = Some("An order, placed".to_owned());
        let change = EventTypePatch { feature_flags: JsOption::Null, description, ..Default::default() };
        let patched = call!(client, event_type.patch(ORDER_PLACED.to_owned(), change))?;
        same!((patched.description.as_str(), &patched.schemas), ("An order, placed", &Some(schemas())));
        ensure!(patched.feature_flags.as_ref().is_none_or(BTreeSet::is_empty), "{patched:?}");
        Ok(())
    })
    .await;
    tour.step("event_type.list pages in order of names; schemas only when asked for", lists(scene)).await;
    tour.step("event_type.delete archives; expunge removes", removal(scene)).await;
    Ok(())
}

async fn lists(scene: &Scene) -> Result<()> {
    let client = &scene.client;
    call!(client, event_type.create(named("tour.third"), None))?;
    let ask = async |iterator: Option<String>| {
        let options = EventTypeListOptions { limit: Some(1), iterator, with_content: Some(true), ..Default::default() };
        call!(client, event_type.list(Some(options)))
    };
    let every = pages!(iterator => ask(iterator).await);
    same!(every.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), [ORDER_PLACED, "tour.put", "tour.third"]);
    same!(every.first().context("none")?.schemas, Some(schemas()));
    let bare = call!(client, event_type.list(None))?;
    same!(bare.data.first().context("none")?.schemas, None);
    Ok(())
}

async fn removal(scene: &Scene) -> Result<()> {
    let client = &scene.client;
    let name = "tour.put".to_owned();
    call!(client, event_type.delete(name.clone(), None))?;
    same!(call!(client, event_type.get(name.clone()))?.archived, Some(true));
    for archived in [false, true] {
        let options = EventTypeListOptions { include_archived: Some(archived), ..Default::default() };
        let list = call!(client, event_type.list(Some(options)))?;
        same!(list.data.iter().any(|one| one.name == name), archived);
    }
    call!(client, event_type.delete(name.clone(), Some(EventTypeDeleteOptions { expunge: Some(true) })))?;
    refused(404, "not_found", call!(client, event_type.get(name)))
}
