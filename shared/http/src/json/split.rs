//! Reading an object of which one property is passed on as it was sent.

use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::map::Entry;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::check::{Check, Name};
use super::{Strict, deeper, read, twice};

/// A property's value, byte for byte: a part of the body, not a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMember {
    /// From the value's first byte to its last one.
    pub bytes: Bytes,
}

impl RawMember {
    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        self.bytes.starts_with(b"{")
    }
}

/// What a body holds.
pub(crate) enum Split {
    /// The object without the property, and the property, if it is there.
    Object(Map<String, Value>, Option<RawMember>),
    /// It is JSON, and no object.
    Other,
}

/// Takes the property `name` out of the object that a body is. All of the body is read as strictly as without it.
pub(crate) fn split(body: &Bytes, name: &str) -> Result<Split, String> {
    if !body.trim_ascii_start().starts_with(b"{") {
        return super::parse(body).map(|_| Split::Other);
    }
    let Parts { members, raw } = read(body, Splitter { name })?;
    // `slice_ref` finds where in the body the text is; it was borrowed from there.
    let raw = raw.map(|raw| RawMember { bytes: body.slice_ref(raw.get().as_bytes()) });
    Ok(Split::Object(members, raw))
}

struct Parts<'de> {
    members: Map<String, Value>,
    raw: Option<&'de RawValue>,
}

struct Splitter<'a> {
    name: &'a str,
}

impl<'de> DeserializeSeed<'de> for Splitter<'_> {
    type Value = Parts<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Parts<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Splitter<'_> {
    type Value = Parts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Parts<'de>, A::Error> {
        let depth = deeper(0)?;
        let mut parts = Parts { members: Map::new(), raw: None };
        while let Some(name) = object.next_key_seed(Name)? {
            if name == self.name {
                let value: &'de RawValue = object.next_value()?;
                if parts.raw.replace(value).is_some() {
                    return Err(twice(&name));
                }
                check(value, depth).map_err(|error| {
                    serde::de::Error::custom(format_args!(
                        "in property {:?}, counted from its start: {error}",
                        self.name
                    ))
                })?;
            } else {
                match parts.members.entry(name) {
                    Entry::Vacant(entry) => {
                        entry.insert(object.next_value_seed(Strict { depth })?);
                    }
                    Entry::Occupied(entry) => return Err(twice(entry.key())),
                }
            }
        }
        Ok(parts)
    }
}

/// Where the value ends is found without looking at what is in it, so that is looked at here.
fn check(value: &RawValue, depth: usize) -> Result<(), serde_json::Error> {
    Check { depth }.deserialize(&mut serde_json::Deserializer::from_str(value.get()))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::super::parse;
    use super::super::tests::any_json;
    use super::*;

    fn parts(body: &str) -> Result<(Map<String, Value>, Option<String>), String> {
        match split(&Bytes::copy_from_slice(body.as_bytes()), "payload")? {
            Split::Object(rest, raw) => Ok((rest, raw.map(|raw| String::from_utf8(raw.bytes.to_vec()).unwrap()))),
            Split::Other => Err("other".to_owned()),
        }
    }

    #[test]
    fn the_property_is_what_was_sent_and_lies_in_the_body() {
        let payload = "{ \"z\": 1.50,\t\"a\" : [1E2, 12345678901234567890123],\"\\u00e9\":\"\\/\" }";
        for body in [
            format!("{{\"eventType\":\"a\",\"payload\":{payload}}}"),
            format!(" {{ \"payload\" :  {payload} \n, \"eventType\" : \"a\" }} "),
            format!("{{\"\\u0070ayload\":{payload},\"eventType\":\"a\"}}"),
        ] {
            let bytes = Bytes::from(body.clone());
            let Ok(Split::Object(rest, Some(raw))) = split(&bytes, "payload") else { panic!("{body}") };
            assert_eq!(raw.bytes, payload.as_bytes());
            assert!(raw.is_object());
            let offset = raw.bytes.as_ptr() as usize - bytes.as_ptr() as usize;
            assert_eq!(&bytes[offset..offset + raw.bytes.len()], payload.as_bytes(), "a copy");
            assert_eq!(rest, *serde_json::json!({"eventType": "a"}).as_object().unwrap());
        }
        assert_eq!(parts("{}"), Ok((Map::new(), None)));
        assert_eq!(parts(r#"{"payload":"{}"}"#).unwrap().1.as_deref(), Some(r#""{}""#));
    }

    #[test]
    fn what_the_strict_reader_refuses_is_refused_inside_the_property_too() {
        let nested = |depth: usize| format!("{{\"payload\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(parts(&nested(super::super::MAX_DEPTH - 1)).is_ok());
        for bad in [
            &nested(super::super::MAX_DEPTH),
            &nested(1_000_000),
            r#"{"payload":1,"payload":1}"#,
            r#"{"payload":1,"\u0070ayload":1}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"payload":{"a":1,"a":1}}"#,
            r#"{"payload":[{"a":{"b":1,"\u0062":1}}]}"#,
            r#"{"payload":"\ud800"}"#,
            r#"{"payload":"\x"}"#,
            r#"{"payload":1e400}"#,
            r#"{"payload":01}"#,
            r#"{"payload":}"#,
            r#"{"payload":{}"#,
            r#"{"payload":{}} x"#,
            r"[",
            "",
        ] {
            assert!(parts(bad).is_err_and(|error| error != "other"), "{bad:.60}");
            assert!(parse(bad.as_bytes()).is_err(), "{bad:.60}");
        }
        assert_eq!(parts("[1]"), Err("other".to_owned()));
        assert!(split(&Bytes::from_static(b"{\"payload\":\"\xff\"}"), "payload").is_err());
    }

    #[test]
    fn many_names_are_told_apart() {
        let mut body = "{\"payload\":{\"n\":0".to_owned();
        for number in 0..1000 {
            write!(body, ",\"n{number}\":0").unwrap();
        }
        assert!(parts(&format!("{body}}}}}")).is_ok());
        for again in ["n", "n5", "n999"] {
            assert!(parts(&format!("{body},\"{again}\":0}}}}")).is_err(), "{again}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_in_the_property_comes_out_as_it_was(payload in any_json(), other in any_json()) {
            let payload = payload.to_string();
            let body = format!("{{\"payload\":{payload},\"other\":{other}}}");
            let (rest, raw) = parts(&body).unwrap();
            prop_assert_eq!(raw.unwrap(), payload);
            prop_assert_eq!(&rest["other"], &parse(other.to_string().as_bytes()).unwrap());
        }

        #[test]
        fn it_refuses_what_the_strict_reader_refuses(payload in r#"[\[\]{}:,"a\\u0061e.+ 10-]{0,12}"#) {
            let body = format!("{{\"payload\":{payload}}}");
            prop_assert_eq!(parts(&body).is_ok(), parse(body.as_bytes()).is_ok(), "{}", body);
        }
    }
}
