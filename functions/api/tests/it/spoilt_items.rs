//! Items that cannot be read: an answer says so, and not what is wrong with them.

use std::fmt::Write as _;

use aws_sdk_dynamodb::types::AttributeValue;
use http::Method;
use insta::assert_snapshot;
use tidings_store::Store;

use crate::arrange;
use crate::documents::operations;
use crate::operations::Fixtures;
use crate::store_faults::tells_nothing;
use crate::support::{Service, admin, token};

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a line for each operation")]
async fn no_operation_tells_what_is_wrong_with_an_item_that_cannot_be_read() {
    let mut statuses = String::new();
    for operation in operations() {
        let service = Service::start().await;
        let fixtures = Fixtures::arrange(&service.store).await;
        spoil(&service.store).await;
        let answer = service.send(fixtures.request(&operation, Some(&token(&admin(1))))).await;
        tells_nothing(&operation, "an item is spoilt", &answer);
        writeln!(statuses, "{:50}{}", operation.id, answer.status).unwrap();
    }
    assert_snapshot!(statuses, @"
    api-key.create                                    201
    api-key.list                                      500
    api-key.revoke                                    500
    application.get-stats                             500
    broker.dead-letter.list                           500
    broker.job.count                                  500
    broker.job.create                                 202
    broker.job.get                                    500
    broker.job.replay                                 500
    broker.subscription.create                        200
    broker.subscription.delete                        500
    broker.subscription.get                           200
    broker.subscription.list                          200
    client.create                                     500
    client.delete                                     500
    client.list                                       500
    client.list-batches                               500
    client.trigger                                    500
    complete.create                                   200
    docs.openapi                                      200
    docs.page                                         200
    endpoint.get-attempt-stats                        500
    inbound.check                                     503
    inbound.compute-error.get                         500
    inbound.compute-error.list                        500
    inbound.compute-error.retry                       500
    inbound.create                                    503
    inbound.docebo.check                              503
    inbound.docebo.create                             503
    inbound.enrollment.export                         500
    inbound.enrollment.import                         500
    inbound.enrollment.list                           500
    inbound.transaction-error.get                     500
    inbound.transaction-error.list                    500
    inbound.transaction-error.retry                   500
    inbound.transaction.get                           500
    inbound.transaction.list                          500
    inbound.transaction.replay                        500
    inbound.transaction.replay-range                  500
    job.create                                        201
    job.get                                           500
    job.list                                          500
    job.retry                                         500
    job.signing-secret                                200
    logout_api_v1_auth_logout__post                   403
    organization.create-endpoint                      500
    organization.create-preconfigured-endpoints       500
    organization.delete-endpoint                      500
    organization.get-initialization-stats             200
    organization.get-initialization-status            500
    organization.get-status                           200
    organization.initialize                           500
    organization.list-attempts                        500
    organization.list-endpoints                       500
    organization.list-preconfigured-endpoints         200
    organization.retry-failed-initializations         500
    organization.send                                 500
    organization.send-event                           202
    organization.update-all-endpoints                 500
    patch_application                                 500
    patch_endpoint                                    500
    patch_event_type                                  500
    provider.get                                      200
    v1.application.create                             201
    v1.application.delete                             500
    v1.application.get                                500
    v1.application.list                               500
    v1.application.update                             500
    v1.authentication.app-portal-access               500
    v1.authentication.expire-all                      500
    v1.background-task.get                            500
    v1.background-task.list                           500
    v1.endpoint.create                                500
    v1.endpoint.delete                                500
    v1.endpoint.get                                   500
    v1.endpoint.get-headers                           500
    v1.endpoint.get-secret                            500
    v1.endpoint.get-stats                             500
    v1.endpoint.list                                  500
    v1.endpoint.patch-headers                         500
    v1.endpoint.recover                               500
    v1.endpoint.replay-missing                        500
    v1.endpoint.rotate-secret                         500
    v1.endpoint.send-example                          500
    v1.endpoint.update                                500
    v1.endpoint.update-headers                        500
    v1.event-type.create                              201
    v1.event-type.delete                              500
    v1.event-type.get                                 500
    v1.event-type.list                                500
    v1.event-type.update                              500
    v1.health.get                                     204
    v1.health.ping                                    204
    v1.message-attempt.expunge-content                500
    v1.message-attempt.get                            500
    v1.message-attempt.list-attempted-destinations    500
    v1.message-attempt.list-attempted-messages        500
    v1.message-attempt.list-by-endpoint               500
    v1.message-attempt.list-by-msg                    500
    v1.message-attempt.resend                         500
    v1.message.create                                 500
    v1.message.expunge-content                        500
    v1.message.get                                    500
    v1.message.list                                   500
    v1.message.precheck                               500
    v1.source.create                                  201
    v1.source.delete                                  500
    v1.source.get                                     500
    v1.source.list                                    500
    v1.source.patch                                   500
    v1.source.rotate-secret                           500
    v1.source.update                                  500
    ");
}

#[tokio::test]
async fn a_spoilt_job_fails_alone() {
    let service = Service::start().await;
    arrange::pending(&service.store, 1).await;
    spoil(&service.store).await;
    let other = arrange::pending(&service.store, 2).await;
    let answer = service.ask(Method::GET, &format!("/webhook/{}", other.id)).await;
    assert_eq!(answer.status, 200);
}

/// Puts into every item of the table what no version has written.
async fn spoil(store: &Store) {
    #[expect(clippy::disallowed_methods, reason = "a test looks at everything")]
    let all = store.client().scan().table_name("tidings").send().await.unwrap();
    for mut item in all.items.unwrap() {
        for name in ["tries", "description", "date", "created_at", "made_at", "received_at"] {
            if let Some(attribute) = item.get_mut(name) {
                *attribute = AttributeValue::Bool(true);
            }
        }
        store.client().put_item().table_name("tidings").set_item(Some(item)).send().await.unwrap();
    }
}
