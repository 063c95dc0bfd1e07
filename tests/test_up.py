"""`tidegate up` as its users meet it: real processes, killed and stopped in every way."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import msgspec
import pytest
from standardwebhooks import Webhook

from alerts.redis_store import RedisStore
from dataflow.embedded import running_url
from models.decision import Decision
from tests.receiver import SECRET, Inbox, receiver

ROOT = Path(__file__).resolve().parent.parent
RULES = ROOT / "models" / "rules" / "packs" / "core.toml"
CHILDREN = (
    "console",
    "observer",
    "jobs",
    "sender",
    "clerk",
    "incidents",
    "learner",
    "scorer",
    "serve",
    "simulator",
)
MARKED = """

[[rule]]
id = "X001"
title_en = "Any payment"
title_zh = "任何付款"
expression = "hold if amount_usd >= 0"
severity = "high"
typology = "T01"
source = { kind = "expert", reference = "test" }
runbook = "none"
hits = [{ amount_usd = 1 }]
misses = [{ amount_usd = -1 }]
"""


class Up:
    """A running `tidegate up` in a folder of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.process = start(folder, port)
        self.url = ""

    def ready(self) -> Up:
        """Wait until it is live."""
        self.wait(lambda: "live " in self.said())
        self.url = running_url(self.folder / "var" / "store") or ""
        assert self.url
        return self

    def said(self) -> str:
        return (self.folder / "up.log").read_text()

    @property
    def store(self) -> RedisStore:
        return RedisStore(self.url)

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Wait generously: only "never" fails."""
        for _ in range(600):
            if found := condition():
                return found
            assert self.process.poll() is None, self.said()
            time.sleep(0.1)
        pytest.fail(f"it never came: {self.said()}")

    def more(self, than: int = 0) -> None:
        """Wait until more is decided."""
        before = self.store.counters().decided + than
        self.wait(lambda: self.store.counters().decided > before)

    def supervisor(self) -> dict[str, Any]:
        return self.store.beats().get("supervisor", {})

    def tree(self) -> set[int]:
        """Its process and all that descend from it."""
        parents = {}
        for entry in Path("/proc").glob("[0-9]*/stat"):
            try:
                parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
        found = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return found


def start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("REDIS_", "TIDEGATE_"))}
    with (folder / "up.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "dataflow.cli", "up", "--port", str(port)],
            cwd=folder, env={**env, "PYTHONPATH": str(ROOT), "HOOK_SECRET": SECRET},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings_in(folder: Path, server: ThreadingHTTPServer | None = None) -> None:
    text = "[simulator]\nwarm_up_days = 0.5\ncustomers = 400\nrate = 60\n[flow]\nepoch_s = 1.0\n"
    text += f"[serve]\nport = {free_port()}\n[observe]\nport = {free_port()}\n"
    if server is not None:
        text += f'[[webhooks.receivers]]\nurl = "http://127.0.0.1:{server.server_port}/hook"\n'
        text += 'secret_env = "HOOK_SECRET"\nmin_severity = "S4"\nallow_private = true\n'
    (folder / "tidegate.toml").write_text(text)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def running(folder: Path) -> Iterator[Up]:
    up = Up(folder, free_port())
    try:
        yield up.ready()
    finally:
        left = up.tree()
        up.process.kill()
        up.process.wait()
        for pid in left:
            for _ in range(300):
                if not alive(pid):
                    break
                time.sleep(0.1)
            if alive(pid):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Up, Inbox]]:
    folder = tmp_path_factory.mktemp("up")
    with receiver() as (inbox, server):
        settings_in(folder, server)
        with running(folder) as up:
            yield up, inbox


def decisions(store: RedisStore) -> list[Decision]:
    return [msgspec.json.decode(raw, type=Decision) for raw in store.recent_decisions(200)]


@pytest.mark.slow
def test_the_console_answers_where_it_says(system: tuple[Up, Inbox]) -> None:
    up, _ = system
    address = f"http://127.0.0.1:{up.port}"
    assert address in up.said()

    def answers() -> bool:
        try:
            with urlopen(f"{address}/_stcore/health", timeout=5) as reply:
                return reply.status == 200
        except OSError:
            return False

    up.wait(answers)
    up.more()


@pytest.mark.slow
def test_a_pack_is_put_in_force_while_the_stream_runs_and_its_alerts_reach_the_receiver(
    system: tuple[Up, Inbox],
) -> None:
    up, inbox = system
    pack = up.folder / "marked.toml"
    pack.write_text(RULES.read_text(encoding="utf-8") + MARKED, encoding="utf-8")
    bad = up.folder / "bad.toml"
    bad.write_text(pack.read_text(encoding="utf-8").replace("amount_usd >= 0", "amount_usd >== 0"))
    refused = command(up, "rules", "load", "bad.toml")
    assert refused.returncode == 1
    assert refused.stderr.startswith(b"bad.toml:")
    loaded = command(up, "rules", "load", "marked.toml", "--json")
    assert loaded.returncode == 0, loaded.stderr
    version = msgspec.json.decode(loaded.stdout.splitlines()[-1])["version"]
    up.wait(lambda: any(d.versions.rules == version for d in decisions(up.store)))
    up.wait(lambda: any(hit.id == "X001" for d in decisions(up.store) for hit in d.rules))
    up.wait(lambda: len(inbox.bodies) >= 3)
    for body, headers in zip(list(inbox.bodies), list(inbox.headers), strict=False):
        message = Webhook(SECRET).verify(body, headers)
        assert message["type"].startswith("alert.")
        assert len(body) < 20_000
    ids = [headers["webhook-id"] for headers in inbox.headers]
    assert len(set(ids)) == len(ids), "taken at the first attempt, sent once"


def command(up: Up, *words: str) -> subprocess.CompletedProcess[bytes]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("REDIS_", "TIDEGATE_"))}
    return subprocess.run(
        [sys.executable, "-m", "dataflow.cli", *words], cwd=up.folder,
        env={**env, "PYTHONPATH": str(ROOT)}, capture_output=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("child", CHILDREN)
def test_a_killed_child_is_started_again_and_nothing_is_lost(system: tuple[Up, Inbox], child: str) -> None:
    up, _ = system
    before = up.wait(lambda: up.supervisor().get(f"{child}_pid"))
    restarts = int(up.supervisor()[f"{child}_restarts"])
    os.kill(int(before), signal.SIGKILL)
    up.wait(lambda: int(up.supervisor().get(f"{child}_restarts", 0)) > restarts)
    up.wait(lambda: int(up.supervisor().get(f"{child}_pid", 0)) not in (0, int(before)))
    assert f"{child} ended (signal 9)" in up.said()
    up.more(than=20)
    counters = up.store.counters()
    assert counters.balanced()
    assert (counters.duplicates, counters.dead_letters) == (0, 0)


@pytest.mark.slow
def test_ctrl_c_leaves_nothing_and_the_next_start_goes_on(tmp_path: Path) -> None:
    settings_in(tmp_path)
    with running(tmp_path) as up:
        up.more()
        tree = up.tree()
        assert len(tree) >= 2 + len(CHILDREN)
        up.process.send_signal(signal.SIGINT)
        assert up.process.wait(60) == 0, up.said()
        assert not [pid for pid in tree if alive(pid)]
        assert up.said().rstrip().endswith("stopped")
    (tmp_path / "up.log").unlink()
    with running(tmp_path) as again:
        first = again.store.counters()
        assert first.decided > 0
        again.more(than=20)
        counters = again.store.counters()
        assert counters.balanced()
        assert (counters.duplicates, counters.dead_letters) == (0, 0)
        tree = again.tree()
        again.process.kill()
        again.process.wait()
        for _ in range(300):
            if not any(alive(pid) for pid in tree):
                break
            time.sleep(0.1)
        assert not [pid for pid in tree if alive(pid)], "killed itself, it must not leave orphans"


def test_a_taken_port_and_a_wrong_setting_are_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start(tmp_path, int(taken.getsockname()[1]))
        assert process.wait(60) == 2
    assert "is taken" in (tmp_path / "up.log").read_text()
    (tmp_path / "up.log").unlink()
    (tmp_path / "tidegate.toml").write_text("[simulator]\ncustomer = 5\n")
    assert start(tmp_path, free_port()).wait(60) == 2
    said = (tmp_path / "up.log").read_text()
    assert "tidegate.toml" in said
    assert "customer" in said
    assert "Traceback" not in said


def test_the_pack_that_ships_can_be_extended() -> None:
    assert "rule" in tomllib.loads(RULES.read_text(encoding="utf-8") + MARKED)
