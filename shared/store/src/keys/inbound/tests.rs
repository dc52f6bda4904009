use proptest::prelude::*;
use tidings_domain::Timestamp;

use super::super::{END, INDEX};
use super::*;

const AT: Timestamp = Timestamp::from_millis(1_710_341_906_007);

/// What Docebo's numbers can be.
const MOST: u64 = (1 << 53) - 1;

fn org() -> OrganizationId {
    OrganizationId::new(AT, [1; 15])
}

fn src() -> SourceId {
    SourceId::new(AT, [2; 15])
}

fn any_key() -> impl Strategy<Value = EnrollmentKey> {
    let number = || prop_oneof![0..20_u64, 0..=MOST];
    (number(), number(), prop::option::of(number())).prop_map(|(user, course, session)| EnrollmentKey {
        user,
        course,
        session,
    })
}

#[test]
fn one_key_of_every_entity() {
    let (org, src) = (org(), SourceId::new(AT, [9; 15]));
    let txn = TransactionId::new(AT, [10; 15]);
    let enrolled = |session| EnrollmentKey { user: 13_250, course: 37, session };
    let shown = [
        source(src),
        source_uid(org, &"acme".parse().unwrap()),
        transaction(org, src, &TransactionName::of_message("wh-1")),
        transaction(org, src, &TransactionName::of_transaction(txn)),
        transaction_error(org, src, TransactionErrorId::new(AT, [11; 15])),
        compute_error(org, src, ComputeErrorId::new(AT, [12; 15])),
        enrollment(org, src, &enrolled(None)),
        enrollment(org, src, &enrolled(Some(MOST))),
    ]
    .map(|key| format!("{} | {}", key.pk, key.sk));
    let indexed = [
        source_index(org, src),
        transaction_index(org, src, txn),
        enrollment_index(org, src, &enrolled(None)),
        enrollment_index(org, src, &enrolled(Some(5))),
    ]
    .map(|key| format!("{INDEX}: {} | {}", key.pk, key.sk));
    insta::assert_snapshot!([&shown[..], &indexed[..]].concat().join("\n"), @"
    SOURCE#src_2dddUfOGFr7EgKQDvUvL7QIFA0v | SOURCE
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v#SOURCEUID#acme | UID
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/src_2dddUfOGFr7EgKQDvUvL7QIFA0v/bac4570416d1c2e5810cf1f88758309031a89d9b9a82ca77c31b1cc1d8b4a0db | TRANSACTION
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/src_2dddUfOGFr7EgKQDvUvL7QIFA0v/txn_2dddUfOGiIiYh3IV3WxMWzdW80Q | TRANSACTION
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/src_2dddUfOGFr7EgKQDvUvL7QIFA0v#TRANSACTIONERROR | terr_2dddUfOHAkJshmAmBYzNwYyn5zv
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/src_2dddUfOGFr7EgKQDvUvL7QIFA0v#COMPUTEERROR | cerr_2dddUfOHdBvCiV33Jb1PM8K43zQ
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/src_2dddUfOGFr7EgKQDvUvL7QIFA0v#ENROLLMENT | 0000000000013250#0000000000000037#
    org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/src_2dddUfOGFr7EgKQDvUvL7QIFA0v#ENROLLMENT | 0000000000013250#0000000000000037#9007199254740991
    gsi1: org_2dddUfOCaIIeaXQ0tEf9orY3Q4v#SOURCE | src_2dddUfOGFr7EgKQDvUvL7QIFA0v
    gsi1: org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/src_2dddUfOGFr7EgKQDvUvL7QIFA0v#TRANSACTION | txn_2dddUfOGiIiYh3IV3WxMWzdW80Q
    gsi1: org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/src_2dddUfOGFr7EgKQDvUvL7QIFA0v#COURSE#37 | 0000000000013250#
    gsi1: org_2dddUfOCaIIeaXQ0tEf9orY3Q4v/src_2dddUfOGFr7EgKQDvUvL7QIFA0v#COURSE#37 | 0000000000013250#0000000000000005
    ");
}

#[test]
fn the_source_of_a_record_is_read_back_from_its_partition() {
    let name = TransactionName::of_message("a");
    let rest = |pk: &str| parse_source(pk).map(|(org, src, rest)| (org, src, rest.to_owned()));
    let read = |rest: &str| Some((org(), src(), rest.to_owned()));
    assert_eq!(rest(&transaction(org(), src(), &name).pk), read(&format!("/{}", name.as_str())));
    assert_eq!(rest(&transaction_error_partition(org(), src())), read("#TRANSACTIONERROR"));
    assert_eq!(rest(&compute_error_partition(org(), src())), read("#COMPUTEERROR"));
    assert_eq!(rest(&enrollment_partition(org(), src())), read("#ENROLLMENT"));
    for other in [source_index_partition(org()), of_source(org(), src()), source(src()).pk] {
        assert_eq!(rest(&other), None, "{other}");
    }
}

proptest! {
    #[test]
    fn enrollments_round_trip_and_sort_like_their_numbers(key in any_key(), other in any_key()) {
        let own = |key| enrollment(org(), src(), key).sk;
        prop_assert_eq!(parse_enrollment(&own(&key)), Some(key));
        prop_assert_eq!(own(&key).cmp(&own(&other)), key.cmp(&other));
        let (listed, beside) = (enrollment_index(org(), src(), &key), enrollment_index(org(), src(), &other));
        prop_assert_eq!(listed.pk == beside.pk, key.course == other.course);
        let by_user = |key: &EnrollmentKey| (key.user, key.session);
        prop_assert_eq!(listed.sk.cmp(&beside.sk), by_user(&key).cmp(&by_user(&other)));
    }

    #[test]
    fn a_users_enrollments_and_nobody_elses_are_one_range(key in any_key(), user in 0..20_u64, course in 0..20_u64) {
        let sk = enrollment(org(), src(), &key).sk;
        let within = |from: &str| from <= sk.as_str() && sk <= format!("{from}{END}");
        prop_assert_eq!(within(&enrollments_of(user)), key.user == user);
        let of_course = format!("{}{}", enrollments_of(user), enrollments_in(course));
        prop_assert_eq!(within(&of_course), key.user == user && key.course == course);
    }

    #[test]
    fn no_text_from_the_table_makes_an_enrollment_that_it_is_not(text in "[0-9#+-]{0,40}") {
        if let Some(key) = parse_enrollment(&text) {
            prop_assert_eq!(parse_enrollment(&enrollment(org(), src(), &key).sk), Some(key));
        }
    }

    #[test]
    fn transactions_and_errors_sort_by_time(
        first in 1_500_000_000_000_i64..2_000_000_000_000, later in 4_i64..1_000_000_000, random in any::<[u8; 15]>(),
    ) {
        let (first, later) = (Timestamp::from_millis(first), Timestamp::from_millis(first + later));
        let listed = |at, random| transaction_index(org(), src(), TransactionId::new(at, random)).sk;
        prop_assert!(listed(first, random) < listed(later, [0; 15]));
        let rejected = |at, random| transaction_error(org(), src(), TransactionErrorId::new(at, random)).sk;
        prop_assert!(rejected(first, random) < rejected(later, [0; 15]));
        let failed = |at, random| compute_error(org(), src(), ComputeErrorId::new(at, random)).sk;
        prop_assert!(failed(first, random) < failed(later, [0; 15]));
    }
}
