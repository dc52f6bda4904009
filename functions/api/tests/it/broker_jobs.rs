//! Triggered events: counts, attempts, dead letters, replay.

use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::Timestamp;
use tidings_domain::agenda::Entry;
use tidings_domain::attempt::Attempt;
use tidings_domain::broadcast::{Broadcast, Ended};
use tidings_domain::broker::MAIN_ATTEMPTS;
use tidings_domain::delivery::{Delivery, DeliveryStatus, Origin};
use tidings_domain::endpoint::Endpoint;
use tidings_domain::ids::MessageId;
use tidings_domain::message::{Message, RETENTION};
use tidings_store::agenda::Finished;

use crate::arrange::GRACE;
use crate::broker::{EVENT, endpoint_of, job, register};
use crate::outbound::{self, at};
use crate::support::{Answer, NOW, Service, organization, token};

const PATH: &str = "/api/v0/trigger-event";
const DEAD_LETTERS: &str = "/api/v0/dead-letters";

/// When the next attempt is due.
type Next = Option<Timestamp>;

/// It is late.
const PAST: Next = Some(Timestamp::from_millis(NOW.as_millis() - 1));

/// There is time.
const FUTURE: Next = Some(Timestamp::from_millis(NOW.as_millis() + 10_000));

/// A service with an event that URLs want.
struct Broker {
    service: Service,
    endpoints: Vec<Endpoint>,
}

impl Broker {
    async fn start(urls: usize) -> Self {
        let service = Service::start().await;
        let mut endpoints = Vec::new();
        for number in 1..=urls {
            let url = format!("https://example.com/{number}");
            register(&service, EVENT, &url).await;
            endpoints.push(endpoint_of(&service.store, EVENT, &url).await);
        }
        Self { service, endpoints }
    }

    async fn job(&self, number: i64) -> (Message, Broadcast) {
        job(&self.service.store, number, &self.endpoints.iter().collect::<Vec<_>>()).await
    }

    /// An attempt at one of the URLs that failed.
    async fn attempt(&self, message: &Message, url: usize, number: u32, next_attempt: Next) -> Attempt {
        let made = i64::from(number) + 2 + i64::try_from(url).unwrap() * 10;
        let attempt = outbound::failed(&self.endpoints[url], message, made);
        outbound::attempt(&self.service.store, &Attempt { number, next_attempt, ..attempt }).await
    }

    async fn success(&self, message: &Message, url: usize, number: u32) {
        let attempt = outbound::succeeded(&self.endpoints[url], message, 90 + i64::from(number));
        outbound::attempt(&self.service.store, &Attempt { number, ..attempt }).await;
    }

    /// As the processor sees that all of it has ended.
    async fn end(&self, broadcast: &Broadcast) {
        let Broadcast { organization, application, message, .. } = *broadcast;
        let store = &self.service.store;
        let newest = store.newest_attempts_of_message(organization, application, message).await.unwrap();
        let gone: Vec<_> = broadcast.receivers.iter().filter(|id| !newest.contains_key(id)).copied().collect();
        let tally = broadcast.tally(&newest, &gone, MAIN_ATTEMPTS, NOW);
        let entry = self.owed(broadcast).await.remove(0);
        let claim = store.claim(&entry, at(200)).await.unwrap().unwrap();
        let ended = Broadcast { ended: Some(Ended { at: NOW, tally }), ..broadcast.clone() };
        assert_eq!(store.end_broadcast(&claim, &ended).await.unwrap(), Finished::Written);
    }

    async fn owed(&self, broadcast: &Broadcast) -> Vec<Entry> {
        let work = broadcast.work();
        let page = self.service.store.due(work.shard(), at(100_000), None, 100).await.unwrap();
        page.entries.into_iter().filter(|entry| entry.key.work == work).collect()
    }

    async fn deliveries_owed(&self, message: &Message) -> Vec<Entry> {
        let mut owed = Vec::new();
        for endpoint in &self.endpoints {
            let delivery = Delivery {
                organization: message.organization,
                application: message.application,
                endpoint: endpoint.id,
                message: message.id,
            };
            let work = delivery.work();
            let page = self.service.store.due(work.shard(), at(100_000), None, 100).await.unwrap();
            owed.extend(page.entries.into_iter().filter(|entry| entry.key.work == work));
        }
        owed
    }

    async fn counts(&self) -> String {
        let answer = self.service.get(PATH).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let counts = answer.json();
        let failed = counts["mainQueue"]["failed"].as_u64().unwrap();
        let dead: u64 = counts["dlq"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(failed, dead, "what failed is a dead letter: {counts}");
        let line = |queue: &str| {
            let counts = counts[queue].as_object().unwrap();
            let some = counts.iter().filter(|(_, count)| **count != 0).map(|(state, count)| format!("{state} {count}"));
            some.collect::<Vec<_>>().join(", ")
        };
        format!("{} | {}", line("mainQueue"), line("dlq"))
    }

    async fn replay(&self, id: MessageId) -> Answer {
        self.service.post(&format!("{PATH}/{id}/replay"), &json!({})).await
    }
}

/// An answer without ids.
fn shown(answer: &Answer) -> String {
    let mut text = answer.masked();
    for (before, length) in [("\"msg_", 27), ("\"atmpt_", 27)] {
        let mut from = 0;
        while let Some(found) = text[from..].find(before) {
            from += found + before.len();
            text.replace_range(from..from + length, "[id]");
        }
    }
    text
}

#[tokio::test]
async fn nothing_is_counted_where_there_is_nothing() {
    let service = Service::start().await;
    assert_snapshot!(service.get(PATH).await.shown(), @r#"
    200
    {"mainQueue":{"waiting":0,"active":0,"delayed":0,"failed":0,"completed":0},"dlq":{"waiting":0,"active":0,"delayed":0,"failed":0,"completed":0}}
    "#);
    assert_eq!(service.get(DEAD_LETTERS).await.shown(), "200\n[]");
    assert_eq!(service.get(&format!("{PATH}/{}", MessageId::new(NOW, [1; 15]))).await.status, 404);
}

#[tokio::test]
async fn deliveries_are_counted_by_where_they_stand_at_every_stage() {
    let broker = Broker::start(1).await;
    let (message, broadcast) = broker.job(1).await;
    assert_eq!(broker.counts().await, "waiting 1 | ");
    for number in 1..=4 {
        broker.attempt(&message, 0, number, FUTURE).await;
        assert_eq!(broker.counts().await, "delayed 1 | ", "after attempt {number}");
        broker.attempt(&message, 0, number, PAST).await;
        assert_eq!(broker.counts().await, "active 1 | ", "when the next one is due");
    }
    for number in 5..=6 {
        broker.attempt(&message, 0, number, FUTURE).await;
        assert_eq!(broker.counts().await, "failed 1 | delayed 1", "after attempt {number}");
        broker.attempt(&message, 0, number, PAST).await;
        assert_eq!(broker.counts().await, "failed 1 | active 1");
    }
    broker.attempt(&message, 0, 7, None).await;
    assert_eq!(broker.counts().await, "failed 1 | failed 1");
    broker.end(&broadcast).await;
    assert_eq!(broker.counts().await, "failed 1 | failed 1");
}

#[tokio::test]
async fn ended_jobs_and_open_ones_are_counted_together() {
    let broker = Broker::start(3).await;
    let (one, ended) = broker.job(1).await;
    broker.success(&one, 0, 1).await;
    broker.success(&one, 1, 6).await;
    broker.attempt(&one, 2, 1, None).await;
    assert_eq!(broker.counts().await, "failed 2, completed 1 | failed 1, completed 1");
    broker.end(&ended).await;
    assert_eq!(broker.counts().await, "failed 2, completed 1 | failed 1, completed 1");
    let (two, _) = broker.job(3).await;
    broker.success(&two, 0, 3).await;
    assert_eq!(broker.counts().await, "waiting 2, failed 2, completed 2 | failed 1, completed 1");
    let theirs = broker.service.ask_as(&token(&organization(2)), http::Method::GET, PATH).await.json();
    assert_eq!(theirs["mainQueue"]["completed"], 0);
}

#[tokio::test]
async fn a_job_shows_the_attempts_at_each_url() {
    let broker = Broker::start(3).await;
    let (message, _) = broker.job(1).await;
    broker.attempt(&message, 0, 1, PAST).await;
    broker.success(&message, 0, 2).await;
    let unreachable = broker.attempt(&message, 1, 5, FUTURE).await;
    let unreachable =
        Attempt { response_status: 0, response: Some("the connection was refused".to_owned()), ..unreachable };
    outbound::attempt(&broker.service.store, &unreachable).await;
    let answer = broker.service.get(&format!("{PATH}/{}", message.id)).await;
    assert_snapshot!(shown(&answer), @r#"
    200
    {"jobId":"msg_[id]","eventName":"upload_image","timestamp":"2027-01-15T06:21:00.000Z","deliveries":[{"webhookUrl":"https://example.com/1","state":"completed","deadLetter":false,"attempts":[{"id":"atmpt_[id]","status":"fail","responseStatus":500,"error":"answered 500","durationMs":42,"timestamp":"2027-01-15T06:23:00.000Z","nextAttempt":"2027-01-15T07:59:59.999Z"},{"id":"atmpt_[id]","status":"success","responseStatus":200,"error":null,"durationMs":42,"timestamp":"2027-01-15T07:52:00.000Z","nextAttempt":null}]},{"webhookUrl":"https://example.com/2","state":"delayed","deadLetter":true,"attempts":[{"id":"atmpt_[id]","status":"fail","responseStatus":null,"error":"the connection was refused","durationMs":42,"timestamp":"2027-01-15T06:37:00.000Z","nextAttempt":"2027-01-15T08:00:10.000Z"}]},{"webhookUrl":"https://example.com/3","state":"waiting","deadLetter":false,"attempts":[]}]}
    "#);
    let theirs = format!("{PATH}/{}", message.id);
    let theirs = broker.service.ask_as(&token(&organization(2)), http::Method::GET, &theirs).await;
    assert_eq!(theirs.status, 404);
}

#[tokio::test]
async fn a_message_of_another_application_is_no_job() {
    let broker = Broker::start(1).await;
    broker.job(1).await;
    let acme = crate::arrange::application(&broker.service.store, 1, 9, Some("acme")).await;
    let message = outbound::message(&broker.service.store, &acme, 2).await;
    assert_eq!(broker.service.get(&format!("{PATH}/{}", message.id)).await.status, 404);
    assert_eq!(broker.replay(message.id).await.status, 404);
    for id in ["upload_image", "msg_1", "job_1srOrx2ZWZBpBUvZwXKQmoEYga2"] {
        assert_eq!(broker.service.get(&format!("{PATH}/{id}")).await.status, 404, "{id}");
    }
}

#[tokio::test]
async fn dead_letters_are_listed_newest_job_first_and_by_pages() {
    let broker = Broker::start(3).await;
    let (old, ended) = broker.job(1).await;
    broker.attempt(&old, 0, 1, None).await;
    broker.success(&old, 1, 6).await;
    broker.end(&ended).await;
    let (fine, well) = broker.job(2).await;
    for url in 0..3 {
        broker.success(&fine, url, 1).await;
    }
    broker.end(&well).await;
    let (open, _) = broker.job(3).await;
    broker.attempt(&open, 0, 5, FUTURE).await;
    broker.attempt(&open, 1, 4, FUTURE).await;
    assert_snapshot!(shown(&broker.service.get(DEAD_LETTERS).await), @r#"
    200
    [{"jobId":"msg_[id]","eventName":"upload_image","webhookUrl":"https://example.com/1","state":"delayed","attempts":5,"lastStatus":500,"error":"answered 500","lastAttempt":"2027-01-15T06:27:00.000Z"},{"jobId":"msg_[id]","eventName":"upload_image","webhookUrl":"https://example.com/1","state":"failed","attempts":1,"lastStatus":500,"error":"answered 500","lastAttempt":"2027-01-15T06:23:00.000Z"},{"jobId":"msg_[id]","eventName":"upload_image","webhookUrl":"https://example.com/3","state":"failed","attempts":0,"lastStatus":null,"error":"the URL was removed or disabled before anything was tried","lastAttempt":null}]
    "#);
    let letters = async |query: &str| {
        let letters = broker.service.get(&format!("{DEAD_LETTERS}{query}")).await.json();
        let line = |letter: &Value| format!("{} {}", letter["jobId"].as_str().unwrap(), letter["webhookUrl"]);
        letters.as_array().unwrap().iter().map(line).collect::<Vec<_>>()
    };
    let all = letters("").await;
    for offset in 0..4 {
        let page = letters(&format!("?page_size=1&offset={offset}")).await;
        assert_eq!(page, all.get(offset..=offset).unwrap_or_default(), "{offset}");
    }
    assert_eq!(letters("?page_size=2&offset=1").await, all[1..]);
}

#[tokio::test]
async fn a_url_that_was_removed_before_anything_was_tried_is_a_dead_letter_without_one() {
    let broker = Broker::start(1).await;
    let (_, broadcast) = broker.job(1).await;
    let path = format!("/api/v1/app/tidings.broker/endpoint/{}", broker.endpoints[0].id);
    assert_eq!(broker.service.delete(&path).await.status, 204);
    broker.end(&broadcast).await;
    assert_snapshot!(shown(&broker.service.get(DEAD_LETTERS).await), @r#"
    200
    [{"jobId":"msg_[id]","eventName":"upload_image","webhookUrl":null,"state":"failed","attempts":0,"lastStatus":null,"error":"the URL was removed or disabled before anything was tried","lastAttempt":null}]
    "#);
    assert_snapshot!(shown(&broker.service.get(&format!("{PATH}/{}", broadcast.message)).await), @r#"
    200
    {"jobId":"msg_[id]","eventName":"upload_image","timestamp":"2027-01-15T06:21:00.000Z","deliveries":[{"webhookUrl":null,"state":"failed","deadLetter":true,"attempts":[]}]}
    "#);
}

#[tokio::test]
async fn a_replay_starts_what_failed_anew_and_opens_the_job() {
    let broker = Broker::start(3).await;
    let (message, broadcast) = broker.job(1).await;
    broker.success(&message, 0, 1).await;
    let final_one = broker.attempt(&message, 1, 1, None).await;
    let last_one = broker.attempt(&message, 2, 7, None).await;
    broker.end(&broadcast).await;
    assert_eq!(broker.counts().await, "failed 2, completed 1 | failed 2");
    let answer = broker.replay(message.id).await;
    assert_snapshot!(shown(&answer), @r#"
    202
    {"jobId":"msg_[id]","replayed":2}
    "#);
    assert_eq!(answer.json()["jobId"], json!(message.id));
    let owed = broker.deliveries_owed(&message).await;
    let origins: Vec<_> = owed.iter().map(|entry| (Origin::of(entry), entry.key.due, entry.tries)).collect();
    let expected = [final_one.id, last_one.id].map(|id| (Origin::Again(id), NOW + GRACE, 0));
    assert_eq!(origins, expected);
    // Nothing of it has ended before the first new attempt, and nothing is lost of what was taken.
    assert_eq!(broker.counts().await, "active 1, failed 1, completed 1 | active 1");
    let Broadcast { organization, application, message: id, .. } = broadcast;
    let store = &broker.service.store;
    assert_eq!(store.broadcast(organization, application, id).await.unwrap().unwrap().ended, None);
    assert_eq!(broker.owed(&broadcast).await.len(), 1, "it is followed again");
    let newest = store.newest_attempts_of_message(organization, application, id).await.unwrap();
    let pending = newest.values().filter(|attempt| DeliveryStatus::of(Some(attempt)) == DeliveryStatus::Pending);
    assert_eq!(pending.count(), 2);
    // Asked for again at once, there is nothing that has failed.
    assert_eq!(broker.replay(message.id).await.json()["replayed"], 0);
    broker.success(&message, 1, 1).await;
    assert_eq!(broker.counts().await, "failed 1, completed 2 | active 1");
}

#[tokio::test]
async fn two_replays_at_once_start_it_once() {
    let broker = Broker::start(1).await;
    let (message, broadcast) = broker.job(1).await;
    broker.attempt(&message, 0, 1, None).await;
    broker.end(&broadcast).await;
    let answers = futures::future::join_all((0..4).map(|_| broker.replay(message.id))).await;
    assert!(answers.iter().all(|answer| [202, 409].contains(&answer.status)), "{answers:?}");
    assert_eq!(broker.deliveries_owed(&message).await.len(), 1);
    assert_eq!(broker.counts().await, "active 1 | ");
}

#[tokio::test]
async fn what_is_under_way_is_not_replayed_and_what_failed_beside_it_is() {
    let broker = Broker::start(3).await;
    let (message, broadcast) = broker.job(1).await;
    broker.attempt(&message, 0, 1, None).await;
    broker.attempt(&message, 1, 1, FUTURE).await;
    assert_eq!(broker.replay(message.id).await.json()["replayed"], 1);
    assert_eq!((broker.deliveries_owed(&message).await.len(), broker.owed(&broadcast).await.len()), (1, 1));
}

#[tokio::test]
async fn a_url_that_is_removed_or_disabled_is_not_replayed_and_one_that_came_back_is() {
    let broker = Broker::start(3).await;
    let (message, broadcast) = broker.job(1).await;
    broker.attempt(&message, 0, 1, None).await;
    broker.attempt(&message, 1, 1, None).await;
    broker.end(&broadcast).await;
    let path = |url: usize| format!("/api/v1/app/tidings.broker/endpoint/{}", broker.endpoints[url].id);
    assert_eq!(broker.service.delete(&path(0)).await.status, 204);
    assert_eq!(broker.service.patch(&path(1), &json!({"disabled": true})).await.status, 200);
    // The third was never tried, and can be.
    assert_eq!(broker.replay(message.id).await.json()["replayed"], 1);
    let owed = broker.deliveries_owed(&message).await;
    assert_eq!(owed.iter().map(Origin::of).collect::<Vec<_>>(), [Origin::Schedule]);
    assert_eq!(broker.counts().await, "waiting 1, failed 2 | failed 2");
}

#[tokio::test]
async fn a_job_that_went_well_has_nothing_to_replay() {
    let broker = Broker::start(1).await;
    let (message, broadcast) = broker.job(1).await;
    broker.success(&message, 0, 1).await;
    broker.end(&broadcast).await;
    assert_eq!(broker.replay(message.id).await.json()["replayed"], 0);
    assert_eq!((broker.counts().await, broker.owed(&broadcast).await), ("completed 1 | ".to_owned(), vec![]));
    assert_eq!(broker.replay(MessageId::new(NOW, [1; 15])).await.status, 404);
}

#[tokio::test]
async fn what_is_not_kept_any_more_cannot_be_replayed() {
    let broker = Broker::start(1).await;
    let (message, broadcast) = broker.job(1).await;
    broker.attempt(&message, 0, 1, None).await;
    broker.end(&broadcast).await;
    let content = format!("/api/v1/app/tidings.broker/msg/{}/content", message.id);
    assert_eq!(broker.service.delete(&content).await.status, 204);
    assert_snapshot!(shown(&broker.replay(message.id).await), @r#"
    409
    {"code":"conflict","detail":"The payload of this job is not kept any more."}
    "#);
    broker.service.clock.advance(RETENTION);
    assert_eq!(broker.replay(message.id).await.status, 404);
}

#[tokio::test]
async fn attempts_beyond_a_page_are_shown_too() {
    let broker = Broker::start(40).await;
    let (message, _) = broker.job(1).await;
    for url in 0..40 {
        for number in 1..=7 {
            let attempt = outbound::failed(&broker.endpoints[url], &message, i64::from(number) + 2);
            let mut random = [0; 15];
            random[..2].copy_from_slice(&[u8::try_from(url).unwrap(), u8::try_from(number).unwrap()]);
            let id = tidings_domain::ids::AttemptId::new(attempt.made_at, random);
            outbound::attempt(&broker.service.store, &Attempt { id, number, ..attempt }).await;
        }
    }
    let shown = broker.service.get(&format!("{PATH}/{}", message.id)).await.json();
    let deliveries = shown["deliveries"].as_array().unwrap();
    assert_eq!(deliveries.len(), 40);
    for delivery in deliveries {
        let attempts = delivery["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), 7);
        assert!(attempts.is_sorted_by_key(|attempt| attempt["timestamp"].as_str().unwrap().to_owned()));
    }
}
