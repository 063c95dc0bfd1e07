"""The store away: frozen, slow, gone for a while. The flow waits, says so, and goes on by itself; nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from alerts.redis_store import RedisStore
from dataflow.bench.load import Load
from dataflow.chaos.system import CUSTOMERS, RATE, SCENARIOS, System, running
from dataflow.embedded import EmbeddedValkey
from dataflow.settings import Settings
from dataflow.supervise import BACK_OFF_S, Child, Revived
from models.errors import StoreError
from tests.proxy import Proxy, unix_proxy

PART = 150


def decided(system: System) -> int:
    return system.works.store.cursors()["decisions"]


def more(system: System) -> None:
    """Wait until something that is sent now is decided."""
    before = decided(system)
    system.until(lambda: decided(system) > before, "nothing is decided")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_frozen_slow_and_gone_for_a_while_and_back(tmp_path: Path) -> None:
    load = Load(CUSTOMERS, RATE, 3, SCENARIOS)
    with ExitStack() as opened:
        proxies: list[Proxy] = []

        def through(url: str) -> str:
            path = tmp_path / "proxy.sock"
            proxies.append(opened.enter_context(unix_proxy(url.removeprefix("unix://"), path)))
            return f"unix://{path}"

        system = opened.enter_context(running(Settings(), tmp_path, store_by=through))
        system.start()
        system.send(load.take(PART))
        more(system)

        # Frozen: nobody ends, everybody waits for the answer.
        scorer, store = system.pid("scorer"), system.pid("store")
        os.kill(store, signal.SIGSTOP)
        time.sleep(2.0)
        assert system.pid("scorer") == scorer
        os.kill(store, signal.SIGCONT)
        system.send(load.take(PART))
        more(system)
        assert system.pid("scorer") == scorer

        # Slow: each answer comes late, and it goes on as fast as it can; the heartbeat says how far behind it is.
        proxies[0].delay = 0.05
        system.send(load.take(PART))
        system.until(lambda: float(system.works.store.beats()["scorer"]["lag"]) >= 0.2, "it does not say so")
        more(system)
        proxies[0].delay = 0.0
        assert system.pid("scorer") == scorer

        # Gone: whoever cannot wait ends with a word of it and is started again, until there is a store to work with.
        system.held = True
        os.kill(store, signal.SIGKILL)
        ends = time.monotonic() + 100
        while system.children["scorer"].restarts < 2 or system.children["learner"].restarts < 1:
            system.told += system.works.watch()
            assert time.monotonic() < ends
            time.sleep(0.02)
        with pytest.raises(StoreError):
            system.feed.send(load.take(PART))
        system.held = False
        system.send([])
        more(system)
        assert system.settle() == []
        assert system.works.store.counters().balanced()
        assert any("scorer ended" in line for line in system.told)
        for name, event in (("scorer", "refused"), ("sender", "store_away")):
            said = [json.loads(line) for line in system.log(name).splitlines() if line.startswith("{")]
            assert any(
                line["event"] == event and "Is the server running" in line["detail"] for line in said
            ), name


def test_a_process_that_cannot_start_is_tried_again_less_and_less_often_and_at_least_each_half_minute(
    tmp_path: Path,
) -> None:
    child = Child("scorer", ["/bin/false"], tmp_path / "log")
    read, write = os.pipe()
    child.start(read)
    now, waits = 0.0, []
    while len(waits) < 8:
        line = child.watch(read, now)
        if line is not None and "restart in" in line:
            waits.append(float(line.partition("restart in ")[2].split()[0]))
            now += waits[-1]
        time.sleep(0.005)
    assert tuple(waits) == (*BACK_OFF_S, 30.0, 30.0)
    child.stop()
    os.close(read)
    os.close(write)


def test_an_embedded_store_that_cannot_start_is_tried_again_until_it_can(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "store")
    try:
        RedisStore(server.start()).beat("scorer", {"status": "live"}, 1)
        revived, now = Revived(server), 0.0
        assert revived.watch(now) is None
        (manifest,) = (tmp_path / "store" / "appendonlydir").glob("*.manifest")
        right = manifest.read_bytes()
        manifest.write_bytes(b"file nowhere\n")
        pid = server.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        ends = time.monotonic() + 60
        while server.alive() and time.monotonic() < ends:
            time.sleep(0.01)
        for wait in BACK_OFF_S[:3]:
            said = revived.watch(now)
            assert said is not None
            assert f"next try in {wait:g} s" in said
            assert "the embedded store did not start" in said
            assert revived.watch(now + wait - 0.01) is None
            now += wait
        manifest.write_bytes(right)
        assert revived.watch(now) == "store ended; started again"
        assert RedisStore(server.start()).beats()["scorer"]["at"] == 1
    finally:
        server.stop()
