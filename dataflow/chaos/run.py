"""The chaos run: rounds of events through real processes while some are killed with -9, each checked at its end."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from dataflow.bench.load import Load
from dataflow.bench.machine import machine
from dataflow.chaos.plan import CHUNK, EVENTS, FEED_S, Kill, Round, drawn
from dataflow.chaos.system import CUSTOMERS, RATE, SCENARIOS, WORKERS, System, running
from dataflow.settings import Settings
from models.errors import StoreError


class _Recovery(NamedTuple):
    """A process that was killed. at: when; events: that were there at that moment; pid: which it was."""

    victim: str
    at: float
    events: int
    pid: int


class Killing:
    """Plays rounds on a running system. kills: so far; recoveries: the longest, seconds, by victim."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.kills: Counter[str] = Counter()
        self.recoveries: dict[str, float] = {}

    def play(self, plan: Round, events: list[bytes]) -> list[str]:
        """One round; what was not as it must be."""
        began, lines = time.monotonic(), plan.lines(events)
        chunks = deque(lines[start : start + CHUNK] for start in range(0, len(lines), CHUNK))
        pause, kills = FEED_S / max(len(chunks), 1), deque(plan.kills)
        fed, open_ = 0, list[_Recovery]()

        def go_on() -> None:
            nonlocal fed
            now = time.monotonic() - began
            if chunks and now >= fed * pause:
                self._system.feed.send(chunks[0])
                chunks.popleft()
                fed += 1
            if kills and now >= kills[0].at and (hit := self._kill(kills[0])) is not None:
                kills.popleft()
                open_.append(hit)

        def whole() -> bool:
            self._note_recoveries(open_)
            return not chunks and not kills and not open_ and self._system.checks.settled()

        try:
            self._system.until(whole, "not everything was counted and told", go_on)
        except StoreError as error:
            return [str(error)]
        return self._system.checks.violations()

    def finish(self) -> list[str]:
        """After the last round: the learner takes what is left, and what it publishes is taken in."""
        try:
            return self._system.settle()
        except StoreError as error:
            return [str(error)]

    def _kill(self, kill: Kill) -> _Recovery | None:
        """Kill it; None when it is not there yet."""
        pid = self._system.pid(kill.victim)
        if not pid:
            return None
        os.kill(pid, signal.SIGKILL)
        self.kills[kill.victim] += 1
        return _Recovery(kill.victim, time.monotonic(), self._system.feed.sent, pid)

    def _note_recoveries(self, open_: list[_Recovery]) -> None:
        """Take out of `open_` what is well again: it gives a sign of life, and what had come by then is decided."""
        store = self._system.works.store
        counters, beats = store.counters(), store.beats()
        for one in list(open_):
            if one.victim in ("learner", "sender"):
                back = beats.get(one.victim, {}).get("pid") not in (one.pid, None)
            else:
                decided = counters.events_in - counters.controls >= one.events
                back = decided and self._system.pid(one.victim) != one.pid
            if back:
                open_.remove(one)
                took = time.monotonic() - one.at
                self.recoveries[one.victim] = max(self.recoveries.get(one.victim, 0.0), took)


def chaos(
    settings: Settings, rounds: int, seed: int, directory: Path, *, kafka: bool, progress: Callable[[float], None],
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:  # fmt: skip
    """Play `rounds` rounds in `directory`, or up to the first that shows a violation."""
    started = time.monotonic()
    victims = (*WORKERS, "store", *(["follower"] if settings.flow.workers > 1 else []))
    with running(settings, directory, kafka=kafka) as system:
        killing, load = Killing(system), Load(CUSTOMERS, RATE, seed, SCENARIOS)
        system.start()
        violations: list[dict[str, Any]] = []
        number = 0
        while number < rounds and not violations:
            number += 1
            plan, begins = drawn(seed, number, victims), time.monotonic()
            found = killing.play(plan, load.take(EVENTS))
            if number == rounds and not found:
                found = killing.finish()
            kills = ", ".join(f"{kill.victim} at {kill.at:g} s" for kill in plan.kills)
            said = "".join(f"\n  {what}" for what in found)
            say(f"round {number}: {kills}; {time.monotonic() - begins:.1f} s{said}")
            violations += [{"seed": seed, "round": number, "kills": kills, "what": what} for what in found]
            progress(number)
        counters, requests = system.works.store.counters(), system.inbox.requests
        return {
            "rounds": number, "seed": seed, "kafka": kafka, "workers": settings.flow.workers,
            "kills": dict(killing.kills), "events_in": counters.events_in, "transactions": counters.transactions,
            "decided": counters.decided, "duplicates": counters.duplicates, "dead_letters": counters.dead_letters,
            "alerts": len(system.works.store.live_alerts()), "models": len(system.checks.models),
            "pages": len(requests), "pages_repeated": requests.total() - len(requests),
            "lines_written_again": system.feed.repaired,
            "longest_recovery_s": {name: round(took, 2) for name, took in sorted(killing.recoveries.items())},
            "digest": system.checks.digest.hex(), "undisturbed_digest": system.witness.digest.hex(),
            "violations": violations, "machine": machine(), "seconds": round(time.monotonic() - started, 1),
        }  # fmt: skip
