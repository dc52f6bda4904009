mod bounded;
pub(crate) mod vocabulary;

use std::collections::BTreeMap;
use std::fmt::Display;

use serde_json::{Map, Value};
use tidings_domain::patch::Patch;

pub use self::bounded::{Set, Text, Whole};
use crate::fault::{Fault, FaultKind, MAX_FAULTS};
use crate::json::split::RawMember;

/// Made from JSON, or every fault that keeps it from being made. All request bodies are read by this.
///
/// An object is taken apart by [`Object`]. A body whose rules depend on more than itself (configuration, say)
/// is extracted as `Json<Object>`, so that its handler can apply all rules at once.
pub trait FromJson: Sized {
    /// The value, or its faults, each with its way from here.
    fn from_json(value: Value) -> Result<Self, Vec<Fault>>;
}

/// A JSON object that is taken apart property by property, while faults are collected.
///
/// ```
/// # use serde_json::json;
/// # use tidings_http::{Fault, FromJson, Object};
/// #[derive(Debug)]
/// struct Clock { hour: u64, zone: Option<String> }
///
/// impl FromJson for Clock {
///     fn from_json(value: serde_json::Value) -> Result<Self, Vec<Fault>> {
///         let mut object = Object::from_json(value)?;
///         let hour = object.required("hour");
///         let zone = object.optional("zone");
///         object.finish(|| Some(Self { hour: hour?, zone }))
///     }
/// }
///
/// assert!(Clock::from_json(json!({"hour": 12})).is_ok());
/// assert_eq!(Clock::from_json(json!({"hour": "noon", "day": 1})).unwrap_err().len(), 2);
/// ```
#[derive(Debug, Default)]
pub struct Object {
    members: Map<String, Value>,
    faults: Vec<Fault>,
}

impl Object {
    /// A property that must be there. `None` is a fault that is recorded.
    pub fn required<T: FromJson>(&mut self, name: &str) -> Option<T> {
        if !self.members.contains_key(name) {
            self.faults.push(Fault::new(FaultKind::Missing, "is required").within(name));
        }
        self.optional(name)
    }

    /// A property that may be left out. `null` is not left out: where it is allowed, `T` is an `Option`, and
    /// the answer tells the two apart.
    pub fn optional<T: FromJson>(&mut self, name: &str) -> Option<T> {
        match T::from_json(self.members.shift_remove(name)?) {
            Ok(value) => Some(value),
            Err(faults) => {
                self.faults.extend(faults.into_iter().map(|fault| fault.within(name)));
                None
            }
        }
    }

    /// A property that may be left out or `null`, which here mean the same.
    pub fn nullable<T: FromJson>(&mut self, name: &str) -> Option<T> {
        self.optional::<Option<T>>(name).flatten()
    }

    /// What a change says of a property that can be taken away by `null`.
    pub fn patch<T: FromJson>(&mut self, name: &str) -> Patch<T> {
        match self.optional::<Option<T>>(name) {
            None => Patch::Absent,
            Some(None) => Patch::Null,
            Some(Some(value)) => Patch::Value(value),
        }
    }

    /// What a change says of a property that cannot be taken away: `null` is a fault.
    pub fn patch_required<T: FromJson>(&mut self, name: &str) -> Option<T> {
        if self.members.get(name).is_some_and(Value::is_null) {
            self.members.shift_remove(name);
            self.faults.push(Fault::new(FaultKind::Type, "must not be null").within(name));
        }
        self.optional(name)
    }

    /// A property that has two names, from two generations of clients, is from here on under the first of them. Both
    /// at once is a fault, unless they say the same.
    pub fn alias(&mut self, name: &str, other: &str) {
        let Some(value) = self.members.shift_remove(other) else { return };
        match self.members.get(name) {
            None => {
                self.members.insert(name.to_owned(), value);
            }
            Some(same) if *same == value => {}
            Some(_) => self.refuse(other, format_args!("must be the same as `{name}`, or left out")),
        }
    }

    /// The property that was taken out of the object byte for byte, which must be there and be an object.
    pub fn required_object(&mut self, name: &str, raw: Option<RawMember>) -> Option<RawMember> {
        let fault = match raw {
            Some(raw) if raw.is_object() => return Some(raw),
            Some(_) => Fault::new(FaultKind::Type, "must be an object"),
            None => Fault::new(FaultKind::Missing, "is required"),
        };
        self.faults.push(fault.within(name));
        None
    }

    /// Records that a property's value breaks a rule.
    pub fn refuse(&mut self, name: &str, why: impl Display) {
        self.faults.push(Fault::new(FaultKind::Value, why.to_string()).within(name));
    }

    /// Records a fault that has its own way from here.
    pub fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// What was made of the object, if there was no fault and no property that nobody asked for. `make` gives
    /// `None` only for the lack of something whose fault is recorded.
    pub fn finish<T>(mut self, make: impl FnOnce() -> Option<T>) -> Result<T, Vec<Fault>> {
        let unknown = self.members.into_iter().take(MAX_FAULTS);
        self.faults.extend(unknown.map(|(name, _)| Fault::new(FaultKind::Unknown, "is not known here").within(name)));
        if !self.faults.is_empty() {
            return Err(self.faults);
        }
        make().ok_or_else(|| vec![Fault::new(FaultKind::Value, "is not complete")])
    }
}

fn wrong_type(expected: &'static str) -> Vec<Fault> {
    vec![Fault::new(FaultKind::Type, expected)]
}

/// For [`FromJson`] of a type whose rules are in its `TryFrom<String>` or `FromStr`.
pub fn text<T, E: Display>(value: Value, read: impl FnOnce(String) -> Result<T, E>) -> Result<T, Vec<Fault>> {
    let text = String::from_json(value)?;
    read(text).map_err(|error| vec![Fault::new(FaultKind::Value, error.to_string())])
}

impl FromJson for Object {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        Map::from_json(value).map(Self::from)
    }
}

impl From<Map<String, Value>> for Object {
    fn from(members: Map<String, Value>) -> Self {
        Self { members, faults: Vec::new() }
    }
}

impl FromJson for Map<String, Value> {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        match value {
            Value::Object(members) => Ok(members),
            _ => Err(wrong_type("must be an object")),
        }
    }
}

impl FromJson for Value {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        Ok(value)
    }
}

impl FromJson for String {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        match value {
            Value::String(text) => Ok(text),
            _ => Err(wrong_type("must be a string")),
        }
    }
}

impl FromJson for bool {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        value.as_bool().ok_or_else(|| wrong_type("must be true or false"))
    }
}

impl FromJson for u64 {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        value.as_u64().ok_or_else(|| wrong_type("must be a whole number, not negative"))
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        if value.is_null() { Ok(None) } else { T::from_json(value).map(Some) }
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let Value::Array(list) = value else { return Err(wrong_type("must be a list")) };
        gather(list.into_iter().enumerate().map(|(position, item)| (position.to_string(), T::from_json(item))))
            .map(|items| items.into_iter().map(|(_, item)| item).collect())
    }
}

impl<T: FromJson> FromJson for BTreeMap<String, T> {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let Value::Object(members) = value else { return Err(wrong_type("must be an object")) };
        gather(members.into_iter().map(|(name, member)| (name, T::from_json(member))))
            .map(|members| members.into_iter().collect())
    }
}

/// All of them, or the faults of all; it stops at [`MAX_FAULTS`], since no answer lists more.
fn gather<T>(items: impl Iterator<Item = (String, Result<T, Vec<Fault>>)>) -> Result<Vec<(String, T)>, Vec<Fault>> {
    let (mut good, mut faults) = (Vec::new(), Vec::new());
    for (name, item) in items {
        match item {
            Ok(item) => good.push((name, item)),
            Err(inside) => faults.extend(inside.into_iter().map(|fault| fault.within(name.as_str()))),
        }
        if faults.len() >= MAX_FAULTS {
            break;
        }
    }
    if faults.is_empty() { Ok(good) } else { Err(faults) }
}
