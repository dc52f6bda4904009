"""Smoke test of a deployed stack, through its API Gateway URLs: LocalStack, MiniStack, or AWS.

    smoke.py [--stack NAME] [--callbacks here|stack] CHECK...

The checks are `answers` (every route says what it should), and jobs that end with their callback, messages that reach
their endpoint and inbound webhooks that become enrollments: by `both` lanes, with a provider that may fail; by the
`stream` alone and by the `schedule` alone, with one that does not. The other lane is switched off meanwhile, as an
operator would. `inbound` takes webhooks in by every way there is to read, repair and forward them. `clients`, `broker`,
`organizations` and `generator` take the smaller surfaces from a registration to a delivery, and `live` listens to one
over the stack's WebSocket API. AWS_ENDPOINT_URL and credentials come from the environment.
`--callbacks stack` has the stack's own mock receive the callbacks, where it cannot reach this machine.
"""

import argparse
import base64
import hmac
import json
import os
import queue
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.dont_write_bytecode = True

from inbound import inbound, run_inbound
from live import live
from stack import Failure, Stack, eventually, expect
from surfaces import broker, clients, generator, organizations

BILLS = {"gas": [22.27, 30], "internet": [15.12, 15.12]}
# How long a job may take. By the stream: seconds. By the schedule: its next minute, and a cold start.
STREAM_SECONDS, SCHEDULE_SECONDS, BOTH_SECONDS = 45, 150, 300


class Receiver:
    """Takes callbacks and messages on this machine, and checks that each is signed."""

    def __init__(self, stack: Stack):
        self.callbacks: dict[str, queue.Queue] = {}
        self.messages: dict[str, tuple[bytes, dict]] = {}
        # What came to any other path.
        self.bodies: dict[str, list[bytes]] = {}
        self._key = hmac.digest(stack.secret, f"tidings/job-callbacks/v1/{stack.organization}".encode(), "sha256")
        methods = {"do_POST": lambda request: self._take(request), "log_message": lambda *_: None}
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (BaseHTTPRequestHandler,), methods))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}/callback"
        self.base = f"http://127.0.0.1:{server.server_port}"
        self.messages_url = f"{self.base}/messages"

    def _take(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("content-length") or 0))
        request.send_response(404 if request.path.startswith("/refused") else 204)
        request.end_headers()
        if request.path == "/messages":
            self.messages[request.headers["webhook-id"]] = (body, dict(request.headers))
            return
        if request.path != "/callback":
            self.bodies.setdefault(request.path, []).append(body)
            return
        callback = json.loads(body)
        callback["signed"] = is_signed(self._key, request.headers, body)
        self.callbacks.setdefault(callback["jobId"], queue.Queue()).put(callback)

    def wait(self, job: str, deadline: float) -> dict:
        try:
            return self.callbacks.setdefault(job, queue.Queue()).get(timeout=max(0.0, deadline - time.time()))
        except queue.Empty:
            raise Failure(f"no callback came for {job}") from None


def is_signed(key: bytes, headers, body: bytes) -> bool:
    identifier, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "0")
    signature = hmac.digest(key, f"{identifier}.{timestamp}.".encode() + body, "sha256")
    expected = f"v1,{base64.b64encode(signature).decode()}"
    fresh = abs(time.time() - int(timestamp)) < 300
    return fresh and expected in headers.get("webhook-signature", "").split(" ")


def answers(stack: Stack, _receiver) -> None:
    """Every route gives a real answer. A deployment that looks well proves nothing about that."""
    eventually(60, "health", lambda: stack.call("GET", "/api/v1/health", token=False)[0] in (200, 204))
    status, headers, body = stack.call("GET", "/webhook", token=False)
    expect(status == 401 and body.get("code") == "authentication_failed", f"without a token: {status} {body}")
    job = "job_" + "0" * 27
    good = {"providers": ["gas"], "callbackUrl": "https://example.com/complete"}
    for expected, method, path, sent in (
        (200, "GET", "/openapi.json", None),
        (200, "GET", "/docs", None),
        (200, "GET", "/webhook?limit=1", None),
        (200, "GET", "/webhook/signing-secret", None),
        (404, "GET", f"/webhook/{job}", None),
        (404, "POST", f"/webhook/{job}/retry", None),
        (404, "GET", "/nothing/here", None),
        (405, "DELETE", "/webhook", None),
        (400, "POST", "/webhook", b"{"),
        (422, "POST", "/webhook", {**good, "providers": []}),
        (422, "POST", "/webhook", {**good, "callbackUrl": "http://169.254.169.254/"}),
        (200, "POST", "/complete", {"jobId": job, "data": []}),
        (422, "POST", "/complete", {"jobId": job}),
        (204, "GET", "/api/v1/health/ping", None),
        (200, "GET", "/api/v1/app?limit=1", None),
        (200, "GET", "/api/v1/event-type", None),
        (200, "GET", "/api/v1/background-task", None),
        (422, "POST", "/api/v1/app", {}),
        (404, "GET", "/api/v1/app/nobody", None),
        (404, "GET", "/api/v1/app/nobody/msg", None),
        (404, "GET", "/api/v1/app/nobody/endpoint", None),
        (404, "POST", "/api/v1/app/nobody/msg", {"eventType": "a", "payload": {}}),
        (404, "GET", "/api/v1/app/nobody/msg/nothing/endpoint", None),
        (400, "POST", "/api/webhooks", {}),
        (200, "GET", "/api/webhooks", None),
        (404, "DELETE", "/api/webhooks?url=https://example.com/", None),
        (400, "POST", "/api/webhooks/test", {}),
        (404, "PUT", "/api/webhooks/test", {}),
        (404, "GET", "/api/webhooks/test/nothing", None),
        (200, "GET", "/api/webhooks/batches", None),
        (400, "POST", "/api/v0/webhooks", {}),
        (200, "GET", "/api/v0/webhooks", None),
        (400, "GET", "/api/v0/webhooks?page_size=x", None),
        (404, "GET", "/api/v0/webhooks/nobody", None),
        (404, "POST", "/api/v0/trigger-event/nobody", {}),
        (200, "GET", "/api/v0/trigger-event", None),
        (404, "GET", "/api/v0/trigger-event/msg_" + "0" * 27, None),
        (404, "POST", f"/api/v0/trigger-event/msg_{'0' * 27}/replay", None),
        (200, "GET", "/api/v0/dead-letters", None),
        (200, "GET", "/api/webhooks/status", None),
        (200, "GET", "/api/webhooks/preconfigured-endpoints", None),
        (200, "GET", "/api/webhooks/initialization-stats", None),
        (200, "GET", "/api/webhooks/organizations/nobody/endpoints", None),
        (404, "GET", "/api/webhooks/organizations/nobody/initialization-status", None),
        (422, "POST", "/api/webhooks/organizations/nobody/send", {}),
        (404, "GET", "/api/webhooks/organizations/nobody/send", None),
        (422, "POST", "/api/webhooks/events", {"event": "nothing.happened", "organizationId": "nobody"}),
        (404, "GET", "/api/webhooks/events", None),
        (200, "GET", "/api/v1/source", None),
        (422, "POST", "/api/v1/source", {}),
        (404, "GET", "/api/v1/source/nobody", None),
        (404, "GET", "/in/nobody", None),
        (404, "POST", "/in/nobody", {}),
        (404, "GET", "/in/nobody/transactions", None),
        (404, "GET", "/in/nobody/enrollments/export", None),
        (404, "GET", "/in/nobody/transaction-errors", None),
        (404, "GET", "/in/nobody/transaction-errors/nothing", None),
        (404, "POST", "/in/nobody/transaction-errors/nothing/retry", None),
        (404, "GET", "/in/nobody/transaction-errors/nothing/else", None),
        (404, "GET", "/in", None),
        (404, "PUT", "/transaction", {}),
        (404, "GET", "/transaction/nothing", None),
    ):
        status, _, body = stack.call(method, path, sent)
        expect(status == expected, f"{method} {path}: {status} in place of {expected}: {body}")
    status, _, body = stack.call("GET", "/providers/nobody", base=stack.providers)
    expect(status in (404, 500), f"an unknown provider: {status} {body}")
    eventually(30, "a provider's bills", lambda: stack.call("GET", "/providers/gas", base=stack.providers)[0] == 200)


def both(stack: Stack, receiver) -> None:
    run_jobs(stack, receiver, 5, BOTH_SECONDS)
    run_messages(stack, receiver, 5, BOTH_SECONDS)
    run_inbound(stack, 5, BOTH_SECONDS)


def stream(stack: Stack, receiver) -> None:
    with stack.only("stream"):
        run_jobs(stack, receiver, 3, STREAM_SECONDS)
        run_messages(stack, receiver, 3, STREAM_SECONDS)
        run_inbound(stack, 3, STREAM_SECONDS)


def schedule(stack: Stack, receiver) -> None:
    with stack.only("schedule"):
        started = time.time()
        run_jobs(stack, receiver, 3, SCHEDULE_SECONDS)
        took = time.time() - started
        run_messages(stack, receiver, 3, SCHEDULE_SECONDS)
        run_inbound(stack, 3, SCHEDULE_SECONDS)
        expect(took >= stack.grace_seconds, f"done after {took:.1f} s, which the schedule cannot have done: the grace is longer")


def run_jobs(stack: Stack, receiver: Receiver | None, count: int, seconds: int) -> None:
    """Jobs in, callbacks out."""
    deadline = time.time() + seconds
    callback = receiver.url if receiver else f"{stack.api}/complete"
    jobs = []
    for number in range(count):
        providers = list(BILLS) if number % 2 else list(reversed(BILLS))
        status, headers, body = stack.call("POST", "/webhook", {"providers": providers, "callbackUrl": callback})
        expect(status == 201 and body["status"] == "pending", f"POST /webhook: {status} {body}")
        expect(headers.get("location", "").endswith(f"/webhook/{body['jobId']}"), f"location: {dict(headers)}")
        jobs.append((body["jobId"], providers))
    for job, providers in jobs:
        if receiver:
            expect_callback(job, providers, callback, receiver.wait(job, deadline))
        # The callback comes first, and what it was answered is written after it.
        eventually(max(10.0, deadline - time.time()), f"{job} complete", lambda job=job: is_complete(stack, job))


def expect_callback(job: str, providers: list, url: str, body: dict) -> None:
    expect(body["signed"], f"the callback of {job} is not signed as it should be")
    expect([record["providerId"] for record in body["data"]] == providers, f"not the providers asked for: {body}")
    for record in body["data"]:
        amounts = [bill["amount"] for bill in record["data"]]
        fixed = (record["jobId"], record["callbackUrl"], record["status"], amounts)
        expect(fixed == (job, url, "PENDING", BILLS[record["providerId"]]), f"not the record expected: {record}")


def is_complete(stack: Stack, job: str) -> bool:
    status, _, body = stack.call("GET", f"/webhook/{job}")
    expect(status == 200, f"GET /webhook/{job}: {status} {body}")
    expect(body["status"] != "failed", f"{job} failed: {body}")
    return body["status"] == "complete"


def run_messages(stack: Stack, receiver: Receiver | None, count: int, seconds: int) -> None:
    """Messages in, signed deliveries out, byte for byte."""
    deadline = time.time() + seconds

    def make(path: str, body: dict) -> dict:
        status, _, made = stack.call("POST", path, body)
        expect(status == 201, f"POST {path}: {status} {made}")
        return made

    application = f"/api/v1/app/{make('/api/v1/app', {'name': 'smoke'})['id']}"
    url = receiver.messages_url if receiver else f"{stack.api}/complete"
    endpoint = f"{application}/endpoint/{make(f'{application}/endpoint', {'url': url})['id']}"
    key = base64.b64decode(stack.call("GET", f"{endpoint}/secret")[2]["key"].removeprefix("whsec_"))
    payloads = {}
    for number in range(count):
        # What the stack's own mock takes, and in a form that reading and writing JSON again would change.
        payload = f'{{"jobId" : "job_{"0" * 27}",  "data": [], "number": {number}.0}}'
        status, _, body = stack.call("POST", f"{application}/msg", f'{{"eventType": "smoke", "payload": {payload}}}'.encode())
        expect(status == 202, f"POST {application}/msg: {status} {body}")
        payloads[body["id"]] = payload.encode()
    for message, payload in payloads.items():
        eventually(max(10.0, deadline - time.time()), f"{message} delivered", lambda message=message: is_delivered(stack, application, message))
        if receiver:
            body, headers = receiver.messages[message]
            expect(body == payload, f"{message} is not what was sent: {body!r}")
            expect(is_signed(key, headers, body), f"{message} is not signed as it should be: {headers}")
    status, _, _ = stack.call("DELETE", application)
    expect(status == 204, f"DELETE {application}: {status}")


def is_delivered(stack: Stack, application: str, message: str) -> bool:
    status, _, body = stack.call("GET", f"{application}/attempt/msg/{message}")
    expect(status == 200, f"the attempts of {message}: {status} {body}")
    expect(all(attempt["status"] == 0 for attempt in body["data"]), f"an attempt failed: {body}")
    return bool(body["data"])


CHECKS = (answers, both, stream, schedule, inbound, clients, broker, organizations, generator, live)


def main() -> int:
    checks = {check.__name__: check for check in CHECKS}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", default="tidings")
    parser.add_argument("--callbacks", choices=("here", "stack"), default="here")
    parser.add_argument("checks", nargs="+", choices=checks, metavar="CHECK")
    arguments = parser.parse_args()
    stack = Stack(arguments.stack)
    receiver = Receiver(stack) if arguments.callbacks == "here" else None
    for name in arguments.checks:
        started = time.time()
        try:
            checks[name](stack, receiver)
        except Failure as failure:
            print(f"smoke: {name}: FAILED: {failure}\n{stack.logs()}", flush=True)
            return 1
        print(f"smoke: {name}: ok ({time.time() - started:.1f} s, {stack.api})", flush=True)
    return 0


if __name__ == "__main__":
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    sys.exit(main())
