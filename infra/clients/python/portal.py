"""Tokens of one application: what its holder may do, and when it ends."""

import base64
import json
import time
import uuid

from harness import Inbox, Tour, refused, until
from scene import CLIENT as svix
from scene import application, client, endpoint, message
from svix.api import EventTypeListOptions
from svix.exceptions import HttpError
from svix.models import (
    ApplicationIn,
    ApplicationTokenExpireIn,
    AppPortalAccessIn,
    EndpointIn,
    EndpointPatch,
    EventTypeIn,
    MessageIn,
)


def portal(tour: Tour) -> None:
    uid = f"own-{uuid.uuid4()}"
    own, other = application("Own", uid=uid), application("Other")
    inbox = Inbox()
    foreign = endpoint(other, inbox).id
    sent = message(own, {"own": True})
    for flag in ("beta", "gamma"):
        svix.event_type.create(EventTypeIn(name=f"flagged.{flag}", description="", feature_flags=[flag]))

    def access(app: str, **given):
        return svix.authentication.app_portal_access(app, AppPortalAccessIn(**given))

    granted = access(own, feature_flags=["beta"])
    holder = client(granted.token)

    @tour.step("authentication.app_portal_access answers a token and the console's URL with it")
    def _() -> None:
        assert granted.token.count(".") == 2, granted
        # As the hosted service gives it: what follows the # never leaves the browser.
        _, key = granted.url.split("#key=")
        assert json.loads(base64.urlsafe_b64decode(key + "==")) == {"appId": own, "token": granted.token}, granted

    @tour.step("its holder reads and manages its own application")
    def _() -> None:
        assert holder.application.get(own).id == own
        assert holder.application.get(uid).id == own
        made = holder.endpoint.create(own, EndpointIn(url=inbox.url, description="By its holder")).id
        assert holder.endpoint.list(own).data[0].id == made
        assert holder.endpoint.get_secret(own, made).key.startswith("whsec_")
        holder.endpoint.patch(own, made, EndpointPatch(description="Changed"))
        assert holder.message.list(own).data[0].id == sent.id
        holder.message_attempt.resend(own, sent.id, made)
        inbox.wait(1)
        holder.endpoint.delete(own, made)

    @tour.step("its holder sees the event types of its feature flags")
    def _() -> None:
        names = [one.name for one in holder.event_type.list(EventTypeListOptions(limit=250)).data]
        assert "flagged.beta" in names and "flagged.gamma" not in names, names

    @tour.step("another application: 404 not_found")
    def _() -> None:
        for call in (
            lambda: holder.application.get(other),
            lambda: holder.endpoint.list(other),
            lambda: holder.endpoint.get(other, foreign),
            lambda: holder.endpoint.create(other, EndpointIn(url=inbox.url)),
            lambda: holder.endpoint.get(own, foreign),
            lambda: holder.message.list(other),
        ):
            refused(404, "not_found", call)

    @tour.step("what needs the organization: 403 insufficient access")
    def _() -> None:
        for call in (
            lambda: holder.application.list(),
            lambda: holder.application.create(ApplicationIn(name="By its holder")),
            lambda: holder.event_type.create(EventTypeIn(name="by.holder", description="")),
            lambda: holder.message.create(own, MessageIn(event_type="order.placed", payload={})),
            lambda: holder.authentication.app_portal_access(own, AppPortalAccessIn()),
        ):
            refused(403, "insufficient access", call)

    @tour.step("authentication.app_portal_access makes the application that its body brings")
    def _() -> None:
        name = f"portal-{uuid.uuid4()}"
        token = access(name, application=ApplicationIn(name="Brought", uid=name)).token
        assert client(token).application.get(name).name == "Brought"

    @tour.step("authentication.logout ends that token")
    def _() -> None:
        ended = client(access(own).token)
        ended.authentication.logout()
        refused(401, "authentication_failed", lambda: ended.application.get(own))
        assert holder.application.get(own).id == own

    @tour.step("authentication.expire_all ends the tokens there are")
    def _() -> None:
        svix.authentication.expire_all(own, ApplicationTokenExpireIn(expiry=0))

        # Who has just seen a token may take it for some seconds more.
        def ended() -> bool:
            try:
                return not holder.application.get(own)
            except HttpError as error:
                return error.status_code == 401

        until("the token to be refused", ended)
        # Tokens tell the second of their making.
        time.sleep(1.1)
        assert client(access(own).token).application.get(own).id == own
