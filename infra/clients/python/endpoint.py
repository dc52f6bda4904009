"""Endpoints: what they are, their headers and secrets."""

import json
import re
from datetime import UTC, datetime, timedelta

from event_type import EXAMPLE
from harness import Inbox, Tour, pages, refused
from scene import CLIENT as svix
from scene import IS_FIRST, RATE, SET_HEADERS, TYPES, UPSERT, EndpointUpsert, application, endpoint, signing_secret
from svix import Webhook
from svix.api import EndpointGetStatsOptions, EndpointListOptions
from svix.models import (
    EndpointHeadersIn,
    EndpointHeadersPatchIn,
    EndpointIn,
    EndpointPatch,
    EndpointSecretRotateIn,
    EventExampleIn,
    Ordering,
)


def endpoints(tour: Tour) -> None:
    app = application("Endpoints")
    inbox = Inbox()
    key = signing_secret()
    given = {TYPES: ["order.placed", "order.sent"], RATE: 100}
    made = endpoint(
        app,
        inbox,
        uid="main",
        description="The main one",
        channels=["north"],
        metadata={"team": "a"},
        secret=key,
        **given,
    )

    @tour.step("endpoint.create answers what was made")
    def _() -> None:
        assert re.fullmatch(r"ep_[0-9A-Za-z]{27}", made.id), made
        assert (made.url, made.uid, made.description) == (inbox.url, "main", "The main one"), made
        assert sorted(getattr(made, TYPES)) == ["order.placed", "order.sent"], made
        assert (made.channels, made.metadata, getattr(made, RATE)) == (["north"], {"team": "a"}, 100), made
        assert not made.disabled, made
        assert not IS_FIRST or made.version == 1, made

    @tour.step("endpoint.create with a taken uid: 409 conflict")
    def _() -> None:
        refused(409, "conflict", lambda: endpoint(app, inbox, uid="main"))

    @tour.step("endpoint.create with a URL that is none: 422")
    def _() -> None:
        refused(422, None, lambda: svix.endpoint.create(app, EndpointIn(url="ftp://127.0.0.1/")))

    @tour.step("endpoint.get by id and by uid")
    def _() -> None:
        assert svix.endpoint.get(app, made.id) == made
        assert svix.endpoint.get(app, "main") == made
        refused(404, "not_found", lambda: svix.endpoint.get(app, "other"))

    @tour.step(f"endpoint.{UPSERT} creates, then updates")
    def _() -> None:
        upsert = getattr(svix.endpoint, UPSERT)
        created = upsert(app, "put", EndpointUpsert(url=inbox.url, uid="put"))
        again = EndpointUpsert(url=f"{inbox.url}-put", uid="put", description="Again", disabled=True)
        updated = upsert(app, "put", again)
        assert (updated.id, updated.url, updated.disabled) == (created.id, again.url, True), updated
        assert updated.description == "Again", updated

    @tour.step("endpoint.patch changes what it names and leaves the rest")
    def _() -> None:
        patched = svix.endpoint.patch(app, made.id, EndpointPatch(description="Changed", **{TYPES: None}))
        assert (patched.description, getattr(patched, TYPES), patched.channels) == ("Changed", None, ["north"]), patched
        open_ = svix.endpoint.patch(app, made.id, EndpointPatch(channels=None, **{RATE: None}))
        assert (open_.channels, getattr(open_, RATE), open_.description) == (None, None, "Changed"), open_

    @tour.step("endpoint.list pages in both orders")
    def _() -> None:
        endpoint(app, inbox)

        def ask(**given):
            return pages(lambda iterator: svix.endpoint.list(app, EndpointListOptions(iterator=iterator, **given)))

        ids = [one.id for one in ask(limit=1)]
        assert len(ids) == 3 and ids == sorted(ids), ids
        assert [one.id for one in ask(limit=2, order=Ordering.DESCENDING)] == ids[::-1]

    headers(tour, app, made.id)
    secrets(tour, app, made.id, key)

    @tour.step("endpoint.send_example sends an example of the event type's schema, or a ping")
    def _() -> None:
        assert svix.endpoint.send_example(app, made.id, EventExampleIn(event_type="svix.ping")).id.startswith("msg_")
        sent = svix.endpoint.send_example(app, made.id, EventExampleIn(event_type="tour.order-placed"))
        [delivery] = [one for one in inbox.wait(2) if one.headers["webhook-id"] == sent.id]
        assert json.loads(delivery.body) == EXAMPLE
        Webhook(svix.endpoint.get_secret(app, made.id).key).verify(delivery.body, delivery.headers)

    @tour.step("endpoint.get_stats of an endpoint that was sent nothing")
    def _() -> None:
        idle = endpoint(app, inbox)
        now = datetime.now(UTC)
        span = EndpointGetStatsOptions(since=now - timedelta(hours=1), until=now)
        stats = svix.endpoint.get_stats(app, idle.id, span)
        assert (stats.success, stats.pending, stats.sending, stats.fail) == (0, 0, 0, 0), stats

    @tour.step("endpoint.delete; then 404 not_found")
    def _() -> None:
        svix.endpoint.delete(app, "put")
        refused(404, "not_found", lambda: svix.endpoint.get(app, "put"))
        refused(404, "not_found", lambda: svix.endpoint.delete(app, "put"))


def headers(tour: Tour, app: str, ep: str) -> None:
    set_headers = getattr(svix.endpoint, SET_HEADERS)

    def shown() -> tuple[dict[str, str], list[str]]:
        got = svix.endpoint.get_headers(app, ep)
        assert "hidden" not in got.model_dump_json(), got
        return {name.lower(): value for name, value in got.headers.items()}, [name.lower() for name in got.sensitive]

    @tour.step(f"endpoint.{SET_HEADERS}, get_headers: the sensitive ones are named and not shown")
    def _() -> None:
        set_headers(app, ep, EndpointHeadersIn(headers={"X-Tour": "one", "Authorization": "Bearer hidden"}))
        assert shown() == ({"x-tour": "one"}, ["authorization"]), shown()

    @tour.step("endpoint.patch_headers adds and deletes")
    def _() -> None:
        change = EndpointHeadersPatchIn(headers={"X-More": "two"}, delete_headers=["X-Tour"])
        svix.endpoint.patch_headers(app, ep, change)
        assert shown() == ({"x-more": "two"}, ["authorization"]), shown()

    @tour.step("headers that frame a message or carry its signature: 422")
    def _() -> None:
        for name in ("Host", "Content-Length", "webhook-signature", "svix-id"):
            refused(422, None, lambda: set_headers(app, ep, EndpointHeadersIn(headers={name: "x"})))


def secrets(tour: Tour, app: str, ep: str, key: str) -> None:
    def rotate(ep: str, **given) -> None:
        rotated = svix.endpoint.rotate_secret(app, ep, EndpointSecretRotateIn(**given))
        # The second generation is told the new one.
        assert IS_FIRST or rotated.key == svix.endpoint.get_secret(app, ep).key, rotated

    @tour.step("endpoint.get_secret answers the one that was given")
    def _() -> None:
        assert svix.endpoint.get_secret(app, ep).key == key

    @tour.step("endpoint.rotate_secret to a given one, and to a made one")
    def _() -> None:
        following = signing_secret()
        rotate(ep, key=following)
        assert svix.endpoint.get_secret(app, ep).key == following
        rotate(ep)
        made = svix.endpoint.get_secret(app, ep).key
        assert made.startswith("whsec_") and made != following, made

    @tour.step("endpoint.rotate_secret with a secret that is none: 422")
    def _() -> None:
        refused(422, None, lambda: rotate(ep, key="whsec_c2hvcnQ="))

    @tour.step("endpoint.rotate_secret more often than ten times within the grace: 400")
    def _() -> None:
        other = svix.endpoint.create(app, EndpointIn(url="http://127.0.0.1:9/")).id
        for _ in range(10):
            rotate(other)
        refused(400, "limit_reached", lambda: rotate(other))
