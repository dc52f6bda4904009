"""What a receiver gets: the bytes, the headers, signatures that the libraries verify."""

import base64
import json
import urllib.request
from dataclasses import replace
from typing import Any, NamedTuple

import standardwebhooks
import svix as library
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from harness import Delivery, Inbox, Tour, refused
from scene import CLIENT as svix
from scene import TOKEN, URL, application, endpoint, message, signing_secret
from svix.models import EndpointHeadersPatchIn, EndpointIn, EndpointSecretRotateIn


def verified(key: str, delivery: Delivery) -> None:
    """Checks a delivery by both libraries and both families of headers."""

    def only(family: str) -> dict[str, str]:
        return {name: value for name, value in delivery.headers.items() if name.startswith(f"{family}-")}

    for family in ("webhook", "svix"):
        library.Webhook(key).verify(delivery.body, only(family))
    standardwebhooks.Webhook(key).verify(delivery.body, only("webhook"))


def refused_by_libraries(key: str, delivery: Delivery) -> None:
    for webhook in (library.Webhook(key), standardwebhooks.Webhook(key)):
        try:
            webhook.verify(delivery.body, delivery.headers)
        except Exception as error:
            assert type(error).__name__ == "WebhookVerificationError", error
        else:
            raise AssertionError("verified")


class Listener(NamedTuple):
    """An endpoint with an inbox of its own, in an application of its own."""

    app: str
    inbox: Inbox
    endpoint: str
    key: str

    @classmethod
    def make(cls, **given: Any) -> "Listener":
        app, inbox = application("Deliveries"), Inbox()
        made = endpoint(app, inbox, **given).id
        return cls(app, inbox, made, svix.endpoint.get_secret(app, made).key)

    def rotate(self, **given: Any) -> None:
        svix.endpoint.rotate_secret(self.app, self.endpoint, EndpointSecretRotateIn(**given))

    def delivered(self, payload: dict[str, Any]) -> Delivery:
        message(self.app, payload)
        [delivery] = self.inbox.wait(1)
        return delivery


def deliveries(tour: Tour) -> None:
    @tour.step("a delivery is verified by both libraries and both families of headers")
    def _() -> None:
        app, inbox, _, key = Listener.make()
        payload = {"text": 'Größe ✓ \u0007 "quoted"', "list": [1, 2.5, -3e-7], "nested": {"null": None}}
        sent = message(app, payload)
        [delivery] = inbox.wait(1)
        verified(key, delivery)
        assert json.loads(delivery.body) == payload
        headers = delivery.headers
        assert headers["webhook-id"] == sent.id, headers
        for part in ("id", "timestamp", "signature"):
            assert headers[f"svix-{part}"] == headers[f"webhook-{part}"], headers
        assert headers["content-type"] == "application/json", headers
        assert headers["user-agent"].startswith("Tidings/"), headers
        refused_by_libraries(key, replace(delivery, body=delivery.body.replace(b"1", b"7")))
        refused_by_libraries(signing_secret(), delivery)

    @tour.step("headers given at the endpoint's creation, and set later, are sent")
    def _() -> None:
        there = Listener.make(headers={"X-Given": "at birth"})
        change = EndpointHeadersPatchIn(headers={"X-Api-Key": "k-1"})
        svix.endpoint.patch_headers(there.app, there.endpoint, change)
        headers = there.delivered({}).headers
        assert (headers["x-given"], headers["x-api-key"]) == ("at birth", "k-1"), headers

    @tour.step("the payload is delivered byte for byte as it was posted")
    def _() -> None:
        app, inbox, _, key = Listener.make()
        payload = '{ "b" : 1.0,\n\t"a":1e2, "big":12345678901234567890, "ü" : "\\u00fc\\/", "z":-0.0 , "a b":[ ]}'
        request = urllib.request.Request(
            f"{URL}/api/v1/app/{app}/msg",
            f'{{"payload": {payload} , "eventType":"order.placed"}}'.encode(),
            {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request) as response:
            assert response.status == 202, response.status
        [delivery] = inbox.wait(1)
        assert delivery.body == payload.encode(), delivery.body
        verified(key, delivery)

    rotation(tour)
    asymmetric(tour)


def rotation(tour: Tour) -> None:
    @tour.step("during a rotation's grace both the old and the new secret verify")
    def _() -> None:
        there, following = Listener.make(), signing_secret()
        there.rotate(key=following)
        delivery = there.delivered({"during": True})
        for key in (there.key, following):
            verified(key, delivery)
        assert len(delivery.headers["webhook-signature"].split(" ")) == 2, delivery.headers

    @tour.step("without a grace only the new secret verifies")
    def _() -> None:
        there = Listener.make()
        there.rotate(grace_period_seconds=0)
        following = svix.endpoint.get_secret(there.app, there.endpoint).key
        delivery = there.delivered({"after": True})
        verified(following, delivery)
        refused_by_libraries(there.key, delivery)


class Pair(NamedTuple):
    """An Ed25519 key as an endpoint's secret (the seed and the public half), and as it is shown."""

    secret: str
    shown: str

    @classmethod
    def make(cls) -> "Pair":
        private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        both = private.private_bytes_raw() + public
        return cls(f"whsk_{base64.b64encode(both).decode()}", f"whpk_{base64.b64encode(public).decode()}")


def verified_asymmetrically(shown: str, delivery: Delivery) -> bool:
    """No published verifier knows `v1a` yet, so this is `cryptography`, by the public half as Tidings shows it."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(shown.removeprefix("whpk_")))
    headers = delivery.headers
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + delivery.body
    for signature in headers["webhook-signature"].split(" "):
        version, _, encoded = signature.partition(",")
        try:
            if version == "v1a":
                key.verify(base64.b64decode(encoded), text)
                return True
        except InvalidSignature:
            pass
    return False


def asymmetric(tour: Tour) -> None:
    @tour.step("an asymmetric key: its public half is shown, and verifies v1a")
    def _() -> None:
        pair = Pair.make()
        there = Listener.make(secret=pair.secret)
        assert there.key == pair.shown, there.key
        delivery = there.delivered({"signed": "v1a"})
        assert verified_asymmetrically(there.key, delivery), delivery.headers
        assert not verified_asymmetrically(there.key, replace(delivery, body=b"{}"))
        assert not verified_asymmetrically(Pair.make().shown, delivery)

    @tour.step("from a shared secret to an asymmetric key: both verify during the grace")
    def _() -> None:
        there, pair = Listener.make(), Pair.make()
        there.rotate(key=pair.secret)
        delivery = there.delivered({"moving": True})
        verified(there.key, delivery)
        assert verified_asymmetrically(pair.shown, delivery), delivery.headers

    @tour.step("an asymmetric key of the wrong length: 422")
    def _() -> None:
        app = application("Wrong key")
        wrong = EndpointIn(url="http://127.0.0.1:9/", secret=f"whsk_{base64.b64encode(bytes(20)).decode()}")
        refused(422, None, lambda: svix.endpoint.create(app, wrong))
