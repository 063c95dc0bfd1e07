"""The Bytewax flow as it runs live, lap by lap: real store, recovery and checkpoints on, events waiting in the stream.

A lap begins with the first poll of the source and ends when the store has taken the last decision. Epochs are as short as
EPOCH_S, so that laps have checkpoints in them, more of them than in production: as many as the flow allows itself, a
tenth of its own CPU time (dataflow/background.py). What their child processes use counts.
The next lap resumes from the checkpoint at the end of the last one, as after a restart; building the flow, loading that
checkpoint and writing it stand outside the count.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import run_main

from alerts.custody.keyring import KeyRing
from alerts.custody.private_files import make_private_directory
from alerts.custody.signing import Signer
from alerts.redis_link import RedisLink
from alerts.redis_store import RedisStore
from dataflow.checkpoint import Checkpoints
from dataflow.collecting import seldom_collected
from dataflow.flow import build_flow
from dataflow.progress import Progress
from dataflow.scoring import Scorer
from dataflow.settings import Settings
from dataflow.shedding import Shedding
from dataflow.sinks.store import StoreSink
from dataflow.sources.stream import StreamSource
from models.decision import Counters
from models.engine import Engine

PIPELINE = 2000
EPOCH_S = 1.0


class Lap(msgspec.Struct, frozen=True):
    """events taken; seconds by the clock; CPU seconds of this process (its children too) and of the store's."""

    events: int
    wall_s: float
    flow_s: float
    store_s: float


class Runner:
    """One flow over the store at `url`, with keys below `prefix` and its state in `directory`.

    engine: makes the engine the first lap begins with; later ones load their checkpoint into a fresh one. signer: of
    checkpoints; None signs with the published test key.
    """

    def __init__(
        self, url: str, prefix: str, directory: Path, settings: Settings, engine: Callable[[], Engine],
        signer: Signer | None = None,
    ) -> None:  # fmt: skip
        self._url, self._prefix, self._settings, self._fresh = url, prefix, settings, engine
        self.link, self._store, self._progress = RedisLink(url), RedisStore(url, prefix), Progress()
        self._recovery = directory / "recovery"
        for folder in (directory, self._recovery):
            make_private_directory(folder)
        init_db_dir(self._recovery, 1)  # type: ignore[no-untyped-call]
        signer = signer or KeyRing.for_tests().signer("checkpoint")
        self._checkpoints = Checkpoints(directory / "checkpoints", signer)
        self._engine: Engine | None = None
        self._target = 0
        self._clocked: list[tuple[float, float, float]] = []

    @property
    def counters(self) -> Counters:
        """What the flow has counted so far."""
        return self._engine.counters if self._engine is not None else Counters()

    def lap(self, lines: Sequence[bytes]) -> Lap:
        """Append the lines, then run the flow until it has taken them all."""
        append(self.link, f"{self._prefix}in", lines)
        self._target += len(lines)
        self._clocked.clear()
        self._progress = Progress()
        flow = build_flow(
            StreamSource(
                self._url, self._settings.flow.batch, self._done, self._prefix, progress=self._progress
            ),
            self._scorer,
            StoreSink(
                self._url, self._settings.store.keep_decisions, lambda: 0, self._prefix, self._progress
            ),
        )
        with seldom_collected():
            run_main(  # type: ignore[no-untyped-call]
                flow,
                epoch_interval=timedelta(seconds=min(EPOCH_S, self._settings.flow.epoch_s)),
                recovery_config=RecoveryConfig(self._recovery, timedelta(0)),  # type: ignore[no-untyped-call]
            )
        started, ended = self._clocked
        wall, flow_s, store = (b - a for a, b in zip(started, ended, strict=True))
        with self.link.speaking() as client:
            client.xtrim(f"{self._prefix}in", maxlen=0, approximate=False)
        return Lap(len(lines), wall, flow_s, store)

    def _scorer(self, resume: int | None) -> Scorer:
        self._engine = self._fresh()
        return Scorer(
            self._engine, self._checkpoints, lambda _: b"", lambda letter: letter, resume,
            Shedding(self._settings.flow.shed_after_ms), self._progress,
        )  # fmt: skip

    def _done(self) -> bool:
        if not self._clocked:
            self._clocked.append(self._clocks())
        if self.counters.events_in < self._target:
            return False
        if self._store.cursors()["decisions"] < self.counters.decided:
            return False
        self._clocked.append(self._clocks())
        return True

    def _clocks(self) -> tuple[float, float, float]:
        with self.link.speaking() as client:
            used = client.info("cpu")
        store = float(used["used_cpu_user"]) + float(used["used_cpu_sys"])
        return time.perf_counter(), time.process_time() + sum(os.times()[2:4]), store


def append(link: RedisLink, stream: str, lines: Sequence[bytes]) -> None:
    """Append protected events to an input stream."""
    with link.speaking() as client:
        for start in range(0, len(lines), PIPELINE):
            pipe = client.pipeline(transaction=False)
            for line in lines[start : start + PIPELINE]:
                pipe.xadd(stream, {"e": line})
            pipe.execute()
