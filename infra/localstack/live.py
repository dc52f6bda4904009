"""Live updates over the stack's WebSocket API."""

import contextlib
import json
import socket
import time
import urllib.parse

from stack import Failure, Stack, expect, new_organization

# A cold start, and the stream's way to the function.
SECONDS = 60
# For so long a function may not know yet that somebody listens.
CACHED_SECONDS = 4


class Listener:
    """A plain WebSocket client."""

    def __init__(self, url: str):
        # Of MiniStack's environment (infra/tools/ministack.txt), which is where this check runs.
        from wsproto import ConnectionType, WSConnection
        from wsproto.events import Request

        parts = urllib.parse.urlsplit(url)
        expect(parts.scheme == "ws", f"this client knows no TLS: {url}")
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=SECONDS)
        self._frames = WSConnection(ConnectionType.CLIENT)
        self._heard: list[str] = []
        self._socket.sendall(self._frames.send(Request(host=parts.netloc, target=parts.path)))
        self._is_open = False
        while not self._is_open:
            self._read(time.time() + SECONDS)

    def say(self, frame: dict) -> None:
        from wsproto.events import TextMessage

        self._socket.sendall(self._frames.send(TextMessage(json.dumps(frame))))

    def hear(self, event: str, seconds: float = SECONDS) -> dict:
        """The next event of this name; what comes before it is passed over."""
        deadline = time.time() + seconds
        while True:
            while self._heard:
                frame = json.loads(self._heard.pop(0))
                if frame["event"] == event:
                    return frame.get("data", {})
            self._read(deadline, event)

    def hears_nothing(self) -> bool:
        with contextlib.suppress(Failure):
            self._read(time.time() + 1)
        return not self._heard

    def close(self) -> None:
        from wsproto.events import CloseConnection

        self._socket.sendall(self._frames.send(CloseConnection(code=1000)))
        self._socket.close()

    def _read(self, deadline: float, wanted: str = "an answer") -> None:
        from wsproto.events import AcceptConnection, CloseConnection, Ping, RejectConnection, TextMessage

        self._socket.settimeout(max(0.01, deadline - time.time()))
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            raise Failure(f"a listener waited for {wanted} in vain") from None
        self._frames.receive_data(data or None)
        text = ""
        for event in self._frames.events():
            match event:
                case AcceptConnection():
                    self._is_open = True
                case RejectConnection() | CloseConnection():
                    raise Failure(f"a listener was turned away, waiting for {wanted}: {event}")
                case Ping():
                    self._socket.sendall(self._frames.send(event.response()))
                case TextMessage():
                    text += event.data
                    if event.message_finished:
                        self._heard.append(text)
                        text = ""


def live(stack: Stack, receiver) -> None:
    """Two listeners of two organizations: one hears what happens in its own, and the other does not."""
    expect(stack.web_socket is not None, "the stack has no live updates (LiveUpdates)")
    listener, stranger = Listener(stack.web_socket), Listener(stack.web_socket)
    listener.say({"token": stack.token})
    stranger.say({"token": stack.token_for(new_organization())})
    listener.hear("connected")
    stranger.hear("connected")
    time.sleep(CACHED_SECONDS)

    def ask(method: str, path: str, body=None) -> dict:
        status, _, answer = stack.call(method, path, body)
        expect(status < 300, f"{method} {path}: {status} {answer}")
        return answer

    application = f"/api/v1/app/{ask('POST', '/api/v1/app', {'name': 'smoke'})['id']}"
    url = receiver.messages_url if receiver else f"{stack.api}/complete"
    endpoint = ask("POST", f"{application}/endpoint", {"url": url})["id"]
    expect(listener.hear("endpoint.created")["endpoint"]["id"] == endpoint, "another endpoint was made")
    time.sleep(CACHED_SECONDS)
    payload = {"jobId": "job_" + "0" * 27, "data": []}
    message = ask("POST", f"{application}/msg", {"eventType": "smoke", "payload": payload})["id"]
    heard = listener.hear("webhook.delivered", 150)
    expect((heard["messageId"], heard["endpointId"]) == (message, endpoint), f"another delivery: {heard}")
    ask("DELETE", f"{application}/endpoint/{endpoint}")
    expect(listener.hear("endpoint.deleted")["endpointId"] == endpoint, "another endpoint was deleted")
    ask("DELETE", application)
    expect(stranger.hears_nothing(), "a listener heard of another organization")
    listener.close()
    stranger.close()
