//! What a body says of how requests are verified and read. Which properties there are depends on the kind.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tidings_domain::patch::Patch;
use tidings_domain::source::{Algorithm, Encoding, HeaderName, Names, Scheme, SignatureFormat, SourceKind};
use tidings_http::{Fault, FaultKind, FromJson, Object, text};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object as Schema, ObjectBuilder, Type};

const ALGORITHMS: [&str; 3] = ["sha1", "sha256", "sha512"];
const ENCODINGS: [&str; 2] = ["base64", "hex"];

/// The kinds as a schema.
pub(super) fn kinds() -> Schema {
    one_of("Who sends, and so how it is verified.", SourceKind::ALL.map(SourceKind::code))
}

fn algorithms() -> Schema {
    one_of("The hash; `sha256` if none is given.", ALGORITHMS)
}

fn encodings() -> Schema {
    one_of("How the signature is written; `hex` if nothing is given.", ENCODINGS)
}

fn one_of<const N: usize>(description: &str, texts: [&'static str; N]) -> Schema {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description)).enum_values(Some(texts)).build()
}

/// A text that is one of a few.
fn listed<T: DeserializeOwned>(value: Value, texts: &[&str]) -> Result<T, Vec<Fault>> {
    let listed = || format!("must be one of {}", texts.join(", "));
    text(value, |text| serde_json::from_value(text.into()).map_err(|_| listed()))
}

pub(super) struct KindIn(pub(super) SourceKind);

impl FromJson for KindIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        listed(value, &SourceKind::ALL.map(SourceKind::code)).map(Self)
    }
}

struct AlgorithmIn(Algorithm);

impl FromJson for AlgorithmIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        listed(value, &ALGORITHMS).map(Self)
    }
}

struct EncodingIn(Encoding);

impl FromJson for EncodingIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        listed(value, &ENCODINGS).map(Self)
    }
}

struct HeaderIn(HeaderName);

impl FromJson for HeaderIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        text(value, |text| HeaderName::try_from(text).map(Self))
    }
}

struct PrefixIn(String);

impl FromJson for PrefixIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        text(value, |text| SignatureFormat::check_prefix(&text).map(|()| Self(text)))
    }
}

/// How a generic sender signs: an HMAC of the body in a header.
#[derive(Debug, Clone, ToSchema)]
pub struct SignatureIn {
    /// The header.
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "x-signature")]
    header: HeaderName,
    /// The hash; `sha256` if none is given.
    #[schema(schema_with = algorithms, required = false)]
    algorithm: Algorithm,
    /// How it is written; `hex` if nothing is given.
    #[schema(schema_with = encodings, required = false)]
    encoding: Encoding,
    /// What stands before it.
    #[schema(required = false, max_length = 100, example = "sha256=")]
    prefix: String,
}

impl FromJson for SignatureIn {
    fn from_json(value: Value) -> Result<Self, Vec<Fault>> {
        let mut object = Object::from_json(value)?;
        let header = object.required("header").map(|HeaderIn(header)| header);
        let algorithm = object.optional("algorithm").map(|AlgorithmIn(algorithm)| algorithm).unwrap_or_default();
        let encoding = object.optional("encoding").map(|EncodingIn(encoding)| encoding).unwrap_or_default();
        let prefix = object.optional("prefix").map(|PrefixIn(prefix)| prefix).unwrap_or_default();
        object.finish(|| Some(Self { header: header?, algorithm, encoding, prefix }))
    }
}

impl From<SignatureIn> for SignatureFormat {
    fn from(given: SignatureIn) -> Self {
        let SignatureIn { header, algorithm, encoding, prefix } = given;
        Self { header, algorithm, encoding, prefix }
    }
}

/// How a generic sender signs.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignatureOut {
    /// The header.
    header: String,
    /// The hash.
    #[schema(schema_with = algorithms)]
    algorithm: Algorithm,
    /// How it is written.
    #[schema(schema_with = encodings)]
    encoding: Encoding,
    /// What stands before it.
    prefix: String,
}

impl From<SignatureFormat> for SignatureOut {
    fn from(format: SignatureFormat) -> Self {
        let SignatureFormat { header, algorithm, encoding, prefix } = format;
        Self { header: header.into(), algorithm, encoding, prefix }
    }
}

/// How requests are verified and read, where the kind leaves that open.
#[derive(Debug, Clone, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct VerificationIn {
    /// How a sender of kind `generic` signs, which needs it; no other kind has it.
    #[schema(value_type = Option<SignatureIn>)]
    signature: Option<SignatureFormat>,
    /// The header with the sender's id of a webhook, for the kinds `generic` and `none`. Without one, redeliveries
    /// cannot be told from new webhooks.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    id_header: Patch<HeaderName>,
    /// The header with the event's name, for the same kinds. Without one it is the body's `event`, or its `type`.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    event_header: Patch<HeaderName>,
}

impl VerificationIn {
    /// For a source of this kind, if it can be told; `before` is what stays where nothing is said.
    pub(super) fn take(object: &mut Object, kind: Option<SourceKind>, before: Option<&Scheme>) -> Self {
        let mut read = Self { signature: None, id_header: Patch::Absent, event_header: Patch::Absent };
        match kind {
            Some(SourceKind::Generic) => {
                let signature: Option<SignatureIn> = match before {
                    Some(Scheme::Generic { .. }) => object.patch_required("signature"),
                    _ => object.required("signature"),
                };
                read.signature = signature.map(SignatureFormat::from);
            }
            Some(kind) => refuse(object, &["signature"], || format!("is not for a source of kind `{kind}`")),
            None => ignore(object, &["signature"]),
        }
        match kind {
            Some(SourceKind::Generic | SourceKind::None) | None => {
                read.id_header = object.patch("idHeader").map(|HeaderIn(header)| header);
                read.event_header = object.patch("eventHeader").map(|HeaderIn(header)| header);
            }
            Some(kind) => {
                let why = || format!("is not for a source of kind `{kind}`, which has its own");
                refuse(object, &["idHeader", "eventHeader"], why);
            }
        }
        read
    }

    /// The scheme that this makes; `before` is what stays where nothing is said.
    pub(super) fn scheme(self, kind: SourceKind, before: Option<&Scheme>) -> Result<Scheme, Vec<Fault>> {
        let Self { signature, id_header, event_header } = self;
        let (old_signature, old) = match before {
            Some(Scheme::Generic { signature, names }) => (Some(signature.clone()), names.clone()),
            Some(Scheme::None { names }) => (None, names.clone()),
            _ => (None, Names::default()),
        };
        let names = Names { id_header: id_header.or(old.id_header), event_header: event_header.or(old.event_header) };
        Ok(match kind {
            SourceKind::Docebo => Scheme::Docebo,
            SourceKind::Generic => {
                let missing = || vec![Fault::new(FaultKind::Missing, "is required").within("signature")];
                Scheme::Generic { signature: signature.or(old_signature).ok_or_else(missing)?, names }
            }
            SourceKind::Github => Scheme::Github,
            SourceKind::None => Scheme::None { names },
            SourceKind::Shopify => Scheme::Shopify,
            SourceKind::Slack => Scheme::Slack,
            SourceKind::Standard => Scheme::Standard,
            SourceKind::Stripe => Scheme::Stripe,
        })
    }
}

/// Refuses properties that this kind does not have. `null` says nothing, and is no fault.
pub(super) fn refuse(object: &mut Object, names: &[&str], why: impl Fn() -> String) {
    for name in names {
        if object.nullable::<Value>(name).is_some() {
            object.refuse(name, why());
        }
    }
}

/// Passes over properties of which cannot be told whether they are right.
pub(super) fn ignore(object: &mut Object, names: &[&str]) {
    for name in names {
        let _: Option<Value> = object.optional(name);
    }
}
