use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::num::NonZeroU16;

use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_domain::Timestamp;
use tidings_domain::metadata::Metadata;
use tidings_domain::names::{Channel, EventTypeName, Uid};
use tidings_domain::patch::Patch;
use tidings_http::{Fault, FromJson, Object, Set, Text, Whole};

fn faults(faults: &[Fault]) -> String {
    let faults = serde_json::to_value(faults).unwrap();
    let mut lines = String::new();
    for fault in faults.as_array().unwrap() {
        writeln!(lines, "  {} {} {}", fault["loc"], fault["type"].as_str().unwrap(), fault["msg"]).unwrap();
    }
    lines
}

#[derive(Debug, PartialEq)]
struct EndpointPatch {
    uid: Patch<Uid>,
    description: Option<String>,
    types: Patch<Set<EventTypeName, 1, 3>>,
}

impl FromJson for EndpointPatch {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(value)?;
        object.alias("eventTypes", "filterTypes");
        let uid = object.patch("uid");
        let description = object.patch_required("description");
        let types = object.patch("eventTypes");
        object.finish(|| Some(Self { uid, description, types }))
    }
}

#[test]
fn a_change_tells_what_is_absent_from_what_is_null() {
    let read = |value: Value| EndpointPatch::from_json(value).unwrap();
    let nothing = EndpointPatch { uid: Patch::Absent, description: None, types: Patch::Absent };
    assert_eq!(read(json!({})), nothing);
    assert_eq!(read(json!({"uid": null})), EndpointPatch { uid: Patch::Null, ..read(json!({})) });
    let uid = Patch::Value("mine".parse().unwrap());
    assert_eq!(read(json!({"uid": "mine"})), EndpointPatch { uid, ..read(json!({})) });
    assert_eq!(read(json!({"description": ""})).description.as_deref(), Some(""));
}

#[test]
fn a_property_may_have_its_other_name() {
    let types = |value: Value| EndpointPatch::from_json(value).unwrap().types;
    let a = Patch::Value(Set(vec!["a".parse().unwrap()]));
    assert_eq!(types(json!({"eventTypes": ["a"]})), a);
    assert_eq!(types(json!({"filterTypes": ["a"]})), a);
    assert_eq!(types(json!({"filterTypes": ["a"], "eventTypes": ["a"]})), a);
    assert_eq!(types(json!({"filterTypes": null})), Patch::Null);
}

#[test]
fn what_a_change_cannot_say_is_a_fault() {
    let mut table = String::new();
    for value in [
        json!({"description": null}),
        json!({"uid": "a b", "description": 1}),
        json!({"filterTypes": ["a"], "eventTypes": ["b"]}),
        json!({"filterTypes": null, "eventTypes": ["b"]}),
        json!({"filterTypes": []}),
        json!({"name": null}),
    ] {
        writeln!(table, "{value}\n{}", faults(&EndpointPatch::from_json(value.clone()).unwrap_err())).unwrap();
    }
    assert_snapshot!(table, @r#"
    {"description":null}
      ["description"] type_error "must not be null"

    {"uid":"a b","description":1}
      ["uid"] value_error "must be 1 to 256 letters, digits, `-`, `_` or `.`"
      ["description"] type_error "must be a string"

    {"filterTypes":["a"],"eventTypes":["b"]}
      ["filterTypes"] value_error "must be the same as `eventTypes`, or left out"

    {"filterTypes":null,"eventTypes":["b"]}
      ["filterTypes"] value_error "must be the same as `eventTypes`, or left out"

    {"filterTypes":[]}
      ["eventTypes"] value_error "must have 1 to 3 items"

    {"name":null}
      ["name"] value_error.extra "is not known here"
    "#);
}

fn refusal<T: FromJson>(value: Value) -> String {
    faults(&T::from_json(value).err().unwrap())
}

#[test]
fn values_have_bounds() {
    let long = "x".repeat(4097);
    let table = [
        refusal::<Set<Channel, 1, 2>>(json!([])),
        refusal::<Set<Channel, 1, 2>>(json!(["a", "b", "c"])),
        refusal::<Set<Channel, 1, { usize::MAX }>>(json!([])),
        refusal::<Set<Channel, 1, 3>>(json!(["a", "b", "a"])),
        refusal::<Set<Channel, 1, 3>>(json!(["a b", 1])),
        refusal::<Set<Channel, 1, 3>>(json!({})),
        refusal::<Whole<5, 90>>(json!(4)),
        refusal::<Whole<5, 90>>(json!(91)),
        refusal::<Whole<5, 90>>(json!(7.5)),
        refusal::<NonZeroU16>(json!(0)),
        refusal::<NonZeroU16>(json!(65536)),
        refusal::<Text<1, 3>>(json!("")),
        refusal::<Text<1, 3>>(json!("abcd")),
        refusal::<Timestamp>(json!("2024-03-13")),
        refusal::<Timestamp>(json!(1_710_341_906)),
        refusal::<Metadata>(json!({"a": 1})),
        refusal::<Metadata>(json!({"a": long})),
        refusal::<Metadata>(json!({"n".repeat(129): ""})),
        refusal::<Metadata>((0..51).map(|number| (number.to_string(), json!(""))).collect::<Value>()),
        refusal::<Metadata>((0..5).map(|number| (number.to_string(), json!("x".repeat(4000)))).collect::<Value>()),
    ];
    assert_snapshot!(table.concat(), @r#"
    [] value_error "must have 1 to 2 items"
    [] value_error "must have 1 to 2 items"
    [] value_error "must have at least 1 items"
    ["2"] value_error "is there twice"
    ["0"] value_error "must be 1 to 128 letters, digits, `-`, `_` or `.`"
    ["1"] type_error "must be a string"
    [] type_error "must be a list"
    [] value_error "must be 5 to 90"
    [] value_error "must be 5 to 90"
    [] type_error "must be a whole number, not negative"
    [] value_error "must be 1 to 65535"
    [] value_error "must be 1 to 65535"
    [] value_error "must be 1 to 3 characters long"
    [] value_error "must be 1 to 3 characters long"
    [] value_error "must be a date and time as in RFC 3339"
    [] type_error "must be a string"
    ["a"] type_error "must be a string"
    ["a"] value_error "its value must be at most 4096 characters long"
    ["nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"] value_error "its name must be at most 128 characters long"
    [] value_error "must have at most 50 entries of 16384 bytes in all"
    [] value_error "must have at most 50 entries of 16384 bytes in all"
    "#);
}

#[test]
fn values_within_bounds_are_read() {
    assert_eq!(Set::<Channel, 1, 2>::from_json(json!(["b", "a"])).unwrap().0.len(), 2);
    assert_eq!(Whole::<5, 90>::from_json(json!(90)).unwrap(), Whole(90));
    assert_eq!(NonZeroU16::from_json(json!(65535)).unwrap(), NonZeroU16::MAX);
    assert_eq!(Text::<1, 3>::from_json(json!("éàü")).unwrap(), Text("éàü".to_owned()));
    let at = Timestamp::from_millis(1_710_341_906_000);
    assert_eq!(Timestamp::from_json(json!("2024-03-13T15:58:26+01:00")).unwrap(), at);
    let metadata = Metadata::from_json(json!({"a": "x".repeat(4096)})).unwrap();
    assert_eq!(BTreeMap::from(metadata)["a"].len(), 4096);
}
