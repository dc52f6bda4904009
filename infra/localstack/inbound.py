"""Inbound webhooks: from the open door to enrollments, to whoever they are forwarded to, and to what is told of them."""

import base64
import contextlib
import hmac
import json
import secrets
import time

from stack import Stack, eventually, expect
from surfaces import SECONDS, ask

USER, PASSWORD = "docebo", "correct horse battery staple"
LOGIN = {"authorization": "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
# The first line of an export.
COLUMNS = (
    "user_id,course_id,session_id,username,course_name,session_name,level,status,enrollment_date,"
    "enrollment_date_begin_validity,enrollment_date_end_validity,subscribed_by_id,completion_date,deleted_at,updated_at"
)


def webhook(event: str, **told) -> dict:
    return {"event": event, "fired_by_batch_action": False, "message_id": f"wh-smoke-{secrets.token_hex(8)}", **told}


def moments_ago(seconds: int) -> str:
    """A time as Docebo writes it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - seconds))


def payload(user: int, fired_at: str, **fields) -> dict:
    return {"fired_at": fired_at, "user_id": user, "course_id": 37, **fields}


@contextlib.contextmanager
def source(stack: Stack, **settings):
    """A source, and its own door once that is open: what was not there a moment ago is remembered for some seconds."""
    made = ask(stack, 201, "POST", "/api/v1/source", settings)
    expect(made["path"] == f"/in/{made['id']}" and PASSWORD not in json.dumps(made), f"not the source expected: {made}")
    try:
        eventually(30, f"{made['path']} open", lambda: stack.call("GET", made["path"], token=False)[0] == 200)
        yield made
    finally:
        ask(stack, 204, "DELETE", f"/api/v1/source/{made['id']}")


def send(stack: Stack, expected: int, door: str, body, headers=LOGIN):
    status, _, answer = stack.call("POST", door, body, token=False, headers=headers)
    expect(status == expected, f"POST {door}: {status} in place of {expected}: {answer}")
    return answer


def enrollments(stack: Stack, reading: str, query: str) -> list:
    return ask(stack, 200, "GET", f"{reading}/enrollments?{query}")["data"]


def run_inbound(stack: Stack, count: int, seconds: int) -> None:
    """Webhooks in, enrollments out, by whichever lane is on: the completion of each comes before what it completes."""
    with source(stack, name="smoke", uid=None, kind="docebo", username=USER, password=PASSWORD) as made:
        door, deadline = made["path"], time.time() + seconds
        begun, ended = moments_ago(600), moments_ago(60)
        for user in range(1, count + 1):
            done = payload(user, ended, status="completed", completion_date=ended)
            send(stack, 200, door, webhook("course.enrollment.completed", payload=done))
            send(stack, 200, door, webhook("course.enrollment.created", payload=payload(user, begun, status="subscribed")))

        def is_computed() -> bool:
            transactions = ask(stack, 200, "GET", f"{door}/transactions?limit=250")["data"]
            expect(all(one["status"] != "failed" for one in transactions), f"a transaction failed: {transactions}")
            return [one["status"] for one in transactions] == ["computed"] * 2 * count

        eventually(max(10.0, deadline - time.time()), "inbound webhooks computed", is_computed)
        known = [(one["user_id"], one["status"]) for one in enrollments(stack, door, "limit=250")]
        expect(known == [(user, "completed") for user in range(1, count + 1)], f"not the enrollments expected: {known}")


def inbound(stack: Stack, receiver) -> None:
    """Docebo's webhooks by its own door, if the stack says whose that is; and those of a sender that signs."""
    stack = stack.seen_by(stack.inbound_organization or stack.organization)
    uid = "docebo" if stack.inbound_organization else f"smoke-{secrets.token_hex(4)}"
    # What a test that broke off has left.
    stack.call("DELETE", f"/api/v1/source/{uid}")
    application = ask(stack, 201, "POST", "/api/v1/app", {"name": "smoke"})["id"]
    try:
        url = receiver.messages_url if receiver else f"{stack.api}/complete"
        ask(stack, 201, "POST", f"/api/v1/app/{application}/endpoint", {"url": url})
        with source(stack, name=uid, kind="docebo", username=USER, password=PASSWORD, forwardTo=application) as made:
            expect(made["uid"] == uid, f"its name is not its uid: {made}")
            docebo(stack, receiver, made, "/transaction" if stack.inbound_organization else made["path"])
    finally:
        ask(stack, 204, "DELETE", f"/api/v1/app/{application}")
    signed(stack)


def docebo(stack: Stack, receiver, made: dict, door: str) -> None:
    reading = f"/in/{made['uid']}"
    # Functions that have just been asked for it may not know yet that it is there.
    eventually(30, f"{door} open", lambda: stack.call("GET", door, token=False)[0] == 200)
    challenge = stack.call("GET", f"{door}?challenge=are-you-there", token=False)[2]
    expect(challenge == "are-you-there", f"a challenge was answered with {challenge!r}")

    # One webhook: byte for byte, and once, however often it comes.
    fields = {"username": "jane", "course_name": "Safety", "level": "learner", "status": "subscribed"}
    fired = moments_ago(60)
    body = webhook("course.enrollment.created", payload=payload(13250, fired, **fields), extra_data={"kept": True})
    raw = json.dumps(body, indent=1).encode()
    send(stack, 401, door, raw, headers={})
    answer = send(stack, 200, door, raw)
    transaction = answer["newTransaction"]
    expect(answer["message"] == "Transaction has been saved successfully", f"not Docebo's answer: {answer}")
    again = send(stack, 200, door, raw)["newTransaction"]
    expect(again["id"] == transaction["id"], f"a redelivery made another transaction: {again}")
    send(stack, 409, door, raw.replace(b"jane", b"joan"))

    # What cannot be taken is kept, and told of.
    send(stack, 400, door, {"event": "course.enrollment.created", "payload": 1})
    rejected = {one["status"]: one["id"] for one in ask(stack, 200, "GET", f"{reading}/transaction-errors")["data"]}
    expect(rejected.keys() == {400, 409}, f"not the rejected webhooks: {rejected}")
    error = f"{reading}/transaction-errors/{rejected[400]}"
    expect('"payload": 1' in ask(stack, 200, "GET", error)["body"], "not the body that was rejected")
    ask(stack, 422, "POST", f"{error}/retry")

    # What it means.
    at = f"{reading}/transactions/{transaction['id']}"

    def is_computed(status: str = "computed") -> bool:
        return ask(stack, 200, "GET", at)["status"] == status

    eventually(SECONDS, "a webhook computed", is_computed)
    [known] = enrollments(stack, reading, "user_id=13250&course_id=37&status=subscribed")
    expect({name: known[name] for name in fields} == fields, f"not the enrollment expected: {known}")
    expect(known["updated_at"].startswith(fired.replace(" ", "T")), f"not the enrollment's time: {known}")
    text = stack.call("GET", f"{reading}/enrollments/export?format=csv")[2]
    expect(text.splitlines()[0] == COLUMNS and text.splitlines()[1].startswith("13250,37,,jane,Safety,"), f"the export: {text}")
    line = ask(stack, 200, "GET", f"{reading}/enrollments/export?format=ndjson")
    expect(line == known, f"the export of one enrollment: {line}")

    # Forwarded once, and computed as often as somebody wants.
    first = ask(stack, 200, "GET", at)
    message = first["message"]
    attempts = f"/api/v1/app/{made['forwardTo']}/attempt/msg/{message}"
    eventually(SECONDS, f"{message} delivered", lambda: len(ask(stack, 200, "GET", attempts)["data"]) > 0)
    if receiver:
        expect(receiver.messages[message][0] == raw, f"not what was sent: {receiver.messages[message][0]!r}")
    expect(ask(stack, 202, "POST", f"{at}/replay")["status"] == "pending", "a replay is computed later")
    eventually(SECONDS, "a replay computed", lambda: is_computed() and ask(stack, 200, "GET", at)["computedAt"] > first["computedAt"])
    replayed = ask(stack, 202, "POST", f"{reading}/transactions/replay", {"since": first["receivedAt"]})
    expect(replayed["replayed"] == 1 and replayed["done"], f"a replay by time: {replayed}")
    expect(ask(stack, 200, "GET", at)["message"] == message, "a replay forwarded it again")

    # A group with one payload that means nothing.
    group = webhook("course.enrollment.created", payloads=[payload(13251, fired, status="subscribed"), {"fired_at": "once"}])
    at = f"{reading}/transactions/{send(stack, 200, door, group)['newTransaction']['id']}"
    eventually(SECONDS, "a group computed", lambda: is_computed("failed"))
    [error] = ask(stack, 200, "GET", f"{reading}/compute-errors")["data"]
    ask(stack, 202, "POST", f"{reading}/compute-errors/{error['id']}/retry")
    expect(len(enrollments(stack, reading, "user_id=13251")) == 1, "the payload beside it was not computed")

    # An initial load.
    rows = b"user_id,course_id,status\n13252,37,subscribed\nnobody,37,subscribed\n"
    status, _, report = stack.call("POST", f"{reading}/enrollments", rows, headers={"content-type": "text/csv"})
    expect(status == 200 and (report["created"], report["refused"]) == (1, 1), f"an import: {status} {report}")


def signed(stack: Stack) -> None:
    """A signature over the raw body survives the way through the front door."""
    secret = secrets.token_hex(16)
    with source(stack, name="smoke", uid=None, kind="github", secret=secret) as made:
        body = '{ "zen":  "Anything added dilutes everything else – ✓", "number": 1.0 }'.encode()
        headers = {
            "x-github-event": "ping",
            "x-github-delivery": secrets.token_hex(16),
            "x-hub-signature-256": "sha256=" + hmac.new(secret.encode(), body, "sha256").hexdigest(),
        }
        taken = send(stack, 200, made["path"], body, headers)["newTransaction"]
        expect((taken["event"], taken["messageId"]) == ("ping", headers["x-github-delivery"]), f"not the webhook sent: {taken}")
        send(stack, 401, made["path"], body.replace(b"1.0", b"1"), headers)
        kept = ask(stack, 200, "GET", f"{made['path']}/transactions")["data"]
        expect([one["id"] for one in kept] == [taken["id"]], f"not the webhook taken: {kept}")
