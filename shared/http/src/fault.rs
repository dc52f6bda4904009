use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

/// Most faults that one answer lists: a body of nothing but faults must not be answered by one many times
/// its size.
pub const MAX_FAULTS: usize = 100;

/// Longest name of a property that is given back, in characters; it is the caller's own text.
const MAX_NAME_CHARS: usize = 100;

/// One thing that is wrong with a request, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ValidationErrorItem)]
pub struct Fault {
    /// The way to it, from `body`, `query`, `path` or `header` on. Positions in lists are numbers as text.
    loc: Vec<String>,
    /// What is wrong, for a person.
    msg: Cow<'static, str>,
    /// What is wrong, for a program.
    #[serde(rename = "type")]
    kind: FaultKind,
}

/// What can be wrong with a part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub enum FaultKind {
    /// It is required and not there.
    #[serde(rename = "value_error.missing")]
    Missing,
    /// Nobody asked for it.
    #[serde(rename = "value_error.extra")]
    Unknown,
    /// It has another JSON type.
    #[serde(rename = "type_error")]
    Type,
    /// It has the type, and a value that is not accepted.
    #[serde(rename = "value_error")]
    Value,
}

impl Fault {
    /// A fault of the value at hand; whoever holds that value says where by [`Fault::within`].
    pub fn new(kind: FaultKind, msg: impl Into<Cow<'static, str>>) -> Self {
        Self { loc: Vec::new(), msg: msg.into(), kind }
    }

    /// The same fault, seen from one step further out: in the property, or list position, `name`.
    #[must_use]
    pub fn within(mut self, name: impl Into<String>) -> Self {
        let mut name = name.into();
        if let Some((end, _)) = name.char_indices().nth(MAX_NAME_CHARS) {
            name.truncate(end);
        }
        self.loc.insert(0, name);
        self
    }
}

impl fmt::Display for Fault {
    /// In one line: `body.payloads.3: must be an object`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { loc, msg, kind: _ } = self;
        if loc.is_empty() { f.write_str(msg) } else { write!(f, "{}: {msg}", loc.join(".")) }
    }
}
