//! Idempotency tokens of transactions.
//!
//! The engine has them too, but looks through all of the last ten minutes' at each call, and the SDK sends one with
//! every transaction: at some hundred transactions a second that look would cost more than the transaction. Here the
//! oldest leave from the front of a queue. Like the engine's, they do not outlive the process.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use dynoxide::DynoxideError;
use dynoxide::actions::transact_write_items::TransactWriteItemsResponse;
use serde_json::Value;

use crate::operation::{Operation, Outcome, Refusal};

/// As long as `DynamoDB` keeps them.
const WINDOW: Duration = Duration::from_secs(600);
/// Bounds the memory: an SDK's own retries come within seconds.
const MOST: usize = 50_000;
/// Longer ones are left to the engine, which refuses them in `DynamoDB`'s words.
const MAX_LENGTH: usize = 36;

/// A caller's token and a digest of what it was sent with.
#[derive(Debug)]
pub(crate) struct Token {
    text: String,
    digest: u64,
}

impl Token {
    /// Takes the token out of a transaction, so that the engine does not look at it.
    pub(crate) fn take(operation: &mut Operation, body: &[u8]) -> Option<Self> {
        let Operation::TransactWriteItems(request) = operation else {
            return None;
        };
        let text = request.client_request_token.take_if(|text| text.len() <= MAX_LENGTH)?;
        // Two calls that mean the same may order the attributes of an item differently.
        let digest = serde_json::from_slice::<Value>(body)
            .map(|request| digest(request.get("TransactItems").unwrap_or(&Value::Null)))
            .unwrap_or_default();
        Some(Self { text, digest })
    }
}

/// A hash that does not depend on the order of an object's members.
fn digest(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    match value {
        Value::Object(members) => {
            let sum = members.iter().fold(0_u64, |sum, (name, value)| {
                let mut member = DefaultHasher::new();
                (name, digest(value)).hash(&mut member);
                sum.wrapping_add(member.finish())
            });
            (1_u8, sum).hash(&mut hasher);
        }
        Value::Array(values) => {
            2_u8.hash(&mut hasher);
            for value in values {
                digest(value).hash(&mut hasher);
            }
        }
        Value::String(text) => (3_u8, text).hash(&mut hasher),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            (4_u8, value.to_string()).hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// The answers of the last ten minutes' transactions.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    answers: HashMap<String, (u64, TransactWriteItemsResponse)>,
    order: VecDeque<(Instant, String)>,
}

impl Tokens {
    /// The answer that this token was given before.
    pub(crate) fn recall(&mut self, token: &Token) -> Result<Option<Outcome>, Refusal> {
        self.forget_old(Instant::now());
        match self.answers.get(&token.text) {
            None => Ok(None),
            Some((digest, answer)) if *digest == token.digest => {
                Ok(Some(Outcome::TransactWriteItems(Box::new(answer.clone()))))
            }
            Some(_) => Err(DynoxideError::IdempotentParameterMismatchException(
                "An error occurred (IdempotentParameterMismatchException)".to_owned(),
            )
            .into()),
        }
    }

    pub(crate) fn remember(&mut self, token: Token, outcome: &Outcome) {
        if let Outcome::TransactWriteItems(answer) = outcome {
            self.order.push_back((Instant::now(), token.text.clone()));
            self.answers.insert(token.text, (token.digest, answer.as_ref().clone()));
        }
    }

    fn forget_old(&mut self, now: Instant) {
        while self.order.len() > MOST
            || self.order.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > WINDOW)
        {
            let Some((_, text)) = self.order.pop_front() else {
                break;
            };
            self.answers.remove(&text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_ignores_the_order_of_members_and_nothing_else() {
        let of = |text: &str| digest(&serde_json::from_str(text).unwrap());
        assert_eq!(of(r#"{"a":{"S":"1"},"b":[1,2]}"#), of(r#"{"b":[1,2],"a":{"S":"1"}}"#));
        for other in [
            r#"{"a":{"S":"1"},"b":[2,1]}"#,
            r#"{"a":{"N":"1"},"b":[1,2]}"#,
            r#"{"b":{"S":"1"},"a":[1,2]}"#,
            r#"{"a":{"S":"1"}}"#,
        ] {
            assert_ne!(of(r#"{"a":{"S":"1"},"b":[1,2]}"#), of(other), "{other}");
        }
    }

    #[test]
    fn old_answers_are_forgotten() {
        let mut tokens = Tokens::default();
        let token = |text: &str| Token { text: text.to_owned(), digest: 1 };
        let done = || Outcome::TransactWriteItems(Box::default());
        tokens.remember(token("one"), &done());
        assert!(tokens.recall(&token("one")).unwrap().is_some());
        assert!(tokens.recall(&Token { text: "one".to_owned(), digest: 2 }).is_err());
        tokens.forget_old(Instant::now() + WINDOW + Duration::from_secs(1));
        assert!(tokens.recall(&token("one")).unwrap().is_none());
        assert!(tokens.answers.is_empty());
    }
}
