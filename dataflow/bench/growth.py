"""How time and memory grow with what the engine knows: from ten thousand entities up."""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from dataflow.assemble import engine_of
from dataflow.bench.machine import machine
from dataflow.bench.strangers import known, payment, strangers
from dataflow.replay import BATCH
from dataflow.settings import Settings
from dataflow.sources.files import RawItem
from models.engine import Engine
from models.events import Transaction

SIZES = (10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000)
PROBES = 24
"""Batches of known customers, drawn at random, that time is taken over at each size."""


def growth(settings: Settings, progress: Callable[[float], None], entities: int) -> dict[str, Any]:
    """CPU time an event and resident memory at each of SIZES up to `entities` customers, each with a card, a device and
    an address of its own. Engine's loop, no model learnt; progress is called with the customers so far.
    """
    started = time.perf_counter()
    engine = engine_of(settings, learn_inline=False, evidence=False)
    base, new, customers = _resident_mb(), strangers(), 0
    points: list[dict[str, float]] = []
    draw = random.Random(7)
    for size in [size for size in SIZES if size <= entities] or [entities]:
        while customers < size:
            customers += _take(engine, islice(new, min(BATCH, size - customers)))
            progress(customers)
        began, events = time.thread_time(), 0
        for number in range(PROBES):
            at = size + number * BATCH
            events += _take(
                engine,
                (
                    payment(draw.randrange(1, size + 1), at + i, f"again-{size}-{number}-{i}")
                    for i in range(BATCH)
                ),
            )
        points.append(
            {
                "customers": size,
                "entities": known(engine),
                "us_per_event": round((time.thread_time() - began) * 1e6 / events, 2),
                "memory_mb": round(_resident_mb() - base, 1),
            }
        )
    return {"points": points, "machine": machine(), "seconds": round(time.perf_counter() - started, 2)}


def _take(engine: Engine, payments: Iterator[Transaction]) -> int:
    items = [RawItem("bench", None, event, None) for event in payments]
    engine.step(items)
    return len(items)


def _resident_mb() -> float:
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * resource.getpagesize() / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
