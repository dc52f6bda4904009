//! Deliveries: a message on its way to one endpoint. There is no record of a delivery but its attempts; the newest one says
//! what happens next.

mod origin;

use serde::{Deserialize, Serialize};

pub use self::origin::Origin;
use crate::Timestamp;
use crate::agenda::{Entry, EntryKey, Kind, RecordName, Work};
use crate::application::{ids, work};
use crate::attempt::{Attempt, AttemptStatus};
use crate::ids::{ApplicationId, EndpointId, MessageId, OrganizationId};

/// Where a message stands at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryStatus {
    /// It was taken.
    Success,
    /// It was not, and another attempt is due.
    Pending,
    /// It was not, and no other attempt follows.
    Fail,
    /// No attempt was made yet.
    Sending,
}

impl DeliveryStatus {
    /// What the newest attempt says.
    pub fn of(newest: Option<&Attempt>) -> Self {
        match newest.map(|attempt| (attempt.status, attempt.next_attempt)) {
            None => Self::Sending,
            Some((AttemptStatus::Success, _)) => Self::Success,
            Some((AttemptStatus::Fail, Some(_))) => Self::Pending,
            Some((AttemptStatus::Fail, None)) => Self::Fail,
        }
    }
}

/// Why a delivery is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// The message, or the schedule after a failure.
    Scheduled,
    /// Somebody asked for it.
    Manual,
}

/// A message and one of its endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Delivery {
    /// The tenant.
    pub organization: OrganizationId,
    /// Whose message and endpoint they are.
    pub application: ApplicationId,
    /// Where to.
    pub endpoint: EndpointId,
    /// What.
    pub message: MessageId,
}

impl Delivery {
    /// What is owed.
    pub fn work(&self) -> Work {
        let Self { organization, application, endpoint, message } = self;
        let ids = [organization.to_string(), application.to_string(), endpoint.to_string(), message.to_string()];
        work(Kind::Delivery, &ids.each_ref().map(String::as_str))
    }

    /// Its entry on the agenda, with so many tries behind it. Its destination is the endpoint: of two endpoints on one
    /// host, one may hang while the other answers.
    pub fn entry(&self, due: Timestamp, tries: u32, origin: Origin) -> Entry {
        let destination = Some(self.endpoint.to_string());
        Entry { key: EntryKey { due, work: self.work() }, tries, destination, note: origin.note() }
    }

    /// The other way.
    pub fn parse(record: &RecordName) -> Option<Self> {
        let [organization, application, endpoint, message] = ids(record)?;
        Some(Self {
            organization: organization.parse().ok()?,
            application: application.parse().ok()?,
            endpoint: endpoint.parse().ok()?,
            message: message.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_of_a_delivery_round_trips() {
        let at = Timestamp::from_millis(1_710_341_906_007);
        let delivery = Delivery {
            organization: OrganizationId::least_at(at),
            application: ApplicationId::least_at(at),
            endpoint: EndpointId::least_at(at),
            message: MessageId::least_at(at),
        };
        assert_eq!(Delivery::parse(&delivery.work().record), Some(delivery));
    }
}
