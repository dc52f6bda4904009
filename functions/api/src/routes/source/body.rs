//! Sources as they are sent and answered.

use serde::Serialize;
use serde_json::Value;
use tidings_domain::Timestamp;
use tidings_domain::ids::ApplicationId;
use tidings_domain::names::{Reference, Uid};
use tidings_domain::patch::Patch;
use tidings_domain::retention::{Period, Retention};
use tidings_domain::source::{MAX_NAME_CHARS, Names, Scheme, Source, SourceKind};
use tidings_http::{Fault, FromJson, Object, Text, text};
use utoipa::ToSchema;

use super::change::Wanted;
use super::key::SourceKeyIn;
use super::verification::{KindIn, SignatureOut, VerificationIn, kinds};

type Name = Text<1, MAX_NAME_CHARS>;

/// A source as it is to be.
#[derive(Debug, Clone, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct SourceIn {
    /// For people.
    #[schema(min_length = 1, max_length = 256, example = "docebo")]
    name: String,
    /// The caller's own name for it, unique in the organization. It serves wherever the id does. A new source that is
    /// given none gets its `name`, if that has the form of a uid; `null` is none at all.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256, pattern = r"^[a-zA-Z0-9\-_.]+$")]
    uid: Patch<Uid>,
    /// Who sends.
    #[schema(schema_with = kinds)]
    kind: SourceKind,
    #[schema(inline)]
    #[serde(flatten)]
    verification: VerificationIn,
    #[schema(inline)]
    #[serde(flatten)]
    key: SourceKeyIn,
    /// The application that gets each event as a message: its id or uid.
    #[schema(value_type = Option<String>)]
    forward_to: Patch<Reference<ApplicationId>>,
    /// How long records are kept.
    #[schema(value_type = Option<RetentionIn>)]
    retention: RetentionIn,
}

/// A change of a source: what is left out stays.
#[derive(Debug, Clone, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct SourcePatch {
    /// For people.
    #[schema(nullable = false, min_length = 1, max_length = 256)]
    name: Option<String>,
    /// The caller's own name for it; `null` takes it off.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 256, pattern = r"^[a-zA-Z0-9\-_.]+$")]
    uid: Patch<Uid>,
    /// Who sends.
    #[schema(schema_with = kinds, required = false)]
    kind: Option<SourceKind>,
    #[schema(inline)]
    #[serde(flatten)]
    verification: VerificationIn,
    #[schema(inline)]
    #[serde(flatten)]
    key: SourceKeyIn,
    /// The application that gets each event as a message; `null` is none.
    #[schema(value_type = Option<String>)]
    forward_to: Patch<Reference<ApplicationId>>,
    /// How long records are kept. What is left out stays; `null` is the default of all.
    #[schema(value_type = Option<RetentionIn>)]
    retention: Patch<RetentionIn>,
}

impl SourceIn {
    /// Reads a body; every fault at once. Of the source that it replaces, if there is one, the key may stay.
    pub(super) fn read(
        mut object: Object,
        forward_to: Patch<Reference<ApplicationId>>,
        before: Option<&Source>,
    ) -> Result<Wanted, Vec<Fault>> {
        let name = object.required::<Name>("name");
        let uid = object.patch("uid");
        let kind = object.required::<KindIn>("kind").map(|KindIn(kind)| kind);
        let verification = VerificationIn::take(&mut object, kind, None);
        let key = SourceKeyIn::take(&mut object, kind, before.map(|before| before.scheme.kind()));
        let retention = object.nullable("retention").unwrap_or_default();
        let read = object
            .finish(|| Some(Self { name: name?.0, uid, kind: kind?, verification, key, forward_to, retention }))?;
        let Self { name, uid, kind, verification, key, forward_to, retention } = read;
        let scheme = verification.scheme(kind, None)?;
        let (forward_to, retention) = (forward_to.or(None), retention.over(Retention::default()));
        Ok(Wanted { name, uid, scheme, key, forward_to, retention })
    }
}

impl SourcePatch {
    /// Reads a body; every fault at once.
    pub(super) fn read(
        mut object: Object,
        forward_to: Patch<Reference<ApplicationId>>,
        before: &Source,
    ) -> Result<Wanted, Vec<Fault>> {
        let name = object.patch_required::<Name>("name").map(|Text(name)| name);
        let uid = object.patch("uid");
        let kind = object.patch_required::<KindIn>("kind").map(|KindIn(kind)| kind);
        let after = Some(kind.unwrap_or(before.scheme.kind()));
        let verification = VerificationIn::take(&mut object, after, Some(&before.scheme));
        let key = SourceKeyIn::take(&mut object, after, Some(before.scheme.kind()));
        let retention = object.patch("retention");
        let read = object.finish(|| Some(Self { name, uid, kind, verification, key, forward_to, retention }))?;
        let Self { name, uid, kind, verification, key, forward_to, retention } = read;
        let scheme = verification.scheme(kind.unwrap_or(before.scheme.kind()), Some(&before.scheme))?;
        let retention = match retention {
            Patch::Absent => before.retention,
            Patch::Null => Retention::default(),
            Patch::Value(given) => given.over(before.retention),
        };
        Ok(Wanted {
            name: name.unwrap_or_else(|| before.name.clone()),
            uid,
            scheme,
            key,
            forward_to: forward_to.or(before.forward_to.clone()),
            retention,
        })
    }
}

struct PeriodIn(Period);

impl FromJson for PeriodIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        text(value, |text| text.parse().map(Self))
    }
}

/// How long each kind of record is kept: a number and `D`, `M` or `Y`, from a day to ten years.
#[derive(Debug, Clone, Copy, Default, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct RetentionIn {
    /// From when a transaction was received.
    #[schema(value_type = Option<String>, nullable = false, default = "90-D", pattern = "^[1-9][0-9]*-[DMY]$")]
    transactions: Option<Period>,
    /// From when a rejected request was received.
    #[schema(value_type = Option<String>, nullable = false, default = "90-D", pattern = "^[1-9][0-9]*-[DMY]$")]
    transaction_errors: Option<Period>,
    /// From when something last could not be computed.
    #[schema(value_type = Option<String>, nullable = false, default = "90-D", pattern = "^[1-9][0-9]*-[DMY]$")]
    compute_errors: Option<Period>,
    /// From when an enrollment last changed here, whenever its event was fired.
    #[schema(value_type = Option<String>, nullable = false, default = "1-Y", pattern = "^[1-9][0-9]*-[DMY]$")]
    enrollments: Option<Period>,
}

impl FromJson for RetentionIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(value)?;
        let mut period = |name| object.optional(name).map(|PeriodIn(period)| period);
        let read = Self {
            transactions: period("transactions"),
            transaction_errors: period("transactionErrors"),
            compute_errors: period("computeErrors"),
            enrollments: period("enrollments"),
        };
        object.finish(|| Some(read))
    }
}

impl RetentionIn {
    /// What is left out is as it was.
    fn over(self, before: Retention) -> Retention {
        let Self { transactions, transaction_errors, compute_errors, enrollments } = self;
        Retention {
            transactions: transactions.unwrap_or(before.transactions),
            transaction_errors: transaction_errors.unwrap_or(before.transaction_errors),
            compute_errors: compute_errors.unwrap_or(before.compute_errors),
            enrollments: enrollments.unwrap_or(before.enrollments),
        }
    }
}

/// How long each kind of record is kept.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetentionOut {
    /// From when a transaction was received.
    #[schema(value_type = String, example = "90-D")]
    transactions: Period,
    /// From when a rejected request was received.
    #[schema(value_type = String, example = "90-D")]
    transaction_errors: Period,
    /// From when something last could not be computed.
    #[schema(value_type = String, example = "90-D")]
    compute_errors: Period,
    /// From when an enrollment last changed here, whenever its event was fired.
    #[schema(value_type = String, example = "1-Y")]
    enrollments: Period,
}

/// A source. What its requests are verified with is never shown.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceOut {
    #[schema(example = "src_2dmHlPBrNdbSXHkUrzEyTQ3mEXz")]
    id: String,
    /// The caller's own name for it.
    uid: Option<String>,
    /// For people.
    name: String,
    /// Who sends.
    #[schema(schema_with = kinds)]
    kind: SourceKind,
    /// Where its webhooks are taken, whichever organization it is of.
    #[schema(example = "/in/src_2dmHlPBrNdbSXHkUrzEyTQ3mEXz")]
    path: String,
    /// How a generic sender signs.
    signature: Option<SignatureOut>,
    /// The header with the sender's id of a webhook; for kinds without one of their own.
    id_header: Option<String>,
    /// The header with the event's name; for kinds without one of their own.
    event_header: Option<String>,
    /// The application that gets each event as a message.
    forward_to: Option<String>,
    /// How long records are kept.
    retention: RetentionOut,
    #[schema(value_type = String, format = "date-time")]
    created_at: Timestamp,
    #[schema(value_type = String, format = "date-time")]
    updated_at: Timestamp,
}

impl From<Source> for SourceOut {
    fn from(source: Source) -> Self {
        let Source {
            id,
            organization: _,
            uid,
            name,
            scheme,
            keys: _,
            forward_to,
            retention: Retention { transactions, transaction_errors, compute_errors, enrollments },
            created_at,
            updated_at,
        } = source;
        let kind = scheme.kind();
        let (signature, names) = match scheme {
            Scheme::Generic { signature, names } => (Some(signature), names),
            Scheme::None { names } => (None, names),
            Scheme::Docebo | Scheme::Github | Scheme::Shopify | Scheme::Slack | Scheme::Standard | Scheme::Stripe => {
                (None, Names::default())
            }
        };
        Self {
            path: format!("/in/{id}"),
            id: id.to_string(),
            uid: uid.map(String::from),
            name,
            kind,
            signature: signature.map(SignatureOut::from),
            id_header: names.id_header.map(String::from),
            event_header: names.event_header.map(String::from),
            forward_to: forward_to.map(|reference| reference.to_string()),
            retention: RetentionOut { transactions, transaction_errors, compute_errors, enrollments },
            created_at,
            updated_at,
        }
    }
}
