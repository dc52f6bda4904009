//! Values within bounds: what an OpenAPI schema says with `minItems`, `maximum`, `maxLength` and their like.

use std::collections::HashSet;
use std::hash::Hash;

use serde_json::Value;

use super::{FromJson, gather, wrong_type};
use crate::fault::{Fault, FaultKind};

/// A list of `MIN` to `MAX` values of which no two are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set<T, const MIN: usize, const MAX: usize>(pub Vec<T>);

impl<T: FromJson + Eq + Hash, const MIN: usize, const MAX: usize> FromJson for Set<T, MIN, MAX> {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let Value::Array(list) = value else { return Err(wrong_type("must be a list")) };
        if !(MIN..=MAX).contains(&list.len()) {
            let msg = if MAX == usize::MAX {
                format!("must have at least {MIN}")
            } else {
                format!("must have {MIN} to {MAX}")
            };
            return Err(vec![Fault::new(FaultKind::Value, format!("{msg} items"))]);
        }
        let items: Vec<T> = Vec::from_json(Value::Array(list))?;
        let mut seen = HashSet::new();
        gather(items.iter().enumerate().map(|(position, item)| {
            let again = || vec![Fault::new(FaultKind::Value, "is there twice")];
            (position.to_string(), if seen.insert(item) { Ok(()) } else { Err(again()) })
        }))?;
        Ok(Self(items))
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole<const MIN: u64, const MAX: u64>(pub u64);

impl<const MIN: u64, const MAX: u64> FromJson for Whole<MIN, MAX> {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let number = u64::from_json(value)?;
        let fits = (MIN..=MAX).contains(&number);
        let refusal = || vec![Fault::new(FaultKind::Value, format!("must be {MIN} to {MAX}"))];
        fits.then_some(Self(number)).ok_or_else(refusal)
    }
}

/// A text of `MIN` to `MAX` characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<const MIN: usize, const MAX: usize>(pub String);

impl<const MIN: usize, const MAX: usize> FromJson for Text<MIN, MAX> {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let text = String::from_json(value)?;
        let fits = (MIN..=MAX).contains(&text.chars().count());
        let refusal = || vec![Fault::new(FaultKind::Value, format!("must be {MIN} to {MAX} characters long"))];
        fits.then_some(Self(text)).ok_or_else(refusal)
    }
}
