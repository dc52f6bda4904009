"""Applications, and what all operations share: typed errors and pages."""

import re
import uuid
from datetime import UTC, datetime, timedelta

from harness import Tour, pages, refused
from scene import CLIENT as svix
from scene import RATE, UPSERT, client
from svix.api import ApplicationListOptions
from svix.models import ApplicationIn, ApplicationPatch, Ordering


def applications(tour: Tour) -> None:
    uid = f"app-{uuid.uuid4()}"
    given = ApplicationIn(name="First", uid=uid, metadata={"plan": "gold"}, **{RATE: 50})
    first = svix.application.create(given)
    made = [first.id]

    @tour.step("application.create answers what was made")
    def _() -> None:
        assert re.fullmatch(r"app_[0-9A-Za-z]{27}", first.id), first
        assert (first.name, first.uid, first.metadata) == ("First", uid, {"plan": "gold"}), first
        assert getattr(first, RATE) == 50, first
        for at in (first.created_at, first.updated_at):
            assert abs(datetime.now(UTC) - at) < timedelta(minutes=1), at

    @tour.step("application.create with a taken uid: 409 conflict")
    def _() -> None:
        refused(409, "conflict", lambda: svix.application.create(ApplicationIn(name="Second", uid=uid)))

    @tour.step("application.get_or_create gives the existing one, else a new one")
    def _() -> None:
        assert svix.application.get_or_create(ApplicationIn(name="Other", uid=uid)).id == first.id
        other = svix.application.get_or_create(ApplicationIn(name="Other", uid=f"{uid}-other"))
        made.append(other.id)
        assert other.id != first.id and other.name == "Other", other

    @tour.step("application.get by id and by uid")
    def _() -> None:
        assert svix.application.get(first.id) == first
        assert svix.application.get(uid) == first

    @tour.step(f"application.{UPSERT} creates, then updates")
    def _() -> None:
        name = f"{uid}-put"
        upsert = getattr(svix.application, UPSERT)
        created = upsert(name, ApplicationIn(name="Put", uid=name))
        made.append(created.id)
        updated = upsert(name, ApplicationIn(name="Put again", uid=name, metadata={"a": "b"}))
        assert (updated.id, updated.name, updated.metadata) == (created.id, "Put again", {"a": "b"}), updated

    @tour.step("application.patch changes what it names and leaves the rest")
    def _() -> None:
        patched = svix.application.patch(first.id, ApplicationPatch(name="Renamed"))
        assert (patched.name, patched.uid, patched.metadata) == ("Renamed", uid, {"plan": "gold"}), patched
        without = svix.application.patch(first.id, ApplicationPatch(uid=None, **{RATE: None}))
        assert (without.uid, getattr(without, RATE), without.name) == (None, None, "Renamed"), without
        refused(404, "not_found", lambda: svix.application.get(uid))

    @tour.step("application.list pages forth and back, in both orders")
    def _() -> None:
        while len(made) < 7:
            made.append(svix.application.create(ApplicationIn(name=f"Page {len(made)}")).id)

        def ask(**given):
            return svix.application.list(ApplicationListOptions(**given))

        up = pages(lambda iterator: ask(limit=3, iterator=iterator))
        assert [one.id for one in up] == sorted(made)
        down = pages(lambda iterator: ask(limit=2, iterator=iterator, order=Ordering.DESCENDING))
        assert [one.id for one in down] == sorted(made, reverse=True)
        one = ask(limit=3)
        two = ask(limit=3, iterator=one.iterator)
        assert [each.id for each in ask(limit=3, iterator=two.prev_iterator).data] == [each.id for each in one.data]

    @tour.step("application.delete; then 404 not_found")
    def _() -> None:
        svix.application.delete(made[-1])
        refused(404, "not_found", lambda: svix.application.get(made[-1]))
        refused(404, "not_found", lambda: svix.application.delete(made[-1]))

    @tour.step("what is invalid: 422 with where and why")
    def _() -> None:
        wrong = ApplicationIn(name="x", uid="not a uid!")
        error = refused(422, None, lambda: svix.application.create(wrong))
        assert error.detail[0].loc == ["body", "uid"], error
        refused(422, None, lambda: svix.application.list(ApplicationListOptions(limit=251)))

    @tour.step("a bad token: 401 authentication_failed")
    def _() -> None:
        refused(401, "authentication_failed", lambda: client("not.a.token").application.list())
