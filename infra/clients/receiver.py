#!/usr/bin/env python3
"""The receiver that the tours have their messages delivered to. It keeps what it got, byte for byte.

POST /in/KEY      a delivery: recorded, and answered as the key's script says (200 without one)
PUT  /script/KEY  the answers to come: [{"status": 500, "headers": {"retry-after": "3"}, "body": "text"}, ...];
                  the last one stays
GET  /seen/KEY    [{"time": seconds, "headers": [[name, value], ...], "body": base64}, ...], oldest first

It takes a free port of the loopback address and writes it, alone on a line, to standard output.
"""

import base64
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOCK = threading.Lock()
SCRIPTS: dict[str, list[dict]] = {}
SEEN: dict[str, list[dict]] = {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave in two writes; waiting for the first one's acknowledgement would cost 40 ms each.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body, key = self.body(), self.key("in")
        with LOCK:
            SEEN.setdefault(key, []).append(
                {"time": time.time(), "headers": self.headers.items(), "body": base64.b64encode(body).decode()}
            )
            script = SCRIPTS.get(key, [{}])
            answer = script.pop(0) if len(script) > 1 else script[0]
        self.answer(answer.get("status", 200), answer.get("body", "taken").encode(), answer.get("headers", {}))

    def do_PUT(self) -> None:
        body, key = self.body(), self.key("script")
        with LOCK:
            SCRIPTS[key] = json.loads(body)
        self.answer(204)

    def do_GET(self) -> None:
        key = self.key("seen")
        with LOCK:
            body = json.dumps(SEEN.get(key, []))
        self.answer(200, body.encode(), {"content-type": "application/json"})

    def key(self, kind: str) -> str:
        before, _, key = self.path.removeprefix("/").partition("/")
        if before != kind:
            raise ValueError(f"{self.command} {self.path}: expected /{kind}/KEY")
        return key

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


if __name__ == "__main__":
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)
