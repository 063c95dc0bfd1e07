"""The observer: looks at the running system, exports metrics on loopback, and alerts about Tidegate itself.

It stands beside what it watches: a scorer, sender or store that is away cannot tell of it. What is wrong goes to the
router as any alert does, by the store; when the store itself is away, by the same routing from memory (direct.py).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server

from alerts.condition.checks import store_unreachable
from alerts.condition.reading import Reading
from alerts.condition.watch import ConditionWatch, opened_of
from alerts.lists.importing import ages
from alerts.redis_store import RedisStore
from dataflow.observe.direct import DirectPages
from dataflow.observe.logs import log, logger
from dataflow.observe.system import Look, SystemCollector
from dataflow.observe.taking import Readings
from dataflow.scoring import now_ms
from dataflow.settings import Settings
from models.errors import SettingsError, StoreError

NAME = "observer"
ROUND_S = 2.0
AGES_EVERY_MS = 60_000


class Observer:
    """Over the store at `url`. direct: pages while the store is away."""

    def __init__(self, settings: Settings, url: str, direct: DirectPages, restarts: int = 0) -> None:
        self._limits, self._exchanges = settings.observe.condition, settings.lists.exchanges
        self._ages: dict[str, int] = {}
        self._aged = 0
        self._store, self._readings = RedisStore(url), Readings(url, settings.directory)
        self._direct, self._restarts = direct, restarts
        self._watch: ConditionWatch | None = None
        self._outage = ConditionWatch(self._limits)
        self._away_since = 0
        self._reading: Reading | None = None
        self._error = "not looked at yet"
        self.port = 0

    def last(self) -> Look:
        """What was seen last, for metrics."""
        told = [*(self._watch.open.values() if self._watch else ()), *self._outage.open.values()]
        return Look(self._reading, told, not self._error)

    def look(self, now: int) -> None:
        """One round at `now` (ms)."""
        try:
            reading = self._readings.take(now)
            if self._watch is None:
                self._watch = ConditionWatch(
                    self._limits, opened_of(str(reading.beats.get(NAME, {}).get("open", "")))
                )
            for change in self._watch.look(reading):
                self._store.announce(change)
                log(
                    logger(NAME),
                    logging.WARNING,
                    "trouble",
                    id=change.id,
                    state=change.state,
                    text=change.text_en,
                )
            self._reading, self._error, self._away_since = reading, "", 0
            self._beat(now)
        except StoreError as error:
            if not self._error:
                log(logger(NAME), logging.WARNING, "store_away", error)
            self._reading, self._error = None, str(error)
            self._away_since = min(self._away_since or now, now)
        self._tell_of_store(now)

    def _beat(self, now: int) -> None:
        assert self._watch is not None
        if self._exchanges and not 0 <= now - self._aged < AGES_EVERY_MS:
            self._ages, self._aged = ages(self._store, self._exchanges), now
        self._store.beat(
            NAME,
            {"status": "live", "pid": os.getpid(), "restarts": self._restarts, "metrics_port": self.port,
             "troubles": len(self._watch.open), "open": self._watch.told(), **self._ages},
            now,
        )  # fmt: skip

    def _tell_of_store(self, now: int) -> None:
        away_ms = now - self._away_since if self._away_since else 0
        limit_ms = self._limits.store_away_s * 1000
        wrong = [store_unreachable(away_ms // 1000, self._error)] if limit_ms and away_ms >= limit_ms else []
        try:
            self._direct.tell(self._outage.judge(wrong, now))
            self._direct.step(now)
        except SettingsError as error:
            log(logger(NAME), logging.ERROR, "routing_wrong", error)


def run(
    settings: Settings, url: str, restarts: int, stopped: Callable[[], bool], wait: Callable[[float], Any]
) -> None:
    """Observe until stopped."""
    observer = Observer(settings, url, DirectPages(settings), restarts)
    server = None
    if settings.observe.port:
        registry = CollectorRegistry()
        registry.register(SystemCollector(observer.last))
        try:
            server, _ = start_http_server(settings.observe.port, settings.observe.address, registry)
            observer.port = settings.observe.port
        except OSError as error:
            # Metrics are worth less than the watch: another port is a setting away.
            log(
                logger(NAME),
                logging.ERROR,
                "metrics_port_taken",
                port=settings.observe.port,
                why=error.strerror,
            )
    while not stopped():
        observer.look(now_ms())
        wait(ROUND_S)
    if server is not None:
        server.shutdown()
