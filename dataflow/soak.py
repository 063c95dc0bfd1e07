"""A long run of the loop with its learner: what memory does while events keep coming."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from alerts.custody.data_keys import MemoryDataKeys
from alerts.custody.keyring import KeyRing
from dataflow.assemble import engine_of
from dataflow.door import Door
from dataflow.replay import BATCH
from dataflow.settings import Settings
from dataflow.simulate import Simulator
from dataflow.sources.files import RawItem
from models.engine import Engine
from models.snapshot import decode

SEED, CUSTOMERS, RATE = 31, 20_000, 3.0
POINTS = 20
DAY_MS = 86_400_000


def soak(settings: Settings, events: int, progress: Callable[[float], None]) -> dict[str, Any]:
    """Run a simulated stream of `events` through door, engine and inline learner; measure POINTS times on the way.

    Unlabelled payments settle after two simulated days, so that the learner sees most of the stream. growth: what
    the resident memory of the process, and the learner's saved state, have at the end over what they had half-way.
    """
    simulator = Simulator(SEED, customers=CUSTOMERS, rate_scale=RATE)
    clock = simulator.start
    door = Door(KeyRing.for_tests(), MemoryDataKeys(), clock=lambda: clock)
    engine = engine_of(settings, learn_inline=True, settle_after_ms=2 * DAY_MS)
    stream = simulator.stream()
    started, done = time.perf_counter(), 0
    points: list[dict[str, float]] = []
    while done < events:
        lines = []
        for event in islice(stream, min(BATCH, events - done)):
            clock = event.received_at
            lines.append(door.protect(simulator.raw(event)))
        engine.step([RawItem("soak", line, None, None) for line in lines])
        done += len(lines)
        progress(done)
        if done >= events * (len(points) + 1) // POINTS:
            points.append(_point(engine, done, time.perf_counter() - started))
    middle, end = points[len(points) // 2 - 1], points[-1]
    return {
        "events": done,
        "transactions": engine.counters.transactions,
        "examples": engine.counters.examples,
        "evicted": engine.counters.evicted,
        "vectors_gone": engine.counters.vectors_gone,
        "growth": {
            name: round(end[name] / max(middle[name], 1.0), 3) for name in ("resident_mb", "learner_mb")
        },
        "points": points,
        "seconds": round(time.perf_counter() - started, 1),
    }


def _point(engine: Engine, done: int, seconds: float) -> dict[str, float]:
    learner = engine.learner
    assert learner is not None
    body = decode(engine.snapshot.data)
    return {
        "events": done,
        "seconds": round(seconds, 1),
        "resident_mb": round(_resident_mb(), 1),
        "learner_mb": round(len(learner.to_state()) / 1e6, 2),
        "snapshot_mb": round(len(engine.snapshot.data) / 1e6, 3),
        "forest_nodes": len(body.forest.feature),
        "boosted_nodes": len(body.boosted.feature),
        "entities": sum(table.used for shard in engine.shards for table in shard.state.tables.values()),
        "vector_share": engine.vectors.share,
    }


def _resident_mb() -> float:
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * resource.getpagesize() / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
