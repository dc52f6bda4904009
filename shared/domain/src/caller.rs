//! Who is calling, and what it may reach.

use serde::{Deserialize, Serialize};

use crate::ids::{ApplicationId, OrganizationId};

/// Somebody with a valid credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The tenant.
    pub organization: OrganizationId,
    /// How much of the tenant.
    pub scope: Scope,
    /// What it is among the people of a platform; only the organizations surface asks.
    pub role: Role,
    /// Of a platform's organizations, those that a `user` belongs to.
    pub organizations: Vec<String>,
}

/// How much of a tenant a credential reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everything of the organization.
    Organization,
    /// One application of it, and what that one owns.
    Application(ApplicationId),
}

/// A person's role on a platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reaches the organizations that it belongs to.
    #[default]
    User,
    /// Reaches every organization of its tenant.
    Admin,
}
