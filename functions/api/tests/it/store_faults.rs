//! The table fails, and nobody outside is told how.

use std::fmt::Write as _;
use std::io;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use insta::assert_snapshot;
use tidings_engine::{Engine, Storage};
use tidings_store::Store;

use crate::documents::{Operation, operations};
use crate::operations::Fixtures;
use crate::support::{Answer, SECRET, Service, admin, token};

/// What the table answers to everything.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    Answer { name: &'static str, status: u16, body: &'static str },
    NoConnection,
    TimeOut,
}

macro_rules! refusal {
    ($name:literal, $status:literal, $type:literal, $rest:literal) => {
        Fault::Answer {
            name: $name,
            status: $status,
            body: concat!(
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#"#,
                $type,
                r#"","message":"arn:aws:dynamodb:eu-west-1:123456789012:table/tidings at 10.0.0.7""#,
                $rest,
                "}"
            ),
        }
    };
}

pub(crate) const THROTTLED: Fault = refusal!("throttled", 400, "ProvisionedThroughputExceededException", "");
pub(crate) const REFUSED: Fault = refusal!("refused", 400, "AccessDeniedException", "");

const FAULTS: [Fault; 10] = [
    THROTTLED,
    refusal!("limited", 400, "ThrottlingException", ""),
    refusal!(
        "cancelled",
        400,
        "TransactionCanceledException",
        r#","CancellationReasons":[{"Code":"ThrottlingError","Message":"10.0.0.7"},{"Code":"None"}]"#
    ),
    refusal!("broken", 500, "InternalServerError", ""),
    Fault::Answer { name: "no JSON", status: 503, body: "<html>10.0.0.7 is being updated</html>" },
    REFUSED,
    refusal!("no table", 400, "ResourceNotFoundException", ""),
    Fault::Answer { name: "cut off", status: 200, body: r#"{"Item":{"pk":{"S":"10.0.0.7"# },
    Fault::NoConnection,
    Fault::TimeOut,
];

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::Answer { name, .. } => name,
            Self::NoConnection => "unreachable",
            Self::TimeOut => "time-out",
        }
    }

    /// A table that does nothing else. It is asked once: how often to ask again is the client's own matter.
    pub(crate) fn store(self) -> Store {
        // The engine is only where the client's other settings come from.
        let config = Engine::open(Storage::Memory).unwrap().config();
        let config = config.http_client(self).retry_config(RetryConfig::disabled()).build();
        Store::new(aws_sdk_dynamodb::Client::from_conf(config), "tidings")
    }
}

impl HttpClient for Fault {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(*self)
    }
}

impl HttpConnector for Fault {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(match *self {
            Self::Answer { status, body, .. } => Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))),
            Self::NoConnection => Err(ConnectorError::io(io::Error::other("no route to 10.0.0.7").into())),
            Self::TimeOut => Err(ConnectorError::timeout(io::Error::other("10.0.0.7 is silent").into())),
        })
    }
}

/// An answer says that it failed, whether to ask again, and nothing about what is behind it.
pub(crate) fn tells_nothing(operation: &Operation, fault: &str, answer: &Answer) {
    operation.promises(answer);
    if answer.status < 500 {
        return;
    }
    let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
    match answer.status {
        503 => assert_eq!((&*code, &answer.headers["retry-after"]), ("unavailable", &"1".parse().unwrap())),
        _ => assert_eq!((answer.status, &*code), (500, "server_error")),
    }
    let all = format!("{:?} {}", answer.headers, answer.body).to_lowercase();
    for word in
        ["10.0.0.7", "arn:", "dynamo", "exception", "throttl", "tidings", "table", "item", "sdk", "job_", SECRET]
    {
        assert!(!all.contains(word), "{} while {fault} says {word:?}: {all}", operation.id);
    }
}

async fn statuses(bearer: &str) -> String {
    let fixtures = Fixtures::imagined();
    let mut table = format!("{:50}", "");
    for fault in FAULTS {
        write!(table, "{:>12}", fault.name()).unwrap();
    }
    for operation in operations() {
        write!(table, "\n{:50}", operation.id).unwrap();
        for fault in FAULTS {
            let service = Service::over(fault.store());
            let answer = service.send(fixtures.request(&operation, Some(bearer))).await;
            tells_nothing(&operation, fault.name(), &answer);
            write!(table, "{:>12}", answer.status).unwrap();
        }
    }
    table
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a line for each operation")]
async fn no_operation_tells_how_the_table_fails() {
    assert_snapshot!(statuses(&token(&admin(1))).await, @"
                                                         throttled     limited   cancelled      broken     no JSON     refused    no table     cut off unreachable    time-out
    api-key.create                                             503         503         500         503         503         500         500         500         503         503
    api-key.list                                               503         503         500         503         503         500         500         500         503         503
    api-key.revoke                                             503         503         500         503         503         500         500         500         503         503
    application.get-stats                                      503         503         500         503         503         500         500         500         503         503
    broker.dead-letter.list                                    503         503         500         503         503         500         500         500         503         503
    broker.job.count                                           503         503         500         503         503         500         500         500         503         503
    broker.job.create                                          503         503         500         503         503         500         500         500         503         503
    broker.job.get                                             503         503         500         503         503         500         500         500         503         503
    broker.job.replay                                          503         503         500         503         503         500         500         500         503         503
    broker.subscription.create                                 503         503         500         503         503         500         500         500         503         503
    broker.subscription.delete                                 503         503         500         503         503         500         500         500         503         503
    broker.subscription.get                                    503         503         500         503         503         500         500         500         503         503
    broker.subscription.list                                   503         503         500         503         503         500         500         500         503         503
    client.create                                              503         503         500         503         503         500         500         500         503         503
    client.delete                                              503         503         500         503         503         500         500         500         503         503
    client.list                                                503         503         500         503         503         500         500         500         503         503
    client.list-batches                                        503         503         500         503         503         500         500         500         503         503
    client.trigger                                             503         503         500         503         503         500         500         500         503         503
    complete.create                                            200         200         200         200         200         200         200         200         200         200
    docs.openapi                                               200         200         200         200         200         200         200         200         200         200
    docs.page                                                  200         200         200         200         200         200         200         200         200         200
    endpoint.get-attempt-stats                                 503         503         500         503         503         500         500         500         503         503
    inbound.check                                              503         503         503         503         503         503         503         503         503         503
    inbound.compute-error.get                                  503         503         500         503         503         500         500         500         503         503
    inbound.compute-error.list                                 503         503         500         503         503         500         500         500         503         503
    inbound.compute-error.retry                                503         503         500         503         503         500         500         500         503         503
    inbound.create                                             503         503         503         503         503         503         503         503         503         503
    inbound.docebo.check                                       503         503         503         503         503         503         503         503         503         503
    inbound.docebo.create                                      503         503         503         503         503         503         503         503         503         503
    inbound.enrollment.export                                  503         503         500         503         503         500         500         500         503         503
    inbound.enrollment.import                                  503         503         500         503         503         500         500         500         503         503
    inbound.enrollment.list                                    503         503         500         503         503         500         500         500         503         503
    inbound.transaction-error.get                              503         503         500         503         503         500         500         500         503         503
    inbound.transaction-error.list                             503         503         500         503         503         500         500         500         503         503
    inbound.transaction-error.retry                            503         503         500         503         503         500         500         500         503         503
    inbound.transaction.get                                    503         503         500         503         503         500         500         500         503         503
    inbound.transaction.list                                   503         503         500         503         503         500         500         500         503         503
    inbound.transaction.replay                                 503         503         500         503         503         500         500         500         503         503
    inbound.transaction.replay-range                           503         503         500         503         503         500         500         500         503         503
    job.create                                                 503         503         503         503         503         500         500         500         503         503
    job.get                                                    503         503         500         503         503         500         500         500         503         503
    job.list                                                   503         503         500         503         503         500         500         500         503         503
    job.retry                                                  503         503         500         503         503         500         500         500         503         503
    job.signing-secret                                         200         200         200         200         200         200         200         200         200         200
    logout_api_v1_auth_logout__post                            403         403         403         403         403         403         403         403         403         403
    organization.create-endpoint                               503         503         500         503         503         500         500         500         503         503
    organization.create-preconfigured-endpoints                503         503         500         503         503         500         500         500         503         503
    organization.delete-endpoint                               503         503         500         503         503         500         500         500         503         503
    organization.get-initialization-stats                      503         503         500         503         503         500         500         500         503         503
    organization.get-initialization-status                     503         503         500         503         503         500         500         500         503         503
    organization.get-status                                    200         200         200         200         200         200         200         200         200         200
    organization.initialize                                    503         503         500         503         503         500         500         500         503         503
    organization.list-attempts                                 503         503         500         503         503         500         500         500         503         503
    organization.list-endpoints                                503         503         500         503         503         500         500         500         503         503
    organization.list-preconfigured-endpoints                  200         200         200         200         200         200         200         200         200         200
    organization.retry-failed-initializations                  503         503         500         503         503         500         500         500         503         503
    organization.send                                          503         503         500         503         503         500         500         500         503         503
    organization.send-event                                    503         503         503         503         503         500         500         500         503         503
    organization.update-all-endpoints                          503         503         500         503         503         500         500         500         503         503
    patch_application                                          503         503         500         503         503         500         500         500         503         503
    patch_endpoint                                             503         503         500         503         503         500         500         500         503         503
    patch_event_type                                           503         503         500         503         503         500         500         500         503         503
    provider.get                                               200         200         200         200         200         200         200         200         200         200
    v1.application.create                                      503         503         503         503         503         500         500         500         503         503
    v1.application.delete                                      503         503         500         503         503         500         500         500         503         503
    v1.application.get                                         503         503         500         503         503         500         500         500         503         503
    v1.application.list                                        503         503         500         503         503         500         500         500         503         503
    v1.application.update                                      503         503         500         503         503         500         500         500         503         503
    v1.authentication.app-portal-access                        503         503         500         503         503         500         500         500         503         503
    v1.authentication.expire-all                               503         503         500         503         503         500         500         500         503         503
    v1.background-task.get                                     503         503         500         503         503         500         500         500         503         503
    v1.background-task.list                                    503         503         500         503         503         500         500         500         503         503
    v1.endpoint.create                                         503         503         500         503         503         500         500         500         503         503
    v1.endpoint.delete                                         503         503         500         503         503         500         500         500         503         503
    v1.endpoint.get                                            503         503         500         503         503         500         500         500         503         503
    v1.endpoint.get-headers                                    503         503         500         503         503         500         500         500         503         503
    v1.endpoint.get-secret                                     503         503         500         503         503         500         500         500         503         503
    v1.endpoint.get-stats                                      503         503         500         503         503         500         500         500         503         503
    v1.endpoint.list                                           503         503         500         503         503         500         500         500         503         503
    v1.endpoint.patch-headers                                  503         503         500         503         503         500         500         500         503         503
    v1.endpoint.recover                                        503         503         500         503         503         500         500         500         503         503
    v1.endpoint.replay-missing                                 503         503         500         503         503         500         500         500         503         503
    v1.endpoint.rotate-secret                                  503         503         500         503         503         500         500         500         503         503
    v1.endpoint.send-example                                   503         503         500         503         503         500         500         500         503         503
    v1.endpoint.update                                         503         503         500         503         503         500         500         500         503         503
    v1.endpoint.update-headers                                 503         503         500         503         503         500         500         500         503         503
    v1.event-type.create                                       503         503         503         503         503         500         500         500         503         503
    v1.event-type.delete                                       503         503         500         503         503         500         500         500         503         503
    v1.event-type.get                                          503         503         500         503         503         500         500         500         503         503
    v1.event-type.list                                         503         503         500         503         503         500         500         500         503         503
    v1.event-type.update                                       503         503         500         503         503         500         500         500         503         503
    v1.health.get                                              204         204         204         204         204         204         204         204         204         204
    v1.health.ping                                             204         204         204         204         204         204         204         204         204         204
    v1.message-attempt.expunge-content                         503         503         500         503         503         500         500         500         503         503
    v1.message-attempt.get                                     503         503         500         503         503         500         500         500         503         503
    v1.message-attempt.list-attempted-destinations             503         503         500         503         503         500         500         500         503         503
    v1.message-attempt.list-attempted-messages                 503         503         500         503         503         500         500         500         503         503
    v1.message-attempt.list-by-endpoint                        503         503         500         503         503         500         500         500         503         503
    v1.message-attempt.list-by-msg                             503         503         500         503         503         500         500         500         503         503
    v1.message-attempt.resend                                  503         503         500         503         503         500         500         500         503         503
    v1.message.create                                          503         503         500         503         503         500         500         500         503         503
    v1.message.expunge-content                                 503         503         500         503         503         500         500         500         503         503
    v1.message.get                                             503         503         500         503         503         500         500         500         503         503
    v1.message.list                                            503         503         500         503         503         500         500         500         503         503
    v1.message.precheck                                        503         503         500         503         503         500         500         500         503         503
    v1.source.create                                           503         503         503         503         503         500         500         500         503         503
    v1.source.delete                                           503         503         500         503         503         500         500         500         503         503
    v1.source.get                                              503         503         500         503         503         500         500         500         503         503
    v1.source.list                                             503         503         500         503         503         500         500         500         503         503
    v1.source.patch                                            503         503         500         503         503         500         500         500         503         503
    v1.source.rotate-secret                                    503         503         500         503         503         500         500         500         503         503
    v1.source.update                                           503         503         500         503         503         500         500         500         503         503
    ");
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a line for each operation")]
async fn no_operation_tells_how_the_look_up_of_an_api_key_fails() {
    assert_snapshot!(statuses(&Fixtures::imagined().secret).await, @"
                                                         throttled     limited   cancelled      broken     no JSON     refused    no table     cut off unreachable    time-out
    api-key.create                                             503         503         500         503         503         500         500         500         503         503
    api-key.list                                               503         503         500         503         503         500         500         500         503         503
    api-key.revoke                                             503         503         500         503         503         500         500         500         503         503
    application.get-stats                                      503         503         500         503         503         500         500         500         503         503
    broker.dead-letter.list                                    503         503         500         503         503         500         500         500         503         503
    broker.job.count                                           503         503         500         503         503         500         500         500         503         503
    broker.job.create                                          503         503         500         503         503         500         500         500         503         503
    broker.job.get                                             503         503         500         503         503         500         500         500         503         503
    broker.job.replay                                          503         503         500         503         503         500         500         500         503         503
    broker.subscription.create                                 503         503         500         503         503         500         500         500         503         503
    broker.subscription.delete                                 503         503         500         503         503         500         500         500         503         503
    broker.subscription.get                                    503         503         500         503         503         500         500         500         503         503
    broker.subscription.list                                   503         503         500         503         503         500         500         500         503         503
    client.create                                              503         503         500         503         503         500         500         500         503         503
    client.delete                                              503         503         500         503         503         500         500         500         503         503
    client.list                                                503         503         500         503         503         500         500         500         503         503
    client.list-batches                                        503         503         500         503         503         500         500         500         503         503
    client.trigger                                             503         503         500         503         503         500         500         500         503         503
    complete.create                                            200         200         200         200         200         200         200         200         200         200
    docs.openapi                                               200         200         200         200         200         200         200         200         200         200
    docs.page                                                  200         200         200         200         200         200         200         200         200         200
    endpoint.get-attempt-stats                                 503         503         500         503         503         500         500         500         503         503
    inbound.check                                              503         503         503         503         503         503         503         503         503         503
    inbound.compute-error.get                                  503         503         500         503         503         500         500         500         503         503
    inbound.compute-error.list                                 503         503         500         503         503         500         500         500         503         503
    inbound.compute-error.retry                                503         503         500         503         503         500         500         500         503         503
    inbound.create                                             503         503         503         503         503         503         503         503         503         503
    inbound.docebo.check                                       503         503         503         503         503         503         503         503         503         503
    inbound.docebo.create                                      503         503         503         503         503         503         503         503         503         503
    inbound.enrollment.export                                  503         503         500         503         503         500         500         500         503         503
    inbound.enrollment.import                                  503         503         500         503         503         500         500         500         503         503
    inbound.enrollment.list                                    503         503         500         503         503         500         500         500         503         503
    inbound.transaction-error.get                              503         503         500         503         503         500         500         500         503         503
    inbound.transaction-error.list                             503         503         500         503         503         500         500         500         503         503
    inbound.transaction-error.retry                            503         503         500         503         503         500         500         500         503         503
    inbound.transaction.get                                    503         503         500         503         503         500         500         500         503         503
    inbound.transaction.list                                   503         503         500         503         503         500         500         500         503         503
    inbound.transaction.replay                                 503         503         500         503         503         500         500         500         503         503
    inbound.transaction.replay-range                           503         503         500         503         503         500         500         500         503         503
    job.create                                                 503         503         500         503         503         500         500         500         503         503
    job.get                                                    503         503         500         503         503         500         500         500         503         503
    job.list                                                   503         503         500         503         503         500         500         500         503         503
    job.retry                                                  503         503         500         503         503         500         500         500         503         503
    job.signing-secret                                         503         503         500         503         503         500         500         500         503         503
    logout_api_v1_auth_logout__post                            503         503         500         503         503         500         500         500         503         503
    organization.create-endpoint                               503         503         500         503         503         500         500         500         503         503
    organization.create-preconfigured-endpoints                503         503         500         503         503         500         500         500         503         503
    organization.delete-endpoint                               503         503         500         503         503         500         500         500         503         503
    organization.get-initialization-stats                      503         503         500         503         503         500         500         500         503         503
    organization.get-initialization-status                     503         503         500         503         503         500         500         500         503         503
    organization.get-status                                    503         503         500         503         503         500         500         500         503         503
    organization.initialize                                    503         503         500         503         503         500         500         500         503         503
    organization.list-attempts                                 503         503         500         503         503         500         500         500         503         503
    organization.list-endpoints                                503         503         500         503         503         500         500         500         503         503
    organization.list-preconfigured-endpoints                  503         503         500         503         503         500         500         500         503         503
    organization.retry-failed-initializations                  503         503         500         503         503         500         500         500         503         503
    organization.send                                          503         503         500         503         503         500         500         500         503         503
    organization.send-event                                    503         503         500         503         503         500         500         500         503         503
    organization.update-all-endpoints                          503         503         500         503         503         500         500         500         503         503
    patch_application                                          503         503         500         503         503         500         500         500         503         503
    patch_endpoint                                             503         503         500         503         503         500         500         500         503         503
    patch_event_type                                           503         503         500         503         503         500         500         500         503         503
    provider.get                                               200         200         200         200         200         200         200         200         200         200
    v1.application.create                                      503         503         500         503         503         500         500         500         503         503
    v1.application.delete                                      503         503         500         503         503         500         500         500         503         503
    v1.application.get                                         503         503         500         503         503         500         500         500         503         503
    v1.application.list                                        503         503         500         503         503         500         500         500         503         503
    v1.application.update                                      503         503         500         503         503         500         500         500         503         503
    v1.authentication.app-portal-access                        503         503         500         503         503         500         500         500         503         503
    v1.authentication.expire-all                               503         503         500         503         503         500         500         500         503         503
    v1.background-task.get                                     503         503         500         503         503         500         500         500         503         503
    v1.background-task.list                                    503         503         500         503         503         500         500         500         503         503
    v1.endpoint.create                                         503         503         500         503         503         500         500         500         503         503
    v1.endpoint.delete                                         503         503         500         503         503         500         500         500         503         503
    v1.endpoint.get                                            503         503         500         503         503         500         500         500         503         503
    v1.endpoint.get-headers                                    503         503         500         503         503         500         500         500         503         503
    v1.endpoint.get-secret                                     503         503         500         503         503         500         500         500         503         503
    v1.endpoint.get-stats                                      503         503         500         503         503         500         500         500         503         503
    v1.endpoint.list                                           503         503         500         503         503         500         500         500         503         503
    v1.endpoint.patch-headers                                  503         503         500         503         503         500         500         500         503         503
    v1.endpoint.recover                                        503         503         500         503         503         500         500         500         503         503
    v1.endpoint.replay-missing                                 503         503         500         503         503         500         500         500         503         503
    v1.endpoint.rotate-secret                                  503         503         500         503         503         500         500         500         503         503
    v1.endpoint.send-example                                   503         503         500         503         503         500         500         500         503         503
    v1.endpoint.update                                         503         503         500         503         503         500         500         500         503         503
    v1.endpoint.update-headers                                 503         503         500         503         503         500         500         500         503         503
    v1.event-type.create                                       503         503         500         503         503         500         500         500         503         503
    v1.event-type.delete                                       503         503         500         503         503         500         500         500         503         503
    v1.event-type.get                                          503         503         500         503         503         500         500         500         503         503
    v1.event-type.list                                         503         503         500         503         503         500         500         500         503         503
    v1.event-type.update                                       503         503         500         503         503         500         500         500         503         503
    v1.health.get                                              204         204         204         204         204         204         204         204         204         204
    v1.health.ping                                             204         204         204         204         204         204         204         204         204         204
    v1.message-attempt.expunge-content                         503         503         500         503         503         500         500         500         503         503
    v1.message-attempt.get                                     503         503         500         503         503         500         500         500         503         503
    v1.message-attempt.list-attempted-destinations             503         503         500         503         503         500         500         500         503         503
    v1.message-attempt.list-attempted-messages                 503         503         500         503         503         500         500         500         503         503
    v1.message-attempt.list-by-endpoint                        503         503         500         503         503         500         500         500         503         503
    v1.message-attempt.list-by-msg                             503         503         500         503         503         500         500         500         503         503
    v1.message-attempt.resend                                  503         503         500         503         503         500         500         500         503         503
    v1.message.create                                          503         503         500         503         503         500         500         500         503         503
    v1.message.expunge-content                                 503         503         500         503         503         500         500         500         503         503
    v1.message.get                                             503         503         500         503         503         500         500         500         503         503
    v1.message.list                                            503         503         500         503         503         500         500         500         503         503
    v1.message.precheck                                        503         503         500         503         503         500         500         500         503         503
    v1.source.create                                           503         503         500         503         503         500         500         500         503         503
    v1.source.delete                                           503         503         500         503         503         500         500         500         503         503
    v1.source.get                                              503         503         500         503         503         500         500         500         503         503
    v1.source.list                                             503         503         500         503         503         500         500         500         503         503
    v1.source.patch                                            503         503         500         503         503         500         500         500         503         503
    v1.source.rotate-secret                                    503         503         500         503         503         500         500         500         503         503
    v1.source.update                                           503         503         500         503         503         500         500         500         503         503
    ");
}
