"""Throughput of the whole flow beside its floor, in turns over the same events in one run.

Laps alternate, and which of the two goes first alternates too, so that a machine that slows down slows both. Events a
second are by the clock; the CPU an event of the flow and of the store says what the clock would say on a quiet machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dataflow.bench.flow import Lap, Runner
from dataflow.bench.loop import Loop, Spent, trained
from dataflow.bench.machine import machine
from dataflow.bench.passthrough import PassThrough
from dataflow.bench.workshop import workshop
from dataflow.replay import BATCH
from dataflow.settings import Settings
from models.engine import Engine

TRAIN_SHARE, MOST_TRAIN_SHARE, STAGE_SHARE = 0.2, 0.6, 0.1
LEAST_LAP, FIRST_LAP = 4096, 2048
LAPS = 3


def throughput(settings: Settings, seconds: float, progress: Callable[[float], None]) -> dict[str, Any]:
    """See the module's docstring; takes about `seconds`.

    A fifth of the time goes to learning a model (up to a half until there is one), a tenth to the stages of the loop,
    the rest to the laps; the first of each flow warms it up and does not count.
    """
    spent = Spent(progress)
    loop = trained(settings, spent, seconds * TRAIN_SHARE, seconds * MOST_TRAIN_SHARE)
    load = loop.load
    began, seen = spent(), load.events
    stages: dict[str, float] = {}
    while not stages or spent() - began < seconds * STAGE_SHARE:
        stages = loop.stages(max(8 * BATCH, load.events - seen))
    with workshop() as (url, directory):
        floor = _runner(url, "floor:", directory, settings, loop, PassThrough)
        full = _runner(url, "full:", directory, settings, loop, None)
        pair = (floor, full)
        size, laps = FIRST_LAP, ([], [])  # type: tuple[int, tuple[list[Lap], list[Lap]]]
        turn = 0
        while turn <= LAPS and (turn < 3 or spent() < seconds * 0.8):
            at = time.perf_counter()
            lines = load.take(size)
            for which in (0, 1) if turn % 2 else (1, 0):
                lap = pair[which].lap(lines)
                if turn:
                    laps[which].append(lap)
            turn += 1
            # What is left is shared among the laps that are left.
            rate = size / (time.perf_counter() - at)
            size = max(LEAST_LAP, int(rate * (seconds * 0.95 - spent()) / max(1, LAPS + 1 - turn)))
        counted = full.counters
    rates = [_per_second(of) for of in laps]
    return {
        "floor_per_second": round(rates[0], 1),
        "full_per_second": round(rates[1], 1),
        "ratio": round(rates[1] / rates[0], 4),
        "cpu_us": {"floor": _cpu(laps[0]), "full": _cpu(laps[1])},
        "stages_us": stages,
        "machine": machine(),
        "events": sum(lap.events for lap in laps[1]),
        "transactions": counted.transactions,
        "alerts": counted.alerts,
        "balanced": counted.balanced(),
        "laps": [
            {"floor": round(_per_second([a]), 1), "full": round(_per_second([b]), 1)}
            for a, b in zip(*laps, strict=True)
        ],
        "rules": len(loop.engine.pack.rules),
        "features": len(loop.engine.settings.features),
        "trained": loop.trained,
        "seconds": round(spent(), 2),
    }


def _runner(
    url: str, prefix: str, directory: Path, settings: Settings, loop: Loop, kind: type[Engine] | None
) -> Runner:
    def engine() -> Engine:
        made = loop.successor()
        if kind is not None:
            made.__class__ = kind  # the same engine but for its step
        return made

    return Runner(url, prefix, directory / prefix.rstrip(":"), settings, engine)


def _per_second(laps: Sequence[Lap]) -> float:
    return sum(lap.events for lap in laps) / sum(lap.wall_s for lap in laps)


def _cpu(laps: Sequence[Lap]) -> dict[str, float]:
    """Microseconds of CPU time an event: the flow's process, the store's."""
    per_event = 1e6 / sum(lap.events for lap in laps)
    return {
        "flow": round(sum(lap.flow_s for lap in laps) * per_event, 2),
        "store": round(sum(lap.store_s for lap in laps) * per_event, 2),
    }
