//! How a server at the other end answers.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, StatusCode};

/// A request as a plan sees it.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// What the request is about: a receiver's `webhook-id`, or a provider's id.
    pub subject: String,
    /// How many requests about it there were, this one included.
    pub attempt: usize,
    /// The path.
    pub path: String,
}

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// A status, with an empty body.
    Status(u16),
    /// A status and a body.
    Body(u16, Bytes),
    /// A redirect (302) to this URL.
    Redirect(String),
    /// Another reply, after a time.
    After(Duration, Box<Reply>),
    /// Never.
    Hang,
    /// 200 at once, then a byte of the body now and then, without end.
    Drip(Duration),
}

/// Says what to answer to each request.
#[derive(Clone)]
pub struct Plan(Arc<dyn Fn(&Arrival) -> Reply + Send + Sync>);

impl Plan {
    /// By a function.
    pub fn by(choose: impl Fn(&Arrival) -> Reply + Send + Sync + 'static) -> Self {
        Self(Arc::new(choose))
    }

    /// The same reply always.
    pub fn always(reply: Reply) -> Self {
        Self::by(move |_| reply.clone())
    }

    /// A status always.
    pub fn status(status: u16) -> Self {
        Self::always(Reply::Status(status))
    }

    /// For each subject: these replies in order, the last again and again.
    pub fn in_order(replies: impl Into<Vec<Reply>>) -> Self {
        let replies = replies.into();
        Self::by(move |arrival| {
            let known = replies.get(arrival.attempt - 1).or(replies.last());
            known.cloned().unwrap_or(Reply::Status(200))
        })
    }

    /// Each of the replies with its share of all requests (0 to 1 in all), else `otherwise`. The same seed gives the
    /// same replies to the same requests, in whatever order they come.
    pub fn by_chance(seed: u64, chances: impl Into<Vec<(f64, Reply)>>, otherwise: Reply) -> Self {
        let chances = chances.into();
        Self::by(move |arrival| {
            let mut hasher = DefaultHasher::new();
            (seed, &arrival.subject, arrival.attempt).hash(&mut hasher);
            let mut draw = fastrand::Rng::with_seed(hasher.finish()).f64();
            for (share, reply) in &chances {
                if draw < *share {
                    return reply.clone();
                }
                draw -= share;
            }
            otherwise.clone()
        })
    }

    /// Changes what another plan says.
    #[must_use]
    pub fn map(self, change: impl Fn(&Arrival, Reply) -> Reply + Send + Sync + 'static) -> Self {
        Self::by(move |arrival| change(arrival, self.choose(arrival)))
    }

    pub(crate) fn choose(&self, arrival: &Arrival) -> Reply {
        (self.0)(arrival)
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plan")
    }
}

impl Reply {
    /// Answers, in its own time.
    pub(crate) async fn respond(self) -> Response {
        match self {
            Self::Status(status) => with_body(status, Body::empty()),
            Self::Body(status, body) => with_body(status, Body::from(body)),
            Self::Redirect(to) => {
                let mut response = with_body(302, Body::empty());
                if let Ok(to) = HeaderValue::from_str(&to) {
                    response.headers_mut().insert(LOCATION, to);
                }
                response
            }
            Self::After(time, reply) => {
                tokio::time::sleep(time).await;
                Box::pin(reply.respond()).await
            }
            Self::Hang => std::future::pending().await,
            Self::Drip(pause) => with_body(200, drip(pause)),
        }
    }
}

fn drip(pause: Duration) -> Body {
    let drops = futures::stream::unfold((), move |()| async move {
        tokio::time::sleep(pause).await;
        Some((Ok::<_, std::convert::Infallible>(Bytes::from_static(b".")), ()))
    });
    Body::from_stream(drops)
}

fn with_body(status: u16, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
