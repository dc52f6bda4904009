//! The events that a platform tells of, and what each says.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

use crate::Timestamp;
use crate::names::EventTypeName;

/// What a property of an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Property {
    /// A text that is not empty.
    Text,
    /// A point in time.
    Time,
}

/// A property that an event must have.
pub type Required = (&'static str, Property);

/// What every event that is delivered has, besides its name, its organization and its time.
const COMMON: [Required; 2] = [("id", Property::Text), ("createdAt", Property::Time)];

/// The property with the event's time. It is added where the platform leaves it out.
pub const TIMESTAMP: &str = "timestamp";

macro_rules! events {
    ($($(#[$doc:meta])* $event:ident = $name:literal [$($property:literal: $kind:ident),*];)+) => {
        /// An event that is delivered to an organization's endpoints.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum DeliveredEvent {
            $($(#[$doc])* $event,)+
        }

        impl DeliveredEvent {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$event),+];

            /// What it is called, and the type of its messages.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$event => $name,)+
                }
            }

            /// What it must have that others may not.
            const fn own(self) -> &'static [Required] {
                match self {
                    $(Self::$event => &[$(($property, Property::$kind)),*],)+
                }
            }
        }
    };
}

events! {
    /// A sandbox was made.
    SandboxCreated = "sandbox.created" ["state": Text, "class": Text];
    /// Its state is another one.
    SandboxStateUpdated = "sandbox.state.updated" ["oldState": Text, "newState": Text, "updatedAt": Time];
    /// The state that it is to have is another one.
    SandboxDesiredStateUpdated = "sandbox.desired-state.updated"
        ["oldDesiredState": Text, "newDesiredState": Text, "updatedAt": Time];
    /// A snapshot was made.
    SnapshotCreated = "snapshot.created" ["name": Text, "state": Text];
    /// Its state is another one.
    SnapshotStateUpdated = "snapshot.state.updated"
        ["name": Text, "oldState": Text, "newState": Text, "updatedAt": Time];
    /// It is gone.
    SnapshotRemoved = "snapshot.removed" ["name": Text, "removedAt": Time];
    /// A volume was made.
    VolumeCreated = "volume.created" ["name": Text, "state": Text];
    /// Its state is another one.
    VolumeStateUpdated = "volume.state.updated"
        ["name": Text, "oldState": Text, "newState": Text, "updatedAt": Time];
    /// It was used.
    VolumeLastUsedAtUpdated = "volume.lastUsedAt.updated" ["name": Text, "lastUsedAt": Time, "updatedAt": Time];
    /// Somebody did something that is recorded.
    AuditLogCreated = "audit-log.created" ["action": Text, "targetType": Text, "targetId": Text];
    /// The record of it is another one.
    AuditLogUpdated = "audit-log.updated"
        ["action": Text, "targetType": Text, "targetId": Text, "updatedAt": Time];
}

impl DeliveredEvent {
    /// The type of its messages.
    pub fn event_type(self) -> EventTypeName {
        self.name().parse().expect("letters, dots and hyphens")
    }

    /// What it must have besides its name, its organization and its time.
    pub fn required(self) -> impl Iterator<Item = Required> {
        COMMON.into_iter().chain(self.own().iter().copied())
    }
}

/// An event of a platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlatformEvent {
    /// There is a new organization: it is initialized, and told nothing.
    OrganizationCreated,
    /// The organization's endpoints are told.
    Delivered(DeliveredEvent),
}

/// A text is not the name of an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not an event of the platform")]
pub struct PlatformEventError;

impl PlatformEvent {
    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrganizationCreated => "organization.created",
            Self::Delivered(event) => event.name(),
        }
    }
}

impl FromStr for PlatformEvent {
    type Err = PlatformEventError;

    fn from_str(text: &str) -> Result<Self, PlatformEventError> {
        let delivered = || DeliveredEvent::ALL.iter().copied().map(Self::Delivered);
        let mut all = std::iter::once(Self::OrganizationCreated).chain(delivered());
        all.find(|event| event.name() == text).ok_or(PlatformEventError)
    }
}

impl fmt::Display for PlatformEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The payload of an event that came without its time: the object as it came, with the time behind its last property.
/// `None` if this is not an object with a property.
pub fn with_timestamp(object: &[u8], at: Timestamp) -> Option<Bytes> {
    let members = object.trim_ascii().strip_suffix(b"}")?.trim_ascii_end();
    if !members.starts_with(b"{") || members.len() == 1 {
        return None;
    }
    let mut payload = members.to_vec();
    payload.extend_from_slice(format!(r#","{TIMESTAMP}":"{at}"}}"#).as_bytes());
    Some(payload.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preconfigured::Preconfigured;

    #[test]
    fn an_event_is_known_by_its_name() {
        assert_eq!(DeliveredEvent::ALL.len(), 11);
        for event in DeliveredEvent::ALL {
            assert_eq!(event.name().parse(), Ok(PlatformEvent::Delivered(*event)));
            assert_eq!(event.event_type().as_str(), event.name());
        }
        assert_eq!("organization.created".parse(), Ok(PlatformEvent::OrganizationCreated));
        assert_eq!("sandbox.deleted".parse::<PlatformEvent>(), Err(PlatformEventError));
    }

    #[test]
    fn what_is_delivered_is_what_the_endpoint_for_everything_wants() {
        let table = Preconfigured::parse(None, None).unwrap();
        let all = table.endpoints().last().unwrap();
        let events: Vec<_> = DeliveredEvent::ALL.iter().map(|event| event.event_type()).collect();
        assert_eq!(all.event_types, events);
    }

    #[test]
    fn a_time_is_added_and_nothing_else_changes() {
        let at = Timestamp::from_millis(1_710_341_906_007);
        let add = |object: &str| {
            with_timestamp(object.as_bytes(), at).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
        };
        let expected = r#"{ "a": 1.50,"timestamp":"2024-03-13T14:58:26.007Z"}"#;
        assert_eq!(add("\n{ \"a\": 1.50 }\n").as_deref(), Some(expected));
        for other in ["{}", "{ }", "[]", "", "1", "}"] {
            assert_eq!(add(other), None, "{other:?}");
        }
    }
}
