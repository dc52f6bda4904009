//! Endpoints' keys, headers and tokens, opened. Opening costs more than signing, so what was opened is kept beside what it was
//! sealed as: an endpoint whose secret was rotated brings other bytes, and is opened again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use tidings_domain::endpoint::{Endpoint, Sealed};
use tidings_domain::endpoint_headers::EndpointHeaders;
use tidings_domain::ids::EndpointId;
use tidings_domain::signature::EndpointKeys;
use tidings_store::{DecodeError, StoreError};
use tidings_vault::Vault;

/// Endpoints whose keys are kept open; beyond it all are closed.
const KEPT: usize = 10_000;

/// What requests to an endpoint are made with.
pub(crate) struct Signer {
    pub(crate) keys: EndpointKeys,
    pub(crate) headers: HeaderMap,
    /// The token as JSON.
    token: Option<String>,
    sealed: (Sealed, Option<Sealed>, Option<Sealed>),
}

impl Signer {
    /// What is sent, and signed: the payload byte for byte, beside the token where there is one.
    pub(crate) fn body(&self, payload: &Bytes) -> Bytes {
        let Some(token) = &self.token else { return payload.clone() };
        [br#"{"token":"#, token.as_bytes(), br#","payload":"#, payload, b"}"].concat().into()
    }
}

/// The signers of this execution environment.
#[derive(Default)]
pub(crate) struct Signers(Mutex<HashMap<EndpointId, Arc<Signer>>>);

impl Signers {
    /// An endpoint's. An error is one that trying again does not mend.
    pub(crate) fn of(&self, vault: &Vault, endpoint: &Endpoint) -> Result<Arc<Signer>, StoreError> {
        if let Some(known) = self.lock().get(&endpoint.id)
            && known.sealed.0 == endpoint.keys
            && known.sealed.1 == endpoint.headers
            && known.sealed.2 == endpoint.token
        {
            return Ok(Arc::clone(known));
        }
        let signer = Arc::new(open(vault, endpoint)?);
        let mut known = self.lock();
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(endpoint.id, Arc::clone(&signer));
        Ok(signer)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<EndpointId, Arc<Signer>>> {
        // Nothing that holds the lock leaves it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(vault: &Vault, endpoint: &Endpoint) -> Result<Signer, StoreError> {
    let unreadable = |context: &str, problem: &dyn std::fmt::Display| {
        StoreError::from(DecodeError { key: context.to_owned(), problem: problem.to_string() })
    };
    let opened = |context: &str, sealed: &Sealed| {
        let opened = vault.open(endpoint.organization, context, sealed).map_err(|error| unreadable(context, &error))?;
        let text = opened.as_text().ok_or_else(|| unreadable(context, &"no text"))?;
        Ok::<_, StoreError>(text.to_owned())
    };
    let context = endpoint.keys_context();
    let keys =
        EndpointKeys::from_text(&opened(&context, &endpoint.keys)?).map_err(|error| unreadable(&context, &error))?;
    let mut headers = HeaderMap::new();
    if let Some(sealed) = &endpoint.headers {
        let context = endpoint.headers_context();
        let texts =
            EndpointHeaders::from_text(&opened(&context, sealed)?).map_err(|error| unreadable(&context, &error))?;
        for (name, value) in texts.iter() {
            let name = HeaderName::try_from(name).map_err(|error| unreadable(&context, &error))?;
            let mut value = HeaderValue::from_str(value).map_err(|error| unreadable(&context, &error))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    }
    let token = match &endpoint.token {
        Some(sealed) => Some(as_json(&opened(&endpoint.token_context(), sealed)?)),
        None => None,
    };
    let sealed = (endpoint.keys.clone(), endpoint.headers.clone(), endpoint.token.clone());
    Ok(Signer { keys, headers, token, sealed })
}

/// A text as JSON has it.
fn as_json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
