"""A console to look at or drive: a real Valkey with a believable morning, and streamlit as a child process.

`python -m tests.console_live 8599` runs one until Ctrl-C.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alerts.redis_store import RedisStore
from dataflow.embedded import EmbeddedValkey
from tests.console_data import fill
from tests.console_drills import fill_drills, fill_training
from tests.console_incidents import fill_incidents
from tests.console_lists import fill_lists
from tests.console_routing import fill_routing

ROOT = Path(__file__).parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def live_console(port: int) -> Iterator[tuple[str, RedisStore, str]]:
    """(address, store, store's url) of a filled console; both children are gone afterwards."""
    folder = tempfile.mkdtemp(prefix="tg-console-")
    server = EmbeddedValkey(Path(folder) / "data")
    try:
        url = server.start()
        store = RedisStore(url)
        fill(store, int(time.time() * 1000))
        with console_of(url, port) as address:
            yield address, store, url
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def console_of(url: str, port: int, settings: Path | None = None) -> Iterator[str]:
    """The address of a console over a store, with its settings file; it is gone afterwards."""
    env = {k: v for k, v in os.environ.items() if k != "TIDEGATE_CONSOLE"}
    if settings is not None:
        env["TIDEGATE_CONSOLE"] = str(settings)
    console = subprocess.Popen(
        [sys.executable, "-m", "dashboard.serve", "--port", str(port)],
        cwd=ROOT,
        env={**env, "REDIS_URL": url, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_healthy(port, console)
        yield f"http://127.0.0.1:{port}"
    finally:
        console.terminate()
        console.wait(10)


def wait_healthy(port: int, console: subprocess.Popen[bytes]) -> None:
    """Until the console answers; raises when it has ended or takes more than 30 s."""
    for _ in range(300):
        if console.poll() is not None:
            raise RuntimeError(f"the console ended at once with code {console.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the console did not answer within 30 s")


if __name__ == "__main__":
    # SIGTERM as an exception, so that the children are stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with live_console(int(sys.argv[1])) as (_, live, _):
        fill_incidents(live, int(time.time() * 1000))
        fill_routing(live, int(time.time() * 1000))
        fill_lists(live, int(time.time() * 1000))
        fill_drills(live, int(time.time() * 1000))
        fill_training(live, int(time.time() * 1000))
        while True:
            for process, status in live.beats().items():
                live.beat(process, status, int(time.time() * 1000))
            time.sleep(2)
