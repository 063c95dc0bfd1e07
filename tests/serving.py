"""A real server for tests: Valkey, the scorer's flow and `tidegate serve`, each a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from dataflow.embedded import EmbeddedValkey

ROOT = Path(__file__).resolve().parent.parent
PATIENT = {"Tidegate-Deadline-Ms": "60000"}


class Server:
    """What runs in `folder`. `client` carries the first key; `url` is the store's."""

    def __init__(self, folder: Path, toml: str, scheme: str = "http") -> None:
        self.folder = folder
        self.port = free_port()
        text = f"[serve]\nport = {self.port}\nlongest_deadline_ms = 60000\n{toml}\n[flow]\nepoch_s = 1.0\nbacklog = 400\n"
        (folder / "tidegate.toml").write_text(text)
        self.valkey = EmbeddedValkey(folder / "var" / "store")
        (folder / "var").mkdir(mode=0o700)
        self.url = self.valkey.start()
        self.address = f"{scheme}://localhost:{self.port}"
        self.scorer, self.server = self.start("scorer"), self.start("serve")
        self.client = httpx.Client(base_url=self.address, timeout=90)

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """Start a process; its output goes to NAME.log."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("REDIS_", "TIDEGATE_"))}
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dataflow.cli", "worker", name], cwd=self.folder,
                env={**env, "REDIS_URL": self.url, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def key(self) -> str:
        """The key that the first start made."""
        return (self.folder / "var" / "serve" / "local.key").read_text().strip()

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait generously: only "never" fails."""
        for _ in range(900):
            if found := condition():
                return found
            for process, name in ((self.scorer, "scorer"), (self.server, "serve")):
                assert process.poll() is None, (self.folder / f"{name}.log").read_text()[-3000:]
            time.sleep(0.1)
        raise AssertionError(f"it never came: {what}")

    def ready(self) -> bool:
        """True once /readyz says so."""
        try:
            return self.client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        """End everything, whatever state it is in."""
        self.client.close()
        for process in (self.server, self.scorer):
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
        self.valkey.stop()


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(folder: Path, toml: str = "") -> Iterator[Server]:
    """A server that is ready and has decided once, so that everything is compiled."""
    server = Server(folder, toml)
    try:
        server.wait(server.ready, "ready")
        server.client.headers["Authorization"] = f"Bearer {server.key()}"
        assert (
            server.client.post("/v1/transactions", json=payment("warm-up"), headers=PATIENT).status_code
            == 200
        )
        yield server
    finally:
        server.stop()


def payment(id_: str, **fields: Any) -> dict[str, Any]:
    """A payment as a sender sends it."""
    now = time.time_ns() // 1_000_000
    return {"id": id_, "event_time": now, "amount": 1999, "currency": "EUR", "channel": "cnp", **fields}
