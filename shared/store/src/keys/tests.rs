use std::collections::HashSet;

use proptest::prelude::*;
use tidings_domain::agenda::Kind;
use tidings_domain::delivery::Trigger;
use tidings_domain::enrollment::EnrollmentKey;
use tidings_domain::ids::{ComputeErrorId, SourceId, TransactionErrorId, TransactionId};
use tidings_domain::transaction::TransactionName;
use tidings_domain::webhook_url::WebhookUrl;

use super::*;

const AT: Timestamp = Timestamp::from_millis(1_710_341_906_007);

fn job_id(random: [u8; 15]) -> JobId {
    JobId::new(AT, random)
}

fn organization(random: [u8; 15]) -> OrganizationId {
    OrganizationId::new(AT, random)
}

fn delivery() -> Delivery {
    Delivery {
        organization: organization([1; 15]),
        application: ApplicationId::new(AT, [4; 15]),
        endpoint: EndpointId::new(AT, [5; 15]),
        message: MessageId::new(AT, [6; 15]),
    }
}

fn made(status: AttemptStatus, response_status: u16, next_attempt: Option<Timestamp>) -> Attempt {
    Attempt {
        id: AttemptId::new(AT, [7; 15]),
        delivery: delivery(),
        url: WebhookUrl::try_from("https://example.com/hook".to_owned()).unwrap(),
        event_type: "user.created".parse().unwrap(),
        channels: Vec::new(),
        status,
        response_status,
        response: None,
        duration: std::time::Duration::ZERO,
        trigger: Trigger::Scheduled,
        number: 1,
        next_attempt,
        made_at: AT,
    }
}

/// What callers may name an event.
fn upload() -> EventName {
    EventName::try_from("upload#image ~".to_owned()).unwrap()
}

fn src() -> SourceId {
    SourceId::new(AT, [9; 15])
}

/// Docebo's numbers: the greatest has 16 digits.
fn enrolled(session: Option<u64>) -> EnrollmentKey {
    EnrollmentKey { user: 13_250, course: 37, session }
}

#[test]
fn one_key_of_every_entity() {
    let (org, id) = (organization([1; 15]), job_id([2; 15]));
    let Delivery { organization: _, application: app, endpoint: ep, message: msg } = delivery();
    let entry = EntryKey { due: Timestamp::from_millis(1_710_341_936_007), work: tidings_domain::job::work(org, id) };
    let owed = EntryKey { due: Timestamp::from_millis(1_710_341_936_007), work: delivery().work() };
    let uid: Uid = "acme".parse().unwrap();
    let shown = [
        job(org, id),
        provider_record(org, id, &ProviderId::try_from("gas".to_owned()).unwrap()),
        application(org, app),
        application_uid(org, &uid),
        endpoint(org, app, ep),
        endpoint_uid(org, app, &uid),
        message(org, app, msg),
        event_id(org, app, &"order-17".parse().unwrap()),
        attempt(&delivery(), AttemptId::new(AT, [7; 15])),
        broadcast(org, app, msg),
        broadcast_total(org, app, 7),
        event_name(org, &upload()),
        subscription(org, &upload(), &upload().endpoint_uid(&made(AttemptStatus::Success, 200, None).url)),
        initialization(org, &uid),
        connection(&"L0SM9cOFvHcCIhw=".parse().unwrap()),
        event_type(org, &"user.created".parse().unwrap()),
        background_task(org, BackgroundTaskId::new(AT, [8; 15])),
        rate(org, app, None, AT),
        rate(org, app, Some(ep), AT),
        api_key(&ApiKeyHash::from_stored("0123abcd".to_owned())),
        revoked_token(&TokenHash::of("a.b.c")),
        idempotency(org, &IdempotencyKey::try_from("order#17").unwrap()),
        agenda(&entry),
        agenda(&owed),
        warm(),
    ]
    .map(|key| format!("{} | {}", key.pk, key.sk));
    let indexed = [
        job_index(org, JobStatus::Pending, id),
        api_key_index(org, ApiKeyId::new(AT, [3; 15])),
        application_index(org, app),
        attempt_index(&made(AttemptStatus::Success, 200, None)),
        attempt_index(&made(AttemptStatus::Fail, 0, Some(AT))),
        attempt_index(&made(AttemptStatus::Fail, 500, None)),
        open_broadcast_index(org, app, msg),
        initialization_index(org, InitializationState::Failed, &uid),
        connection_index(org, &"L0SM9cOFvHcCIhw=".parse().unwrap()),
    ]
    .map(|key| format!("{INDEX}: {} | {}", key.pk, key.sk));
    insta::assert_snapshot!([&shown[..], &indexed[..]].concat().join("\n"), @"
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/job_2dddUfOD2jtybGII1GhBEQtKO4Q | JOB
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/job_2dddUfOD2jtybGII1GhBEQtKO4Q | PROVIDER#gas
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/app_2dddUfODxd6cci2qHKlE3ZZsK3Q | APP
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v#APPUID#acme | UID
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/app_2dddUfODxd6cci2qHKlE3ZZsK3Q | EP#ep_2dddUfOEQ4hwdQv7PMnFT8v9I2v
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/app_2dddUfODxd6cci2qHKlE3ZZsK3Q | EPUID#acme
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/app_2dddUfODxd6cci2qHKlE3ZZsK3Q | MSG#msg_2dddUfOEsWJGe9nOXOpGsiGQG2Q
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/app_2dddUfODxd6cci2qHKlE3ZZsK3Q#EVENTID#order-17 | EVENTID
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/app_2dddUfODxd6cci2qHKlE3ZZsK3Q/msg_2dddUfOEsWJGe9nOXOpGsiGQG2Q | ATT#ep_2dddUfOEQ4hwdQv7PMnFT8v9I2v#atmpt_2dddUfOFKxuaesfffQrIIHbhE1v
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/app_2dddUfODxd6cci2qHKlE3ZZsK3Q#BROADCAST | MSG#msg_2dddUfOEsWJGe9nOXOpGsiGQG2Q
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/app_2dddUfODxd6cci2qHKlE3ZZsK3Q#BROADCAST | TOTAL#07
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v#EVENTNAME | upload#image ~
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v#EVENTURL#event.b42cb4135d691e982688a5aa41ef22b2c4e38e5bc43346a257c37a61c2f00d66 | event.68c8968244a2a734cd70c626ba0f0f2efe73173533c8915f14ad9b36e48cf0ee
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v#INITIALIZATION | acme
    CONNECTION#L0SM9cOFvHcCIhw= | CONNECTION
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v#TYPE | user.created
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v#TASK | qtask_2dddUfOFnPVufbXwnStJhqwyC1Q
    RATE#org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/app_2dddUfODxd6cci2qHKlE3ZZsK3Q | 001710341906000
    RATE#org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/app_2dddUfODxd6cci2qHKlE3ZZsK3Q/ep_2dddUfOEQ4hwdQv7PMnFT8v9I2v | 001710341906000
    KEY#0123abcd | KEY
    REVOKED#845e30448809e2bc8958eb025bfc795235d13b077a53d0c3abbd2385170dc9b8 | REVOKED
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v#IDEMPOTENCY#cfd3198b18ca04d0ff12aa6326a939592870b41495a716e4ee431e2144d40f05 | IDEMPOTENCY
    DUE#14 | 001710341936007#job#org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/job_2dddUfOD2jtybGII1GhBEQtKO4Q
    DUE#15 | 001710341936007#delivery#org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/app_2dddUfODxd6cci2qHKlE3ZZsK3Q/ep_2dddUfOEQ4hwdQv7PMnFT8v9I2v/msg_2dddUfOEsWJGe9nOXOpGsiGQG2Q
    WARM | WARM
    gsi1: org_2dddUfOCaIIeaXQ0tEf9orY3Q4v#JOB#pending | job_2dddUfOD2jtybGII1GhBEQtKO4Q
    gsi1: org_2dddUfOCaIIeaXQ0tEf9orY3Q4v#KEY | key_2dddUfODVBVIbzAZ9IjCe0EbM3v
    gsi1: org_2dddUfOCaIIeaXQ0tEf9orY3Q4v#APP | app_2dddUfODxd6cci2qHKlE3ZZsK3Q
    gsi1: org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/app_2dddUfODxd6cci2qHKlE3ZZsK3Q/ep_2dddUfOEQ4hwdQv7PMnFT8v9I2v | atmpt_2dddUfOFKxuaesfffQrIIHbhE1v#s#200
    gsi1: org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/app_2dddUfODxd6cci2qHKlE3ZZsK3Q/ep_2dddUfOEQ4hwdQv7PMnFT8v9I2v | atmpt_2dddUfOFKxuaesfffQrIIHbhE1v#p#000
    gsi1: org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/app_2dddUfODxd6cci2qHKlE3ZZsK3Q/ep_2dddUfOEQ4hwdQv7PMnFT8v9I2v | atmpt_2dddUfOFKxuaesfffQrIIHbhE1v#f#500
    gsi1: org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/app_2dddUfODxd6cci2qHKlE3ZZsK3Q#OPEN | msg_2dddUfOEsWJGe9nOXOpGsiGQG2Q
    gsi1: org_2dddUfOCaIIeaXQ0tEf9orY3Q4v#INITIALIZATION#failed | acme
    gsi1: org_2dddUfOCaIIeaXQ0tEf9orY3Q4v#CONNECTION | L0SM9cOFvHcCIhw=
    ");
}

#[test]
fn every_key_is_its_own() {
    let org = organization([1; 15]);
    let Delivery { organization: _, application: app, endpoint: ep, message: msg } = delivery();
    let id = app.to_string();
    let uid: Uid = id.parse().unwrap();
    // One text under every name that a caller can give.
    let all = [
        application(org, app),
        application_uid(org, &uid),
        endpoint(org, app, ep),
        endpoint_uid(org, app, &uid),
        endpoint_uid(org, app, &ep.to_string().parse().unwrap()),
        message(org, app, msg),
        event_id(org, app, &id.parse().unwrap()),
        event_type(org, &id.parse().unwrap()),
        broadcast(org, app, msg),
        broadcast_total(org, app, 0),
        event_name(org, &EventName::try_from(id.clone()).unwrap()),
        subscription(org, &EventName::try_from(id.clone()).unwrap(), &uid),
        initialization(org, &uid),
        connection(&"app".parse().unwrap()),
        source(src()),
        source_uid(org, &uid),
        transaction(org, src(), &TransactionName::from_stored(id.clone())),
        transaction(org, src(), &TransactionName::of_message(&id)),
        transaction_error(org, src(), TransactionErrorId::new(AT, [1; 15])),
        compute_error(org, src(), ComputeErrorId::new(AT, [1; 15])),
        enrollment(org, src(), &enrolled(None)),
        enrollment(org, src(), &enrolled(Some(37))),
        background_task(org, BackgroundTaskId::new(AT, [8; 15])),
        idempotency(org, &IdempotencyKey::try_from(id.as_str()).unwrap()),
        rate(org, app, None, AT),
        rate(org, app, Some(ep), AT),
    ];
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
}

#[test]
fn partitions_of_lists_are_read_back() {
    let org = organization([1; 15]);
    assert_eq!(parse_event_type_partition(&event_type_partition(org)), Some(org));
    assert_eq!(parse_background_task_partition(&background_task_partition(org)), Some(org));
    assert_eq!(parse_event_type_partition(&background_task_partition(org)), None);
    assert_eq!(parse_initialization_partition(&initialization_partition(org)), Some(org));
    let failed = initialization_index_partition(org, InitializationState::Failed);
    assert_eq!(parse_initialization_partition(&failed), None);
}

/// Names that look like parts of keys, too.
fn name() -> impl Strategy<Value = String> {
    "(EP|EPUID|MSG|APP|UID|TYPE|ATT)?[-_.a-zA-Z0-9]{1,40}"
}

proptest! {
    #[test]
    fn agenda_keys_round_trip_and_sort_by_time(
        due in 0_i64..100_000_000_000_000,
        other in 0_i64..100_000_000_000_000,
        random in any::<[u8; 15]>(),
    ) {
        let work = tidings_domain::job::work(organization([1; 15]), job_id(random));
        let at = |due| EntryKey { due: Timestamp::from_millis(due), work: work.clone() };
        prop_assert_eq!(parse_agenda(&agenda(&at(due)).sk), Some(at(due)));
        prop_assert_eq!(agenda(&at(due)).sk.cmp(&agenda(&at(other)).sk), due.cmp(&other));
    }

    #[test]
    fn another_tenants_keys_never_share_a_partition(
        mine in any::<[u8; 15]>(), yours in any::<[u8; 15]>(), id in any::<[u8; 15]>(), text in "[ -~]{1,40}",
        uid in name(), event in "[!-~\u{e9}]{3,40}",
    ) {
        prop_assume!(mine != yours);
        let event = EventName::try_from(event).unwrap();
        let key = IdempotencyKey::try_from(text.as_str()).unwrap();
        let (app, ep) = (ApplicationId::new(AT, id), EndpointId::new(AT, id));
        let uid: Uid = uid.parse().unwrap();
        let partitions = |tenant: [u8; 15]| {
            let org = organization(tenant);
            let delivery = Delivery { organization: org, application: app, ..delivery() };
            [
                job(org, job_id(id)).pk,
                idempotency(org, &key).pk,
                application(org, app).pk,
                application_uid(org, &uid).pk,
                application_index(org, app).pk,
                attempt(&delivery, AttemptId::new(AT, id)).pk,
                attempt_index(&Attempt { delivery, ..made(AttemptStatus::Success, 200, None) }).pk,
                event_id(org, app, &uid.as_str().parse().unwrap()).pk,
                event_type(org, &uid.as_str().parse().unwrap()).pk,
                broadcast(org, app, MessageId::new(AT, id)).pk,
                open_broadcast_index(org, app, MessageId::new(AT, id)).pk,
                event_name(org, &event).pk,
                subscription(org, &event, &uid).pk,
                initialization(org, &uid).pk,
                initialization_index(org, InitializationState::Pending, &uid).pk,
                connection_index(org, &"abc=".parse().unwrap()).pk,
                source_uid(org, &uid).pk,
                source_index(org, SourceId::new(AT, id)).pk,
                transaction(org, SourceId::new(AT, id), &TransactionName::of_message(&text)).pk,
                transaction_index(org, SourceId::new(AT, id), TransactionId::new(AT, id)).pk,
                transaction_error(org, SourceId::new(AT, id), TransactionErrorId::new(AT, id)).pk,
                compute_error(org, SourceId::new(AT, id), ComputeErrorId::new(AT, id)).pk,
                enrollment(org, SourceId::new(AT, id), &enrolled(None)).pk,
                enrollment_index(org, SourceId::new(AT, id), &enrolled(None)).pk,
                background_task(org, BackgroundTaskId::new(AT, id)).pk,
                rate(org, app, None, AT).pk,
                rate(org, app, Some(ep), AT).pk,
            ]
        };
        let (mine, yours) = (partitions(mine), partitions(yours));
        // Nor one kind's the other tenant's of another kind.
        prop_assert!(mine.iter().all(|partition| !yours.contains(partition)));
    }

    #[test]
    fn what_stands_in_an_applications_partition_is_in_its_own_range(
        random in any::<[u8; 15]>(), millis in 1_500_000_000_000_i64..2_000_000_000_000, uid in name(),
    ) {
        let at = Timestamp::from_millis(millis);
        let (org, app) = (organization([1; 15]), ApplicationId::new(AT, [4; 15]));
        let own = application(org, app).sk;
        let ep = endpoint(org, app, EndpointId::new(at, random)).sk;
        let msg = message(org, app, MessageId::new(at, random)).sk;
        let named = endpoint_uid(org, app, &uid.parse().unwrap()).sk;
        let within = |sk: &str, from: &str, to: &str| from <= sk && sk <= to;
        let endpoints = |sk: &str| within(sk, ENDPOINT, &format!("{ENDPOINT}{END}"));
        let messages = |sk: &str| within(sk, MESSAGE, &format!("{MESSAGE}{END}"));
        prop_assert!(endpoints(&ep) && !endpoints(&own) && !endpoints(&msg) && !endpoints(&named), "{ep} {named}");
        prop_assert!(messages(&msg) && !messages(&own) && !messages(&ep) && !messages(&named), "{msg} {named}");
        // The application with all its endpoints, and nothing else, is one range.
        let receivers = |sk: &str| within(sk, APPLICATION, &format!("{ENDPOINT}{END}"));
        prop_assert!(receivers(&own) && receivers(&ep) && !receivers(&msg) && !receivers(&named));
    }

    #[test]
    fn what_counts_broadcasts_stands_beside_them_and_not_among_them(
        random in any::<[u8; 15]>(), millis in 1_500_000_000_000_i64..2_000_000_000_000, shard in 0..16_u8,
    ) {
        let Delivery { organization: org, application: app, .. } = delivery();
        let id = MessageId::new(Timestamp::from_millis(millis), random);
        let (own, total) = (broadcast(org, app, id), broadcast_total(org, app, shard));
        let within = |sk: &str, from: &str| from <= sk && sk <= format!("{from}{END}").as_str();
        prop_assert_eq!(&own.pk, &total.pk);
        prop_assert!(within(&own.sk, MESSAGE) && !within(&own.sk, TOTAL));
        prop_assert!(within(&total.sk, TOTAL) && !within(&total.sk, MESSAGE));
        prop_assert!(own.pk != message(org, app, id).pk, "a purge would go through it, and its messages take its writes");
    }

    #[test]
    fn events_of_two_names_never_share_a_partition(name in "[!-~\u{e9}]{3,40}", other in "[!-~\u{e9}]{3,40}") {
        let org = organization([1; 15]);
        let [one, two] = [&name, &other].map(|name| EventName::try_from(name.clone()).unwrap());
        prop_assert_eq!(subscription_partition(org, &one) == subscription_partition(org, &two), name == other);
        prop_assert_eq!(event_name(org, &one).sk.cmp(&event_name(org, &two).sk), name.cmp(&other));
        prop_assert!(subscription_partition(org, &one) != event_name_partition(org));
    }

    #[test]
    fn messages_attempts_and_windows_sort_by_time(
        first in 1_500_000_000_000_i64..2_000_000_000_000, later in 4_i64..1_000_000_000, random in any::<[u8; 15]>(),
    ) {
        let (first, later) = (Timestamp::from_millis(first), Timestamp::from_millis(first + later));
        let Delivery { organization: org, application: app, .. } = delivery();
        let msg = |at, random| message(org, app, MessageId::new(at, random)).sk;
        prop_assert!(msg(first, random) < msg(later, [0; 15]));
        let made_at = |at, random| attempt(&delivery(), AttemptId::new(at, random)).sk;
        prop_assert!(made_at(first, random) < made_at(later, [0; 15]));
        let listed = |at, random, status| {
            attempt_index(&Attempt { id: AttemptId::new(at, random), ..made(AttemptStatus::Fail, status, None) }).sk
        };
        prop_assert!(listed(first, random, 599) < listed(later, [0; 15], 0));
        prop_assert!(rate(org, app, None, first).sk <= rate(org, app, None, later).sk);
    }

    #[test]
    fn no_text_from_the_table_makes_an_entry_that_it_is_not(text in ".{0,60}") {
        if let Some(entry) = parse_agenda(&text) {
            prop_assert_eq!(agenda(&entry).sk, text.clone());
        }
        prop_assert!(parse_work(&text).is_none_or(|work| Kind::ALL.contains(&work.kind)));
    }
}
