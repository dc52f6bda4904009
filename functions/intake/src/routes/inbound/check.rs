//! What senders ask before they send.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use serde::Serialize;
use tidings_domain::Timestamp;
use tidings_domain::source::verification::knows_secret;
use tidings_domain::source::{SourceKeys, SourceKind};
use tidings_http::{ApiError, FromQuery, QueryString};
use utoipa::{IntoParams, ToSchema};

use super::proof;

/// Longest challenge, in characters.
pub(super) const MAX_CHALLENGE: usize = 512;

/// What senders call a challenge.
const CHALLENGES: [&str; 2] = ["challenge", "hub.challenge"];

const TOKEN: &str = "hub.verify_token";

/// Says that the door is open.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InboundCheckOut)]
pub struct CheckOut {
    /// `ok`.
    #[schema(value_type = String, example = "ok")]
    status: &'static str,
}

/// What a sender may ask.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "a description only: a question is read by `FromQuery`")]
pub(super) struct QuestionIn {
    /// Is given back: 1 to 512 visible ASCII characters.
    #[param(required = false, min_length = 1, max_length = 512)]
    challenge: String,
    /// The same, as `WebSub` and others name it.
    #[param(rename = "hub.challenge", required = false, min_length = 1, max_length = 512)]
    hub_challenge: String,
    /// Must be the source's secret, if it is there.
    #[param(rename = "hub.verify_token", required = false)]
    hub_verify_token: String,
}

/// What a sender asks. `Debug` is not there: a token is a secret.
pub struct Question {
    challenges: Vec<String>,
    tokens: Vec<String>,
}

impl FromQuery for Question {
    /// Takes everything: nothing is answered before the source is known to be there.
    fn from_query(query: &mut QueryString) -> Option<Self> {
        let mut all = |name| query.all(name, |text| Ok::<_, std::convert::Infallible>(text.to_owned()));
        Some(Self { challenges: CHALLENGES.into_iter().flat_map(&mut all).collect(), tokens: all(TOKEN) })
    }
}

impl Question {
    /// Whether its answer depends on the source's keys.
    pub(super) fn has_token(&self) -> bool {
        !self.tokens.is_empty()
    }

    pub(super) fn answer(
        self,
        keys: Option<&SourceKeys>,
        kind: SourceKind,
        now: Timestamp,
    ) -> Result<Response, ApiError> {
        let Self { mut challenges, tokens } = self;
        if !tokens.is_empty() && !matches!(&*tokens, [token] if knows_secret(keys, token, now)) {
            return Err(ApiError::unverified(proof(kind)));
        }
        challenges.dedup();
        match <[String; 1]>::try_from(challenges) {
            Ok([challenge]) if is_challenge(&challenge) => Ok(give_back(challenge)),
            Err(none) if none.is_empty() => Ok(Json(CheckOut { status: "ok" }).into_response()),
            Ok(_) | Err(_) => Err(ApiError::malformed(format!(
                "A challenge must be one text of 1 to {MAX_CHALLENGE} visible ASCII characters."
            ))),
        }
    }
}

/// Whether a text may be given back. It is somebody's own, so nothing is taken that a challenge need not have.
pub(super) fn is_challenge(text: &str) -> bool {
    (1..=MAX_CHALLENGE).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Never looked at as anything but text, whoever opens it.
pub(super) fn give_back(challenge: String) -> Response {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], challenge).into_response()
}
