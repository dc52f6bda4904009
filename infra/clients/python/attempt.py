"""Attempts: of endpoints, of messages, one, again, expunged; and which messages reach which endpoints."""

import re

from harness import Inbox, Tour, pages, refused, until
from scene import CLIENT as svix
from scene import TYPES, application, endpoint, message
from svix.api import (
    MessageAttemptListAttemptedDestinationsOptions,
    MessageAttemptListAttemptedMessagesOptions,
    MessageAttemptListByEndpointOptions,
    MessageAttemptListByMsgOptions,
)
from svix.models import MessageAttemptTriggerType, MessageStatus, MessageStatusText, StatusCodeClass

SUCCESS, FAIL = MessageStatus.SUCCESS, MessageStatus.FAIL


def attempts(tour: Tour) -> None:
    app = application("Attempts")
    good, bad = Inbox(), Inbox()
    good.script({"status": 200, "body": "well received"})
    bad.script({"status": 404, "body": "not here"})
    first = endpoint(app, good)
    second = endpoint(app, bad, channels=["north"], **{TYPES: ["order.placed"]})

    # Only the last one is for the second endpoint, too: by its type, and by its channel.
    matrix = (
        ("order.sent", ["north"]),
        ("order.placed", ["south"]),
        ("order.placed", None),
        ("order.placed", ["north"]),
    )
    sent = [message(app, {"eventType": kind}, kind, channels=channels) for kind, channels in matrix]
    last = sent[-1]

    def of_endpoint(ep: str, **given):
        options = MessageAttemptListByEndpointOptions
        return pages(lambda i: svix.message_attempt.list_by_endpoint(app, ep, options(iterator=i, **given)))

    def of_message(msg: str, **given):
        options = MessageAttemptListByMsgOptions
        return pages(lambda i: svix.message_attempt.list_by_msg(app, msg, options(iterator=i, **given)))

    good.wait(4)
    # One attempt and three more of the schedule.
    until("the second endpoint's last attempt", lambda: len(of_endpoint(second.id)) == 4)

    @tour.step("an endpoint gets what its event types and channels let through")
    def _() -> None:
        assert {one.msg_id for one in of_endpoint(second.id)} == {last.id}
        assert sorted(one.headers["webhook-id"] for one in good.seen()) == sorted(one.id for one in sent)

    @tour.step("message_attempt.list_by_msg, by endpoint, status and class")
    def attempt():
        [only] = of_message(last.id, endpoint_id=first.id, with_content=True)
        assert re.fullmatch(r"atmpt_[0-9A-Za-z]{27}", only.id), only
        assert (only.endpoint_id, only.msg_id, only.url) == (first.id, last.id, good.url), only
        assert (only.response, only.response_status_code) == ("well received", 200), only
        assert only.response_duration_ms >= 0, only
        assert (only.status, only.status_text) == (SUCCESS, MessageStatusText.SUCCESS), only
        assert only.trigger_type == MessageAttemptTriggerType.SCHEDULED, only
        for count, given in (
            (5, {"limit": 2}),
            (4, {"status": FAIL}),
            (4, {"status_code_class": StatusCodeClass.CODE4XX}),
            (1, {"status_code_class": StatusCodeClass.CODE2XX}),
            (0, {"channel": "south"}),
            (5, {"event_types": ["order.placed"]}),
            (0, {"event_types": ["order.sent"]}),
        ):
            assert len(of_message(last.id, **given)) == count, given
        return only

    @tour.step("message_attempt.list_by_endpoint pages newest first, with every filter")
    def _() -> None:
        ids = [one.id for one in of_endpoint(first.id, limit=1)]
        assert ids == sorted(ids, reverse=True), ids
        assert {one.msg_id for one in of_endpoint(first.id)} == {one.id for one in sent}
        for count, ep, given in (
            (0, first, {"status": FAIL}),
            (4, second, {"status": FAIL, "status_code_class": StatusCodeClass.CODE4XX}),
            (1, first, {"event_types": ["order.sent"]}),
            (2, first, {"channel": "north"}),
            (0, first, {"before": sent[0].timestamp}),
            (4, first, {"after": sent[0].timestamp}),
        ):
            assert len(of_endpoint(ep.id, **given)) == count, given

    @tour.step("message_attempt.list_by_endpoint with the message")
    def _() -> None:
        options = MessageAttemptListByEndpointOptions(with_msg=True, limit=1)
        [full] = svix.message_attempt.list_by_endpoint(app, first.id, options).data
        assert full.msg and full.msg.id == full.msg_id, full

    @tour.step("message_attempt.get")
    def _() -> None:
        got = svix.message_attempt.get(app, last.id, attempt.id)
        assert got.response == "well received", got
        assert got.model_copy(update={"response": ""}) == attempt.model_copy(update={"response": ""}), got
        refused(404, "not_found", lambda: svix.message_attempt.get(app, sent[0].id, attempt.id))

    @tour.step("message_attempt.list_attempted_messages")
    def _() -> None:
        def ask(ep: str, **given):
            options = MessageAttemptListAttemptedMessagesOptions
            return pages(lambda i: svix.message_attempt.list_attempted_messages(app, ep, options(iterator=i, **given)))

        every = ask(first.id, limit=3, with_content=True)
        # Newest attempt first: what was sent within milliseconds may be attempted in another order.
        assert sorted(one.id for one in every) == sorted(one.id for one in sent), every
        newest = every[0]
        assert (newest.status, newest.payload) == (SUCCESS, {"eventType": newest.event_type}), newest
        failed = ask(second.id, status=FAIL)
        assert [(one.id, one.status_text) for one in failed] == [(last.id, MessageStatusText.FAIL)], failed
        assert ask(first.id, status=FAIL) == []

    @tour.step("message_attempt.list_attempted_destinations")
    def _() -> None:
        def ask(msg: str):
            options = MessageAttemptListAttemptedDestinationsOptions
            return pages(
                lambda i: svix.message_attempt.list_attempted_destinations(app, msg, options(iterator=i, limit=1))
            )

        # By id: endpoints of the same 4 ms stand in no other order.
        both = {one.id: one for one in ask(last.id)}
        assert {key: one.status for key, one in both.items()} == {first.id: SUCCESS, second.id: FAIL}, both
        assert both[first.id].url == good.url, both
        assert [one.id for one in ask(sent[0].id)] == [first.id]

    @tour.step("endpoint.get_stats counts messages by where they stand")
    def _() -> None:
        stats = svix.endpoint.get_stats(app, first.id)
        assert (stats.success, stats.fail, stats.pending, stats.sending) == (4, 0, 0, 0), stats
        stats = svix.endpoint.get_stats(app, second.id)
        assert (stats.success, stats.fail) == (0, 1), stats

    @tour.step("message_attempt.resend: the same message once more, triggered by hand")
    def _() -> None:
        svix.message_attempt.resend(app, last.id, first.id)
        assert len([one for one in good.wait(5) if one.headers["webhook-id"] == last.id]) == 2
        until("the attempt", lambda: len(of_message(last.id, endpoint_id=first.id)) == 2)
        newest = of_message(last.id, endpoint_id=first.id)[0]
        assert (newest.status, newest.trigger_type) == (SUCCESS, MessageAttemptTriggerType.MANUAL), newest
        refused(404, "not_found", lambda: svix.message_attempt.resend(app, last.id, "nobody"))

    @tour.step("message_attempt.expunge_content: the answer's text is gone")
    def _() -> None:
        svix.message_attempt.expunge_content(app, last.id, attempt.id)
        got = svix.message_attempt.get(app, last.id, attempt.id)
        assert "well received" not in got.response and got.response_status_code == 200, got
