"""Messages: made, found, listed, expunged."""

import re
import time
import uuid
from datetime import UTC, datetime, timedelta

from harness import Inbox, Tour, pages, refused
from scene import CLIENT as svix
from scene import IS_FIRST, application, endpoint, message
from svix.api import ApplicationCreateOptions, MessageCreateOptions, MessageGetOptions, MessageListOptions
from svix.api.message import message_in_raw
from svix.models import ApplicationIn, MessageIn

PAYLOAD = {"order": "o-1", "total": 12.5, "lines": [{"sku": "a", "count": 2}], "note": None}
FULL, BARE = MessageGetOptions(with_content=True), MessageGetOptions(with_content=False)


def messages(tour: Tour) -> None:
    app = application("Messages")
    event_id = f"event-{uuid.uuid4()}"
    made = message(app, PAYLOAD, event_id=event_id, channels=["north", "west"])

    @tour.step("message.create answers what was made")
    def _() -> None:
        assert re.fullmatch(r"msg_[0-9A-Za-z]{27}", made.id), made
        assert (made.event_type, made.event_id, sorted(made.channels)) == ("order.placed", event_id, ["north", "west"])
        assert abs(datetime.now(UTC) - made.timestamp) < timedelta(minutes=1), made
        # The first generation gets the payload unless it says no, the second when it says yes.
        assert made.payload == (PAYLOAD if IS_FIRST else {}), made

    @tour.step("message.create with with_content, both ways")
    def _() -> None:
        given = MessageIn(event_type="order.placed", payload=PAYLOAD)
        assert svix.message.create(app, given, MessageCreateOptions(with_content=True)).payload == PAYLOAD
        assert svix.message.create(app, given, MessageCreateOptions(with_content=False)).payload == {}

    @tour.step("message.get with and without content")
    def _() -> None:
        got = svix.message.get(app, made.id, FULL)
        assert (got.id, got.payload, got.timestamp) == (made.id, PAYLOAD, made.timestamp), got
        assert svix.message.get(app, made.id, BARE).payload == {}
        refused(404, "not_found", lambda: svix.message.get(app, "msg_2aaaaaaaaaaaaaaaaaaaaaaaaaa"))

    @tour.step("message.get by event id")
    def _() -> None:
        assert svix.message.get(app, event_id, BARE).id == made.id

    @tour.step("message.create with an event id that is taken: 409 conflict")
    def _() -> None:
        refused(409, "conflict", lambda: message(app, {}, event_id=event_id))

    @tour.step("message.create for an application that does not exist: 404 not_found")
    def _() -> None:
        refused(404, "not_found", lambda: message("nobody", {}))

    @tour.step("message.create with an event type that is none: 422")
    def _() -> None:
        refused(422, None, lambda: message(app, {}, "no spaces here"))

    @tour.step("message.create with too much payload: 413 payload_too_large")
    def _() -> None:
        refused(413, "payload_too_large", lambda: message(app, {"text": "x" * 257 * 1024}))

    @tour.step("message.create makes the application that its body brings")
    def _() -> None:
        uid = f"brought-{uuid.uuid4()}"
        brought = ApplicationIn(name="Brought", uid=uid)
        for _ in range(2):
            message(uid, {}, application=brought)
        assert svix.application.get(uid).name == "Brought"
        assert len(pages(lambda iterator: svix.message.list(uid, MessageListOptions(iterator=iterator)))) == 2

    idempotency(tour)
    lists(tour)
    unsupported(tour, app)

    @tour.step("message.expunge_content: the payload is gone, the message stays")
    def _() -> None:
        svix.message.expunge_content(app, made.id)
        got = svix.message.get(app, made.id, FULL)
        assert (got.payload, got.event_id) == ({"expired": True}, event_id), got


def idempotency(tour: Tour) -> None:
    app = application("Idempotency")
    inbox = Inbox()
    endpoint(app, inbox)
    once = MessageCreateOptions(idempotency_key=str(uuid.uuid4()), with_content=True)
    given = MessageIn(event_type="order.placed", payload={"once": True})

    @tour.step("message.create with an idempotency key: the first answer again, one delivery")
    def _() -> None:
        first = svix.message.create(app, given, once)
        assert svix.message.create(app, given, once) == first
        after = svix.message.create(app, given)
        assert sorted(one.headers["webhook-id"] for one in inbox.wait(2)) == sorted([first.id, after.id])

    @tour.step("message.create with its idempotency key and another body: 409")
    def _() -> None:
        other = MessageIn(event_type="order.placed", payload={"once": False})
        refused(409, "conflict", lambda: svix.message.create(app, other, once))

    @tour.step("application.create with an idempotency key: the first answer again")
    def _() -> None:
        key = ApplicationCreateOptions(idempotency_key=str(uuid.uuid4()))
        first = svix.application.create(ApplicationIn(name="Once"), key)
        assert svix.application.create(ApplicationIn(name="Once"), key) == first
        refused(409, "conflict", lambda: svix.application.create(ApplicationIn(name="Twice"), key))


def lists(tour: Tour) -> None:
    app = application("Lists")
    sent = []
    for count in range(7):
        more = {"channels": ["early"]} if count < 3 else {"tags": ["late"]} if count > 4 else {}
        sent.append(message(app, {"count": count}, "even" if count % 2 == 0 else "odd", **more))
        # So that no two have the same time: before and after are to tell them apart.
        time.sleep(0.01)

    def ids(list_):
        return [one.id for one in list_]

    def ask(**given):
        return pages(lambda iterator: svix.message.list(app, MessageListOptions(iterator=iterator, **given)))

    @tour.step("message.list pages, newest first")
    def _() -> None:
        assert ids(ask(limit=3)) == ids(sent)[::-1]
        one = svix.message.list(app, MessageListOptions(limit=3))
        two = svix.message.list(app, MessageListOptions(limit=3, iterator=one.iterator))
        back = svix.message.list(app, MessageListOptions(limit=3, iterator=two.prev_iterator))
        assert ids(back.data) == ids(one.data)

    @tour.step("message.list by event types, channel and tag")
    def _() -> None:
        assert ids(ask(limit=2, event_types=["odd"])) == ids([sent[5], sent[3], sent[1]])
        assert ids(ask(event_types=["odd", "even"])) == ids(sent)[::-1]
        assert ids(ask(limit=1, channel="early")) == ids(sent[2::-1])
        assert ids(ask(tag="late")) == ids([sent[6], sent[5]])

    @tour.step("message.list before and after a time")
    def _() -> None:
        assert ids(ask(before=sent[3].timestamp)) == ids(sent[2::-1])
        later = ids(ask(after=sent[3].timestamp))
        assert sent[2].id not in later and sent[4].id in later and sent[6].id in later, later

    @tour.step("message.list with and without content")
    def _() -> None:
        for with_content, payload in ((True, {"count": 6}), (False, {})):
            options = MessageListOptions(limit=1, with_content=with_content)
            assert svix.message.list(app, options).data[0].payload == payload


def unsupported(tour: Tour, app: str) -> None:
    @tour.step("what Tidings does not do is refused, not dropped: message_in_raw, deliver_at")
    def _() -> None:
        raw = message_in_raw("order.raw", '<order id="1"/>', "application/xml")
        refused(422, None, lambda: svix.message.create(app, raw))
        later = datetime.now(UTC) + timedelta(hours=1)
        refused(422, None, lambda: message(app, {}, deliver_at=later))
