//! Receivers that fail, and what repairs it. The schedule of the run is three more attempts, a second apart.

use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use svix::api::BackgroundTaskListOptions;
use svix::models::{
    BackgroundTaskStatus, BackgroundTaskType, EndpointPatch, MessageAttemptOut, MessageStatus, Ordering, RecoverIn,
    ReplayIn,
};

use crate::scene::{Inbox, Scene, call};
use crate::tour::{Tour, invalid, pages, refused, same, until};

/// An endpoint that is alone in the application, so that no other one gets its messages.
struct Alone<'a> {
    scene: &'a Scene,
    app: String,
    inbox: Inbox<'a>,
    endpoint: String,
}

impl<'a> Alone<'a> {
    async fn new(scene: &'a Scene) -> Result<Self> {
        let app = scene.application("Failures").await?;
        let inbox = scene.inbox()?;
        let endpoint = scene.endpoint(&app, &inbox).await?.id;
        Ok(Self { scene, app, inbox, endpoint })
    }

    async fn send(&self) -> Result<String> {
        Ok(self.scene.message(&self.app, json!({"again": true})).await?.id)
    }

    /// Waits until the message stands so at the endpoint; its attempts, newest first.
    async fn stands(&self, message: &str, status: MessageStatus) -> Result<Vec<MessageAttemptOut>> {
        let (client, app) = (&self.scene.client, &self.app);
        until(&format!("the message to be {status:?}"), async || {
            let list =
                call!(client, message_attempt.list_attempted_destinations(app.clone(), message.to_owned(), None))?;
            Ok(list.data.first().filter(|one| one.status == status).map(drop))
        })
        .await?;
        Ok(call!(client, message_attempt.list_by_msg(app.clone(), message.to_owned(), None))?.data)
    }
}

fn ago(span: TimeDelta) -> DateTime<Utc> {
    Utc::now() - span
}

pub(crate) async fn failures(tour: &mut Tour, scene: &Scene) -> Result<()> {
    tour.step("500, then 200: a failure, then a success, of one message", async {
        let there = Alone::new(scene).await?;
        there.inbox.script(json!([{"status": 500}, {"status": 200}])).await?;
        let attempts = there.stands(&there.send().await?, MessageStatus::Success).await?;
        let told: Vec<_> = attempts.iter().map(|one| (one.status, one.response_status_code)).collect();
        same!(told, [(MessageStatus::Success, 200), (MessageStatus::Fail, 500)]);
        let seen = there.inbox.seen().await?;
        let [one, two] = seen.as_slice() else { anyhow::bail!("{} deliveries", seen.len()) };
        same!((one.header("webhook-id"), &one.body), (two.header("webhook-id"), &two.body));
        Ok(())
    })
    .await;
    tour.step("Retry-After is honoured: not before it says", async {
        let there = Alone::new(scene).await?;
        there.inbox.script(json!([{"status": 503, "headers": {"retry-after": "4"}}, {"status": 200}])).await?;
        there.send().await?;
        let seen = there.inbox.wait(2).await?;
        let [one, two] = seen.as_slice() else { anyhow::bail!("{} deliveries", seen.len()) };
        // The schedule alone would have come back after about a second.
        ensure!(two.time - one.time >= 3.9, "came back after {} s", two.time - one.time);
        Ok(())
    })
    .await;
    tour.step("the schedule ends; endpoint.recover delivers what failed, as a background task", async {
        let there = Alone::new(scene).await?;
        there.inbox.script(json!([{"status": 500}])).await?;
        let sent = [there.send().await?, there.send().await?];
        for message in &sent {
            same!(there.stands(message, MessageStatus::Fail).await?.len(), 4);
        }
        there.inbox.script(json!([{"status": 200}])).await?;
        let (app, endpoint) = (there.app.clone(), there.endpoint.clone());
        let given = RecoverIn::new(ago(TimeDelta::minutes(1)));
        let task = call!(scene.client, endpoint.recover(app, endpoint, given, None))?;
        ensure!(task.id.starts_with("qtask_") && task.task == BackgroundTaskType::EndpointRecover, "{task:?}");
        for message in &sent {
            there.stands(message, MessageStatus::Success).await?;
        }
        finished(scene, &task.id, task.task).await
    })
    .await;
    tour.step("410 disables the endpoint; replay_missing delivers what it missed", gone(scene)).await;
    tour.step("endpoint.recover of longer ago than 14 days: refused", async {
        let there = Alone::new(scene).await?;
        let given = RecoverIn::new(ago(TimeDelta::days(15)));
        invalid(call!(scene.client, endpoint.recover(there.app, there.endpoint, given, None)))
    })
    .await;
    Ok(())
}

async fn gone(scene: &Scene) -> Result<()> {
    let (client, there) = (&scene.client, Alone::new(scene).await?);
    let (app, endpoint) = (&there.app, &there.endpoint);
    there.inbox.script(json!([{"status": 410}])).await?;
    let gone = there.send().await?;
    until("the endpoint to be disabled", async || {
        let disabled = call!(client, endpoint.get(app.clone(), endpoint.clone()))?.disabled;
        Ok((disabled == Some(true)).then_some(()))
    })
    .await?;
    same!(call!(client, message_attempt.list_by_msg(app.clone(), gone, None))?.data.len(), 1);
    let missed = there.send().await?;
    there.inbox.script(json!([{"status": 200}])).await?;
    let change = EndpointPatch { disabled: Some(false), ..Default::default() };
    call!(client, endpoint.patch(app.clone(), endpoint.clone(), change))?;
    let given = ReplayIn::new(ago(TimeDelta::minutes(1)));
    let task = call!(client, endpoint.replay_missing(app.clone(), endpoint.clone(), given, None))?;
    same!(task.task, BackgroundTaskType::EndpointReplay);
    there.stands(&missed, MessageStatus::Success).await?;
    finished(scene, &task.id, task.task).await?;
    let seen = there.inbox.seen().await?;
    seen.iter().find(|one| one.header("webhook-id") == missed).map(drop).context("the missed message did not come")
}

/// Waits for the task's end, by `get`, and finds it by `list`.
async fn finished(scene: &Scene, id: &str, task: BackgroundTaskType) -> Result<()> {
    let client = &scene.client;
    let done = until("the task's end", async || {
        let got = call!(client, background_task.get(id.to_owned()))?;
        Ok(Some(got).filter(|got| got.status != BackgroundTaskStatus::Running))
    })
    .await?;
    same!((done.id.as_str(), done.status, done.task), (id, BackgroundTaskStatus::Finished, task));
    ensure!(done.data.is_object(), "{done:?}");
    let listed = async |status, task, order| {
        let every = pages!(iterator => call!(client, background_task.list(Some(BackgroundTaskListOptions {
            status, task, limit: Some(1), iterator, order,
        }))));
        anyhow::Ok(every.iter().any(|one| one.id == id))
    };
    ensure!(listed(None, None, None).await?, "not in the list");
    ensure!(listed(None, Some(task), None).await?, "not in the list by type");
    ensure!(listed(Some(BackgroundTaskStatus::Finished), None, None).await?, "not in the list by status");
    ensure!(listed(None, None, Some(Ordering::Descending)).await?, "not in the list the other way");
    ensure!(!listed(Some(BackgroundTaskStatus::Failed), None, None).await?, "among those that failed");
    let nobody = "qtask_2aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned();
    refused(404, "not_found", call!(client, background_task.get(nobody)))
}
