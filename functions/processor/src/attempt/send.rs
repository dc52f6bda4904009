//! The request of an attempt, and what its answer means.

use std::time::{Duration, UNIX_EPOCH};

use http::StatusCode;
use tidings_domain::Timestamp;
use tidings_domain::attempt::kept_response;
use tidings_domain::endpoint::Retried;
use tidings_egress::Response;
use tidings_store::StoreError;
use tidings_telemetry::chain;
use tracing::info;

use super::{Order, full_patience};
use crate::Context;
use crate::request::{Signed, post};

pub(super) struct Answer {
    pub(super) verdict: Verdict,
    pub(super) status: u16,
    pub(super) text: String,
    pub(super) duration: Duration,
    pub(super) retry_after: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Taken,
    Failed,
    /// The answer would be the same another time.
    Final,
    /// The endpoint says that it will never take anything again.
    Gone,
    /// It was not given the time that is its due.
    CutOff,
}

/// Sends it, once.
pub(super) async fn send(context: &Context, order: &Order<'_>, at: Timestamp) -> Result<Answer, StoreError> {
    let options = &context.options;
    let endpoint = order.endpoint;
    let signer = context.signers.of(&options.vault, endpoint)?;
    let id = order.message.id.to_string();
    let body = signer.body(order.payload);
    let request = Signed {
        id: &id,
        url: endpoint.url.as_url(),
        headers: signer.headers.clone(),
        signatures: &signer.keys.signatures(&id, at, &body),
        body,
        at,
    };
    let started = tokio::time::Instant::now();
    let answer = post(&options.egress, request, order.patience).await;
    let now = options.clock.now();
    let destination = endpoint.id.to_string();
    Ok(match answer {
        Ok(answer) => {
            if answer.status.is_success() {
                context.destinations.succeeded(&destination, answer.elapsed, now);
            } else {
                context.destinations.failed(&destination, now);
            }
            judge(&answer, endpoint.retried, now)
        }
        Err(error) => {
            if !error.is_timeout() {
                context.destinations.failed(&destination, now);
            } else if order.keeps_a_batch_waiting {
                context.destinations.kept_waiting(&destination, now);
            } else {
                context.destinations.timed_out(&destination, now);
            }
            info!(endpoint.id = %endpoint.id, message.id = %order.message.id, error = chain(&error), "no answer");
            let cut_off = error.is_timeout() && order.patience < full_patience(context, endpoint);
            Answer {
                verdict: if cut_off { Verdict::CutOff } else { Verdict::Failed },
                status: 0,
                text: error.to_string(),
                duration: started.elapsed(),
                retry_after: None,
            }
        }
    })
}

fn judge(answer: &Response, retried: Retried, now: Timestamp) -> Answer {
    let verdict = match answer.status {
        status if status.is_success() => Verdict::Taken,
        StatusCode::GONE => Verdict::Gone,
        status if !retried.includes(status.as_u16()) => Verdict::Final,
        _ => Verdict::Failed,
    };
    let asks_to_wait = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE].contains(&answer.status);
    let now = UNIX_EPOCH + Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or_default());
    Answer {
        verdict,
        status: answer.status.as_u16(),
        text: kept_response(&answer.body),
        duration: answer.elapsed,
        retry_after: answer.retry_after(now).filter(|_| asks_to_wait),
    }
}
