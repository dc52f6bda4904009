"""Receivers that fail, and what repairs it. The schedule of the run is three more attempts, a second apart."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from harness import Inbox, Tour, pages, refused, until
from scene import CLIENT as svix
from scene import application, endpoint, message
from svix.api import BackgroundTaskListOptions, MessageAttemptListByMsgOptions
from svix.models import (
    BackgroundTaskStatus,
    BackgroundTaskType,
    EndpointPatch,
    MessageStatus,
    Ordering,
    RecoverIn,
    ReplayIn,
)

SUCCESS, FAIL = MessageStatus.SUCCESS, MessageStatus.FAIL


def failures(tour: Tour) -> None:
    app = application("Failures")

    def stands(msg: str, status: MessageStatus) -> list[Any]:
        """Waits until the message stands so at its endpoint; its attempts, newest first."""

        def there() -> bool:
            found = svix.message_attempt.list_attempted_destinations(app, msg).data
            return bool(found) and found[0].status == status

        until(f"the message to be {status.name}", there)
        options = MessageAttemptListByMsgOptions(with_content=True)
        return svix.message_attempt.list_by_msg(app, msg, options).data

    def alone(title: str) -> Callable[[Callable[[Inbox, str], None]], None]:
        """A step with an endpoint that is alone in the application, so that no other one gets its messages."""

        def run(body: Callable[[Inbox, str], None]) -> None:
            @tour.step(title)
            def _() -> None:
                inbox = Inbox()
                made = endpoint(app, inbox).id
                try:
                    body(inbox, made)
                finally:
                    svix.endpoint.delete(app, made)

        return run

    @alone("500, then 200: a failure, then a success, of one message")
    def _(inbox: Inbox, _: str) -> None:
        inbox.script({"status": 500, "body": "later"}, {"status": 200, "body": "now"})
        attempts = stands(message(app, {"again": True}).id, SUCCESS)
        told = [(one.status, one.response_status_code, one.response) for one in attempts]
        assert told == [(SUCCESS, 200, "now"), (FAIL, 500, "later")], told
        one, two = inbox.seen()
        assert (one.headers["webhook-id"], one.body) == (two.headers["webhook-id"], two.body)

    @alone("Retry-After is honoured: not before it says")
    def _(inbox: Inbox, _: str) -> None:
        inbox.script({"status": 503, "headers": {"retry-after": "4"}}, {"status": 200})
        message(app, {})
        one, two = inbox.wait(2)
        # The schedule alone would have come back after about a second.
        assert two.time - one.time >= 3.9, f"came back after {two.time - one.time} s"

    @alone("the schedule ends; endpoint.recover delivers what failed, as a background task")
    def _(inbox: Inbox, ep: str) -> None:
        since = datetime.now(UTC) - timedelta(minutes=1)
        inbox.script({"status": 500})
        sent = [message(app, {"count": count}).id for count in range(2)]
        for msg in sent:
            assert len(stands(msg, FAIL)) == 4
        inbox.script({"status": 200})
        task = svix.endpoint.recover(app, ep, RecoverIn(since=since))
        assert task.id.startswith("qtask_") and task.task == BackgroundTaskType.ENDPOINT_RECOVER, task
        for msg in sent:
            stands(msg, SUCCESS)
        finished(task.id, BackgroundTaskType.ENDPOINT_RECOVER)

    @alone("410 disables the endpoint; replay_missing delivers what it missed")
    def _(inbox: Inbox, ep: str) -> None:
        since = datetime.now(UTC) - timedelta(minutes=1)
        inbox.script({"status": 410})
        gone = message(app, {"gone": True}).id
        until("the endpoint to be disabled", lambda: svix.endpoint.get(app, ep).disabled)
        assert len(svix.message_attempt.list_by_msg(app, gone).data) == 1
        missed = message(app, {"missed": True}).id
        inbox.script({"status": 200})
        svix.endpoint.patch(app, ep, EndpointPatch(disabled=False))
        task = svix.endpoint.replay_missing(app, ep, ReplayIn(since=since))
        assert task.task == BackgroundTaskType.ENDPOINT_REPLAY, task
        stands(missed, SUCCESS)
        finished(task.id, BackgroundTaskType.ENDPOINT_REPLAY)
        assert missed in [one.headers["webhook-id"] for one in inbox.seen()]

    @alone("endpoint.recover of longer ago than 14 days: refused")
    def _(_: Inbox, ep: str) -> None:
        since = datetime.now(UTC) - timedelta(days=15)
        refused(422, None, lambda: svix.endpoint.recover(app, ep, RecoverIn(since=since)))


def finished(task_id: str, task: BackgroundTaskType) -> None:
    """Waits for the task's end, by `get`, and finds it by `list`."""

    def done() -> Any:
        got = svix.background_task.get(task_id)
        return None if got.status == BackgroundTaskStatus.RUNNING else got

    got = until("the task's end", done)
    assert (got.id, got.status, got.task) == (task_id, BackgroundTaskStatus.FINISHED, task), got

    def ids(**given: Any) -> list[str]:
        options = BackgroundTaskListOptions
        every = pages(lambda i: svix.background_task.list(options(limit=1, iterator=i, **given)))
        return [one.id for one in every]

    finished_, descending = BackgroundTaskStatus.FINISHED, Ordering.DESCENDING
    for given in ({}, {"task": task}, {"status": finished_}, {"order": descending}):
        assert task_id in ids(**given), given
    assert task_id not in ids(status=BackgroundTaskStatus.FAILED)
    refused(404, "not_found", lambda: svix.background_task.get("qtask_2aaaaaaaaaaaaaaaaaaaaaaaaaa"))
