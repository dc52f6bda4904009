//! Messages: made, found, listed, expunged.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use svix::api::{ApplicationCreateOptions, MessageCreateOptions, MessageGetOptions, MessageListOptions};
use svix::models::{ApplicationIn, MessageIn, MessageOut};

use crate::scene::{Scene, call, unique};
use crate::tour::{Tour, invalid, pages, refused, same};

const FULL: Option<MessageGetOptions> = Some(MessageGetOptions { with_content: Some(true) });

fn payload() -> Value {
    json!({"order": "o-1", "total": 12.5, "lines": [{"sku": "a", "count": 2}], "note": null})
}

fn given(event_type: &str, payload: Value) -> MessageIn {
    MessageIn::new(event_type.to_owned(), payload)
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

pub(crate) async fn messages(tour: &mut Tour, scene: &Scene) -> Result<()> {
    let client = &scene.client;
    let app = scene.application("Messages").await?;
    let event_id = unique("event")?;
    let first = MessageIn {
        event_id: Some(event_id.clone()),
        channels: Some(set(&["north", "west"])),
        ..given("order.placed", payload())
    };
    let made = call!(client, message.create(app.clone(), first.clone(), None))?;

    tour.step("message.create answers what was made", async {
        ensure!(made.id.starts_with("msg_") && made.id.len() == 31, "{made:?}");
        same!(
            (&made.event_type, &made.event_id, &made.channels),
            (&first.event_type, &first.event_id, &first.channels)
        );
        ensure!((Utc::now() - made.timestamp).abs().num_seconds() < 60, "{made:?}");
        same!(made.payload, json!({}));
        Ok(())
    })
    .await;
    tour.step("message.create with with_content", async {
        let full = MessageCreateOptions { with_content: Some(true), ..Default::default() };
        let made = call!(client, message.create(app.clone(), given("order.placed", payload()), Some(full)))?;
        same!(made.payload, payload());
        Ok(())
    })
    .await;
    tour.step("message.get by event id", async {
        same!(call!(client, message.get(app.clone(), event_id.clone(), None))?.id, made.id);
        Ok(())
    })
    .await;
    tour.step("message.get with and without content", async {
        let got = call!(client, message.get(app.clone(), made.id.clone(), FULL))?;
        same!((got.id, got.payload, got.timestamp), (made.id.clone(), payload(), made.timestamp));
        same!(call!(client, message.get(app.clone(), made.id.clone(), None))?.payload, json!({}));
        let nobody = "msg_2aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned();
        refused(404, "not_found", call!(client, message.get(app.clone(), nobody, None)))
    })
    .await;
    refusals(tour, scene, &app, &event_id).await;
    tour.step("message.create makes the application that its body brings", async {
        let uid = unique("brought")?;
        let application = ApplicationIn { uid: Some(uid.clone()), ..ApplicationIn::new("Brought".to_owned()) };
        let given = MessageIn { application: Some(application), ..given("order.placed", json!({})) };
        for _ in 0..2 {
            call!(client, message.create(uid.clone(), given.clone(), None))?;
        }
        same!(call!(client, application.get(uid.clone()))?.name, "Brought");
        same!(call!(client, message.list(uid, None))?.data.len(), 2);
        Ok(())
    })
    .await;
    idempotency(tour, scene).await?;
    lists(tour, scene).await?;
    let refused = "what Tidings does not do is refused, not dropped: new_raw_payload, deliver_at";
    tour.step(refused, unsupported(scene, &app)).await;
    tour.step("message.expunge_content: the payload is gone, the message stays", async {
        call!(client, message.expunge_content(app.clone(), made.id.clone()))?;
        let got = call!(client, message.get(app.clone(), made.id.clone(), FULL))?;
        same!((got.payload, got.event_id.as_ref()), (json!({"expired": true}), Some(&event_id)));
        Ok(())
    })
    .await;
    Ok(())
}

async fn refusals(tour: &mut Tour, scene: &Scene, app: &str, event_id: &str) {
    let client = &scene.client;
    tour.step("message.create with an event id that is taken: 409 conflict", async {
        let again = MessageIn { event_id: Some(event_id.to_owned()), ..given("order.placed", json!({})) };
        refused(409, "conflict", call!(client, message.create(app.to_owned(), again, None)))
    })
    .await;
    tour.step("message.create for an application that does not exist: 404 not_found", async {
        let made = call!(client, message.create("nobody".to_owned(), given("order.placed", json!({})), None));
        refused(404, "not_found", made)
    })
    .await;
    tour.step("message.create with a payload that is no object: 422", async {
        invalid(call!(client, message.create(app.to_owned(), given("order.placed", json!([1])), None)))
    })
    .await;
    tour.step("message.create with too much payload: 413 payload_too_large", async {
        let large = given("order.placed", json!({"text": "x".repeat(257 * 1024)}));
        refused(413, "payload_too_large", call!(client, message.create(app.to_owned(), large, None)))
    })
    .await;
}

async fn idempotency(tour: &mut Tour, scene: &Scene) -> Result<()> {
    let client = &scene.client;
    let app = scene.application("Idempotency").await?;
    let inbox = scene.inbox()?;
    scene.endpoint(&app, &inbox).await?;
    let key = unique("key")?;
    let create = async |once: bool| {
        let options = MessageCreateOptions { with_content: Some(true), idempotency_key: Some(key.clone()) };
        let given = given("order.placed", json!({"once": once}));
        call!(client, message.create(app.clone(), given, Some(options)))
    };
    tour.step("message.create with an idempotency key: the first answer again, one delivery", async {
        let first = create(true).await?;
        same!(create(true).await?, first);
        let after = scene.message(&app, json!({})).await?;
        let seen = inbox.wait(2).await?;
        let ids: BTreeSet<&str> = seen.iter().map(|one| one.header("webhook-id")).collect();
        same!((seen.len(), ids), (2, BTreeSet::from([first.id.as_str(), after.id.as_str()])));
        Ok(())
    })
    .await;
    tour.step("message.create with its idempotency key and another body: 409", async {
        refused(409, "conflict", create(false).await)
    })
    .await;
    tour.step("application.create with an idempotency key: the first answer again", async {
        let key = unique("key")?;
        let create = async |name: &str| {
            let options = ApplicationCreateOptions { idempotency_key: Some(key.clone()) };
            call!(client, application.create(ApplicationIn::new(name.to_owned()), Some(options)))
        };
        let first = create("Once").await?;
        same!(create("Once").await?, first);
        refused(409, "conflict", create("Twice").await)
    })
    .await;
    Ok(())
}

async fn lists(tour: &mut Tour, scene: &Scene) -> Result<()> {
    let client = &scene.client;
    let app = scene.application("Lists").await?;
    let mut sent = Vec::new();
    for count in 0..7 {
        let event_type = if count % 2 == 0 { "even" } else { "odd" };
        let given = MessageIn {
            channels: (count < 3).then(|| set(&["early"])),
            tags: (count > 4).then(|| set(&["late"])),
            ..given(event_type, json!({"count": count}))
        };
        sent.insert(0, call!(client, message.create(app.clone(), given, None))?);
        // So that no two have the same time: before and after are to tell them apart.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Newest first.
    let [six, five, four, three, two, one, zero] = sent.as_slice() else { anyhow::bail!("not seven") };
    let ids = |list: &[MessageOut]| list.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
    let some = |list: &[&MessageOut]| list.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
    let ask = async |options: MessageListOptions| call!(client, message.list(app.clone(), Some(options)));

    tour.step("message.list pages, newest first", async {
        let limit = Some(3);
        let every = pages!(iterator => ask(MessageListOptions { limit, iterator, ..Default::default() }).await);
        same!(ids(&every), ids(&sent));
        let one = ask(MessageListOptions { limit, ..Default::default() }).await?;
        let two = ask(MessageListOptions { limit, iterator: one.iterator, ..Default::default() }).await?;
        let back = ask(MessageListOptions { limit, iterator: two.prev_iterator, ..Default::default() }).await?;
        same!(ids(&back.data), ids(&one.data));
        Ok(())
    })
    .await;
    tour.step("message.list by event types, channel and tag", async {
        let odd = pages!(iterator => ask(MessageListOptions {
            limit: Some(2), iterator, event_types: Some(set(&["odd"])), ..Default::default()
        }).await);
        same!(ids(&odd), some(&[five, three, one]));
        let both = MessageListOptions { event_types: Some(set(&["odd", "even"])), ..Default::default() };
        same!(ids(&ask(both).await?.data), ids(&sent));
        let early = MessageListOptions { channel: Some("early".to_owned()), ..Default::default() };
        same!(ids(&ask(early).await?.data), some(&[two, one, zero]));
        let late = MessageListOptions { tag: Some("late".to_owned()), ..Default::default() };
        same!(ids(&ask(late).await?.data), some(&[six, five]));
        Ok(())
    })
    .await;
    tour.step("message.list before and after a time", async {
        let before = MessageListOptions { before: Some(three.timestamp), ..Default::default() };
        same!(ids(&ask(before).await?.data), some(&[two, one, zero]));
        let after = MessageListOptions { after: Some(three.timestamp), ..Default::default() };
        let later = ids(&ask(after).await?.data);
        let has = |one: &MessageOut| later.contains(&one.id);
        ensure!(!has(two) && has(four) && has(six), "{later:?}");
        Ok(())
    })
    .await;
    tour.step("message.list with and without content", async {
        for (with_content, payload) in [(Some(true), json!({"count": 6})), (None, json!({}))] {
            let page = ask(MessageListOptions { limit: Some(1), with_content, ..Default::default() }).await?;
            same!(page.data.first().context("none")?.payload, payload);
        }
        Ok(())
    })
    .await;
    Ok(())
}

async fn unsupported(scene: &Scene, app: &str) -> Result<()> {
    let raw = MessageIn::new_raw_payload("order.raw".to_owned(), "<order id=\"1\"/>".to_owned());
    invalid(call!(scene.client, message.create(app.to_owned(), raw, None)))?;
    let deliver_at = Some(Utc::now() + TimeDelta::hours(1));
    let later = MessageIn { deliver_at, ..given("order.placed", json!({})) };
    invalid(call!(scene.client, message.create(app.to_owned(), later, None))).map(drop)
}
