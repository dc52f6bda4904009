use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use proptest::prelude::*;

use super::*;
use crate::signature::Grace;
use crate::source::Names;

const NOW: Timestamp = Timestamp::from_millis(1_614_265_330_000);
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
/// The examples of the Standard Webhooks specification.
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
const ASYMMETRIC: &str = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
const PUBLIC: &str = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";

type Headers = Vec<(&'static str, String)>;

fn secret(text: &str) -> SourceKeys {
    SourceKeys::new(SourceKey::Secret(text.to_owned()))
}

fn generic() -> Scheme {
    let signature = SignatureFormat {
        header: "x-signature".parse().unwrap(),
        algorithm: Algorithm::Sha512,
        encoding: Encoding::Base64,
        prefix: "hmac ".to_owned(),
    };
    Scheme::Generic { signature, names: Names::default() }
}

fn all() -> [Scheme; 8] {
    [
        Scheme::Docebo,
        generic(),
        Scheme::Github,
        Scheme::None { names: Names::default() },
        Scheme::Shopify,
        Scheme::Slack,
        Scheme::Standard,
        Scheme::Stripe,
    ]
}

/// Headers that a sender of this kind would send.
fn signed(scheme: &Scheme, key: &str, body: &[u8]) -> Headers {
    let at = NOW.as_secs();
    let hash = |start: String| sha256(key.as_bytes(), &[start.as_bytes(), body]);
    match scheme {
        Scheme::None { .. } => vec![],
        Scheme::Docebo => vec![("authorization", format!("Basic {}", BASE64_STANDARD.encode(format!("user:{key}"))))],
        Scheme::Generic { .. } => {
            let made = mac(Algorithm::Sha512, key.as_bytes(), &[body]);
            vec![("x-signature", format!("hmac {}", BASE64_STANDARD.encode(made)))]
        }
        Scheme::Github => vec![("x-hub-signature-256", format!("sha256={}", hex(&hash(String::new()))))],
        Scheme::Shopify => vec![("x-shopify-hmac-sha256", BASE64_STANDARD.encode(hash(String::new())))],
        Scheme::Slack => vec![
            ("x-slack-request-timestamp", at.to_string()),
            ("x-slack-signature", format!("v0={}", hex(&hash(format!("v0:{at}:"))))),
        ],
        Scheme::Standard => {
            let key = COPIED.decode(&key["whsec_".len()..]).unwrap();
            let made = sha256(&key, &[format!("{ID}.{at}.").as_bytes(), body]);
            standard_headers("webhook", &format!("v1,{}", BASE64_STANDARD.encode(made)))
        }
        Scheme::Stripe => vec![("stripe-signature", format!("t={at},v1={}", hex(&hash(format!("{at}.")))))],
    }
}

fn key_of(scheme: &Scheme, text: &str) -> SourceKey {
    match scheme {
        Scheme::Docebo => SourceKey::Login { username: "user".to_owned(), password: text.to_owned() },
        _ => SourceKey::Secret(text.to_owned()),
    }
}

fn standard_headers(family: &str, signature: &str) -> Headers {
    let [id, at, signatures] = match family {
        "webhook" => ["webhook-id", "webhook-timestamp", "webhook-signature"],
        _ => ["svix-id", "svix-timestamp", "svix-signature"],
    };
    vec![(id, ID.to_owned()), (at, NOW.as_secs().to_string()), (signatures, signature.to_owned())]
}

fn get<'h>(headers: &'h Headers) -> impl Fn(&str) -> Option<&'h str> {
    |name| headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str())
}

fn check(scheme: &Scheme, keys: &SourceKeys, headers: &Headers, body: &[u8]) -> Result<(), Reason> {
    verify(scheme, Some(keys), get(headers), body, NOW).map_err(|Unverified(reason)| reason)
}

#[test]
fn the_examples_of_the_specification_are_verified() {
    for (key, signature) in [(SECRET, SIGNATURE), (PUBLIC, ASYMMETRIC)] {
        let headers = standard_headers("webhook", signature);
        assert_eq!(check(&Scheme::Standard, &secret(key), &headers, BODY), Ok(()), "{key}");
        assert_eq!(check(&Scheme::Standard, &secret(key), &headers, b"{}"), Err(Reason::Mismatch), "{key}");
    }
}

#[test]
fn a_key_of_one_kind_does_not_verify_a_signature_of_the_other() {
    // What a public key can be taken for is the secret of an HMAC, which everybody who knows the key could make.
    let public = COPIED.decode(&PUBLIC["whpk_".len()..]).unwrap();
    let forged = sha256(&public, &[format!("{ID}.{}.", NOW.as_secs()).as_bytes(), BODY]);
    for signature in [SIGNATURE.to_owned(), format!("v1,{}", BASE64_STANDARD.encode(forged))] {
        let headers = standard_headers("webhook", &signature);
        assert_eq!(check(&Scheme::Standard, &secret(PUBLIC), &headers, BODY), Err(Reason::Mismatch));
    }
    let headers = standard_headers("webhook", ASYMMETRIC);
    assert_eq!(check(&Scheme::Standard, &secret(SECRET), &headers, BODY), Err(Reason::Mismatch));
}

#[test]
fn every_key_that_holds_is_tried_and_no_other() {
    for scheme in all() {
        let keys = |current: &str| SourceKeys::new(key_of(&scheme, current));
        let rotated = keys(OTHER).rotate(key_of(&scheme, SECRET), Grace::from_secs(60).unwrap(), NOW).unwrap();
        let over = keys(OTHER).rotate(key_of(&scheme, SECRET), Grace::from_secs(0).unwrap(), NOW).unwrap();
        for (key, is_good) in [(SECRET, true), (OTHER, false)] {
            let headers = signed(&scheme, key, BODY);
            assert_eq!(check(&scheme, &rotated, &headers, BODY), Ok(()), "{scheme:?}");
            let is_good = is_good || matches!(scheme, Scheme::None { .. });
            assert_eq!(check(&scheme, &over, &headers, BODY).is_ok(), is_good, "{scheme:?}");
        }
        let headers = signed(&scheme, OTHER, BODY);
        let later = NOW + Duration::from_mins(1);
        let result = verify(&scheme, Some(&rotated), get(&headers), BODY, later);
        assert_eq!(result.is_ok(), matches!(scheme, Scheme::None { .. }), "{scheme:?}: {result:?}");
    }
}

#[test]
fn a_source_without_keys_or_with_those_of_another_kind_verifies_nothing() {
    for scheme in all() {
        let headers = signed(&scheme, SECRET, BODY);
        let none = verify(&scheme, None, get(&headers), BODY, NOW).map_err(|Unverified(reason)| reason);
        let foreign = match &scheme {
            Scheme::Docebo => key_of(&Scheme::Github, SECRET),
            _ => key_of(&Scheme::Docebo, SECRET),
        };
        let wrong = check(&scheme, &SourceKeys::new(foreign), &headers, BODY);
        let expected = match &scheme {
            Scheme::None { .. } => (Ok(()), Ok(())),
            _ => (Err(Reason::NoKeys), Err(Reason::Mismatch)),
        };
        assert_eq!((none, wrong), expected, "{scheme:?}");
    }
}

#[test]
fn a_header_that_is_not_there_or_there_twice_is_none() {
    for scheme in all() {
        for index in 0..signed(&scheme, SECRET, BODY).len() {
            let mut headers = signed(&scheme, SECRET, BODY);
            headers.remove(index);
            let keys = SourceKeys::new(key_of(&scheme, SECRET));
            assert_eq!(check(&scheme, &keys, &headers, BODY), Err(Reason::Missing), "{scheme:?}");
        }
    }
}

#[test]
fn the_older_names_count_only_where_the_newer_are_not_used() {
    let own = standard_headers("svix", SIGNATURE);
    assert_eq!(check(&Scheme::Standard, &secret(SECRET), &own, BODY), Ok(()));
    assert_eq!(standard_id(get(&own)), Some(ID));
    // The id that redeliveries are told by must be the one that is signed.
    let mut mixed = own;
    mixed.push(("webhook-id", "msg_mine".to_owned()));
    assert_eq!(check(&Scheme::Standard, &secret(SECRET), &mixed, BODY), Err(Reason::Missing));
    assert_eq!(standard_id(get(&mixed)), Some("msg_mine"));
}

#[test]
fn only_so_many_signatures_are_looked_at() {
    for (scheme, join, bad) in [(Scheme::Standard, ' ', "v1,x"), (Scheme::Stripe, ',', "v1=x")] {
        for (before, result) in [(MAX_SIGNATURES - 1, Ok(())), (MAX_SIGNATURES, Err(Reason::Mismatch))] {
            let mut headers = signed(&scheme, SECRET, BODY);
            let signature = &mut headers.last_mut().unwrap().1;
            let (start, good) = signature.split_once("v1").unwrap();
            *signature = format!("{start}{}v1{good}", format!("{bad}{join}").repeat(before));
            assert_eq!(check(&scheme, &secret(SECRET), &headers, BODY), result, "{scheme:?}");
        }
    }
}

#[test]
fn a_time_is_a_whole_number_of_seconds_close_to_ours() {
    let at = NOW.as_secs();
    for (text, result) in [
        (at.to_string(), Ok(at.unsigned_abs())),
        ((at - 300).to_string(), Ok(at.unsigned_abs() - 300)),
        ((at + 301).to_string(), Err(Unverified(Reason::Time))),
        ("0".to_owned(), Err(Unverified(Reason::Time))),
        (format!("+{at}"), Err(MALFORMED)),
        (format!("{at}.0"), Err(MALFORMED)),
        (format!(" {at}"), Err(MALFORMED)),
        ("9".repeat(13), Err(MALFORMED)),
        (String::new(), Err(MALFORMED)),
        ("-1".to_owned(), Err(MALFORMED)),
    ] {
        assert_eq!(signed_at(&text, NOW), result, "{text}");
    }
}

#[test]
fn who_is_asked_for_the_secret_must_know_it() {
    let keys = secret(OTHER).rotate(SourceKey::Secret(SECRET.to_owned()), Grace::default(), NOW).unwrap();
    for (text, knows) in [(SECRET, true), (OTHER, true), ("", false), (&SECRET[..10], false), (PUBLIC, false)] {
        assert_eq!(knows_secret(Some(&keys), text, NOW), knows, "{text}");
    }
    assert!(!knows_secret(None, SECRET, NOW));
    assert!(!knows_secret(Some(&SourceKeys::new(key_of(&Scheme::Docebo, SECRET))), SECRET, NOW));
}

#[test]
fn a_refusal_does_not_say_why() {
    let refused = verify(&Scheme::Github, Some(&secret(SECRET)), get(&vec![]), BODY, NOW).unwrap_err();
    assert_eq!(refused.to_string(), "the request could not be verified");
    assert_eq!(format!("{refused:?}"), "Unverified(Missing)");
}

proptest! {
    #[test]
    fn whatever_is_sent_nothing_panics_and_nothing_is_verified(
        header in "(Basic |sha256=|v0=|v1,|v1a,|t=1614265330,v1=|hmac )?\\PC{0,80}", is_time in any::<bool>(),
        body in prop::collection::vec(any::<u8>(), 0..100), seconds in any::<i32>()
    ) {
        let now = Timestamp::from_millis(i64::from(seconds) * 1000);
        let time = seconds.to_string();
        let lookup = |name: &str| Some(if is_time && name.ends_with("timestamp") { time.as_str() } else { header.as_str() });
        for scheme in all() {
            for text in [SECRET, PUBLIC] {
                let keys = SourceKeys::new(key_of(&scheme, text));
                let verified = verify(&scheme, Some(&keys), lookup, &body, now).is_ok();
                prop_assert_eq!(verified, matches!(scheme, Scheme::None { .. }));
            }
        }
    }

    #[test]
    fn what_was_signed_is_verified_byte_for_byte(
        body in prop::collection::vec(any::<u8>(), 0..200), index in any::<prop::sample::Index>(), bit in 0_u8..8
    ) {
        for scheme in all() {
            let keys = SourceKeys::new(key_of(&scheme, SECRET));
            let headers = signed(&scheme, SECRET, &body);
            prop_assert_eq!(check(&scheme, &keys, &headers, &body), Ok(()));
            // Docebo signs nothing: it shows a password.
            let signs = !matches!(scheme, Scheme::None { .. } | Scheme::Docebo);
            if signs && !body.is_empty() {
                let mut changed = body.clone();
                changed[index.index(body.len())] ^= 1 << bit;
                prop_assert_eq!(check(&scheme, &keys, &headers, &changed), Err(Reason::Mismatch));
            }
        }
    }

    #[test]
    fn asymmetric_signatures_are_verified_by_the_public_half(
        seed in any::<[u8; 32]>(), body in prop::collection::vec(any::<u8>(), 0..200)
    ) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let message = [format!("{ID}.{}.", NOW.as_secs()).as_bytes(), body.as_slice()].concat();
        let signature = format!("v1a,{}", BASE64_STANDARD.encode(pair.sign(&message)));
        let public = format!("whpk_{}", BASE64_STANDARD.encode(pair.public_key()));
        let headers = standard_headers("webhook", &signature);
        prop_assert_eq!(check(&Scheme::Standard, &secret(&public), &headers, &body), Ok(()));
        prop_assert_eq!(check(&Scheme::Standard, &secret(PUBLIC), &headers, &body), Err(Reason::Mismatch));
    }
}
