//! Who is calling, and what it may reach.

use serde::{Deserialize, Serialize};

use crate::ids::{ApplicationId, OrganizationId};
use crate::names::{FeatureFlag, Uid};

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
    /// Which event types with a flag an application's token shows; the organization sees all of them.
    pub feature_flags: Vec<FeatureFlag>,
}

impl Caller {
    /// Whether this caller may hand out a credential for `other`: one that can do no more than its own.
    pub fn may_grant(&self, other: &Self) -> bool {
        let scope = self.scope == Scope::Organization || self.scope == other.scope;
        // An application's credential shows no more than the one that it was made with.
        let flags = self.scope == Scope::Organization
            || other.feature_flags.iter().all(|flag| self.feature_flags.contains(flag));
        let people = match (self.role, other.role) {
            (Role::Admin, _) => true,
            (Role::User, Role::Admin) => false,
            (Role::User, Role::User) => other.organizations.iter().all(|name| self.organizations.contains(name)),
        };
        self.organization == other.organization && scope && flags && people
    }

    /// Whether this caller reaches one of its tenant's platform's organizations.
    pub fn reaches(&self, organization: &Uid) -> bool {
        self.role == Role::Admin || self.organizations.iter().any(|name| name == organization.as_str())
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    fn caller(role: Role, organizations: &[&str]) -> Caller {
        Caller {
            organization: OrganizationId::new(Timestamp::from_millis(1_710_341_906_007), [1; 15]),
            scope: Scope::Organization,
            role,
            organizations: organizations.iter().map(ToString::to_string).collect(),
            feature_flags: Vec::new(),
        }
    }

    #[test]
    fn a_user_reaches_its_own_organizations_and_an_admin_every_one() {
        let acme = "acme".parse().unwrap();
        assert!(caller(Role::User, &["other", "acme"]).reaches(&acme) && caller(Role::Admin, &[]).reaches(&acme));
        assert!(!caller(Role::User, &["acme.eu"]).reaches(&acme) && !caller(Role::User, &[]).reaches(&acme));
    }

    #[test]
    fn nobody_grants_more_than_it_has() {
        let user = caller(Role::User, &["acme"]);
        assert!(user.may_grant(&user));
        assert!(!user.may_grant(&caller(Role::Admin, &[])));
        assert!(!user.may_grant(&caller(Role::User, &["acme", "other"])));
        assert!(caller(Role::Admin, &[]).may_grant(&caller(Role::User, &["other"])));

        let application = |byte| Scope::Application(ApplicationId::new(Timestamp::from_millis(1), [byte; 15]));
        let narrow = Caller { scope: application(1), ..user.clone() };
        assert!(user.may_grant(&narrow) && narrow.may_grant(&narrow));
        assert!(!narrow.may_grant(&user));
        assert!(!narrow.may_grant(&Caller { scope: application(2), ..user.clone() }));
        let flagged = Caller { feature_flags: vec!["beta".parse().unwrap()], ..narrow.clone() };
        assert!(user.may_grant(&flagged) && flagged.may_grant(&flagged) && flagged.may_grant(&narrow));
        assert!(!narrow.may_grant(&flagged));
        let organization = OrganizationId::new(Timestamp::from_millis(1), [9; 15]);
        assert!(!caller(Role::Admin, &[]).may_grant(&Caller { organization, ..user }));
    }
}
