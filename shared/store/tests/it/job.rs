use serde_json::value::RawValue;
use tidings_domain::idempotency::{Answer, Fingerprint, IdempotencyKey, KeptAnswer};
use tidings_domain::job::{JobStatus, RecordStatus};
use tidings_domain::page::{PageLimit, Position};
use tidings_store::Repetition;
use tidings_store::agenda::Finished;
use tidings_store::job::{Accepted, Reopened};

use crate::support::{all_due, at, claim_only, job, organization, store};

fn kept(body: &str, answer: &str) -> KeptAnswer {
    KeptAnswer {
        key: IdempotencyKey::try_from("order 17").unwrap(),
        fingerprint: Fingerprint::of("POST", "/webhook", body.as_bytes()),
        answer: Answer { status: 201, location: Some("/webhook/x".to_owned()), body: answer.to_owned() },
    }
}

#[tokio::test]
async fn a_job_is_read_back_as_it_was_written_with_a_record_for_each_provider() {
    let store = store().await;
    assert_eq!(store.create_job(&job(0), None).await.unwrap(), Accepted::Written);
    let stored = store.job(organization(1), job(0).id, at(0)).await.unwrap().unwrap();
    assert_eq!(stored.job, job(0));
    let records: Vec<_> = stored.records.iter().map(|record| (record.provider.as_str(), record.status)).collect();
    assert_eq!(records, [("gas", RecordStatus::Pending), ("internet", RecordStatus::Pending)]);
}

#[tokio::test]
async fn another_organizations_job_is_not_found() {
    let store = store().await;
    let _ = store.create_job(&job(0), None).await.unwrap();
    assert!(store.job(organization(2), job(0).id, at(0)).await.unwrap().is_none());
}

#[tokio::test]
async fn the_same_key_and_request_get_the_first_answer_and_write_nothing() {
    let store = store().await;
    let _ = store.create_job(&job(0), Some(&kept("a", "first"))).await.unwrap();
    let again = store.create_job(&job(1), Some(&kept("a", "second"))).await.unwrap();
    assert_eq!(again, Accepted::Repeated(Repetition::Same(kept("a", "first").answer)));
    let other = store.create_job(&job(2), Some(&kept("b", "third"))).await.unwrap();
    assert_eq!(other, Accepted::Repeated(Repetition::Other));
    assert!(store.job(organization(1), job(1).id, at(0)).await.unwrap().is_none());
    assert_eq!(all_due(&store, at(1_000)).await.len(), 1);
}

#[tokio::test]
async fn a_key_is_forgotten_after_twelve_hours_although_the_table_still_has_it() {
    let store = store().await;
    let _ = store.create_job(&job(0), Some(&kept("a", "first"))).await.unwrap();
    let late = job(12 * 3600 + 1);
    assert_eq!(store.create_job(&late, Some(&kept("b", "new"))).await.unwrap(), Accepted::Written);
}

#[tokio::test]
async fn completing_takes_the_entry_off_and_completes_the_records() {
    let store = store().await;
    let _ = store.create_job(&job(0), None).await.unwrap();
    let data = RawValue::from_string("[{\"amount\":30.0}]".to_owned()).unwrap();
    store.keep_provider_data(&job(0), &job(0).providers[1], &data, at(31)).await.unwrap();
    let claim = claim_only(&store, at(30)).await;
    assert_eq!(store.complete_job(&job(0), &claim, at(32)).await.unwrap(), Finished::Written);

    assert!(all_due(&store, at(10_000)).await.is_empty());
    let stored = store.job(organization(1), job(0).id, at(33)).await.unwrap().unwrap();
    assert_eq!((stored.job.status, stored.job.tries, stored.job.next_due), (JobStatus::Complete, 1, None));
    assert!(stored.records.iter().all(|record| record.status == RecordStatus::Complete));
    assert_eq!(stored.records[1].data.as_ref().unwrap().get(), data.get());
    assert_eq!(stored.records[1].date, at(31));
    assert!(stored.records[0].data.is_none());
}

#[tokio::test]
async fn who_lost_the_claim_cannot_finish() {
    let store = store().await;
    let _ = store.create_job(&job(0), None).await.unwrap();
    let slow = claim_only(&store, at(30)).await;
    let takeover = claim_only(&store, at(200)).await;
    assert_eq!(store.complete_job(&job(0), &slow, at(201)).await.unwrap(), Finished::Lost);
    assert_eq!(store.fail_job(&job(0), &slow, "late", at(201)).await.unwrap(), Finished::Lost);
    assert_eq!(store.postpone_job(&job(0), &slow, "late", at(300), at(201)).await.unwrap(), Finished::Lost);
    assert_eq!(store.complete_job(&job(0), &takeover, at(202)).await.unwrap(), Finished::Written);
    assert_eq!(store.job(organization(1), job(0).id, at(203)).await.unwrap().unwrap().job.tries, 1);
}

#[tokio::test]
async fn a_failed_try_moves_the_entry_to_the_next_due_time() {
    let store = store().await;
    let _ = store.create_job(&job(0), None).await.unwrap();
    let claim = claim_only(&store, at(30)).await;
    assert_eq!(store.postpone_job(&job(0), &claim, "gas: 500", at(91), at(31)).await.unwrap(), Finished::Written);
    assert!(all_due(&store, at(90)).await.is_empty());
    let entry = all_due(&store, at(91)).await.remove(0);
    assert_eq!((entry.tries, entry.destination.as_deref()), (1, Some("https://example.com")));
    let stored = store.job(organization(1), job(0).id, at(33)).await.unwrap().unwrap().job;
    assert_eq!((stored.tries, stored.last_error.as_deref(), stored.next_due), (1, Some("gas: 500"), Some(at(91))));
}

#[tokio::test]
async fn a_failed_job_can_be_reopened_once_and_only_then() {
    let store = store().await;
    let _ = store.create_job(&job(0), None).await.unwrap();
    assert_eq!(store.reopen_job(&job(0), at(60), at(40), None).await.unwrap(), Reopened::NotFailed(JobStatus::Pending));
    let claim = claim_only(&store, at(30)).await;
    let _ = store.fail_job(&job(0), &claim, "gone", at(31)).await.unwrap();
    assert!(all_due(&store, at(10_000)).await.is_empty());

    assert_eq!(store.reopen_job(&job(0), at(60), at(40), Some(&kept("r", "x"))).await.unwrap(), Reopened::Pending);
    let again = store.reopen_job(&job(0), at(61), at(41), Some(&kept("r", "y"))).await.unwrap();
    assert_eq!(again, Reopened::Repeated(Repetition::Same(kept("r", "x").answer)));
    assert_eq!(all_due(&store, at(60)).await.len(), 1);
    assert_eq!(store.reopen_job(&job(9), at(60), at(40), None).await.unwrap(), Reopened::Unknown);
}

#[tokio::test]
async fn jobs_are_listed_newest_first_by_status_and_page() {
    let store = store().await;
    for number in 0..5 {
        let _ = store.create_job(&job(number), None).await.unwrap();
    }
    let claim = store.claim(&all_due(&store, at(30)).await[0], at(90)).await.unwrap().unwrap();
    let _ = store.complete_job(&job(0), &claim, at(31)).await.unwrap();

    let limit = PageLimit::try_from(3).unwrap();
    let list = async |status, from| {
        let page = store.jobs(organization(1), status, from, limit, at(40)).await.unwrap();
        (page.data.into_iter().map(|job| job.id).collect::<Vec<_>>(), page.done)
    };
    assert_eq!(list(None, None).await, (vec![job(4).id, job(3).id, job(2).id], false));
    assert_eq!(list(None, Some(Position::After(job(2).id))).await, (vec![job(1).id, job(0).id], true));
    assert_eq!(list(Some(JobStatus::Complete), None).await, (vec![job(0).id], true));
    let after_three = Some(Position::After(job(3).id));
    assert_eq!(list(Some(JobStatus::Pending), after_three).await, (vec![job(2).id, job(1).id], true));
    let before_zero = Some(Position::Before(job(0).id));
    assert_eq!(list(None, before_zero).await, (vec![job(3).id, job(2).id, job(1).id], false));
    assert_eq!(list(None, Some(Position::Before(job(3).id))).await, (vec![job(4).id], true));
    let other = store.jobs(organization(2), None, None, limit, at(40)).await.unwrap();
    assert!(other.data.is_empty() && other.done);
}

#[tokio::test]
async fn a_job_is_gone_after_its_retention_although_the_table_still_has_it() {
    let store = store().await;
    let _ = store.create_job(&job(0), None).await.unwrap();
    let claim = claim_only(&store, at(30)).await;
    let _ = store.complete_job(&job(0), &claim, at(31)).await.unwrap();
    assert!(store.job(organization(1), job(0).id, at(90 * 24 * 3600)).await.unwrap().is_some());
    assert!(store.job(organization(1), job(0).id, at(90 * 24 * 3600 + 32)).await.unwrap().is_none());
}

#[tokio::test]
async fn what_ended_expires_with_its_records_and_what_is_reopened_does_not() {
    let store = store().await;
    let _ = store.create_job(&job(0), None).await.unwrap();
    let expiring = async || {
        #[expect(clippy::disallowed_methods, reason = "a test looks at the whole table")]
        let items = store.client().scan().table_name("tidings").send().await.unwrap().items.unwrap();
        items.iter().filter(|item| item.contains_key("expires_at")).count()
    };
    assert_eq!(expiring().await, 0);
    let claim = claim_only(&store, at(30)).await;
    let _ = store.fail_job(&job(0), &claim, "gone", at(31)).await.unwrap();
    assert_eq!(expiring().await, 3, "the job and its two records");
    let _ = store.reopen_job(&job(0), at(60), at(40), None).await.unwrap();
    assert_eq!(expiring().await, 0);
    let claim = claim_only(&store, at(60)).await;
    let _ = store.complete_job(&job(0), &claim, at(61)).await.unwrap();
    assert_eq!(expiring().await, 3);
}

#[tokio::test]
async fn a_next_try_at_the_very_time_of_the_claim_is_a_millisecond_later() {
    let store = store().await;
    let _ = store.create_job(&job(0), None).await.unwrap();
    let claim = claim_only(&store, at(30)).await;
    assert_eq!(store.postpone_job(&job(0), &claim, "500", claim.until, at(31)).await.unwrap(), Finished::Written);
    assert_eq!(all_due(&store, at(10_000)).await.len(), 1);
}
