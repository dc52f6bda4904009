//! Tokens of one application: what its holder may do, and when it ends.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use svix::api::EventTypeListOptions;
use svix::models::{
    AppPortalAccessIn, ApplicationIn, ApplicationTokenExpireIn, EndpointIn, EndpointPatch, EventTypeIn, MessageIn,
};

use crate::event_type;
use crate::scene::{Client, Inbox, Scene, call, unique};
use crate::tour::{Tour, refused, same, until};

pub(crate) async fn portal(tour: &mut Tour, scene: &Scene) -> Result<()> {
    let client = &scene.client;
    let uid = unique("own")?;
    let own = ApplicationIn { uid: Some(uid.clone()), ..ApplicationIn::new("Own".to_owned()) };
    let own = call!(client, application.create(own, None))?.id;
    let other = scene.application("Other").await?;
    let inbox = scene.inbox()?;
    let foreign = scene.endpoint(&other, &inbox).await?.id;
    let sent = scene.message(&own, json!({"own": true})).await?.id;
    for flag in ["beta", "gamma"] {
        let feature_flags = Some(BTreeSet::from([flag.to_owned()]));
        let given = EventTypeIn { feature_flags, ..event_type::named(&format!("flagged.{flag}")) };
        call!(client, event_type.create(given, None))?;
    }
    let access = AppPortalAccessIn { feature_flags: Some(BTreeSet::from(["beta".to_owned()])), ..Default::default() };
    let access = call!(client, authentication.app_portal_access(own.clone(), access, None))?;
    let holder = client.with_token(&access.token);

    tour.step("authentication.app_portal_access answers a token and the console's URL with it", async {
        ensure!(access.token.split('.').count() == 3, "{access:?}");
        // As the hosted service gives it: what follows the # never leaves the browser.
        let key = access.url.split("#key=").nth(1).context("no key")?;
        let key: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(key)?)?;
        same!(key, json!({"appId": own, "token": access.token}));
        Ok(())
    })
    .await;
    tour.step("its holder reads and manages its own application", async {
        same!(call!(holder, application.get(own.clone()))?.id, own);
        same!(call!(holder, application.get(uid.clone()))?.id, own);
        manages(&holder, &own, &sent, &inbox).await
    })
    .await;
    tour.step("its holder sees the event types of its feature flags", async {
        let options = EventTypeListOptions { limit: Some(250), ..Default::default() };
        let list = call!(holder, event_type.list(Some(options)))?.data;
        let sees = |name: &str| list.iter().any(|one| one.name == name);
        ensure!(sees("flagged.beta") && !sees("flagged.gamma"), "{list:?}");
        Ok(())
    })
    .await;
    tour.step("another application: 404 not_found", async {
        let code = "not_found";
        refused(404, code, call!(holder, application.get(other.clone())))?;
        refused(404, code, call!(holder, endpoint.list(other.clone(), None)))?;
        refused(404, code, call!(holder, endpoint.get(other.clone(), foreign.clone())))?;
        refused(404, code, call!(holder, endpoint.create(other.clone(), EndpointIn::new(inbox.url.clone()), None)))?;
        refused(404, code, call!(holder, endpoint.get(own.clone(), foreign.clone())))?;
        refused(404, code, call!(holder, message.list(other.clone(), None)))
    })
    .await;
    tour.step("what needs the organization: 403 insufficient access", async {
        let code = "insufficient access";
        refused(403, code, call!(holder, application.list(None)))?;
        refused(403, code, call!(holder, application.create(ApplicationIn::new("By its holder".to_owned()), None)))?;
        refused(403, code, call!(holder, event_type.create(event_type::named("by.holder"), None)))?;
        let given = MessageIn::new("order.placed".to_owned(), json!({}));
        refused(403, code, call!(holder, message.create(own.clone(), given, None)))?;
        let given = AppPortalAccessIn::new();
        refused(403, code, call!(holder, authentication.app_portal_access(own.clone(), given, None)))
    })
    .await;
    ends(tour, client, &holder, &own).await;
    Ok(())
}

async fn manages(holder: &Client, own: &str, sent: &str, inbox: &Inbox<'_>) -> Result<()> {
    let own = own.to_owned();
    let made = call!(holder, endpoint.create(own.clone(), EndpointIn::new(inbox.url.clone()), None))?.id;
    same!(call!(holder, endpoint.list(own.clone(), None))?.data.first().context("none")?.id, made);
    ensure!(call!(holder, endpoint.get_secret(own.clone(), made.clone()))?.key.starts_with("whsec_"), "no secret");
    let change = EndpointPatch { description: Some("Changed".to_owned()), ..Default::default() };
    call!(holder, endpoint.patch(own.clone(), made.clone(), change))?;
    same!(call!(holder, message.list(own.clone(), None))?.data.first().context("none")?.id, sent);
    call!(holder, message_attempt.resend(own.clone(), sent.to_owned(), made.clone(), None))?;
    inbox.wait(1).await?;
    call!(holder, endpoint.delete(own, made))?;
    Ok(())
}

async fn ends(tour: &mut Tour, client: &Client, holder: &Client, own: &str) {
    let access = async |app: &str, given| {
        call!(client, authentication.app_portal_access(app.to_owned(), given, None))
            .map(|access| client.with_token(&access.token))
    };
    tour.step("authentication.app_portal_access makes the application that its body brings", async {
        let uid = unique("portal")?;
        let application = ApplicationIn { uid: Some(uid.clone()), ..ApplicationIn::new("Brought".to_owned()) };
        let given = AppPortalAccessIn { application: Some(application), ..Default::default() };
        let brought = access(&uid, given).await?;
        same!(call!(brought, application.get(uid.clone()))?.name, "Brought");
        Ok(())
    })
    .await;
    tour.step("authentication.logout ends that token", async {
        let ended = access(own, AppPortalAccessIn::new()).await?;
        call!(ended, authentication.logout(None))?;
        refused(401, "authentication_failed", call!(ended, application.get(own.to_owned())))?;
        same!(call!(holder, application.get(own.to_owned()))?.id, own);
        Ok(())
    })
    .await;
    tour.step("authentication.expire_all ends the tokens there are", async {
        let at_once = ApplicationTokenExpireIn { expiry: Some(0), ..Default::default() };
        call!(client, authentication.expire_all(own.to_owned(), at_once, None))?;
        // Who has just seen a token may take it for some seconds more.
        until("the token to be refused", async || {
            Ok(call!(holder, application.get(own.to_owned())).is_err().then_some(()))
        })
        .await?;
        refused(401, "authentication_failed", call!(holder, application.get(own.to_owned())))?;
        // Tokens tell the second of their making.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let again = access(own, AppPortalAccessIn::new()).await?;
        same!(call!(again, application.get(own.to_owned()))?.id, own);
        Ok(())
    })
    .await;
}
