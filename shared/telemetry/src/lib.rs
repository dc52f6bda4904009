//! Logs and metrics.
//!
//! A deployed function writes JSON, one line an event: the message readable alone, the fields queryable, names dotted
//! (`job.id`), units in names (`duration_ms`). On a terminal the same events are text. Metrics are lines in CloudWatch's
//! embedded format: they cost no call, and no time on the request's path.

pub mod metric;

use std::fmt::Display;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// What log lines look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON, for machines.
    Json,
    /// Coloured text, for people.
    Terminal,
}

/// Directives like `info,hyper=warn` that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the log filter must be like `info` or `info,hyper=warn`")]
pub struct FilterError(#[from] tracing_subscriber::filter::ParseError);

/// Starts logging to standard error: standard output is for what was asked for, and for metrics. A second call changes nothing.
pub fn init(format: Format, filter: &str) -> Result<(), FilterError> {
    let filter: Targets = filter.parse()?;
    let registry = tracing_subscriber::registry().with(filter);
    let started = match format {
        Format::Json => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_current_span(true)
                    .with_span_list(false)
                    .with_target(true)
                    .with_writer(std::io::stderr),
            )
            .try_init(),
        Format::Terminal => registry
            .with(tracing_subscriber::fmt::layer().with_target(false).with_writer(std::io::stderr).compact())
            .try_init(),
    };
    ignore(started, "somebody started logging before");
    Ok(())
}

/// Swallows an error on purpose. `why` says what makes it harmless.
pub fn ignore<T, E: Display>(result: Result<T, E>, why: &'static str) {
    if let Err(error) = result {
        tracing::debug!(%error, why, "swallowed an error");
    }
}

/// An error and its causes in one text, for the log.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.ends_with(&cause) { text } else { format!("{text}: {cause}") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the outer")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_chain_names_every_cause() {
        assert_eq!(chain(&Outer(std::io::Error::other("the inner"))), "the outer: the inner");
    }

    #[test]
    fn a_wrong_filter_is_an_error() {
        assert!(init(Format::Json, "info=what=this").is_err());
    }
}
