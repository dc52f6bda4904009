use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use tidings_domain::Timestamp;
use tidings_domain::caller::{Caller, Role, Scope};
use tidings_domain::ids::{ApplicationId, OrganizationId};
use tidings_domain::names::FeatureFlag;

use super::key::{JwksDocument, PublicKey};

/// How far the clock of whoever mints tokens may be from ours: a token is accepted that long after its `exp`
/// and before its `nbf`.
pub const LEEWAY: Duration = Duration::from_secs(60);

/// What a token is checked with. Each key checks one algorithm, so that a token cannot ask for a public key to
/// be used as a secret; `none` is no algorithm.
pub(super) struct Verifiers {
    secret: Option<Verifier>,
    public: Vec<Verifier>,
    by_kid: HashMap<String, Verifier>,
}

struct Verifier {
    algorithm: Algorithm,
    key: DecodingKey,
    validation: Validation,
}

impl Verifier {
    fn new(PublicKey { algorithm, key }: PublicKey) -> Self {
        let mut validation = Validation::new(algorithm);
        // The signature only: the library asks the system's clock, and we have our own. Audience and issuer are
        // not looked at, as the contract says: whoever has the key decides.
        validation.required_spec_claims = HashSet::new();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        Self { algorithm, key, validation }
    }

    fn claims(&self, token: &str) -> Option<Claims> {
        decode::<Claims>(token, &self.key, &self.validation).ok().map(|data| data.claims)
    }
}

impl Verifiers {
    pub(super) fn new(hs256_secret: &[u8], public_keys: Vec<PublicKey>, jwks: Option<JwksDocument>) -> Self {
        // With an empty secret everybody could mint.
        let secret = (!hs256_secret.is_empty())
            .then(|| PublicKey { algorithm: Algorithm::HS256, key: DecodingKey::from_secret(hs256_secret) });
        let by_kid = jwks.map(|document| document.keys).unwrap_or_default();
        Self {
            secret: secret.map(Verifier::new),
            public: public_keys.into_iter().map(Verifier::new).collect(),
            by_kid: by_kid.into_iter().map(|(kid, key)| (kid, Verifier::new(key))).collect(),
        }
    }

    /// What a token says, if one of the keys signed it, and it is its time.
    pub(super) fn read(&self, token: &str, now: Timestamp) -> Option<Read> {
        let header = decode_header(token).ok()?;
        // RFC 7515: what is marked as critical must be understood, and we understand nothing beyond the basics.
        if header.crit.is_some() {
            return None;
        }
        let named = header.kid.and_then(|kid| self.by_kid.get(&kid));
        self.secret
            .iter()
            .chain(named)
            .chain(&self.public)
            .filter(|verifier| verifier.algorithm == header.alg)
            .find_map(|verifier| verifier.claims(token))
            .filter(|claims| claims.in_time(now))?
            .read()
    }
}

/// What a good token says.
pub(super) struct Read {
    pub(super) caller: Caller,
    pub(super) issued_at: Option<Timestamp>,
    /// From then on it is refused anyway: its end, and the leeway.
    pub(super) good_until: Timestamp,
}

/// Of a token. Others than these are passed over.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    org: Option<String>,
    /// Required: a token without an end could not be taken back but by changing the secret.
    exp: f64,
    iat: Option<f64>,
    nbf: Option<f64>,
    role: Option<Role>,
    organizations: Option<Vec<String>>,
    feature_flags: Option<Vec<String>>,
}

impl Claims {
    fn in_time(&self, now: Timestamp) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "seconds of some thousand years fit exactly")]
        let now = now.as_secs() as f64;
        let leeway = LEEWAY.as_secs_f64();
        now < self.exp + leeway && self.nbf.is_none_or(|nbf| nbf <= now + leeway)
    }

    fn read(self) -> Option<Read> {
        let Self { sub, org, exp, iat, nbf: _, role, organizations, feature_flags } = self;
        // What is no name of a flag is no event type's either.
        let flags = || feature_flags.into_iter().flatten().filter_map(|flag| flag.parse::<FeatureFlag>().ok());
        let caller = match org {
            // An application is no person: it has no role, whatever its token says.
            Some(organization) => Caller {
                organization: organization.parse().ok()?,
                scope: Scope::Application(sub.parse::<ApplicationId>().ok()?),
                role: Role::default(),
                organizations: Vec::new(),
                feature_flags: flags().collect(),
            },
            None => Caller {
                organization: sub.parse::<OrganizationId>().ok()?,
                scope: Scope::Organization,
                role: role.unwrap_or_default(),
                organizations: organizations.unwrap_or_default(),
                feature_flags: Vec::new(),
            },
        };
        Some(Read { caller, issued_at: iat.map(timestamp), good_until: timestamp(exp) + LEEWAY })
    }
}

/// Seconds since the epoch, as far as there are timestamps.
fn timestamp(seconds: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "it stops at the ends, as it should")]
    Timestamp::from_millis((seconds * 1000.0).round() as i64)
}
