//! Preparing the organizations of a platform: each gets an application and the preconfigured endpoints at the delivery
//! provider. That is pending work with a status of its own.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::agenda::{Kind, RecordName, Work};
use crate::application::{ids, work};
use crate::ids::OrganizationId;
use crate::names::Uid;

/// Where an initialization stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InitializationState {
    /// Accepted; a step is owed.
    Pending,
    /// Every step was done.
    Initialized,
    /// The last try of a step failed; the next one may be on the agenda.
    Failed,
}

impl InitializationState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Initialized, Self::Failed];

    /// What the table calls it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Initialized => "initialized",
            Self::Failed => "failed",
        }
    }
}

/// What is owed to an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Goal {
    /// What is missing of its application and its endpoints.
    Initialize,
    /// New endpoints in the place of those that it has.
    Update,
}

/// An organization of a platform, and how far its initialization is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Initialization {
    /// The tenant.
    pub tenant: OrganizationId,
    /// The platform's own name for the organization.
    pub organization: Uid,
    /// Where it stands.
    pub state: InitializationState,
    /// What is owed, or was last.
    pub goal: Goal,
    /// The delivery provider's name for its application, once it has one.
    pub application: Option<String>,
    /// The delivery provider's names for its preconfigured endpoints, in the order of their configuration. All or none.
    pub endpoints: Vec<String>,
    /// Why the last try failed; none after a success.
    pub last_error: Option<String>,
    /// Tries after a failed one.
    pub retry_count: u32,
    /// When it was first asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Initialization {
    /// One that is asked for now.
    pub fn asked_for(tenant: OrganizationId, organization: Uid, now: Timestamp) -> Self {
        Self {
            tenant,
            organization,
            state: InitializationState::Pending,
            goal: Goal::Initialize,
            application: None,
            endpoints: Vec::new(),
            last_error: None,
            retry_count: 0,
            created_at: now,
            updated_at: now,
        }
    }

    /// What it owes.
    pub fn work(&self) -> Work {
        work(Kind::Initialization, &[&self.tenant.to_string(), self.organization.as_str()])
    }
}

/// The organization that work of the kind `initialization` is for.
pub fn parse_record(record: &RecordName) -> Option<(OrganizationId, Uid)> {
    let [tenant, organization] = ids(record)?;
    Some((tenant.parse().ok()?, organization.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_of_an_initialization_round_trips() {
        let at = Timestamp::from_millis(1_710_341_906_007);
        let tenant = OrganizationId::least_at(at);
        let initialization = Initialization::asked_for(tenant, "acme-1.eu".parse().unwrap(), at);
        let parsed = Some((initialization.tenant, initialization.organization.clone()));
        assert_eq!(parse_record(&initialization.work().record), parsed);
    }
}
