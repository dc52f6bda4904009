//! Attempts: of endpoints, of messages, one, again, expunged; and which messages reach which endpoints.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use svix::api::{
    MessageAttemptListAttemptedDestinationsOptions as DestinationsOptions,
    MessageAttemptListAttemptedMessagesOptions as MessagesOptions, MessageAttemptListByEndpointOptions as ByEndpoint,
    MessageAttemptListByMsgOptions as ByMessage,
};
use svix::models::{
    EndpointIn, MessageAttemptOut, MessageAttemptTriggerType, MessageIn, MessageOut, MessageStatus, StatusCodeClass,
};

use crate::scene::{Inbox, Scene, call};
use crate::tour::{Tour, pages, refused, same, until};

/// Four messages to two endpoints, the last of them to both.
struct Stage<'a> {
    scene: &'a Scene,
    app: String,
    good: Inbox<'a>,
    first: String,
    second: String,
    sent: Vec<MessageOut>,
    last: String,
}

impl<'a> Stage<'a> {
    async fn set(scene: &'a Scene) -> Result<Self> {
        let app = scene.application("Attempts").await?;
        let (good, bad) = (scene.inbox()?, scene.inbox()?);
        good.script(json!([{"status": 200, "body": "well received"}])).await?;
        bad.script(json!([{"status": 404, "body": "not here"}])).await?;
        let first = scene.endpoint(&app, &good).await?.id;
        let second = EndpointIn {
            event_types: Some(set("order.placed")),
            channels: Some(set("north")),
            ..EndpointIn::new(bad.url.clone())
        };
        let second = call!(scene.client, endpoint.create(app.clone(), second, None))?.id;
        let mut sent = Vec::new();
        let matrix = [
            ("order.sent", Some("north")),
            ("order.placed", Some("south")),
            ("order.placed", None),
            ("order.placed", Some("north")),
        ];
        for (event_type, channel) in matrix {
            let payload = json!({"eventType": event_type});
            let given = MessageIn { channels: channel.map(set), ..MessageIn::new(event_type.to_owned(), payload) };
            sent.push(call!(scene.client, message.create(app.clone(), given, None))?);
        }
        let last = sent.last().context("none")?.id.clone();
        let stage = Self { scene, app, good, first, second, sent, last };
        stage.good.wait(4).await?;
        // One attempt and three more of the schedule.
        until("the second endpoint's last attempt", async || {
            Ok((stage.of_endpoint(&stage.second, ByEndpoint::default()).await?.len() == 4).then_some(()))
        })
        .await?;
        Ok(stage)
    }

    async fn of_endpoint(&self, endpoint: &str, options: ByEndpoint) -> Result<Vec<MessageAttemptOut>> {
        let (app, endpoint) = (self.app.clone(), endpoint.to_owned());
        Ok(call!(self.scene.client, message_attempt.list_by_endpoint(app, endpoint, Some(options)))?.data)
    }

    async fn of_message(&self, options: ByMessage) -> Result<Vec<MessageAttemptOut>> {
        let (app, message) = (self.app.clone(), self.last.clone());
        Ok(call!(self.scene.client, message_attempt.list_by_msg(app, message, Some(options)))?.data)
    }

    async fn at_first(&self) -> Result<Vec<MessageAttemptOut>> {
        self.of_message(ByMessage { endpoint_id: Some(self.first.clone()), ..Default::default() }).await
    }
}

fn set(name: &str) -> BTreeSet<String> {
    BTreeSet::from([name.to_owned()])
}

pub(crate) async fn attempts(tour: &mut Tour, scene: &Scene) -> Result<()> {
    let stage = Stage::set(scene).await?;
    let client = &scene.client;
    tour.step("an endpoint gets what its event types and channels let through", async {
        let at_second = stage.of_endpoint(&stage.second, ByEndpoint::default()).await?;
        ensure!(at_second.iter().all(|one| one.msg_id == stage.last), "{at_second:?}");
        let seen = stage.good.seen().await?;
        let reached: BTreeSet<&str> = seen.iter().map(|one| one.header("webhook-id")).collect();
        same!(reached, stage.sent.iter().map(|one| one.id.as_str()).collect());
        Ok(())
    })
    .await;
    let attempt = tour
        .step("message_attempt.list_by_msg, by endpoint, status and class", by_message(&stage))
        .await
        .context("no attempt")?;
    tour.step("message_attempt.list_by_endpoint pages newest first, with every filter", by_endpoint(&stage)).await;
    tour.step("message_attempt.list_by_endpoint with the message", async {
        let full = ByEndpoint { with_msg: Some(true), limit: Some(1), ..Default::default() };
        let full = stage.of_endpoint(&stage.first, full).await?.into_iter().next().context("none")?;
        same!(full.msg.context("no message")?.id, full.msg_id);
        Ok(())
    })
    .await;
    tour.step("message_attempt.get", async {
        let (app, id) = (stage.app.clone(), attempt.id.clone());
        same!(call!(client, message_attempt.get(app.clone(), stage.last.clone(), id.clone(), None))?, attempt);
        let other = stage.sent.first().context("none")?.id.clone();
        refused(404, "not_found", call!(client, message_attempt.get(app, other, id, None)))
    })
    .await;
    tour.step("message_attempt.list_attempted_messages", attempted_messages(&stage)).await;
    tour.step("message_attempt.list_attempted_destinations", destinations(&stage)).await;
    tour.step("endpoint.get_stats counts messages by where they stand", async {
        let stats = call!(client, endpoint.get_stats(stage.app.clone(), stage.first.clone(), None))?;
        same!([stats.success, stats.fail, stats.pending, stats.sending], [4, 0, 0, 0]);
        let stats = call!(client, endpoint.get_stats(stage.app.clone(), stage.second.clone(), None))?;
        same!([stats.success, stats.fail], [0, 1]);
        Ok(())
    })
    .await;
    tour.step("message_attempt.resend: the same message once more, triggered by hand", async {
        let (app, first) = (stage.app.clone(), stage.first.clone());
        call!(client, message_attempt.resend(app.clone(), stage.last.clone(), first, None))?;
        let seen = stage.good.wait(5).await?;
        same!(seen.iter().filter(|one| one.header("webhook-id") == stage.last).count(), 2);
        let newest = until("the attempt", async || {
            let all = stage.at_first().await?;
            Ok(if all.len() == 2 { all.into_iter().next() } else { None })
        })
        .await?;
        same!((newest.status, newest.trigger_type), (MessageStatus::Success, MessageAttemptTriggerType::Manual));
        let nobody = call!(client, message_attempt.resend(app, stage.last.clone(), "nobody".to_owned(), None));
        refused(404, "not_found", nobody)
    })
    .await;
    tour.step("message_attempt.expunge_content: the answer's text is gone", async {
        let (app, message, id) = (stage.app.clone(), stage.last.clone(), attempt.id.clone());
        call!(client, message_attempt.expunge_content(app.clone(), message.clone(), id.clone()))?;
        let got = call!(client, message_attempt.get(app, message, id, None))?;
        ensure!(!got.response.contains("well received") && got.response_status_code == 200, "{got:?}");
        Ok(())
    })
    .await;
    Ok(())
}

async fn by_message(stage: &Stage<'_>) -> Result<MessageAttemptOut> {
    let options = ByMessage { endpoint_id: Some(stage.first.clone()), with_content: Some(true), ..Default::default() };
    let only = stage.of_message(options).await?.into_iter().next().context("none")?;
    ensure!(only.id.starts_with("atmpt_") && only.id.len() == 33, "{only:?}");
    same!((&only.endpoint_id, &only.msg_id, &only.url), (&stage.first, &stage.last, &stage.good.url));
    same!((only.response.as_str(), only.response_status_code), ("well received", 200));
    same!((only.status, only.trigger_type), (MessageStatus::Success, MessageAttemptTriggerType::Scheduled));
    ensure!(only.response_duration_ms >= 0, "{only:?}");
    let every = pages!(iterator => call!(stage.scene.client, message_attempt.list_by_msg(
        stage.app.clone(), stage.last.clone(),
        Some(ByMessage { limit: Some(2), iterator, ..Default::default() }),
    )));
    same!(every.len(), 5);
    let class = |class| ByMessage { status_code_class: Some(class), ..Default::default() };
    let of_type = |name| ByMessage { event_types: Some(set(name)), ..Default::default() };
    for (count, options) in [
        (4, ByMessage { status: Some(MessageStatus::Fail), ..Default::default() }),
        (4, class(StatusCodeClass::Code4xx)),
        (1, class(StatusCodeClass::Code2xx)),
        (0, ByMessage { channel: Some("south".to_owned()), ..Default::default() }),
        (5, of_type("order.placed")),
        (0, of_type("order.sent")),
    ] {
        same!(stage.of_message(options).await?.len(), count);
    }
    Ok(only)
}

async fn by_endpoint(stage: &Stage<'_>) -> Result<()> {
    let every = pages!(iterator => call!(stage.scene.client, message_attempt.list_by_endpoint(
        stage.app.clone(), stage.first.clone(),
        Some(ByEndpoint { limit: Some(1), iterator, ..Default::default() }),
    )));
    ensure!(every.iter().rev().map(|one| &one.id).is_sorted(), "{every:?}");
    let messages: BTreeSet<&str> = every.iter().map(|one| one.msg_id.as_str()).collect();
    same!(messages, stage.sent.iter().map(|one| one.id.as_str()).collect());
    let (fail, began) = (Some(MessageStatus::Fail), Some(stage.sent.first().context("none")?.timestamp));
    let refused_there =
        ByEndpoint { status: fail, status_code_class: Some(StatusCodeClass::Code4xx), ..Default::default() };
    for (count, endpoint, options) in [
        (0, &stage.first, ByEndpoint { status: fail, ..Default::default() }),
        (4, &stage.second, refused_there),
        (1, &stage.first, ByEndpoint { event_types: Some(set("order.sent")), ..Default::default() }),
        (2, &stage.first, ByEndpoint { channel: Some("north".to_owned()), ..Default::default() }),
        (0, &stage.first, ByEndpoint { before: began, ..Default::default() }),
        (4, &stage.first, ByEndpoint { after: began, ..Default::default() }),
    ] {
        same!(stage.of_endpoint(endpoint, options).await?.len(), count);
    }
    Ok(())
}

async fn attempted_messages(stage: &Stage<'_>) -> Result<()> {
    let ask = async |endpoint: &str, options: MessagesOptions| {
        let (app, endpoint) = (stage.app.clone(), endpoint.to_owned());
        call!(stage.scene.client, message_attempt.list_attempted_messages(app, endpoint, Some(options)))
    };
    let every = pages!(iterator => ask(&stage.first, MessagesOptions {
        limit: Some(3), iterator, with_content: Some(true), ..Default::default()
    }).await);
    // Newest attempt first: what was sent within milliseconds may be attempted in another order.
    let ids: BTreeSet<&String> = stage.sent.iter().map(|one| &one.id).collect();
    same!(every.len(), ids.len());
    same!(every.iter().map(|one| &one.id).collect::<BTreeSet<_>>(), ids);
    let newest = every.first().context("none")?;
    same!((newest.status, &newest.payload), (MessageStatus::Success, &json!({"eventType": newest.event_type})));
    let failed = || MessagesOptions { status: Some(MessageStatus::Fail), ..Default::default() };
    let at_second = ask(&stage.second, failed()).await?.data;
    same!(at_second.iter().map(|one| (&one.id, one.status)).collect::<Vec<_>>(), [(&stage.last, MessageStatus::Fail)]);
    ensure!(ask(&stage.first, failed()).await?.data.is_empty(), "some failed");
    Ok(())
}

async fn destinations(stage: &Stage<'_>) -> Result<()> {
    let both = pages!(iterator => call!(stage.scene.client, message_attempt.list_attempted_destinations(
        stage.app.clone(), stage.last.clone(), Some(DestinationsOptions { limit: Some(1), iterator }),
    )));
    // By id: endpoints of the same 4 ms stand in no other order.
    let at = |endpoint: &str| both.iter().find(|one| one.id == endpoint).context("an endpoint is missing");
    same!(both.len(), 2);
    same!((at(&stage.first)?.status, at(&stage.second)?.status), (MessageStatus::Success, MessageStatus::Fail));
    same!(at(&stage.first)?.url, stage.good.url);
    let other = stage.sent.first().context("none")?.id.clone();
    let page = call!(stage.scene.client, message_attempt.list_attempted_destinations(stage.app.clone(), other, None))?;
    same!(page.data.iter().map(|one| &one.id).collect::<Vec<_>>(), [&stage.first]);
    Ok(())
}
