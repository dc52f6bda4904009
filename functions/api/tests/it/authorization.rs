use std::collections::BTreeSet;
use std::fmt::Write as _;

use insta::assert_snapshot;

use crate::arrange;
use crate::documents::operations;
use crate::operations::Fixtures;
use crate::support::{Answer, Service, admin, application, expired_token, member, organization, token};

/// Operations that need no token or key: health, the API's description, the mocks, and the doors of sources, whose requests
/// are verified by what their senders know. It only shrinks.
const PUBLIC: [&str; 10] = [
    "complete.create",
    "docs.openapi",
    "docs.page",
    "inbound.check",
    "inbound.create",
    "inbound.docebo.check",
    "inbound.docebo.create",
    "provider.get",
    "v1.health.get",
    "v1.health.ping",
];

/// Operations that make what their path names where it is not there, for its asker. It only shrinks.
const MAKES: [&str; 1] = ["v1.event-type.update"];

/// Operations on a named thing that need the role `admin`: who has not got it learns nothing of what is there.
const ADMINS: [&str; 4] = [
    "organization.create-preconfigured-endpoints",
    "organization.initialize",
    "organization.list-attempts",
    "organization.send",
];

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    Nobody,
    BadToken,
    Expired,
    Application,
    ApplicationKey,
    OtherOrganization,
    OtherKey,
    OtherAdmin,
    Organization,
    Key,
    Member,
    Admin,
}

const ASKERS: [Asker; 12] = [
    Asker::Nobody,
    Asker::BadToken,
    Asker::Expired,
    Asker::Application,
    Asker::ApplicationKey,
    Asker::OtherOrganization,
    Asker::OtherKey,
    Asker::OtherAdmin,
    Asker::Organization,
    Asker::Key,
    Asker::Member,
    Asker::Admin,
];

impl Asker {
    async fn credential(self, service: &Service, fixtures: &Fixtures) -> Option<String> {
        Some(match self {
            Self::Nobody => return None,
            Self::BadToken => format!("{}x", token(&organization(1))),
            Self::Expired => expired_token(&organization(1)),
            Self::Application => token(&application()),
            Self::ApplicationKey => arrange::api_key(&service.store, &application(), 2).await.1,
            Self::OtherOrganization => token(&organization(2)),
            Self::OtherKey => arrange::api_key(&service.store, &organization(2), 3).await.1,
            Self::OtherAdmin => token(&admin(2)),
            Self::Organization => token(&organization(1)),
            Self::Key => fixtures.secret.clone(),
            Self::Member => token(&member(1, "acme")),
            Self::Admin => token(&admin(1)),
        })
    }

    fn is_other(self) -> bool {
        matches!(self, Self::OtherOrganization | Self::OtherKey | Self::OtherAdmin)
    }
}

/// Nothing of organization 1 is in what another one gets.
fn keeps_apart(answer: &Answer, fixtures: &Fixtures) {
    let names = [
        fixtures.failed.id.to_string(),
        fixtures.key.to_string(),
        fixtures.application.id.to_string(),
        fixtures.endpoint.id.to_string(),
        fixtures.source.id.to_string(),
        fixtures.transaction.id.to_string(),
        fixtures.transaction_error.id.to_string(),
        fixtures.compute_error.id.to_string(),
        organization(1).organization.to_string(),
    ];
    for name in names {
        assert!(!answer.body.contains(&name), "{answer:?}");
    }
}

/// What each asker is answered by each operation.
async fn matrix() -> String {
    let mut table = format!("{:50}", "");
    for asker in ASKERS {
        write!(table, "{:>19}", format!("{asker:?}")).unwrap();
    }
    for operation in operations() {
        write!(table, "\n{:50}", operation.id).unwrap();
        for asker in ASKERS {
            // A service of its own: some operations change what others ask for.
            let service = Service::start().await;
            let fixtures = Fixtures::arrange(&service.store).await;
            let credential = asker.credential(&service, &fixtures).await;
            let answer = service.send(fixtures.request(&operation, credential.as_deref())).await;
            operation.promises(&answer);
            if asker.is_other() && operation.guarded {
                keeps_apart(&answer, &fixtures);
            }
            write!(table, "{:>19}", answer.status).unwrap();
        }
    }
    table
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a line for each operation")]
async fn who_may_call_which_operation() {
    assert_snapshot!(matrix().await, @"
                                                                   Nobody           BadToken            Expired        Application     ApplicationKey  OtherOrganization           OtherKey         OtherAdmin       Organization                Key             Member              Admin
    api-key.create                                                    401                401                401                403                403                201                201                201                201                201                201                201
    api-key.list                                                      401                401                401                403                403                200                200                200                200                200                200                200
    api-key.revoke                                                    401                401                401                403                403                404                404                404                204                204                204                204
    application.get-stats                                             401                401                401                200                200                404                404                404                200                200                200                200
    broker.dead-letter.list                                           401                401                401                403                403                200                200                200                200                200                200                200
    broker.job.count                                                  401                401                401                403                403                200                200                200                200                200                200                200
    broker.job.create                                                 401                401                401                403                403                404                404                404                202                202                202                202
    broker.job.get                                                    401                401                401                403                403                404                404                404                200                200                200                200
    broker.job.replay                                                 401                401                401                403                403                404                404                404                202                202                202                202
    broker.subscription.create                                        401                401                401                403                403                200                200                200                200                200                200                200
    broker.subscription.delete                                        401                401                401                403                403                404                404                404                204                204                204                204
    broker.subscription.get                                           401                401                401                403                403                404                404                404                200                200                200                200
    broker.subscription.list                                          401                401                401                403                403                200                200                200                200                200                200                200
    client.create                                                     401                401                401                403                403                201                201                201                201                201                201                201
    client.delete                                                     401                401                401                403                403                404                404                404                204                204                204                204
    client.list                                                       401                401                401                403                403                200                200                200                200                200                200                200
    client.list-batches                                               401                401                401                403                403                200                200                200                200                200                200                200
    client.trigger                                                    401                401                401                403                403                202                202                202                202                202                202                202
    complete.create                                                   200                200                200                200                200                200                200                200                200                200                200                200
    docs.openapi                                                      200                200                200                200                200                200                200                200                200                200                200                200
    docs.page                                                         200                200                200                200                200                200                200                200                200                200                200                200
    endpoint.get-attempt-stats                                        401                401                401                200                200                404                404                404                200                200                200                200
    inbound.check                                                     200                200                200                200                200                200                200                200                200                200                200                200
    inbound.compute-error.get                                         401                401                401                403                403                404                404                404                200                200                200                200
    inbound.compute-error.list                                        401                401                401                403                403                404                404                404                200                200                200                200
    inbound.compute-error.retry                                       401                401                401                403                403                404                404                404                202                202                202                202
    inbound.create                                                    200                200                200                200                200                200                200                200                200                200                200                200
    inbound.docebo.check                                              200                200                200                200                200                200                200                200                200                200                200                200
    inbound.docebo.create                                             200                200                200                200                200                200                200                200                200                200                200                200
    inbound.enrollment.export                                         401                401                401                403                403                404                404                404                200                200                200                200
    inbound.enrollment.import                                         401                401                401                403                403                404                404                404                200                200                200                200
    inbound.enrollment.list                                           401                401                401                403                403                404                404                404                200                200                200                200
    inbound.transaction-error.get                                     401                401                401                403                403                404                404                404                200                200                200                200
    inbound.transaction-error.list                                    401                401                401                403                403                404                404                404                200                200                200                200
    inbound.transaction-error.retry                                   401                401                401                403                403                404                404                404                200                200                200                200
    inbound.transaction.get                                           401                401                401                403                403                404                404                404                200                200                200                200
    inbound.transaction.list                                          401                401                401                403                403                404                404                404                200                200                200                200
    inbound.transaction.replay                                        401                401                401                403                403                404                404                404                202                202                202                202
    inbound.transaction.replay-range                                  401                401                401                403                403                404                404                404                202                202                202                202
    job.create                                                        401                401                401                403                403                201                201                201                201                201                201                201
    job.get                                                           401                401                401                403                403                404                404                404                200                200                200                200
    job.list                                                          401                401                401                403                403                200                200                200                200                200                200                200
    job.retry                                                         401                401                401                403                403                404                404                404                202                202                202                202
    job.signing-secret                                                401                401                401                403                403                200                200                200                200                200                200                200
    logout_api_v1_auth_logout__post                                   401                401                401                204                403                403                403                403                403                403                403                403
    organization.create-endpoint                                      401                401                401                403                403                404                404                201                404                404                201                201
    organization.create-preconfigured-endpoints                       401                401                401                403                403                403                403                201                403                403                403                201
    organization.delete-endpoint                                      401                401                401                403                403                404                404                404                404                404                204                204
    organization.get-initialization-stats                             401                401                401                403                403                403                403                200                403                403                403                200
    organization.get-initialization-status                            401                401                401                403                403                404                404                404                404                404                200                200
    organization.get-status                                           401                401                401                403                403                200                200                200                200                200                200                200
    organization.initialize                                           401                401                401                403                403                403                403                201                403                403                403                201
    organization.list-attempts                                        401                401                401                403                403                403                403                404                403                403                403                200
    organization.list-endpoints                                       401                401                401                403                403                404                404                200                404                404                200                200
    organization.list-preconfigured-endpoints                         401                401                401                403                403                200                200                200                200                200                200                200
    organization.retry-failed-initializations                         401                401                401                403                403                403                403                200                403                403                403                200
    organization.send                                                 401                401                401                403                403                403                403                200                403                403                403                200
    organization.send-event                                           401                401                401                403                403                403                403                202                403                403                403                202
    organization.update-all-endpoints                                 401                401                401                403                403                403                403                200                403                403                403                200
    patch_application                                                 401                401                401                403                403                404                404                404                200                200                200                200
    patch_endpoint                                                    401                401                401                200                200                404                404                404                200                200                200                200
    patch_event_type                                                  401                401                401                403                403                404                404                404                200                200                200                200
    provider.get                                                      200                200                200                200                200                200                200                200                200                200                200                200
    v1.application.create                                             401                401                401                403                403                201                201                201                201                201                201                201
    v1.application.delete                                             401                401                401                403                403                404                404                404                204                204                204                204
    v1.application.get                                                401                401                401                200                200                404                404                404                200                200                200                200
    v1.application.list                                               401                401                401                403                403                200                200                200                200                200                200                200
    v1.application.update                                             401                401                401                403                403                404                404                404                200                200                200                200
    v1.authentication.app-portal-access                               401                401                401                403                403                404                404                404                200                200                200                200
    v1.authentication.expire-all                                      401                401                401                403                403                404                404                404                204                204                204                204
    v1.background-task.get                                            401                401                401                403                403                404                404                404                200                200                200                200
    v1.background-task.list                                           401                401                401                403                403                200                200                200                200                200                200                200
    v1.endpoint.create                                                401                401                401                201                201                404                404                404                201                201                201                201
    v1.endpoint.delete                                                401                401                401                204                204                404                404                404                204                204                204                204
    v1.endpoint.get                                                   401                401                401                200                200                404                404                404                200                200                200                200
    v1.endpoint.get-headers                                           401                401                401                200                200                404                404                404                200                200                200                200
    v1.endpoint.get-secret                                            401                401                401                200                200                404                404                404                200                200                200                200
    v1.endpoint.get-stats                                             401                401                401                200                200                404                404                404                200                200                200                200
    v1.endpoint.list                                                  401                401                401                200                200                404                404                404                200                200                200                200
    v1.endpoint.patch-headers                                         401                401                401                204                204                404                404                404                204                204                204                204
    v1.endpoint.recover                                               401                401                401                202                202                404                404                404                202                202                202                202
    v1.endpoint.replay-missing                                        401                401                401                202                202                404                404                404                202                202                202                202
    v1.endpoint.rotate-secret                                         401                401                401                204                204                404                404                404                204                204                204                204
    v1.endpoint.send-example                                          401                401                401                200                200                404                404                404                200                200                200                200
    v1.endpoint.update                                                401                401                401                200                200                404                404                404                200                200                200                200
    v1.endpoint.update-headers                                        401                401                401                204                204                404                404                404                204                204                204                204
    v1.event-type.create                                              401                401                401                403                403                201                201                201                201                201                201                201
    v1.event-type.delete                                              401                401                401                403                403                404                404                404                204                204                204                204
    v1.event-type.get                                                 401                401                401                200                200                404                404                404                200                200                200                200
    v1.event-type.list                                                401                401                401                200                200                200                200                200                200                200                200                200
    v1.event-type.update                                              401                401                401                403                403                201                201                201                200                200                200                200
    v1.health.get                                                     204                204                204                204                204                204                204                204                204                204                204                204
    v1.health.ping                                                    204                204                204                204                204                204                204                204                204                204                204                204
    v1.message-attempt.expunge-content                                401                401                401                204                204                404                404                404                204                204                204                204
    v1.message-attempt.get                                            401                401                401                200                200                404                404                404                200                200                200                200
    v1.message-attempt.list-attempted-destinations                    401                401                401                200                200                404                404                404                200                200                200                200
    v1.message-attempt.list-attempted-messages                        401                401                401                200                200                404                404                404                200                200                200                200
    v1.message-attempt.list-by-endpoint                               401                401                401                200                200                404                404                404                200                200                200                200
    v1.message-attempt.list-by-msg                                    401                401                401                200                200                404                404                404                200                200                200                200
    v1.message-attempt.resend                                         401                401                401                202                202                404                404                404                202                202                202                202
    v1.message.create                                                 401                401                401                403                403                404                404                404                202                202                202                202
    v1.message.expunge-content                                        401                401                401                204                204                404                404                404                204                204                204                204
    v1.message.get                                                    401                401                401                200                200                404                404                404                200                200                200                200
    v1.message.list                                                   401                401                401                200                200                404                404                404                200                200                200                200
    v1.message.precheck                                               401                401                401                200                200                404                404                404                200                200                200                200
    v1.source.create                                                  401                401                401                403                403                201                201                201                201                201                201                201
    v1.source.delete                                                  401                401                401                403                403                404                404                404                204                204                204                204
    v1.source.get                                                     401                401                401                403                403                404                404                404                200                200                200                200
    v1.source.list                                                    401                401                401                403                403                200                200                200                200                200                200                200
    v1.source.patch                                                   401                401                401                403                403                404                404                404                200                200                200                200
    v1.source.rotate-secret                                           401                401                401                403                403                404                404                404                204                204                204                204
    v1.source.update                                                  401                401                401                403                403                404                404                404                200                200                200                200
    ");
}

#[tokio::test]
async fn an_operation_needs_a_credential_exactly_if_its_document_says_so() {
    let service = Service::start().await;
    let fixtures = Fixtures::arrange(&service.store).await;
    let mut public = BTreeSet::new();
    for operation in operations() {
        let answer = service.send(fixtures.request(&operation, None)).await;
        assert_eq!(answer.status == 401, operation.guarded, "{}", operation.id);
        if !operation.guarded {
            public.insert(operation.id);
        }
    }
    assert_eq!(public, PUBLIC.map(str::to_owned).into());
}

#[tokio::test]
async fn what_another_organization_owns_is_answered_like_what_is_not_there() {
    let service = Service::start().await;
    let fixtures = Fixtures::arrange(&service.store).await;
    let empty = Service::start().await;
    for operation in operations().into_iter().filter(|operation| operation.guarded && operation.path.contains('{')) {
        let bearer = token(&organization(2));
        let theirs = service.send(fixtures.request(&operation, Some(&bearer))).await;
        let nowhere = empty.send(fixtures.request(&operation, Some(&bearer))).await;
        let is_in = |list: &[&str]| list.contains(&&*operation.id);
        let status = if is_in(&MAKES) {
            201
        } else if is_in(&ADMINS) {
            403
        } else {
            404
        };
        assert_eq!((theirs.status, theirs.shown()), (status, nowhere.shown()), "{}", operation.id);
        assert_eq!(theirs.headers.len(), nowhere.headers.len(), "{}", operation.id);
    }
    // And it is as it was.
    let answer = service.get(&format!("/webhook/{}", fixtures.failed.id)).await;
    assert_eq!((answer.status, answer.json()["status"].as_str()), (200, Some("failed")));
    assert_eq!(service.ask_as(&fixtures.secret, http::Method::GET, "/webhook").await.status, 200);
}
