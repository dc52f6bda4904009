//! New endpoints, as the core makes them.

use tidings_domain::endpoint::Retried;
use tidings_outbound::endpoint::NewEndpoint;

use super::body::{EndpointIn, EndpointUpdate};

impl From<EndpointIn> for NewEndpoint {
    fn from(request: EndpointIn) -> Self {
        let EndpointIn { settings, secret, headers } = request;
        let EndpointUpdate {
            url,
            uid,
            description,
            event_types,
            channels,
            disabled,
            throttle_rate,
            metadata,
            retry_schedule,
            timeout_seconds,
        } = settings;
        Self {
            url,
            uid: uid.or(None),
            description,
            event_types,
            channels,
            disabled,
            throttle_rate,
            metadata,
            retry_schedule: retry_schedule.or(None),
            timeout: timeout_seconds.or(None),
            retried: Retried::All,
            secret,
            headers,
            token: None,
        }
    }
}
