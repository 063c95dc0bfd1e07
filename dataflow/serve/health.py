"""How the flow behind the server is: looked at a few times a second by one thread, never by a request."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

import msgspec

from alerts.redis_link import RedisLink
from alerts.redis_store import RedisStore
from dataflow.admission import ALIVE_MS
from dataflow.store_access import waiting
from models.errors import StoreError

EVERY_S = 0.25
BEAT_MS = 1000
LONGEST_WAIT_S = 30


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was last seen. error: why the store could not be asked. backlog: entries not yet scored. rate: decisions a
    second. beat_age_ms: of the scorer, None before its first. model: version it serves; empty before its first decision.
    """

    error: str | None = "not looked at yet"
    backlog: int = 0
    rate: float = 0.0
    beat_age_ms: int | None = None
    model: str = ""
    decided: int = 0

    @property
    def scoring(self) -> bool:
        """True while the scorer beats."""
        return self.beat_age_ms is not None and self.beat_age_ms <= ALIVE_MS


class Readiness(msgspec.Struct, frozen=True):
    """The answer of /readyz. Each part is `ok` or says what is wrong."""

    status: Literal["ready", "not_ready"]
    store: str
    scorer: str
    model: str


class Health:
    """Looks at the store of `link`, and says there that the server lives. clock: ms since the epoch. status: what to
    say besides."""

    def __init__(
        self, link: RedisLink, store: RedisStore, clock: Callable[[], int],
        status: Callable[[], dict[str, str | int | float]], prefix: str = "tg:",
    ) -> None:  # fmt: skip
        self._link, self._store, self._clock, self._status, self._prefix = link, store, clock, status, prefix
        self.seen = Seen()
        self._beaten = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)

    def start(self) -> None:
        """Look once, then start the thread."""
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()

    def look(self) -> None:
        """Ask the store."""
        try:
            counters, beat = self._store.counters(), self._store.beats().get("scorer", {})
            with self._link.speaking() as client:
                backlog = waiting(client, counters, self._prefix)
            now = self._clock()
            if not 0 <= now - self._beaten < BEAT_MS:
                self._store.beat("serve", {"status": "live", **self._status()}, now)
                self._beaten = now
        except StoreError as error:
            self.seen = msgspec.structs.replace(self.seen, error=str(error))
            return
        age = None if "at" not in beat else max(0, self._clock() - int(beat["at"]))
        self.seen = Seen(
            error=None, backlog=backlog, rate=float(beat.get("rate", 0.0)), beat_age_ms=age,
            model=str(beat.get("model", "")), decided=counters.decided,
        )  # fmt: skip

    def readiness(self) -> Readiness:
        """Whether a transaction that came now would be decided."""
        seen = self.seen
        store = "ok" if seen.error is None else seen.error
        if seen.error is not None:
            scorer = model = "not known: the store cannot be reached"
        elif seen.scoring:
            # A scorer beats only once its flow runs: its kernels are warm then, and it has a model, trained or the
            # untrained first one.
            scorer, model = "ok", "ok"
        elif seen.beat_age_ms is None:
            scorer, model = "no scorer has run on this store yet", "not known: no scorer"
        else:
            scorer = f"its last sign of life is {seen.beat_age_ms / 1000:.0f} s old"
            model = "not known: no scorer"
        ready = (store, scorer, model) == ("ok", "ok", "ok")
        return Readiness("ready" if ready else "not_ready", store, scorer, model)

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            self.look()


def retry_after(seen: Seen, backlog: int) -> int:
    """Seconds until the backlog should be back at its bound, at the rate of the last second."""
    over = max(0, seen.backlog - backlog)
    return min(LONGEST_WAIT_S, max(1, round(over / max(seen.rate, 1.0))))
