"""A TCP or unix proxy for tests of faults: what passes through it can be delayed, swallowed, or cut off."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHUNK = 65_536


class Proxy:
    """Forwards connections to `target`.

    delay: seconds that every answer is held back. swallow: what clients send goes nowhere, nothing is answered. mute: it
    goes through, and the answer is swallowed. seen: connections so far.
    """

    def __init__(self, target: str | tuple[str, int], listener: socket.socket) -> None:
        self._target, self._listener = target, listener
        self.delay, self.swallow, self.mute, self.seen = 0.0, False, False, 0
        self._open: set[socket.socket] = set()
        listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection there is."""
        for one in list(self._open):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self) -> None:
        """Take no more connections, and break those there are."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.seen += 1
            self._open.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            if isinstance(self._target, str):
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._target)
            else:
                server = socket.create_connection(self._target, 5)
        except OSError:
            self._drop(client)
            return
        self._open.add(server)
        threading.Thread(target=self._pump, args=(server, client, True), daemon=True).start()
        self._pump(client, server, False)

    def _pump(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        try:
            while data := source.recv(CHUNK):
                if answers and self.delay:
                    time.sleep(self.delay)
                if not self.swallow and not (answers and self.mute):
                    sink.sendall(data)
        except OSError:
            pass
        # A swallowed connection is not ended either: the other side is to wait.
        if not (self.swallow or self.mute):
            self._drop(sink)
        self._drop(source)

    def _drop(self, one: socket.socket) -> None:
        self._open.discard(one)
        one.close()


@contextmanager
def tcp_proxy(host: str, port: int) -> Iterator[tuple[Proxy, int]]:
    """In front of a port of this machine; the proxy and its own port."""
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = Proxy((host, port), listener)
    try:
        yield proxy, int(listener.getsockname()[1])
    finally:
        proxy.close()


@contextmanager
def unix_proxy(target: str, path: Path) -> Iterator[Proxy]:
    """In front of a unix socket, at `path`."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    proxy = Proxy(target, listener)
    try:
        yield proxy
    finally:
        proxy.close()
