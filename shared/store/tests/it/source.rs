use std::sync::Arc;
use std::time::Duration;

use tidings_domain::agenda::Entry;
use tidings_domain::ids::SourceId;
use tidings_domain::names::Reference;
use tidings_domain::page::{Order, PageLimit};
use tidings_domain::source::{Algorithm, Encoding, Names, Scheme, SignatureFormat, Source, parse_retention};
use tidings_harness::{Fault, Rule, Table};
use tidings_store::{Created, Repetition, Replaced, Store};

use crate::application::{application, kept};
use crate::inbound::{kept_for, source};
use crate::support::{all_due, at, organization, store};

fn named(number: u16, uid: &str) -> Source {
    Source { uid: Some(uid.parse().unwrap()), ..source(number) }
}

fn later(before: &Source) -> Source {
    Source { updated_at: before.updated_at + Duration::from_millis(1), ..before.clone() }
}

fn by_uid(uid: &str) -> Reference<SourceId> {
    Reference::Uid(uid.parse().unwrap())
}

async fn find(store: &Store, reference: &Reference<SourceId>) -> Option<Source> {
    store.source(organization(1), reference).await.unwrap()
}

async fn list(store: &Store) -> Vec<SourceId> {
    let page = store.sources(organization(1), None, Order::Ascending, PageLimit::default()).await.unwrap();
    page.data.iter().map(|source| source.id).collect()
}

#[tokio::test]
async fn a_source_is_read_back_as_it_was_written_by_its_id_and_by_its_uid() {
    let store = store().await;
    let signature = SignatureFormat {
        header: "x-signature".parse().unwrap(),
        algorithm: Algorithm::default(),
        encoding: Encoding::Base64,
        prefix: "v1=\"".to_owned(),
    };
    let names = Names { id_header: Some("x-id".parse().unwrap()), event_header: None };
    let full = Source {
        scheme: Scheme::Generic { signature, names: names.clone() },
        forward_to: Some(Reference::Uid("acme".parse().unwrap())),
        retention: kept_for(7),
        ..named(1, "docebo")
    };
    assert_eq!(store.create_source(&full, None).await.unwrap(), Created::Written);
    assert_eq!(find(&store, &Reference::Id(full.id)).await, Some(full.clone()));
    assert_eq!(find(&store, &by_uid("docebo")).await, Some(full));
    for (number, scheme) in [(2, Scheme::None { names }), (3, Scheme::Stripe)] {
        let forward_to = Some(Reference::Id(application(1).id));
        let other = Source { scheme, keys: None, forward_to, ..source(number) };
        let _ = store.create_source(&other, None).await.unwrap();
        assert_eq!(find(&store, &Reference::Id(other.id)).await, Some(other));
    }
}

#[tokio::test]
async fn another_tenant_finds_no_source_by_id_or_uid_and_may_use_the_same_uid() {
    let store = store().await;
    let _ = store.create_source(&named(1, "docebo"), None).await.unwrap();
    let other = organization(2);
    assert_eq!(store.source(other, &Reference::Id(source(1).id)).await.unwrap(), None);
    assert_eq!(store.source(other, &by_uid("docebo")).await.unwrap(), None);
    let theirs = Source { organization: other, ..named(2, "docebo") };
    assert_eq!(store.create_source(&theirs, None).await.unwrap(), Created::Written);
    assert_eq!(store.source(other, &by_uid("docebo")).await.unwrap(), Some(theirs));
    assert_eq!(find(&store, &by_uid("docebo")).await, Some(named(1, "docebo")));
    assert_eq!(list(&store).await, [source(1).id]);
}

#[tokio::test]
async fn a_uid_is_one_sources_and_is_free_when_it_is_given_up() {
    let store = store().await;
    let _ = store.create_source(&named(1, "docebo"), None).await.unwrap();
    assert_eq!(store.create_source(&named(2, "docebo"), None).await.unwrap(), Created::UidTaken);
    let _ = store.create_source(&source(2), None).await.unwrap();
    let taking = Source { uid: named(1, "docebo").uid, ..later(&source(2)) };
    assert_eq!(store.replace_source(&source(2), &taking, at(40)).await.unwrap(), Replaced::UidTaken);
    let renamed = Source { uid: named(1, "lms").uid, ..later(&named(1, "docebo")) };
    assert_eq!(store.replace_source(&named(1, "docebo"), &renamed, at(40)).await.unwrap(), Replaced::Written);
    assert_eq!(store.replace_source(&source(2), &taking, at(40)).await.unwrap(), Replaced::Written);
    assert_eq!(find(&store, &by_uid("docebo")).await, Some(taking));
    assert_eq!(find(&store, &by_uid("lms")).await, Some(renamed));
}

#[tokio::test]
async fn the_same_key_and_request_get_the_first_answer_and_write_nothing() {
    let store = store().await;
    let _ = store.create_source(&named(1, "docebo"), Some(&kept("a", "first"))).await.unwrap();
    // A repetition has the same uid, which is taken by then.
    let again = store.create_source(&named(2, "docebo"), Some(&kept("a", "second"))).await.unwrap();
    assert_eq!(again, Created::Repeated(Repetition::Same(kept("a", "first").answer)));
    let other = store.create_source(&source(3), Some(&kept("b", "third"))).await.unwrap();
    assert_eq!(other, Created::Repeated(Repetition::Other));
    assert_eq!(list(&store).await, [source(1).id]);
}

#[tokio::test]
async fn a_change_is_written_only_over_the_state_that_it_was_made_from() {
    let store = store().await;
    let _ = store.create_source(&source(1), None).await.unwrap();
    let first = Source { name: "first".to_owned(), ..later(&source(1)) };
    let second = Source { name: "second".to_owned(), ..later(&source(1)) };
    assert_eq!(store.replace_source(&source(1), &first, at(40)).await.unwrap(), Replaced::Written);
    assert_eq!(store.replace_source(&source(1), &second, at(40)).await.unwrap(), Replaced::Changed);
    assert_eq!(store.replace_source(&first, &first, at(40)).await.unwrap(), Replaced::Changed, "no later");
    assert_eq!(find(&store, &Reference::Id(source(1).id)).await, Some(first));
    assert_eq!(store.replace_source(&source(2), &later(&source(2)), at(40)).await.unwrap(), Replaced::Changed);
    assert!(all_due(&store, at(1000)).await.is_empty());
}

fn is_retention_of(entry: &Entry, source: &Source) -> bool {
    parse_retention(&entry.key.work.record) == Some((source.organization, source.id))
        && entry.key.work == source.retention_work()
}

#[tokio::test]
async fn another_retention_is_owed_to_the_records_and_nothing_else_is() {
    let store = store().await;
    let _ = store.create_source(&source(1), None).await.unwrap();
    let renamed = Source { name: "renamed".to_owned(), ..later(&source(1)) };
    let _ = store.replace_source(&source(1), &renamed, at(10)).await.unwrap();
    assert!(all_due(&store, at(1000)).await.is_empty());
    let shorter = Source { retention: kept_for(7), ..later(&renamed) };
    assert_eq!(store.replace_source(&renamed, &shorter, at(20)).await.unwrap(), Replaced::Written);
    // Twice within a millisecond: one entry for both.
    let longer = Source { retention: kept_for(70), ..later(&shorter) };
    assert_eq!(store.replace_source(&shorter, &longer, at(20)).await.unwrap(), Replaced::Written);
    assert!(all_due(&store, at(19)).await.is_empty());
    let entries = all_due(&store, at(20)).await;
    assert!(entries.len() == 1 && is_retention_of(&entries[0], &longer), "{entries:?}");
}

#[tokio::test]
async fn a_deleted_source_is_gone_with_its_uid_and_its_records_are_owed_their_end() {
    let store = store().await;
    let _ = store.create_source(&named(1, "docebo"), None).await.unwrap();
    let renamed = Source { uid: named(1, "lms").uid, ..later(&named(1, "docebo")) };
    let _ = store.replace_source(&named(1, "docebo"), &renamed, at(40)).await.unwrap();
    // It is deleted as it was known, and has another name by now.
    assert!(store.delete_source(&named(1, "docebo"), at(10)).await.unwrap());
    assert_eq!(find(&store, &Reference::Id(source(1).id)).await, None);
    assert_eq!(store.create_source(&named(2, "lms"), None).await.unwrap(), Created::Written);
    let entries = all_due(&store, at(10)).await;
    assert!(entries.len() == 1 && is_retention_of(&entries[0], &source(1)), "{entries:?}");
    assert!(!store.delete_source(&renamed, at(20)).await.unwrap());
    assert_eq!(all_due(&store, at(1000)).await.len(), 1);
}

#[tokio::test]
async fn of_several_changes_at_once_one_is_written() {
    let store = store().await;
    let _ = store.create_source(&source(1), None).await.unwrap();
    let changed: Vec<_> = (0..6).map(|number| Source { name: format!("name {number}"), ..later(&source(1)) }).collect();
    let before = source(1);
    let all = futures::future::join_all(changed.iter().map(|after| store.replace_source(&before, after, at(9)))).await;
    assert_eq!(all.iter().filter(|replaced| matches!(replaced, Ok(Replaced::Written))).count(), 1);
}

/// Changed by another process, or by this one, a source is what it is: the first after three seconds, the second at once.
#[tokio::test]
async fn a_source_is_kept_for_three_seconds_but_for_the_processes_own_writes() {
    let table = Table::start().await;
    let (here, elsewhere) = (table.faulty_store(), table.store());
    let before = named(1, "docebo");
    let name = async |millis: u64| {
        let now = at(0) + Duration::from_millis(millis);
        let named = here.cached_source(organization(1), &by_uid("docebo"), now).await.unwrap();
        let by_id = here.cached_source_by_id(before.id, now).await.unwrap();
        assert_eq!(named, by_id);
        named.map(|source: Arc<Source>| source.name.clone())
    };
    assert_eq!(name(0).await, None);
    let _ = elsewhere.create_source(&before, None).await.unwrap();
    table.meter().reset();
    assert_eq!(name(2999).await, None, "that there is none is kept");
    assert_eq!(table.meter().total().count, 0);
    assert_eq!(name(3000).await.as_deref(), Some("source 1"));
    let after = Source { name: "elsewhere".to_owned(), ..later(&before) };
    let _ = elsewhere.replace_source(&before, &after, at(40)).await.unwrap();
    table.meter().reset();
    assert_eq!(name(5999).await.as_deref(), Some("source 1"));
    assert_eq!(table.meter().total().count, 0);
    assert_eq!(name(6000).await.as_deref(), Some("elsewhere"));
    let own = Source { name: "here".to_owned(), ..later(&after) };
    let _ = here.replace_source(&after, &own, at(40)).await.unwrap();
    assert_eq!(name(6001).await.as_deref(), Some("here"));
    // Clones are the same process.
    assert!(here.clone().delete_source(&own, at(90)).await.unwrap());
    assert_eq!(name(6002).await, None);
    let _ = here.create_source(&before, None).await.unwrap();
    assert_eq!(name(6003).await.as_deref(), Some("source 1"), "nor is that there was none");
}

#[tokio::test]
async fn a_uid_that_changes_hands_is_forgotten_in_both_its_meanings() {
    let table = Table::start().await;
    let store = table.store();
    // A uid that has the form of an id is asked for like one.
    let odd = source(9).id.to_string();
    let first = named(1, &odd);
    let _ = store.create_source(&first, None).await.unwrap();
    let _ = store.create_source(&source(2), None).await.unwrap();
    let found = async || {
        let reference: Reference<SourceId> = odd.parse().unwrap();
        store.cached_source(organization(1), &reference, at(0)).await.unwrap().map(|source| source.id)
    };
    assert_eq!(found().await, Some(first.id));
    let without = Source { uid: None, ..later(&first) };
    let _ = store.replace_source(&first, &without, at(40)).await.unwrap();
    assert_eq!(found().await, None);
    let taking = Source { uid: first.uid.clone(), ..later(&source(2)) };
    let _ = store.replace_source(&source(2), &taking, at(40)).await.unwrap();
    assert_eq!(found().await, Some(taking.id));
    assert_eq!(store.cached_source(organization(2), &Reference::Id(first.id), at(0)).await.unwrap(), None);
    assert!(store.cached_source_by_id(first.id, at(0)).await.unwrap().is_some(), "known for every organization");
}

#[tokio::test]
async fn a_source_that_may_have_been_written_is_forgotten() {
    let table = Table::start().await;
    let store = table.faulty_store();
    let found = async || store.cached_source_by_id(source(1).id, at(0)).await.unwrap().is_some();
    assert!(!found().await);
    table.faults().inject(Rule::new(Fault::AnswerLost).on("TransactWriteItems"));
    assert!(store.create_source(&source(1), None).await.is_err());
    assert!(found().await);
}

#[tokio::test]
async fn whose_a_uid_is_is_remembered_and_looked_at_once_more() {
    let table = Table::start().await;
    let (here, elsewhere) = (table.faulty_store(), table.store());
    let first = named(1, "docebo");
    let _ = elsewhere.create_source(&first, None).await.unwrap();
    let found = async |second| {
        table.meter().reset();
        let source = here.cached_source(organization(1), &by_uid("docebo"), at(second)).await.unwrap();
        (source.map(|source| source.id), table.meter().total().count)
    };
    assert_eq!(found(0).await, (Some(first.id), 2));
    assert_eq!(found(3).await, (Some(first.id), 1));
    // Another process gives the name to another source.
    let without = Source { uid: None, ..later(&first) };
    let _ = elsewhere.replace_source(&first, &without, at(40)).await.unwrap();
    assert_eq!(found(6).await, (None, 2));
    let _ = elsewhere.create_source(&named(2, "docebo"), None).await.unwrap();
    assert_eq!(found(9).await, (Some(source(2).id), 3));
    assert_eq!(found(12).await, (Some(source(2).id), 1));
    assert_eq!(found(100).await, (Some(source(2).id), 2), "not for ever");
}

#[tokio::test]
async fn a_table_that_is_slow_costs_no_senders_patience_for_six_seconds() {
    let table = Table::start().await;
    let (here, elsewhere) = (table.faulty_store(), table.store());
    let _ = elsewhere.create_source(&source(1), None).await.unwrap();
    let name = async |second| {
        let began = tokio::time::Instant::now();
        let source = here.cached_source_by_id(source(1).id, at(second)).await.unwrap().unwrap();
        (source.name.clone(), began.elapsed() < Duration::from_secs(2))
    };
    assert_eq!(name(0).await, ("source 1".to_owned(), true));
    let after = Source { name: "elsewhere".to_owned(), ..later(&source(1)) };
    let _ = elsewhere.replace_source(&source(1), &after, at(40)).await.unwrap();
    table.faults().inject(Rule::new(Fault::Slow(Duration::from_secs(2))).on("GetItem"));
    assert_eq!(name(5).await, ("source 1".to_owned(), true));
    assert_eq!(name(6).await, ("elsewhere".to_owned(), false));
    assert_eq!(name(8).await, ("elsewhere".to_owned(), true));
}
