"""Real servers for drills: a primary and its replica, each in a directory of its own, on this machine only."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import time
from pathlib import Path

from alerts.custody.private_files import replace_private
from alerts.redis_link import RedisLink
from dataflow.embedded import EmbeddedValkey
from models.errors import StoreError

LINKED_S = 20.0
MARK = "drill:mark"


class Pair:
    """A primary that writes every change to disk, and a replica that follows it."""

    def __init__(self, directory: Path) -> None:
        self._password = secrets.token_urlsafe(24)
        self._url = ""
        port, follower = _free_ports()
        self.primary = self._server(directory / "primary", f"port {port}\n")
        self.replica = self._server(
            directory / "replica", f"port {follower}\nreplicaof 127.0.0.1 {port}\nreplica-read-only yes\n"
        )

    def _server(self, directory: Path, settings: str) -> EmbeddedValkey:
        directory.mkdir(mode=0o700, parents=True)
        file = directory / "drill.conf"
        text = (
            f"bind 127.0.0.1\n{settings}repl-diskless-sync-delay 0\nprimaryauth {self._password}\n"
            f"requirepass {self._password}\n"
        )
        replace_private(file, text.encode())
        return EmbeddedValkey(directory, "always", more=file)

    def start(self) -> str:
        """Start both and wait until the replica follows; the primary's url."""
        url = self._url = self._with_password(self.primary.start())
        self.replica.start()
        replicated(url)
        return url

    def kill_primary(self) -> None:
        """SIGKILL, as a machine that loses its power."""
        kill(self.primary, self._url)

    def promote(self) -> str:
        """The replica becomes the store; its url."""
        url = self._with_password(self.replica.start())
        with RedisLink(url).speaking() as client:
            client.execute_command("REPLICAOF", "NO", "ONE")
        return url

    def stop(self) -> None:
        """Stop what still runs."""
        self.primary.stop()
        self.replica.stop()

    def _with_password(self, url: str) -> str:
        return url.replace("unix://", f"unix://:{self._password}@", 1)


def kill(server: EmbeddedValkey, url: str) -> None:
    """SIGKILL a server and wait until it is gone."""
    with RedisLink(url).speaking() as client:
        pid = int(client.info("server")["process_id"])
    os.kill(pid, signal.SIGKILL)
    server.stop()


def replicated(url: str) -> None:
    """Wait until every write so far is on the replica's side; StoreError where it does not come there.

    WAIT asks for the writes of its own connection only, and one that wrote nothing has nothing to wait for: the mark
    comes after everything else, and the replica has it when it has the rest.
    """
    until = time.monotonic() + LINKED_S
    with RedisLink(url).speaking() as client, client.client() as one:
        one.set(MARK, 1)
        one.delete(MARK)
        while one.wait(1, 500) != 1:
            if time.monotonic() > until:
                raise StoreError("the replica of the drill does not follow its primary")


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(other.getsockname()[1])
