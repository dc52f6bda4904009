//! The core of what is sent out: making endpoints, and who delivers for a platform's organizations.
//!
//! There is one way to make an endpoint ([`endpoint`]): the API, the smaller surfaces and the platform's organizations
//! all go it. A platform's organizations are served by a [`provider`]: Tidings itself, or a Svix server.

pub mod endpoint;
pub mod preconfigured;
pub mod provider;
