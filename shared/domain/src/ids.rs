//! The registry of typed ids, in alphabetical order. An id is a prefix and 27 base-62 characters (a KSUID),
//! so ids of one kind sort by the time of their creation.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use svix_ksuid::KsuidMs;

use crate::Timestamp;

/// Characters of an id after its prefix.
const LEN: usize = 27;

/// Random bytes that a new id is made from.
pub const RANDOM_BYTES: usize = 15;

/// A text is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be `{prefix}` followed by 27 letters or digits")]
pub struct IdError {
    prefix: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; LEN]);

        impl $name {
            #[doc = concat!("What every id of this kind starts with: `", $prefix, "`.")]
            pub const PREFIX: &str = $prefix;

            /// A new id; `random` must be fresh random bytes.
            pub fn new(now: Timestamp, random: [u8; RANDOM_BYTES]) -> Self {
                Self(ksuid(now, random))
            }

            /// The least id that a thing made at this time can have: where lists by time begin and end. Ids count time
            /// in steps of four milliseconds.
            pub fn least_at(at: Timestamp) -> Self {
                Self(ksuid(at, [0; RANDOM_BYTES]))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                f.write_str(std::str::from_utf8(&self.0).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text, $prefix).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    )+};
}

ids! {
    /// An API key's public name; the key itself is shown once and never stored.
    ApiKeyId = "key_";
    /// An application of an organization.
    ApplicationId = "app_";
    /// An attempt to deliver a message to an endpoint.
    AttemptId = "atmpt_";
    /// Work in the background that somebody asked for.
    BackgroundTaskId = "qtask_";
    /// What could not be computed of a transaction.
    ComputeErrorId = "cerr_";
    /// An endpoint of an application.
    EndpointId = "ep_";
    /// An asynchronous job.
    JobId = "job_";
    /// A message of an application.
    MessageId = "msg_";
    /// An organization: the tenant.
    OrganizationId = "org_";
    /// A source of inbound webhooks.
    SourceId = "src_";
    /// An inbound webhook that was rejected.
    TransactionErrorId = "terr_";
    /// An inbound webhook.
    TransactionId = "txn_";
}

fn ksuid(now: Timestamp, random: [u8; RANDOM_BYTES]) -> [u8; LEN] {
    let text = KsuidMs::from_millis(Some(now.as_millis()), Some(&random)).to_string();
    text.as_bytes().try_into().expect("a KSUID has 27 characters")
}

fn parse(text: &str, prefix: &'static str) -> Result<[u8; LEN], IdError> {
    text.strip_prefix(prefix)
        .filter(|rest| rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .and_then(|rest| rest.as_bytes().try_into().ok())
        .ok_or(IdError { prefix })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let id = JobId::new(Timestamp::from_millis(1_700_000_000_000), [7; RANDOM_BYTES]).to_string();
        assert!(id.starts_with("job_") && id.len() == 31, "{id}");
        assert!(id.parse::<JobId>().is_ok());
        assert!(id.parse::<OrganizationId>().is_err());
        assert!("job_".parse::<JobId>().is_err());
        assert!(format!("{id}0").parse::<JobId>().is_err());
        assert!(id.replace(['0', '2'], "#").parse::<JobId>().is_err());
    }

    proptest! {
        #[test]
        fn ids_round_trip_and_sort_by_time(
            first in 1_400_000_000_000_i64..5_000_000_000_000,
            later in 4_i64..1_000_000_000,
            random in any::<[u8; RANDOM_BYTES]>(),
            other in any::<[u8; RANDOM_BYTES]>(),
        ) {
            let id = JobId::new(Timestamp::from_millis(first), random);
            prop_assert_eq!(id.to_string().parse::<JobId>().unwrap(), id);
            // A KSUID counts time in steps of four milliseconds.
            prop_assert!(id < JobId::new(Timestamp::from_millis(first + later), other));
        }
    }
}
