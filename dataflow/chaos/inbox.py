"""The webhook receiver of a chaos run: checks each signature by itself, after Standard Webhooks 1.0.0, and keeps ids."""

from __future__ import annotations

import base64
import hmac
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec

Page = tuple[str, str, str]
"""(alert, severity, what is said of it)."""
FRESH_S = 300


class _Data(msgspec.Struct):
    alert_id: str
    severity: str


class _Body(msgspec.Struct):
    type: str
    data: _Data


class Inbox:
    """What came. pages: webhook ids by what they say; requests: how often each id came; wrong: what must not be.
    refused: requests whose time is not now, which the standard has a receiver refuse."""

    def __init__(self, key: bytes) -> None:
        self._key, self._lock = key, threading.Lock()
        self.pages: defaultdict[Page, set[str]] = defaultdict(set)
        self.requests: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.refused = 0

    def take(self, headers: dict[str, str], content: bytes, now: float) -> bool:
        """Whether one request is taken. now: seconds since the epoch."""
        id_, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        signed = hmac.digest(self._key, f"{id_}.{stamp}.".encode() + content, "sha256")
        expected = "v1," + base64.b64encode(signed).decode()
        given = headers.get("webhook-signature", "").split()
        with self._lock:
            if not any(hmac.compare_digest(expected, one) for one in given):
                self.wrong.append(f"the signature of {id_} is wrong")
            elif abs(now - int(stamp)) > FRESH_S:
                self.refused += 1
                return False
            body = msgspec.json.decode(content, type=_Body)
            self.pages[body.data.alert_id, body.data.severity, body.type].add(id_)
            self.requests[id_] += 1
            return True

    def told(self) -> set[tuple[str, str]]:
        """(alert, severity) of everything that was raised."""
        with self._lock:
            return {(alert, severity) for alert, severity, said in self.pages if said == "alert.raised"}

    def violations(self) -> list[str]:
        """Pages that came under two ids, ids that said two things, signatures that were wrong."""
        with self._lock:
            found = [f"{page} came under {sorted(ids)}" for page, ids in self.pages.items() if len(ids) > 1]
            said = Counter(id_ for ids in self.pages.values() for id_ in ids)
            found += [f"{id_} said {times} things" for id_, times in said.items() if times > 1]
            return found + self.wrong


@contextmanager
def listening(inbox: Inbox) -> Iterator[str]:
    """A server on a free port of 127.0.0.1; its url."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            taken = inbox.take(headers, content, time.time())
            self.send_response(204 if taken else 400)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
