"""What the tour's sections share: steps, the receiver, waiting, and the list of what was called."""

import base64
import json
import os
import time
import traceback
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from svix.exceptions import HttpError, HTTPValidationError

LONGEST_WAIT = 30.0


def setting(name: str) -> str:
    value = os.environ.get(name)
    assert value, f"{name} is not set: infra/clients/run sets it"
    return value


class Tour:
    """Runs steps one after another, prints a line for each, and goes on after one that failed."""

    def __init__(self, name: str) -> None:
        self.name, self.passed, self.failed = name, 0, 0

    def step(self, title: str) -> Callable[[Callable[[], Any]], Any]:
        """Decorates a step, which is run at once; what it returns takes its name."""

        def run(body: Callable[[], Any]) -> Any:
            started = time.monotonic()
            try:
                result = body()
            except Exception:
                self.failed += 1
                print(f"FAIL  {self.name}: {title}\n{_indented(traceback.format_exc())}", flush=True)
                return None
            self.passed += 1
            print(f"ok    {self.name}: {title} ({(time.monotonic() - started) * 1000:.0f} ms)", flush=True)
            return result

        return run

    def section(self, body: Callable[["Tour"], None]) -> None:
        """Steps that need what comes before them. If that fails, the section is a failure."""
        try:
            body(self)
        except Exception:
            self.failed += 1
            print(f"FAIL  {self.name}: could not go on\n{_indented(traceback.format_exc())}", flush=True)

    def summary(self) -> bool:
        print(f"{self.name}: {self.passed} passed, {self.failed} failed", flush=True)
        return self.failed == 0


def _indented(text: str) -> str:
    return "\n".join(f"      {line}" for line in text.rstrip().splitlines())


def refused(status: int, code: str | None, call: Callable[[], Any]) -> Any:
    """Expects the library's typed error with this status."""
    try:
        answer = call()
    except HTTPValidationError as error:
        assert error.status_code == status, f"status {error.status_code}: {error}"
        first = error.detail[0]
        assert all(isinstance(part, str) for part in first.loc) and first.msg and first.type, error
        return error
    except HttpError as error:
        assert error.status_code == status, f"status {error.status_code}: {error}"
        assert error.code == code, f"code {error.code}"
        assert isinstance(error.detail, str), error
        return error
    raise AssertionError(f"expected {status}, got {answer!r}")


def until(what: str, ask: Callable[[], Any]) -> Any:
    """Asks until the answer is truthy."""
    end = time.monotonic() + LONGEST_WAIT
    while time.monotonic() < end:
        if last := ask():
            return last
        time.sleep(0.05)
    raise AssertionError(f"waited {LONGEST_WAIT} s for {what}")


def pages(ask: Callable[[str | None], Any]) -> list[Any]:
    """Where a list's pages lead, following the iterator until it is done."""
    found: list[Any] = []
    iterator = None
    while True:
        page = ask(iterator)
        found.extend(page.data)
        if page.done:
            return found
        assert page.data and page.iterator, "a page that is not the last has items and an iterator"
        iterator = page.iterator


@dataclass
class Delivery:
    time: float
    headers: dict[str, str]
    body: bytes


class Inbox:
    """A place to deliver to, at infra/clients/receiver.py."""

    def __init__(self) -> None:
        self._base, self._key = setting("RECEIVER_URL"), str(uuid.uuid4())
        self.url = f"{self._base}/in/{self._key}"

    def script(self, *answers: dict[str, Any]) -> None:
        """The answers to come, the last one for good."""
        url, body = f"{self._base}/script/{self._key}", json.dumps(answers).encode()
        with urllib.request.urlopen(urllib.request.Request(url, body, method="PUT")) as response:
            assert response.status == 204

    def seen(self) -> list[Delivery]:
        with urllib.request.urlopen(f"{self._base}/seen/{self._key}") as response:
            requests = json.load(response)
        return [
            Delivery(one["time"], {k.lower(): v for k, v in one["headers"]}, base64.b64decode(one["body"]))
            for one in requests
        ]

    def wait(self, count: int) -> list[Delivery]:
        """Waits until this many came, and gives them all."""

        def enough() -> list[Delivery] | None:
            seen = self.seen()
            return seen if len(seen) >= count else None

        return until(f"{count} deliveries", enough)


class Noting:
    """A client that notes which operations were called. The client itself is as published."""

    def __init__(self, client: Any, called: set[str], path: tuple[str, ...] = ()) -> None:
        self._client, self._called, self._path = client, called, path

    def __getattr__(self, name: str) -> Any:
        value, path = getattr(self._client, name), (*self._path, name)
        if not callable(value):
            return Noting(value, self._called, path)

        def noted(*args: Any, **named: Any) -> Any:
            self._called.add(".".join(path))
            return value(*args, **named)

        return noted


def operations(client: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Every operation that the library has."""
    for name in dir(type(client)):
        if name.startswith("_"):
            continue
        if isinstance(getattr(type(client), name), property):
            yield from operations(getattr(client, name), (*path, name))
        else:
            yield ".".join((*path, name))


def uncovered(every: list[str], called: set[str]) -> list[str]:
    """Operations that were neither called nor are known to be absent."""
    with open(setting("ABSENT"), encoding="utf-8") as file:
        absent = json.load(file)["absent"]

    def is_absent(name: str) -> bool:
        return any(name == prefix or name.startswith(f"{prefix}.") for prefix in absent)

    both = [name for name in called if is_absent(name)]
    assert not both, f"called although listed as absent: {both}"
    return [name for name in every if name not in called and not is_absent(name)]
