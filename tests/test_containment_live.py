"""Containment in the running flow, with real processes: it takes effect in front of a backlog, and survives kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from alerts.redis_store import RedisStore
from alerts.response.clock import present
from alerts.response.core import ResponseCore
from dataflow.embedded import embedded
from dataflow.simulate import Simulator
from models.decision import Decision
from models.events import encode

ROOT = Path(__file__).resolve().parent.parent
BATCH = 128
SETTINGS = f"data_dir = 'var'\n[flow]\nbatch = {BATCH}\nevidence = false\nepoch_s = 1.0\n"
EVENTS = [encode(event) for event in Simulator(5, customers=6_000).events(1.0)]
SLOW_S = 30.0
DAY = "1440"
"""Minutes: the whole stream passes while a measure is in force."""


class Flow:
    """A scorer and a watch over a store of their own."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.store, self.client = RedisStore(url), redis.Redis.from_url(url)
        self.sent = 0
        (folder / "tidegate.toml").write_text(SETTINGS)
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith(("REDIS_", "TIDEGATE_"))}
        self.environ |= {"PYTHONPATH": str(ROOT), "REDIS_URL": url}

    @contextmanager
    def worker(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dataflow.cli", "worker", name], cwd=self.folder, env=self.environ,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def tidegate(self, *words: str, code: int = 0) -> Any:
        """A command in a process of its own; its JSON."""
        command = [sys.executable, "-m", "dataflow.cli", *words, "--json"]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout.splitlines()[-1]) if done.stdout else done.stderr

    def feed(self, count: int) -> None:
        pipe = self.client.pipeline(transaction=False)
        for line in EVENTS[self.sent : self.sent + count]:
            pipe.xadd("tg:in", {"e": line})
        pipe.execute()
        self.sent += count

    def wait(self, condition: Callable[[], Any]) -> Any:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if found := condition():
                return found
            time.sleep(0.01)
        logs = "\n".join(path.read_text()[-2000:] for path in self.folder.glob("*.log"))
        pytest.fail(f"it never came:\n{logs}")

    def settled(self) -> None:
        """Wait until everything that was sent is counted."""
        self.wait(lambda: self.store.counters().events_in - self.store.counters().controls >= self.sent)

    def contained(self) -> list[bool]:
        """Of every decision, oldest first: whether a containment covered it."""
        found = [msgspec.json.decode(d, type=Decision) for d in self.store.recent_decisions(10**6)]
        return [any(r.kind == "containment" for r in d.reasons) for d in reversed(found)]


@pytest.fixture
def flow(tmp_path: Path) -> Iterator[Flow]:
    with embedded(tmp_path / "store") as url:
        yield Flow(tmp_path, url)


def test_a_containment_overtakes_a_backlog_and_is_undone(
    flow: Flow, record_property: Callable[..., None]
) -> None:
    with flow.worker("scorer"), flow.worker("incidents"):
        flow.feed(600)
        flow.settled()
        core = ResponseCore(flow.store)
        incident = flow.tidegate(
            "incident", "declare", "corridor_surge", "--reason", "seen", "--actor", "ana"
        )
        one, _ = core.propose(
            "step_up", {}, "stop it", "ana", "senior", present(core.store, int(time.time() * 1000)),
            incident=incident["id"], minutes=int(DAY),
        )  # fmt: skip
        flow.feed(len(EVENTS) - 800)
        decided = flow.store.counters().decided
        core.approve(one.id, "bo", "commander", present(core.store, int(time.time() * 1000)))
        flow.wait(lambda: flow.store.effects([one.control_id]))
        behind = flow.sent - flow.store.counters().events_in
        flow.settled()
        marks = flow.contained()
        first = marks.index(True)
        assert all(marks[first:]), "every payment after it, none before"
        assert behind > 0, "it took effect while a backlog waited"
        ahead = first - decided
        assert ahead < len(marks) - decided - BATCH, "it did not wait for the backlog"
        measured = flow.wait(lambda: core.measure(one.id).effective_at)
        seconds = (measured - (core.measure(one.id).approved_at or 0)) / 1000
        record_property("effective_after_s", seconds)
        record_property("backlog_left_behind", behind)
        assert 0 <= seconds < SLOW_S
        assert core.incident(incident["id"]).contained_at == measured

        told = flow.tidegate(
            "contain", "undo", one.id, "--reason", "over", "--actor", "bo", "--role", "commander"
        )
        assert told["state"] == "undone"
        flow.wait(lambda: flow.store.effects([f"{one.id}-off"]))
        decided = len(flow.contained())
        flow.feed(200)
        flow.settled()
        after = flow.contained()[decided:]
        assert after
        assert not any(after)


def test_commands_contain_and_killed_processes_go_on(flow: Flow) -> None:
    with flow.worker("scorer") as scorer:
        flow.feed(600)
        flow.settled()
        with flow.worker("incidents") as watch:
            flow.wait(lambda: "incidents" in flow.store.beats())
            watch.send_signal(signal.SIGKILL)
            watch.wait()
        by = ("--actor", "ana", "--role", "senior")
        assert "reason" in flow.tidegate("contain", "propose", "hold", *by, code=2)
        radius = flow.tidegate("contain", "dry-run", "hold", "--scope", "channel=cnp")
        assert radius["covered"] > 0
        one = flow.tidegate(
            "contain",
            "propose",
            "hold",
            "--scope",
            "channel=cnp",
            "--reason",
            "a surge",
            "--minutes",
            DAY,
            *by,
        )
        assert (one["state"], one["dual"]) == ("proposed", True)
        refused = flow.tidegate("contain", "approve", one["id"], *by, code=2)
        assert "needs a second person: ana" in refused
        # The scorer dies with the approved Control in its lane; the next one takes it before everything else.
        scorer.send_signal(signal.SIGKILL)
        scorer.wait()
        told = flow.tidegate(
            "contain", "approve", one["id"], "--actor", "bo", "--role", "commander", "--wait", "0.1", code=1
        )
        assert told["state"] == "in_force"
        flow.feed(800)
    with flow.worker("scorer"), flow.worker("incidents"):
        flow.wait(lambda: flow.store.effects([f"{one['id']}-on"]))
        flow.settled()
        flow.wait(lambda: ResponseCore(flow.store).measure(one["id"]).effective_at)
        (listed,) = flow.tidegate("contain", "list")["measures"]
        assert (listed["id"], listed["state"]) == (one["id"], "in_force")
        marks = flow.contained()
        assert any(marks)
        assert flow.client.xlen("tg:control") == 1, "one Control, however often anybody was killed"
        trail = [entry.action for entry in flow.store.audit_of("containment", one["id"], 9)]
        assert trail == ["proposed", "approved", "effective"]
