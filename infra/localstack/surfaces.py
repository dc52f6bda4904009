"""The smaller surfaces, each from a registration to a delivery and what is told of it."""

import contextlib
import json
import secrets
import time
import urllib.parse

import boto3

from stack import Stack, eventually, expect

# A delivery by either lane: the schedule's next minute, and a cold start.
SECONDS = 150
# A tick of the generator's rule, and then one of the schedule, which sends what it made.
GENERATOR_SECONDS = 300
# For so long a function may not know an endpoint yet.
CACHED_SECONDS = 4
# What the stack's own mock takes.
CALLBACK = {"jobId": "job_" + "0" * 27, "data": []}


def ask(stack: Stack, expected: int, method: str, path: str, body=None):
    status, _, answer = stack.call(method, path, body)
    expect(status == expected, f"{method} {path}: {status} in place of {expected}: {answer}")
    return answer


@contextlib.contextmanager
def client(stack: Stack, receiver):
    """A registered client: its URL, and what came to it."""
    path = f"/client/{secrets.token_hex(8)}"
    url = f"{receiver.base}{path}" if receiver else f"{stack.api}/complete?client={path}"
    ask(stack, 201, "POST", "/api/webhooks", {"url": url, "token": "1312-3128-qwqw"})
    listed = ask(stack, 200, "POST", "/api/webhooks", {"url": url, "token": "another"})
    expect(listed == [{"url": url}], f"the list of clients: {listed}")
    try:
        yield url, lambda: [json.loads(body) for body in receiver.bodies.get(path, [])]
    finally:
        ask(stack, 204, "DELETE", f"/api/webhooks?url={urllib.parse.quote(url, safe='')}")


def clients(stack: Stack, receiver) -> None:
    """Registered, told, and told of."""
    with client(stack, receiver) as (url, received):
        sent = {"payload": ["aaaa", {"valid": "JSON"}]}
        expect(ask(stack, 202, "POST", "/api/webhooks/test", sent) == {}, "a test is answered with {}")
        [batch] = ask(stack, 200, "GET", "/api/webhooks/batches?limit=1")
        expect("message" not in batch, f"the client is not in its batch: {batch}")
        if receiver:
            eventually(SECONDS, "a client told", lambda: received())
            expect(received()[0] == {"token": "1312-3128-qwqw", "payload": sent}, f"a client got {received()}")

        def is_told() -> bool:
            [batch] = ask(stack, 200, "GET", "/api/webhooks/batches?limit=1")
            # The mock refuses what is no callback: then the client is tried again.
            return (batch["processed"] if receiver else batch["pending"]) == [url]

        eventually(SECONDS, "the batch says so", is_told)


def generator(stack: Stack, receiver) -> None:
    """Made-up orders, from the rule to a client."""
    if not receiver:
        return
    functions, events = boto3.client("lambda"), boto3.client("events")
    name = f"{stack.name}-generator"
    before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]

    def configure(variables: dict) -> None:
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
        functions.get_waiter("function_updated_v2").wait(FunctionName=name)

    with client(stack, receiver) as (_, received):
        configure({**before, "GENERATOR_ORGANIZATION": stack.organization})
        # enable_rule is enough on AWS. LocalStack starts the clock of a rule only with its targets.
        rule = events.describe_rule(Name=stack.generator_rule)
        kept = {name: rule[name] for name in ("Name", "Description", "ScheduleExpression")}
        events.put_rule(**kept, State="ENABLED")
        targets = events.list_targets_by_rule(Rule=stack.generator_rule)["Targets"]
        events.put_targets(Rule=stack.generator_rule, Targets=targets)
        try:
            eventually(GENERATOR_SECONDS, "made-up orders", lambda: len(received()) > 1)
        finally:
            events.disable_rule(Name=stack.generator_rule)
            configure(before)
        order = received()[0]["payload"][0]
        expect(order["price"].startswith("$ ") and "zipCode" in order["deliveryDetails"], f"not an order: {order}")


def broker(stack: Stack, receiver) -> None:
    """An event with a URL that takes it and one that refuses it for good; the dead letter, and its replay."""
    event = f"smoke {secrets.token_hex(4)}"
    path = urllib.parse.quote(event)
    taking, refusing = (receiver.base + "/taken", receiver.base + "/refused") if receiver else (
        f"{stack.api}/complete", f"{stack.api}/nothing/here")
    for url in (taking, refusing, taking):
        pair = {"eventName": f"  {event} ", "webhookUrl": url}
        expect(ask(stack, 200, "POST", "/api/v0/webhooks", pair) == {**pair, "eventName": event}, "not the pair registered")
    known = {"eventName": event, "webhookUrls": [taking, refusing]}
    expect(ask(stack, 200, "GET", f"/api/v0/webhooks/{path}") == known, "not the URLs registered")
    expect(known in ask(stack, 200, "GET", "/api/v0/webhooks?page_size=100"), f"{event} is not listed")
    job = ask(stack, 202, "POST", f"/api/v0/trigger-event/{path}", CALLBACK)["jobId"]

    def ended(failed: int) -> bool:
        counts = ask(stack, 200, "GET", "/api/v0/trigger-event")
        main, dead = counts["mainQueue"], counts["dlq"]
        expect(main["failed"] >= dead["failed"], f"more dead letters than failures: {main} {dead}")
        return (main["completed"], main["failed"], dead["failed"]) == (1, failed, failed)

    eventually(SECONDS, "a delivery completed and a dead letter", lambda: ended(1))
    if receiver:
        expect([json.loads(body) for body in receiver.bodies["/taken"]] == [CALLBACK], "not the body that was sent")
    [dead] = ask(stack, 200, "GET", "/api/v0/dead-letters")
    expect((dead["jobId"], dead["eventName"], dead["lastStatus"]) == (job, event, 404), f"not the dead letter: {dead}")
    ask(stack, 200, "GET", f"/api/v0/trigger-event/{job}")
    # What has ended can be replayed; that is noticed some seconds later.
    eventually(SECONDS, "a replay", lambda: stack.call("POST", f"/api/v0/trigger-event/{job}/replay")[2].get("replayed") == 1)
    eventually(SECONDS, "the replay has ended", lambda: ended(1))
    for url in (taking, refusing):
        ask(stack, 204, "DELETE", "/api/v0/webhooks", {"eventName": event, "webhookUrl": url})
    ask(stack, 404, "GET", f"/api/v0/webhooks/{path}")


def organizations(stack: Stack, receiver) -> None:
    """An organization: initialized by the platform's event, sent to, asked about."""
    name = f"smoke-{secrets.token_hex(8)}"
    organization = f"/api/webhooks/organizations/{name}"
    ask(stack, 202, "POST", "/api/webhooks/events", {"event": "organization.created", "organizationId": name})

    def status() -> dict:
        return ask(stack, 200, "GET", f"{organization}/initialization-status")

    eventually(SECONDS, f"{name} initialized", lambda: status()["endpointsCreated"])
    now = status()
    expect(now["svixApplicationCreated"] and len(now["endpointIds"]) == 5 and not now["lastError"], f"the status: {now}")
    path = f"/{name}"
    url = receiver.base + path if receiver else f"{stack.api}/complete"
    made = ask(stack, 201, "POST", f"{organization}/endpoints", {"url": url, "eventTypes": ["smoke.sent"]})
    listed = ask(stack, 200, "GET", f"{organization}/endpoints")
    expect({endpoint["id"] for endpoint in listed} == {made["id"], *now["endpointIds"]}, f"its endpoints: {listed}")
    sent = {"eventType": "smoke.sent", "payload": CALLBACK, "eventId": "once"}
    time.sleep(CACHED_SECONDS)
    message = ask(stack, 200, "POST", f"{organization}/send", sent)["id"]
    again = ask(stack, 200, "POST", f"{organization}/send", sent)["id"]
    expect(message == again, f"the same eventId made {message} and {again}")
    attempts = f"{organization}/messages/{message}/attempts"
    eventually(SECONDS, f"{message} delivered", lambda: len(ask(stack, 200, "GET", attempts)) > 0)
    if receiver:
        expect([json.loads(body) for body in receiver.bodies[path]] == [CALLBACK], "not what was sent, once")
    ask(stack, 204, "DELETE", f"{organization}/endpoints/{made['id']}")
    ask(stack, 204, "DELETE", f"/api/v1/app/{name}")

