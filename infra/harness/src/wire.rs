//! The way of requests to the engine, with faults and a meter on it.

use std::sync::{Arc, OnceLock};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use serde_json::{Map, Value, json};

use crate::{Fault, Faults, Meter};

/// An HTTP client for the SDK that wraps the engine's.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    inner: SharedHttpClient,
    faults: Faults,
    meter: Meter,
    /// Only the SDK can make a connector: it is kept for requests that come over HTTP.
    made: Arc<OnceLock<SharedHttpConnector>>,
}

#[derive(Debug, Clone)]
struct Connector {
    inner: SharedHttpConnector,
    faults: Faults,
    meter: Meter,
}

impl Wire {
    pub(crate) fn new(inner: SharedHttpClient, faults: Faults, meter: Meter) -> Self {
        Self { inner, faults, meter, made: Arc::default() }
    }

    /// One request of DynamoDB's protocol. The SDK must have made a call before.
    pub(crate) async fn call(&self, target: &str, body: Vec<u8>) -> Result<(u16, Vec<u8>), ConnectorError> {
        let connector = self.made.get().ok_or_else(|| ConnectorError::user("no call was made yet".into()))?;
        let response = connector.call(request(target, body)).await?;
        Ok((response.status().as_u16(), response.body().bytes().unwrap_or_default().to_vec()))
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let make = || {
            let inner = self.inner.http_connector(settings, components);
            SharedHttpConnector::new(Connector { inner, faults: self.faults.clone(), meter: self.meter.clone() })
        };
        self.made.get_or_init(make).clone()
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = self.clone();
        HttpConnectorFuture::new(async move { connector.answer(request).await })
    }
}

impl Connector {
    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
        let operation = target.rsplit('.').next().unwrap_or_default();
        let body = request.body().bytes().unwrap_or_default().to_vec();
        self.meter.called(operation);
        match self.faults.next(operation, &body) {
            None => self.pass(&target, operation, body).await,
            Some(Fault::Slow(time)) => {
                tokio::time::sleep(time).await;
                self.pass(&target, operation, body).await
            }
            Some(Fault::AnswerLost) => {
                self.pass(&target, operation, body).await?;
                Err(ConnectorError::io("injected: the answer is lost".into()))
            }
            Some(Fault::Unprocessed) => self.half(&target, operation, body).await,
            Some(fault) => match fault.answer(operation, &body) {
                Some((status, body)) => response(status, body),
                None => Err(ConnectorError::io("injected: no connection".into())),
            },
        }
    }

    async fn pass(&self, target: &str, operation: &str, body: Vec<u8>) -> Result<HttpResponse, ConnectorError> {
        let Some(asking) = self.meter.ask(operation, &body) else {
            return self.inner.call(request(target, body)).await;
        };
        let answer = self.inner.call(request(target, asking)).await?;
        self.meter.add(operation, answer.body().bytes().unwrap_or_default());
        Ok(answer)
    }

    /// Does the first half of a batch, and says that the rest was not done.
    async fn half(&self, target: &str, operation: &str, body: Vec<u8>) -> Result<HttpResponse, ConnectorError> {
        let mut wanted: Value = serde_json::from_slice(&body).unwrap_or_default();
        let mut left = Map::new();
        let mut some = false;
        for (table, part) in wanted.get_mut("RequestItems").and_then(Value::as_object_mut).into_iter().flatten() {
            let list = if part.is_array() { Some(&mut *part) } else { part.get_mut("Keys") };
            let Some(list) = list.and_then(Value::as_array_mut) else { continue };
            let rest = list.split_off(list.len() / 2);
            some |= !list.is_empty();
            left.insert(table.clone(), if operation == "BatchGetItem" { json!({"Keys": rest}) } else { rest.into() });
        }
        let mut answer = json!({"Responses": {}});
        if some {
            let done = self.pass(target, operation, wanted.to_string().into_bytes()).await?;
            answer = serde_json::from_slice(done.body().bytes().unwrap_or_default()).unwrap_or_default();
        }
        let name = if operation == "BatchGetItem" { "UnprocessedKeys" } else { "UnprocessedItems" };
        if let Some(fields) = answer.as_object_mut() {
            fields.insert(name.to_owned(), left.into());
        }
        response(200, answer.to_string().into_bytes())
    }
}

fn request(target: &str, body: Vec<u8>) -> HttpRequest {
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.headers_mut().insert("x-amz-target", target.to_owned());
    request
}

fn response(status: u16, body: Vec<u8>) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(status).map_err(|error| ConnectorError::other(error.into(), None))?;
    let mut response = HttpResponse::new(status, SdkBody::from(body));
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    Ok(response)
}
