"""Event types."""

from harness import Tour, pages, refused
from scene import CLIENT as svix
from scene import UPSERT, EventTypeUpsert
from svix.api import EventTypeDeleteOptions, EventTypeListOptions
from svix.models import EventTypeIn, EventTypePatch

EXAMPLE = {"order": "o-17", "total": 12}
SCHEMAS = {
    "1": {
        "title": "Order placed",
        "type": "object",
        "properties": {"order": {"type": "string"}, "total": {"type": "number"}},
        "examples": [EXAMPLE],
    }
}


def event_types(tour: Tour) -> None:
    given = {"schemas": SCHEMAS, "feature_flags": ["beta"], "group_name": "tour"}
    made = svix.event_type.create(EventTypeIn(name="tour.order-placed", description="An order", **given))

    @tour.step("event_type.create answers what was made")
    def _() -> None:
        assert (made.name, made.description, made.schemas) == ("tour.order-placed", "An order", SCHEMAS), made
        assert (made.feature_flags, made.group_name) == (["beta"], "tour"), made
        assert not made.archived and made.deprecated is False, made

    @tour.step("event_type.create with a taken name: 409 conflict")
    def _() -> None:
        refused(409, "conflict", lambda: svix.event_type.create(EventTypeIn(name=made.name, description="Twice")))

    @tour.step("event_type.create with a name that is none: 422")
    def _() -> None:
        refused(422, None, lambda: svix.event_type.create(EventTypeIn(name="no spaces here", description="")))

    @tour.step("event_type.get")
    def _() -> None:
        assert svix.event_type.get(made.name) == made

    @tour.step(f"event_type.{UPSERT} creates, then updates")
    def _() -> None:
        upsert = getattr(svix.event_type, UPSERT)
        assert upsert("tour.put", EventTypeUpsert(description="Put")).name == "tour.put"
        updated = upsert("tour.put", EventTypeUpsert(description="Put again", deprecated=True))
        assert (updated.description, updated.deprecated) == ("Put again", True), updated

    @tour.step("event_type.patch changes what it names and leaves the rest")
    def _() -> None:
        change = EventTypePatch(feature_flags=None, description="An order, placed")
        patched = svix.event_type.patch(made.name, change)
        assert patched.description == "An order, placed" and not patched.feature_flags, patched
        assert patched.schemas == SCHEMAS, patched

    def ask(**given):
        return svix.event_type.list(EventTypeListOptions(**given))

    @tour.step("event_type.list pages in order of names; schemas only when asked for")
    def _() -> None:
        svix.event_type.create(EventTypeIn(name="tour.third", description=""))
        every = pages(lambda iterator: ask(limit=1, iterator=iterator, with_content=True))
        assert [one.name for one in every] == ["tour.order-placed", "tour.put", "tour.third"], every
        assert every[0].schemas == SCHEMAS, every[0]
        assert ask(with_content=False).data[0].schemas is None

    @tour.step("event_type.delete archives; expunge removes")
    def _() -> None:
        svix.event_type.delete("tour.put")
        assert svix.event_type.get("tour.put").archived is True
        assert "tour.put" not in [one.name for one in ask().data]
        assert "tour.put" in [one.name for one in ask(include_archived=True).data]
        svix.event_type.delete("tour.put", EventTypeDeleteOptions(expunge=True))
        refused(404, "not_found", lambda: svix.event_type.get("tour.put"))
