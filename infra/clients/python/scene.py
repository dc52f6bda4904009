"""The library under test, and how its generations differ. Both are in use, and both must work."""

import base64
import secrets
from typing import Any

import svix
from harness import Inbox, Noting, setting
from svix import api, models

IS_FIRST = svix.__version__.startswith("1.")
UPSERT = "update" if IS_FIRST else "upsert"
SET_HEADERS = "update_headers" if IS_FIRST else "set_headers"
TYPES = "filter_types" if IS_FIRST else "event_types"
RATE = "rate_limit" if IS_FIRST else "throttle_rate"
EndpointUpsert = models.EndpointUpdate if IS_FIRST else models.EndpointUpsertIn
EventTypeUpsert = models.EventTypeUpdate if IS_FIRST else models.EventTypeUpsertIn

URL, TOKEN = setting("TIDINGS_URL"), setting("TIDINGS_TOKEN")
OPTIONS = api.SvixOptions(server_url=URL)
CALLED: set[str] = set()


def client(token: str) -> Any:
    return Noting(api.Svix(token, OPTIONS), CALLED)


CLIENT = client(TOKEN)


def application(name: str, **given: Any) -> str:
    """A new application's id."""
    return CLIENT.application.create(models.ApplicationIn(name=name, **given)).id


def message(app: str, payload: dict[str, Any], event_type: str = "order.placed", **given: Any) -> Any:
    return CLIENT.message.create(app, models.MessageIn(event_type=event_type, payload=payload, **given))


def endpoint(app: str, inbox: Inbox, **given: Any) -> Any:
    return CLIENT.endpoint.create(app, models.EndpointIn(url=inbox.url, **given))


def signing_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"
