//! Reads the properties of a payload or a row, and collects what is wrong with them.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::{Form, MAX_AHEAD, MAX_NUMBER, MAX_TEXT_CHARS, time};
use crate::Timestamp;
use crate::enrollment::{Field, Value};

/// Some properties, and their faults so far.
pub(super) struct Reader<'a> {
    properties: &'a Map<String, Json>,
    faults: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(properties: &'a Map<String, Json>) -> Self {
        Self { properties, faults: Vec::new() }
    }

    /// What is wrong so far.
    pub(super) fn faults(&self) -> &[String] {
        &self.faults
    }

    /// What is wrong.
    pub(super) fn into_faults(self) -> Vec<String> {
        self.faults
    }

    /// A property that says something.
    fn given(&self, name: &str) -> Option<&'a Json> {
        self.properties.get(name).filter(|value| !is_empty(value))
    }

    fn fault(&mut self, fault: String) {
        self.faults.push(fault);
    }

    /// A number from 1 on that must be there. `None` is a fault.
    pub(super) fn required_number(&mut self, name: &str) -> Option<u64> {
        if self.given(name).is_none() {
            self.fault(format!("`{name}` is required"));
        }
        self.number(name, 1)
    }

    /// A number from `least` on, or its digits. `None` if it is not given, or at fault.
    pub(super) fn number(&mut self, name: &str, least: u64) -> Option<u64> {
        let number = number(self.given(name)?).filter(|number| (least..=MAX_NUMBER).contains(number));
        if number.is_none() {
            self.fault(format!(
                "`{name}` must be a whole number from {least} to {MAX_NUMBER}, or a text of its digits"
            ));
        }
        number
    }

    /// A time that must be there, and at most a day after `present`. `None` is a fault.
    pub(super) fn required_time(&mut self, name: &str, present: Timestamp, what: &str) -> Option<Timestamp> {
        if self.given(name).is_none() {
            self.fault(format!("`{name}` is required"));
        }
        self.time(name, present, what)
    }

    /// A time at most a day after `present`, when `what` happened. `None` if it is not given, or at fault.
    pub(super) fn time(&mut self, name: &str, present: Timestamp, what: &str) -> Option<Timestamp> {
        let at = self.given(name)?.as_str().and_then(|text| time::parse(text).ok().flatten());
        match at {
            None => self.fault(format!("`{name}` must be {}", time::FORM)),
            Some(at) if at > present + MAX_AHEAD => {
                self.fault(format!("`{name}` must be at most a day after {what}"));
                return None;
            }
            Some(_) => {}
        }
        at
    }

    /// The fields that are given; what is given and empty says [`Value::Null`].
    pub(super) fn fields(
        &mut self,
        known: impl Iterator<Item = (&'static str, Field, Form)>,
    ) -> BTreeMap<Field, Value> {
        known.filter_map(|(name, field, form)| Some((field, self.field(name, form)?))).collect()
    }

    fn field(&mut self, name: &str, form: Form) -> Option<Value> {
        let value = self.properties.get(name)?;
        if is_empty(value) {
            return Some(Value::Null);
        }
        match form {
            Form::Number => self.number(name, 0).map(Value::Number),
            Form::Text => {
                let text = value.as_str().filter(|text| text.chars().nth(MAX_TEXT_CHARS).is_none());
                if text.is_none() {
                    self.fault(format!("`{name}` must be a text of at most {MAX_TEXT_CHARS} characters, or null"));
                }
                text.map(|text| Value::Text(text.to_owned()))
            }
            Form::Time => {
                let Some(Ok(at)) = value.as_str().map(time::parse) else {
                    self.fault(format!("`{name}` must be {}, or null", time::FORM));
                    return None;
                };
                Some(at.map_or(Value::Null, |at| Value::Text(time::stored(at))))
            }
        }
    }
}

/// Whether it says nothing. Docebo, and lists, write an empty text for what has no value.
fn is_empty(value: &Json) -> bool {
    value.is_null() || value.as_str() == Some("")
}

fn number(value: &Json) -> Option<u64> {
    let of_digits = |text: &str| text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    value.as_u64().or_else(|| value.as_str().and_then(of_digits))
}
