"""A deployed stack, as its callers and its operator see it."""

import base64
import contextlib
import copy
import hmac
import json
import secrets
import time
import urllib.error
import urllib.request

import boto3

FUNCTIONS = ("intake", "api", "processor", "realtime", "generator", "provider", "complete")
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Failure(Exception):
    """Something is not as it should be."""


def expect(holds: bool, message: str) -> None:
    if not holds:
        raise Failure(message)


def eventually(seconds: float, what: str, holds) -> None:
    deadline = time.time() + seconds
    while not holds():
        expect(time.time() < deadline, f"not within {seconds:.0f} s: {what}")
        time.sleep(0.5)


def new_organization() -> str:
    number, digits = int.from_bytes(secrets.token_bytes(19), "big"), ""
    while len(digits) < 27:
        number, digit = divmod(number, 62)
        digits = BASE62[digit] + digits
    return f"org_{digits}"


class Stack:
    def __init__(self, name: str):
        self.name = name
        stack = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        parameters = {item["ParameterKey"]: item["ParameterValue"] for item in stack["Parameters"]}
        self.api, self.providers = outputs["ApiUrl"], outputs["ProvidersUrl"]
        # Not where there are no live updates.
        self.web_socket = outputs.get("WebSocketUrl")
        # The one whose sources /transaction and /in/{source} know by their uids.
        self.inbound_organization = parameters.get("InboundOrganization") or None
        self.grace_seconds = int(parameters["GraceSeconds"])
        self.generator_rule = outputs["GeneratorScheduleName"]
        self._rule, self._mapping = outputs["ScheduleName"], outputs["StreamMappingId"]
        secret = boto3.client("secretsmanager").get_secret_value(SecretId=outputs["JwtSecretArn"])
        self.secret = secret["SecretString"].encode()
        self.organization = new_organization()
        self.token = self.token_for(self.organization)

    def seen_by(self, organization: str) -> "Stack":
        """The same stack for a caller of another organization."""
        other = copy.copy(self)
        other.organization, other.token = organization, self.token_for(organization)
        return other

    def token_for(self, organization: str) -> str:
        now = int(time.time())
        claims = {"sub": organization, "role": "admin", "iat": now, "nbf": now, "exp": now + 3600}
        parts = [_base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
        signature = hmac.digest(self.secret, ".".join(parts).encode(), "sha256")
        return ".".join([*parts, _base64url(signature)])

    def call(self, method: str, path: str, body=None, *, token=True, base=None, headers=None):
        """Status, headers and body of an answer; the body read as JSON where it is."""
        # The content type matters: LocalStack takes a POST without one for a form.
        headers = {"content-type": "application/json", **(headers or {})}
        if token:
            headers["authorization"] = f"Bearer {self.token}"
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request((base or self.api) + path, method=method, data=data, headers=headers)
        try:
            answer = urllib.request.urlopen(request, timeout=40)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            text = answer.read()
        with contextlib.suppress(ValueError):
            return answer.status, answer.headers, json.loads(text)
        return answer.status, answer.headers, text.decode(errors="replace")

    @contextlib.contextmanager
    def only(self, lane: str):
        """One lane, the other one off."""
        try:
            self._switch(stream=lane == "stream", schedule=lane == "schedule")
            yield
        finally:
            self._switch(stream=True, schedule=True)

    def _switch(self, *, stream: bool, schedule: bool) -> None:
        events, functions = boto3.client("events"), boto3.client("lambda")
        (events.enable_rule if schedule else events.disable_rule)(Name=self._rule)
        mapping = functions.get_event_source_mapping(UUID=self._mapping)
        wanted = "Enabled" if stream else "Disabled"
        if mapping["State"] != wanted:
            functions.update_event_source_mapping(UUID=self._mapping, Enabled=stream)
        eventually(60, f"the stream mapping {wanted.lower()}",
                   lambda: functions.get_event_source_mapping(UUID=self._mapping)["State"] == wanted)

    def logs(self) -> str:
        client, text = boto3.client("logs"), []
        for function in FUNCTIONS:
            group = f"/aws/lambda/{self.name}-{function}"
            try:
                events = client.filter_log_events(logGroupName=group, startTime=int(time.time() - 600) * 1000)["events"]
            except client.exceptions.ClientError as error:
                events = [{"timestamp": 0, "message": str(error)}]
            events.sort(key=lambda event: event["timestamp"])
            text += [f"--- {group}", *(event["message"].rstrip() for event in events[-40:])]
        return "\n".join(text)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
