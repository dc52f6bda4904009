use std::collections::HashSet;

use tidings_domain::agenda::{Entry, EntryKey, SHARDS};
use tidings_harness::{Changes, Table};
use tidings_store::agenda::{Finished, Starts, owed};

use crate::outbound::delivery;
use crate::support::{all_due, at, claim_only, job, store};

fn entry(due: i64, endpoint: u8) -> Entry {
    let key = EntryKey { due: at(due), work: delivery(0, endpoint).work() };
    Entry { key, tries: 0, destination: None, note: Some("manual".to_owned()) }
}

#[tokio::test]
async fn an_entry_is_due_from_its_time_on_and_not_before() {
    let store = store().await;
    let _ = store.create_job(&job(0), None).await.unwrap();
    assert!(all_due(&store, at(30) - std::time::Duration::from_millis(1)).await.is_empty());
    assert_eq!(all_due(&store, at(30)).await[0].key.work, job(0).work());
}

#[tokio::test]
async fn of_two_runs_that_claim_an_entry_one_gets_it() {
    let store = store().await;
    let _ = store.create_job(&job(0), None).await.unwrap();
    let entry = all_due(&store, at(30)).await.remove(0);
    let claims = futures::future::join_all((0..8).map(|run| {
        let (store, entry) = (store.clone(), entry.clone());
        async move { store.claim(&entry, at(90 + run)).await.unwrap() }
    }))
    .await;
    let winners: Vec<_> = claims.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    assert_eq!((winners[0].entry.tries, winners[0].entry.destination.as_deref()), (1, Some("https://example.com")));
    // Nobody else finds it until its time, and then somebody does.
    assert!(all_due(&store, at(89)).await.is_empty());
    assert_eq!(all_due(&store, at(100)).await, [winners[0].entry.clone()]);
}

#[tokio::test]
async fn pages_go_through_a_shard_without_gap_or_repeat() {
    let store = store().await;
    for number in 0..200 {
        let _ = store.create_job(&job(number), None).await.unwrap();
    }
    let mut seen = HashSet::new();
    for shard in 0..SHARDS {
        let mut next = None;
        let mut last = None;
        loop {
            let page = store.due(shard, at(1_000), next.as_ref(), 3).await.unwrap();
            for entry in page.entries {
                assert!(last.replace(entry.key.due) <= Some(entry.key.due), "out of order");
                assert!(seen.insert(entry.key.clone()), "seen twice: {entry:?}");
            }
            next = page.next;
            if next.is_none() {
                break;
            }
        }
    }
    assert_eq!(seen.len(), 200);
}

#[tokio::test]
async fn the_next_due_entry_is_the_first_after_now_and_within_the_horizon() {
    let store = store().await;
    let _ = store.create_job(&job(0), None).await.unwrap();
    let _ = store.create_job(&job(5), None).await.unwrap();
    let mut found = Vec::new();
    for shard in 0..SHARDS {
        found.extend(store.next_due(shard, at(0), at(60)).await.unwrap());
        assert_eq!(store.next_due(shard, at(0), at(29)).await.unwrap(), None);
        assert_eq!(store.next_due(shard, at(35), at(60)).await.unwrap(), None);
    }
    found.sort_unstable();
    assert_eq!(found.first(), Some(&at(30)));
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_set_aside_and_the_others_are_found() {
    let store = store().await;
    let _ = store.create_job(&job(0), None).await.unwrap();
    let due = all_due(&store, at(30)).await.remove(0).key;
    let shard = due.work.shard();
    let bad_sk = format!("{:015}#unheard-of#x", at(10).as_millis());
    let client = store.client();
    client
        .put_item()
        .table_name("tidings")
        .item("pk", aws_sdk_dynamodb::types::AttributeValue::S(format!("DUE#{shard:02}")))
        .item("sk", aws_sdk_dynamodb::types::AttributeValue::S(bad_sk))
        .send()
        .await
        .unwrap();

    let page = store.due(shard, at(30), None, 10).await.unwrap();
    assert_eq!((page.entries.len(), page.unreadable.len()), (1, 1));
    store.set_aside(&page.unreadable[0], at(3_600)).await.unwrap();
    let page = store.due(shard, at(30), None, 10).await.unwrap();
    assert_eq!((page.entries.len(), page.unreadable.len()), (1, 0));
    assert_eq!(store.due(shard, at(3_600), None, 10).await.unwrap().unreadable.len(), 1);
}

#[tokio::test]
async fn standing_tells_which_entries_are_where_they_were() {
    let store = store().await;
    for number in 0..3 {
        let _ = store.create_job(&job(number), None).await.unwrap();
    }
    let keys: Vec<_> = all_due(&store, at(100)).await.into_iter().map(|entry| entry.key).collect();
    store.take_off(&keys[0]).await.unwrap();
    let standing = store.standing(&keys).await.unwrap();
    assert_eq!(standing, keys[1..].iter().cloned().collect());
}

#[tokio::test]
async fn entries_are_put_and_taken_off_whether_they_stand_or_not() {
    let store = store().await;
    let entries: Vec<_> = (0..60).map(|endpoint| entry(i64::from(endpoint), endpoint)).collect();
    store.put_entries(&entries, Starts::WhenDue).await.unwrap();
    store.put_entries(&entries, Starts::WhenDue).await.unwrap();
    store.put_entries(&[], Starts::WhenDue).await.unwrap();
    let mut due = all_due(&store, at(100)).await;
    due.sort_by_key(|entry| entry.key.due);
    assert_eq!(due, entries);
    for _ in 0..2 {
        store.take_off(&entries[7].key).await.unwrap();
    }
    assert_eq!(all_due(&store, at(100)).await.len(), 59);
}

#[tokio::test]
async fn the_fast_lane_sees_entries_that_start_at_once_until_they_are_claimed() {
    let table = Table::start().await;
    let changes = Changes::of(table.engine());
    table.store().put_entries(&[entry(30, 1)], Starts::WhenDue).await.unwrap();
    table.store().put_entries(&[entry(30, 2)], Starts::AtOnce).await.unwrap();
    let image = changes.take(1).await.remove(0).change.new_image;
    assert_eq!(owed(&image).unwrap(), Some(entry(30, 2).key));
    let claim = table.store().claim(&entry(30, 2), at(90)).await.unwrap().unwrap();
    table.store().put_entries(&[entry(31, 3)], Starts::AtOnce).await.unwrap();
    let image = changes.take(1).await.remove(0).change.new_image;
    assert_eq!(owed(&image).unwrap(), Some(entry(31, 3).key), "the claim started nothing");
    assert_eq!(claim.entry.note.as_deref(), Some("manual"));
}

#[tokio::test]
async fn claimed_work_is_postponed_once() {
    let store = store().await;
    store.put_entries(&[entry(30, 1)], Starts::AtOnce).await.unwrap();
    let claim = claim_only(&store, at(30)).await;
    let next = Entry { note: Some("cursor".to_owned()), tries: 0, ..entry(40, 1) };
    assert_eq!(store.postpone(&claim, &next).await.unwrap(), Finished::Written);
    assert_eq!(all_due(&store, at(1000)).await, std::slice::from_ref(&next));
    assert_eq!(store.postpone(&claim, &entry(50, 1)).await.unwrap(), Finished::Lost);
    assert_eq!(all_due(&store, at(1000)).await, [next]);
}

#[tokio::test]
async fn work_that_is_postponed_to_its_own_time_is_a_millisecond_later() {
    let store = store().await;
    store.put_entries(&[entry(30, 1)], Starts::WhenDue).await.unwrap();
    let claim = claim_only(&store, at(30)).await;
    let same = claim.entry.clone();
    assert_eq!(store.postpone(&claim, &same).await.unwrap(), Finished::Written);
    assert_eq!(all_due(&store, at(1000)).await.len(), 1);
}
