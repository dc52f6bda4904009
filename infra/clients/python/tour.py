"""The tour of the Python library, by infra/clients/run."""

import asyncio
import sys

import svix
from application import applications
from attempt import attempts
from delivery import deliveries
from endpoint import endpoints
from event_type import event_types
from failure import failures
from harness import Tour, operations, uncovered
from message import messages
from portal import portal
from scene import CALLED, CLIENT, OPTIONS, TOKEN
from svix import api


def main() -> bool:
    tour = Tour(f"python svix {svix.__version__}")

    @tour.step("health.get")
    def _() -> None:
        CLIENT.health.get()

    # Applications first: their section counts all that the organization has.
    for section in (applications, event_types, endpoints, messages, attempts, deliveries, failures, portal):
        tour.section(section)

    @tour.step("the asynchronous client, too")
    def _() -> None:
        async def ask() -> None:
            own = api.SvixAsync(TOKEN, OPTIONS)
            await own.health.get()
            assert (await own.application.list()).data

        asyncio.run(ask())

    @tour.step("every operation of the library was called, or is known to be absent")
    def _() -> None:
        every = [name.rstrip("_") for name in operations(api.Svix("token", OPTIONS))]
        assert len(every) > 100, every
        left = uncovered(every, CALLED)
        assert not left, left

    return tour.summary()


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
