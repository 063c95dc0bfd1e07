"""A webhook receiver as others would write it: a plain HTTP server that keeps what it is sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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
