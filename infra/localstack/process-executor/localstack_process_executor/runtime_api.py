"""The Lambda Runtime API (2018-06-01), served to one process on a loopback port."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

PREFIX = "/2018-06-01/runtime"
# Lambda's own limit for the answer of a synchronous invocation.
MAX_RESPONSE_BYTES = 6 * 1024 * 1024


class Invocations(Protocol):
    """What stands behind the API."""

    timeout_seconds: int

    def next_invocation(self) -> dict | None:
        """Waits for the next event; None means that the process is to end."""

    def init_failed(self, error: bytes) -> None:
        """The process says that it cannot start."""

    def complete(self, request_id: str, body: bytes, is_error: bool) -> None:
        """The process has answered."""


def serve(invocations: Invocations, name: str) -> ThreadingHTTPServer:
    """Starts serving; the caller shuts the server down."""
    handler = type("Handler", (_Handler,), {"invocations": invocations})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True, name=f"runtime-api-{name}").start()
    return server


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    invocations: Invocations

    def log_message(self, *args):
        """Says nothing: the default writes every request to standard error."""

    def do_GET(self):
        if self.path != f"{PREFIX}/invocation/next":
            return self._reply(404)
        invocation = self.invocations.next_invocation()
        if invocation is None:
            self.close_connection = True
            return None
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation["invoke-id"],
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + self.invocations.timeout_seconds) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": invocation["invoked-function-arn"],
            "Lambda-Runtime-Trace-Id": invocation.get("trace-id") or "",
        }
        for name in ("client-context", "cognito-identity"):
            if invocation.get(name):
                headers[f"Lambda-Runtime-{name.title()}"] = invocation[name]
        return self._reply(200, invocation["payload"].encode(), headers)

    def do_POST(self):
        body = self._body()
        match self.path.removeprefix(PREFIX).strip("/").split("/"):
            case ["init", "error"]:
                self._reply(202, b'{"status":"OK"}')
                self.invocations.init_failed(body)
            case ["invocation", request_id, "response"] if len(body) > MAX_RESPONSE_BYTES:
                self._reply(202, b'{"status":"OK"}')
                self.invocations.complete(request_id, _too_large(len(body)), True)
            case ["invocation", request_id, "response" | "error" as outcome]:
                self._reply(202, b'{"status":"OK"}')
                self.invocations.complete(request_id, body, outcome == "error")
            case _:
                self._reply(404)

    def _reply(self, status: int, body: bytes = b"", headers: dict | None = None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return body


def _too_large(size: int) -> bytes:
    return json.dumps({
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": f"Response payload size ({size} bytes) exceeded maximum allowed payload size "
        f"({MAX_RESPONSE_BYTES} bytes).",
    }).encode()
