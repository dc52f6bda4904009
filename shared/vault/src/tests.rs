use proptest::prelude::*;
use tidings_domain::Timestamp;

use super::*;

const CONTEXT: &str = "app_1/ep_1#keys";
const FIRST: &str = "the first secret of thirty-two bytes";
const SECOND: &str = "another secret that came later on";

fn vault(keys: &str) -> Vault {
    Vault::new(&keys.parse().unwrap())
}

fn organization(byte: u8) -> OrganizationId {
    OrganizationId::new(Timestamp::from_millis(1_700_000_000_000), [byte; 15])
}

#[test]
fn what_is_sealed_opens_and_does_not_show() {
    let vault = vault(FIRST);
    let sealed = vault.seal(organization(1), CONTEXT, b"whsec_something");
    assert_eq!(sealed.0.len(), 1 + 4 + 12 + 15 + 16);
    assert!(!sealed.0.windows(9).any(|part| part == b"something"));
    let opened = vault.open(organization(1), CONTEXT, &sealed).unwrap();
    assert_eq!((opened.as_bytes(), opened.as_text()), (&b"whsec_something"[..], Some("whsec_something")));
    assert_eq!(format!("{opened:?}"), "[redacted]");
    assert!(!format!("{vault:?}").contains("secret"));
}

#[test]
fn the_same_value_is_never_sealed_to_the_same_bytes() {
    let vault = vault(FIRST);
    let seal = || vault.seal(organization(1), CONTEXT, b"x").0;
    assert_ne!(seal(), seal());
}

#[test]
fn a_value_that_was_copied_to_another_place_does_not_open() {
    let vault = vault(FIRST);
    let sealed = vault.seal(organization(1), CONTEXT, b"x");
    for context in ["app_1/ep_2#keys", "app_1/ep_1#headers", "", "app_1/ep_1#keysx"] {
        assert_eq!(vault.open(organization(1), context, &sealed), Err(OpenError::Refused), "{context}");
    }
    assert_eq!(vault.open(organization(2), CONTEXT, &sealed), Err(OpenError::Refused));
}

#[test]
fn a_bit_changed_anywhere_keeps_it_shut() {
    let vault = vault(FIRST);
    let Sealed(bytes) = vault.seal(organization(1), CONTEXT, b"whsec_something");
    for index in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[index] ^= 1 << bit;
            let expected = match index {
                0 => OpenError::Form,
                1..5 => OpenError::UnknownKey,
                _ => OpenError::Refused,
            };
            assert_eq!(vault.open(organization(1), CONTEXT, &Sealed(changed)), Err(expected), "bit {bit} of {index}");
        }
    }
}

#[test]
fn a_value_that_was_cut_does_not_open() {
    let vault = vault(FIRST);
    let Sealed(bytes) = vault.seal(organization(1), CONTEXT, b"whsec_something");
    for length in 0..bytes.len() {
        let expected = if length < 1 + 4 + 12 + 16 { OpenError::Form } else { OpenError::Refused };
        assert_eq!(vault.open(organization(1), CONTEXT, &Sealed(bytes[..length].to_vec())), Err(expected), "{length}");
    }
}

#[test]
fn a_new_secret_seals_while_the_old_one_still_opens() {
    let before = vault(FIRST).seal(organization(1), CONTEXT, b"old");
    let both = vault(&format!("{SECOND},{FIRST}"));
    assert_eq!(both.open(organization(1), CONTEXT, &before).unwrap().as_bytes(), b"old");

    let after = both.seal(organization(1), CONTEXT, b"new");
    let second = vault(SECOND);
    assert_eq!(second.open(organization(1), CONTEXT, &after).unwrap().as_bytes(), b"new");
    assert_eq!(second.open(organization(1), CONTEXT, &before), Err(OpenError::UnknownKey));
    assert_eq!(vault(FIRST).open(organization(1), CONTEXT, &after), Err(OpenError::UnknownKey));
}

/// Sealed by the first version, by another implementation of the same form; it must open for ever.
#[test]
fn what_the_first_version_sealed_opens() {
    let sealed = Sealed(hex(FROZEN));
    let opened = vault(FIRST).open(organization(1), CONTEXT, &sealed);
    assert_eq!(opened.unwrap().as_text(), Some("whsec_something"));
}

const FROZEN: &str = "01b02b54e6000102030405060708090a0b7041ff63fab3230e1c7d3b0affcaea9f3b34ca5b29908bed913d0ce5a47e60";

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

proptest! {
    #[test]
    fn everything_that_is_sealed_opens(plain in prop::collection::vec(any::<u8>(), 0..300), context in "\\PC{0,40}") {
        let vault = vault(FIRST);
        let sealed = vault.seal(organization(1), &context, &plain);
        let opened = vault.open(organization(1), &context, &sealed).unwrap();
        prop_assert_eq!(opened.as_bytes(), plain);
    }

    #[test]
    fn whatever_bytes_are_opened_nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..80), known: bool) {
        let vault = vault(FIRST);
        let mut bytes = bytes;
        if known {
            bytes.splice(..bytes.len().min(5), vault.sealing.head());
        }
        prop_assert!(vault.open(organization(1), CONTEXT, &Sealed(bytes)).is_err());
    }
}
