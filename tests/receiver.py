"""A webhook receiver as others would write it: a plain HTTP server that keeps what it is sent."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""A published example secret."""


class Inbox:
    """Bodies and headers in order of arrival."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []


@contextmanager
def receiver() -> Iterator[tuple[Inbox, ThreadingHTTPServer]]:
    """A receiver on a free port of 127.0.0.1 that takes everything."""
    inbox = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            inbox.headers.append({name.lower(): value for name, value in self.headers.items()})
            inbox.bodies.append(body)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield inbox, server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Hook:
    """A receiver that verifies Standard Webhooks with the public library, and answers what it is told to.

    status, headers, answer: of every answer; refused_for_id: another status for some messages. verified: how often each
    message was taken; bodies: what it said. virtual: messages are signed at any time, not within minutes of now.
    """

    virtual = False

    def __init__(self) -> None:
        self.status, self.headers, self.answer = 204, dict[str, str](), b""
        self.verified: Counter[str] = Counter()
        self.bodies: dict[str, dict[str, Any]] = {}
        self.attempts: list[str] = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.refused_for_id: dict[str, int] = {}
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook._take(self)

            def log_message(self, *_: object) -> None:
                """Stay quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def _take(self, request: BaseHTTPRequestHandler) -> None:
        content = request.rfile.read(int(request.headers["content-length"]))
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.path, headers, content))
        status = self.status
        if id_ := headers.get("webhook-id"):
            self.attempts.append(id_)
            status = self.refused_for_id.get(id_, status)
            if 200 <= status < 300:
                self.bodies[id_] = self._verified(content, headers)
                self.verified[id_] += 1
        request.send_response(status)
        for name, value in self.headers.items():
            request.send_header(name, value)
        if status != 204:
            request.send_header("content-length", str(len(self.answer)))
        request.end_headers()
        if status != 204:
            request.wfile.write(self.answer)

    def _verified(self, content: bytes, headers: dict[str, str]) -> dict[str, Any]:
        if not self.virtual:
            event: dict[str, Any] = Webhook(SECRET).verify(content, headers)
            return event
        at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        signed = Webhook(SECRET).sign(headers["webhook-id"], at, content.decode())
        assert signed in headers["webhook-signature"].split()
        told: dict[str, Any] = json.loads(content)
        return told

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def hook() -> Iterator[Hook]:
    """A Hook on a free port of 127.0.0.1."""
    running = Hook()
    try:
        yield running
    finally:
        running.stop()
