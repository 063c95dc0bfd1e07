"""The clock jumps: decisions do not see it, and what waits for a moment does not wait for a wrong one.

The wall clock of the worker processes is moved where Python asks it (`time.time`, `time.time_ns`), by a module that each
of them loads at its start; the kernel's own clock, and with it the store's, is left alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from alerts.memory_store import MemoryStore
from alerts.routing.set_back import taken_back
from dataflow.bench.load import Load
from dataflow.chaos.system import CUSTOMERS, RATE, SCENARIOS, System, running
from dataflow.settings import Settings
from tests.receiver import Hook, hook
from tests.sending import T0, local, raise_alerts, sender_of

ROOT = Path(__file__).resolve().parent.parent
DAY_MS = 86_400_000
SHIFTED = """
import os, time
_real, _real_ns = time.time, time.time_ns
def _ahead():
    with open(os.environ["CLOCK_AHEAD"]) as file:
        return float(file.read() or 0)
time.time = lambda: _real() + _ahead()
time.time_ns = lambda: _real_ns() + int(_ahead() * 1e9)
"""
PART = 150


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_forward_and_back_by_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stamped a day ahead, webhooks are refused by a receiver that checks; they come once the clock is right."""
    site, ahead = tmp_path / "site", tmp_path / "ahead"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SHIFTED)
    ahead.write_text("0")
    monkeypatch.setenv("PYTHONPATH", f"{site}:{ROOT}")
    monkeypatch.setenv("CLOCK_AHEAD", str(ahead))
    load = Load(CUSTOMERS, RATE, 41, SCENARIOS)

    def jump(seconds: int) -> None:
        new = tmp_path / "new"
        new.write_text(str(seconds))
        new.rename(ahead)

    def counted(system: System) -> bool:
        return system.works.store.counters().events_in >= system.feed.sent

    def beaten(system: System) -> bool:
        """Every worker beats by the clock as it is now."""
        now = time.time() + float(ahead.read_text())
        beats = system.works.store.beats()
        return all(abs(now - int(beats[name]["at"]) / 1000) < 60 for name in ("scorer", "learner", "sender"))

    (tmp_path / "data").mkdir(mode=0o700)
    with running(Settings(), tmp_path / "data") as system:
        system.start()
        system.send(load.take(PART))
        system.until(system.checks.settled, "nothing is decided")
        jump(86_400)
        system.until(lambda: beaten(system), "they do not see the clock jump")
        while not system.inbox.refused:
            system.send(load.take(PART))
            system.until(lambda: counted(system), "decisions wait for the clock")
            system.until(lambda: system.inbox.refused or system.checks.settled(), "pages are not sent")
        jump(0)
        system.until(lambda: beaten(system), "they wait for the clock to be as late again")
        system.send(load.take(PART))
        assert system.settle() == []
        assert system.works.store.beats()["sender"]["clock_set_back"] == 1
        assert '"event":"clock_set_back"' in system.log("sender")
        assert {name: child.restarts for name, child in system.children.items()} == dict.fromkeys(
            system.children, 0
        )


@pytest.fixture
def receiver() -> Iterator[Hook]:
    with hook() as running_:
        running_.virtual = True
        yield running_


@pytest.mark.parametrize("killed", [False, True])
def test_attempts_and_groups_come_back_with_the_clock(receiver: Hook, killed: bool) -> None:
    store, plan = MemoryStore(), [local(receiver, min_severity="S4")]
    sender = sender_of(store, plan)
    receiver.status = 503
    raise_alerts(store, 1, 1)
    sender.step(T0 + DAY_MS)
    sender.step(T0 + DAY_MS + 60_000)
    assert receiver.attempts
    receiver.status = 204
    if killed:
        sender = sender_of(store, plan)
    now, ends = T0, T0 + 600_000
    while not receiver.bodies and now < ends:
        sender.step(now)
        now += 1000
    assert len(receiver.bodies) == 1
    assert sender.set_back == 1
    assert now - T0 <= 120_000
    assert len(set(receiver.attempts)) == 1


def test_only_moments_that_lie_ahead_are_taken_back() -> None:
    part = {
        "since": 900,
        "due": 5000,
        "intent": {"at": 5000},
        "threads": {"a": [{"at": 1500}]},
        "key": "x",
        "flushed": None,
    }
    ((name, changed),) = taken_back(
        {"o:1": msgspec.msgpack.encode(part), "feed": b"\x01"}, 3000, 1000
    ).items()
    assert name == "o:1"
    assert msgspec.msgpack.decode(changed) == {**part, "due": 2000, "threads": {"a": [{"at": 1000}]}}
    assert taken_back({"o:1": changed}, 3000, 9000) == {}
