//! What triggers the function, and what it answers.

use std::collections::BTreeMap;

use aws_lambda_events::event::apigw::ApiGatewayWebsocketProxyRequest as Request;
use aws_lambda_events::streams::DynamoDbEventResponse;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;
use tidings_domain::Timestamp;
use tidings_domain::connection::ConnectionId;
use tidings_store::StoreError;
use tidings_store::stream::{Change, changes, failures};
use tidings_telemetry::chain;
use tracing::warn;

use crate::{Opening, Realtime, Refusal};

/// A trigger.
#[derive(Debug)]
pub enum Event {
    /// API Gateway: something happened to a connection.
    Socket(Box<Socket>),
    /// The table's stream: a batch of changes.
    Changes(Vec<Change>),
}

/// What happened to a connection.
#[derive(Debug)]
pub struct Socket {
    id: ConnectionId,
    kind: Kind,
    request: Request,
}

#[derive(Debug)]
enum Kind {
    Connect,
    Message,
    Disconnect,
}

impl<'de> Deserialize<'de> for Event {
    /// A batch has `Records`, an event of a connection says which one and what happened.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(deserializer)?;
        if let Some(changes) = changes(&mut value) {
            return Ok(Self::Changes(changes));
        }
        if value.pointer("/requestContext/connectionId").is_none() {
            return Err(de::Error::custom("neither a batch of a stream (`Records`) nor an event of a connection"));
        }
        let request: Request = serde_json::from_value(value).map_err(de::Error::custom)?;
        let kind = match request.request_context.event_type.as_deref() {
            Some("CONNECT") => Kind::Connect,
            Some("MESSAGE") => Kind::Message,
            Some("DISCONNECT") => Kind::Disconnect,
            _ => return Err(de::Error::custom("`eventType` must be CONNECT, MESSAGE or DISCONNECT")),
        };
        let id = request.request_context.connection_id.clone().unwrap_or_default();
        let id = id.parse().map_err(de::Error::custom)?;
        Ok(Self::Socket(Box::new(Socket { id, kind, request })))
    }
}

/// What the trigger is told.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Response {
    /// The answer to a handshake; API Gateway looks at no other.
    Socket(Answer),
    /// The records that Lambda is to send again.
    Changes(DynamoDbEventResponse),
}

/// An answer as API Gateway takes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    status_code: u16,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<&'static str, &'static str>,
}

impl Answer {
    fn status(status_code: u16) -> Self {
        Self { status_code, headers: BTreeMap::new() }
    }
}

pub(crate) async fn handle(realtime: &Realtime, event: Event) -> Result<Response, StoreError> {
    let Socket { id, kind, request } = match event {
        Event::Changes(changes) => return Ok(Response::Changes(failures(realtime.announce(changes).await))),
        Event::Socket(socket) => *socket,
    };
    let answer = match kind {
        Kind::Connect => connect(realtime, id, &request).await,
        Kind::Message => {
            realtime.hear(&id, request.body.as_deref().unwrap_or_default()).await?;
            Answer::status(200)
        }
        Kind::Disconnect => {
            realtime.closed(&id).await?;
            Answer::status(200)
        }
    };
    Ok(Response::Socket(answer))
}

async fn connect(realtime: &Realtime, id: ConnectionId, request: &Request) -> Answer {
    let query = &request.query_string_parameters;
    let sub_protocols = request.headers.get("sec-websocket-protocol").and_then(|value| value.to_str().ok());
    let opening = Opening {
        id,
        at: Timestamp::from_millis(request.request_context.connected_at),
        engine: query.first("EIO"),
        transport: query.first("transport"),
        sub_protocols,
    };
    match realtime.open(opening).await {
        Ok(accepted) => {
            let headers = accepted.sub_protocol.map(|name| ("Sec-WebSocket-Protocol", name));
            Answer { headers: headers.into_iter().collect(), ..Answer::status(200) }
        }
        Err(refusal) => {
            if matches!(refusal, Refusal::Lookup(_) | Refusal::Store(_)) {
                warn!(error = chain(&refusal), "a connection could not be taken");
            }
            Answer::status(refusal.status())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_told_by_its_form() {
        let read = |json: &str| serde_json::from_str::<Event>(json);
        let socket = |id: &str, kind: &str| {
            let context = r#""connectedAt":1,"requestTimeEpoch":1,"identity":{}"#;
            read(&format!(r#"{{"requestContext":{{"connectionId":"{id}","eventType":"{kind}",{context}}}}}"#))
        };
        assert!(matches!(read(r#"{"Records":[]}"#), Ok(Event::Changes(records)) if records.is_empty()));
        for kind in ["CONNECT", "MESSAGE", "DISCONNECT"] {
            assert!(matches!(socket("L0SM9cOFvHcCIhw=", kind), Ok(Event::Socket(_))), "{kind}");
        }
        assert!(socket("L0SM9cOFvHcCIhw=", "OTHER").is_err());
        assert!(socket("a#b", "CONNECT").is_err());
        for bad in ["{}", "[]", "null", r#"{"requestContext":{}}"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
