use proptest::prelude::*;

use super::*;

fn headers(list: &[(&str, &str)]) -> Result<EndpointHeaders, EndpointHeadersError> {
    EndpointHeaders::new(list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn patched(
    headers: &EndpointHeaders,
    changes: &[(&str, Option<&str>)],
) -> Result<EndpointHeaders, EndpointHeadersError> {
    headers.clone().patch(changes.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))))
}

fn list(headers: &EndpointHeaders) -> Vec<(&str, &str)> {
    headers.iter().collect()
}

#[test]
fn order_and_spelling_are_kept() {
    let given = [("X-Zeta", "1"), ("x-alpha", ""), ("X_Under.score", "a b\tc")];
    let headers = headers(&given).unwrap();
    assert_eq!(list(&headers), given);
    assert_eq!(list(&EndpointHeaders::from_text(&headers.seal_text()).unwrap()), given);
}

#[test]
fn what_tidings_or_the_connection_sets_is_reserved_in_every_spelling() {
    let reserved = [
        "Host",
        "CONTENT-LENGTH",
        "content-type",
        "User-Agent",
        "Connection",
        "transfer-encoding",
        "TE",
        "Trailer",
        "Upgrade",
        "keep-alive",
        "Proxy-Connection",
        "Expect",
        "Webhook-Id",
        "webhook-signature",
        "svix-id",
        "SVIX-anything",
    ];
    for name in reserved {
        assert_eq!(headers(&[(name, "x")]), Err(EndpointHeadersError::Reserved(name.to_owned())));
    }
    assert_eq!(headers(&[("Host", "x")]).unwrap_err().to_string(), "the header `Host` cannot be replaced");
}

#[test]
fn a_header_that_would_break_the_request_is_refused() {
    for name in ["", "a b", "a:b", "a\r\nb", "é", "a\0", &"n".repeat(101)] {
        let error = headers(&[(name, "x")]).unwrap_err();
        assert!(matches!(error, EndpointHeadersError::Name(_)), "{error:?}");
        assert!(!error.to_string().contains(['\r', '\n', '\0']), "{error}");
    }
    for value in ["a\r\nb: c", "a\nb", "a\0", "é", "\u{7f}", " a", "a\t", &"v".repeat(4097)] {
        assert_eq!(headers(&[("X-A", value)]), Err(EndpointHeadersError::Value("X-A".to_owned())), "{value:?}");
    }
    assert!(headers(&[(&"n".repeat(100), &"v".repeat(4096))]).is_ok());
}

#[test]
fn names_that_differ_in_case_only_are_one_too_many() {
    let duplicate = Err(EndpointHeadersError::Duplicate("x-a".to_owned()));
    assert_eq!(headers(&[("X-A", "1"), ("x-a", "2")]), duplicate);
    assert_eq!(patched(&EndpointHeaders::default(), &[("X-A", None), ("x-a", Some("2"))]), duplicate);
}

#[test]
fn fifty_headers_are_the_most() {
    let many = |count: usize| EndpointHeaders::new((0..count).map(|number| (format!("x-{number}"), String::new())));
    assert_eq!(many(51), Err(EndpointHeadersError::TooMany));
    let full = many(50).unwrap();
    assert_eq!(patched(&full, &[("y", Some(""))]), Err(EndpointHeadersError::TooMany));
    assert!(patched(&full, &[("y", Some("")), ("x-0", None)]).is_ok());
}

#[test]
fn sensitive_values_are_left_out_and_their_names_listed() {
    let sensitive = [
        "Authorization",
        "Cookie",
        "Proxy-Authorization",
        "X-Api-Key",
        "X-Auth-Token",
        "client_secret",
        "Db-Password",
        "ApiKey",
        "X-Signature",
    ];
    let open = [("X-Region", "eu"), ("Accept", "*/*")];
    let all: Vec<_> = sensitive.iter().map(|name| (*name, "hunter2")).chain(open).collect();
    let headers = headers(&all).unwrap();
    let Redacted { headers: shown, sensitive: names } = headers.redacted();
    assert_eq!(
        shown.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>(),
        [("Accept", "*/*"), ("X-Region", "eu")]
    );
    assert_eq!(names, sensitive.iter().map(|name| (*name).to_owned()).collect());
    assert!(!format!("{headers:?}").contains("hunter2"));
}

#[test]
fn a_patch_sets_replaces_in_place_and_takes_off() {
    let before = headers(&[("X-A", "1"), ("X-B", "2"), ("X-C", "3")]).unwrap();
    let after = patched(&before, &[("x-b", Some("4")), ("X-D", Some("5")), ("x-a", None), ("X-None", None)]).unwrap();
    assert_eq!(list(&after), [("x-b", "4"), ("X-C", "3"), ("X-D", "5")]);
    assert_eq!(patched(&before, &[("host", Some("x"))]), Err(EndpointHeadersError::Reserved("host".to_owned())));
}

#[test]
fn a_sealed_text_of_another_form_is_refused() {
    for text in ["", "[]", r#"{"a":1}"#, r#"{"a b":"x"}"#, r#"{"a":"x\r\ny: z"}"#] {
        assert_eq!(EndpointHeaders::from_text(text), Err(SealedHeadersError), "{text}");
    }
}

proptest! {
    #[test]
    fn whatever_is_accepted_can_be_sent_and_is_read_back(
        given in prop::collection::vec(("[ -~\\r\\né]{0,12}|[a-zA-Z-]{1,12}", "[ -~\\r\\n\\té]{0,12}"), 0..6)
    ) {
        if let Ok(headers) = EndpointHeaders::new(given.clone()) {
            for (name, value) in headers.iter() {
                let smuggles = |text: &str| text.contains(['\r', '\n', '\0']) || !text.is_ascii();
                prop_assert!(!smuggles(name) && !smuggles(value) && !name.contains([' ', ':']));
            }
            prop_assert_eq!(EndpointHeaders::from_text(&headers.seal_text()).unwrap(), headers.clone());
            let Redacted { headers: shown, sensitive } = headers.redacted();
            prop_assert_eq!(shown.len() + sensitive.len(), given.len());
        }
    }

    #[test]
    fn whatever_text_is_read_nothing_panics(text in "\\PC{0,60}") {
        let _ = EndpointHeaders::from_text(&text);
    }
}
