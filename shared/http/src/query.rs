use std::collections::HashSet;
use std::fmt::Display;

use axum::extract::FromRequestParts;
use http::request::Parts;
use tidings_domain::Timestamp;
use url::form_urlencoded;

use crate::error::ApiError;
use crate::fault::{Fault, FaultKind};
use crate::from_json::vocabulary::timestamp;

/// Made from a query string, or every fault that keeps it from being made.
pub trait FromQuery: Sized {
    /// `None` only for the lack of something whose fault is recorded.
    fn from_query(query: &mut QueryString) -> Option<Self>;
}

/// The query string, read as `T`. What breaks its rules is 422. A parameter that nobody asked for is passed
/// over, as peers do: proxies and newer clients add their own.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: FromQuery> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut query = QueryString::parse(parts.uri.query().unwrap_or_default());
        let value = T::from_query(&mut query);
        if !query.faults.is_empty() {
            return Err(ApiError::invalid(query.faults));
        }
        value.map(Self).ok_or_else(|| ApiError::internal("a query was refused without a fault"))
    }
}

/// A query string that is taken apart parameter by parameter, while faults are collected.
#[derive(Debug)]
pub struct QueryString {
    pairs: Vec<(String, String)>,
    faults: Vec<Fault>,
}

impl QueryString {
    fn parse(text: &str) -> Self {
        Self { pairs: form_urlencoded::parse(text.as_bytes()).into_owned().collect(), faults: Vec::new() }
    }

    /// A parameter that may be there once. `None` if it is not there, or is wrong, which is recorded.
    pub fn one<T, E: Display>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let mut values = self.pairs.iter().filter(|(other, _)| other == name).map(|(_, value)| value);
        let read = match (values.next()?, values.next()) {
            (value, None) => read(value).map_err(|error| error.to_string()),
            (_, Some(_)) => Err("must be there once".to_owned()),
        };
        read.map_err(|why| self.refuse(name, why)).ok()
    }

    /// A parameter that may be there any number of times; each distinct value is read once.
    pub fn all<T, E: Display>(&mut self, name: &str, read: impl Fn(&str) -> Result<T, E>) -> Vec<T> {
        let mut seen = HashSet::new();
        let values = self.pairs.iter().filter(|(other, value)| other == name && seen.insert(value));
        let (good, bad): (Vec<_>, Vec<_>) = values.map(|(_, value)| read(value)).partition(Result::is_ok);
        for error in bad.into_iter().filter_map(Result::err) {
            self.refuse(name, error);
        }
        good.into_iter().flatten().collect()
    }

    /// Like [`Self::all`], and a value may also be several with commas between them: some clients repeat the
    /// parameter, others join its values.
    pub fn list<T, E: Display>(&mut self, name: &str, read: impl Fn(&str) -> Result<T, E>) -> Vec<T> {
        let split = |(other, value): (String, String)| -> Vec<(String, String)> {
            if other == name {
                value.split(',').map(|part| (other.clone(), part.to_owned())).collect()
            } else {
                vec![(other, value)]
            }
        };
        self.pairs = std::mem::take(&mut self.pairs).into_iter().flat_map(split).collect();
        self.all(name, read)
    }

    /// `true` or `false`.
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        self.one(name, |text| text.parse::<bool>().map_err(|_| "must be `true` or `false`"))
    }

    /// A point in time.
    pub fn time(&mut self, name: &str) -> Option<Timestamp> {
        self.one(name, timestamp)
    }

    /// Records that a parameter breaks a rule.
    pub fn refuse(&mut self, name: &str, why: impl Display) {
        self.faults.push(Fault::new(FaultKind::Value, why.to_string()).within(name).within("query"));
    }
}
