use tidings_domain::Timestamp;
use tidings_domain::agenda::Entry;
use tidings_domain::ids::{JobId, OrganizationId};
use tidings_domain::job::{Job, JobStatus, ProviderId};
use tidings_domain::webhook_url::WebhookUrl;
use tidings_engine::{Engine, Storage};
use tidings_store::Store;
use tidings_store::agenda::Claim;

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_710_341_906_007);

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NOW.as_millis() + seconds * 1000)
}

pub(crate) async fn store() -> Store {
    let store = Store::new(Engine::open(Storage::Memory).unwrap().client(), "tidings");
    store.ensure_table().await.unwrap();
    store
}

pub(crate) fn organization(byte: u8) -> OrganizationId {
    OrganizationId::new(NOW, [byte; 15])
}

/// A job of organization 1, due 30 s after it was made. Higher numbers are younger.
pub(crate) fn job(number: u16) -> Job {
    let created_at = NOW + std::time::Duration::from_secs(number.into());
    Job {
        id: JobId::new(created_at, [7; 15]),
        organization: organization(1),
        providers: ["gas", "internet"].map(|name| ProviderId::try_from(name.to_owned()).unwrap()).to_vec(),
        callback_url: WebhookUrl::try_from("https://example.com/complete".to_owned()).unwrap(),
        status: JobStatus::Pending,
        created_at,
        updated_at: created_at,
        tries: 0,
        last_error: None,
        next_due: Some(created_at + std::time::Duration::from_secs(30)),
    }
}

/// Everything on the agenda that is due by `now`.
pub(crate) async fn all_due(store: &Store, now: Timestamp) -> Vec<Entry> {
    let mut entries = Vec::new();
    for shard in 0..tidings_domain::agenda::SHARDS {
        entries.extend(store.due(shard, now, None, 100).await.unwrap().entries);
    }
    entries
}

/// The only entry that is due at `now`, claimed until a minute later.
pub(crate) async fn claim_only(store: &Store, now: Timestamp) -> Claim {
    let entries = all_due(store, now).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    store.claim(&entries[0], now + std::time::Duration::from_secs(60)).await.unwrap().unwrap()
}
