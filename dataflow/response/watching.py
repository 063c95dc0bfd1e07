"""The watch process: about once a second it looks for surges, opens and follows incidents, ends what has had its time.

Everything it knows is in the store, changed by compare-and-set together with the effects it owes, so that a process
that is killed anywhere leaves nothing half done and the next one goes on.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

import msgspec

from alerts.emergency.plan_book import Book
from alerts.notices.of_incident import NoticeClocks
from alerts.redis_store import RedisStore
from alerts.response.clock import WATCH, Pace, pace_told
from alerts.response.core import ResponseCore
from alerts.response.incident import PlanUsed
from alerts.response.opening import PlanOf
from alerts.response.planned import plans_by
from alerts.response.signals import SignalReader, Signals
from dataflow.observe.logs import log, logger
from dataflow.scoring import now_ms
from models.errors import PlanError, StoreError, TidegateError

ROUND_S = 1.0


class Watch:
    """The response with what it needs to look by itself: signals of a store and the pace of its stream."""

    def __init__(
        self, store: RedisStore, plan_of: PlanOf | None = None, notices: NoticeClocks | None = None
    ) -> None:
        self.store = store
        self.core = ResponseCore(store, plan_of=plan_of or (lambda _kind, _now: None), notices=notices)
        self._reader, self._pace = SignalReader(store), Pace(pace_told(store))
        self._last = Signals(at=0, now=0)

    def look(self, now: int) -> dict[str, str | int | float]:
        """One look at `now` (ms); what to tell in the beat. StoreError when the store is away."""
        try:
            signals = self._reader.read(now)
        except StoreError:
            self.core.step(now, msgspec.structs.replace(self._last, now=now, reachable=False))
            raise
        self._last = signals
        # The simulator reads past days in before it is live.
        watched = signals.beats.get("simulator", {}).get("status") != "warm-up"
        if watched:
            self.core.speed = self._pace.seen(now, signals.at)
        self.core.step(now, signals, watched=watched)
        return {
            "status": "live" if watched else "warm-up", "speed": round(self._pace.speed, 2),
            "incidents": sum(one.ended_at is None for one in self.core.incidents()),
            "containments": sum(one.state == "in_force" for one in self.core.measures()),
        }  # fmt: skip


def followed(book: Callable[[], Book]) -> PlanOf:
    """Plans of a book; without them, and a word about it, when it cannot be read: incidents are found all the same."""
    plans = plans_by(book)

    def plan_of(kind: str, now: int) -> PlanUsed | None:
        try:
            return plans(kind, now)
        except PlanError as error:
            log(logger("incidents"), logging.ERROR, "no_plan", error, kind=kind)
            return None

    return plan_of


def run(
    store: RedisStore,
    plan_of: PlanOf,
    restarts: int,
    stopped: Callable[[], bool],
    wait: Callable[[float], object],
    notices: NoticeClocks | None = None,
) -> None:
    """Watch until stopped; a store that cannot be reached is waited for, and counted as away."""
    watch: Watch | None = None
    while not stopped():
        try:
            watch = watch or Watch(store, plan_of, notices)
            told = watch.look(now_ms())
            store.beat(WATCH, {**told, "pid": os.getpid(), "restarts": restarts}, now_ms())
        except TidegateError as error:
            log(logger("incidents"), logging.WARNING, "look_failed", error)
        wait(ROUND_S)
