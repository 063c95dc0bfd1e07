"""Latency of a decision at half of what the flow can take, with the processes that run beside it in production."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from dataflow.bench.flow import append
from dataflow.bench.load import Load
from dataflow.bench.loop import Spent, trained
from dataflow.bench.machine import machine
from dataflow.bench.open_loop import OpenLoop, Timed, timed
from dataflow.bench.plant import START_S, Plant, plant
from dataflow.bench.workshop import workshop
from dataflow.replay import BATCH
from dataflow.settings import Settings

TRAIN_SHARE, MOST_TRAIN_SHARE = 0.15, 0.5
WARM_EVENTS, BACKLOG = 2048, 12_288
SETTLE_S = 2.0
CONSOLE_PORT = 8597


def latency(
    settings: Settings, seconds: float, progress: Callable[[float], None], rate: float | None = None,
    console: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Latency in ms over what is left of `seconds` once a model is learnt and the most it can take is measured.

    rate: transactions and other events a second; None is half of the measured maximum. console: run the console too.
    """
    spent = Spent(progress)
    beside = msgspec.structs.replace(settings.console, port=CONSOLE_PORT)
    settings = msgspec.structs.replace(settings, console=beside)
    loop = trained(settings, spent, seconds * TRAIN_SHARE, seconds * MOST_TRAIN_SHARE)
    load = loop.load
    with workshop() as (url, directory), plant(url, directory, settings) as works:
        works.serve(loop.engine.snapshot)
        for name in ("learner", "sender", "clerk", "scorer", *(("console",) if console else ())):
            works.start(name)
        append(works.link, "tg:in", load.take(WARM_EVENTS))
        _drained(works, WARM_EVENTS, START_S)
        most = _most(works, load) if rate is None else None
        chosen = rate or (most or 0.0) / 2
        time.sleep(SETTLE_S)
        spent()
        left = max(5.0, seconds - spent())
        ready = timed(load.take(int(left * chosen) + BATCH))
        loop_ = OpenLoop(works.link, chosen)
        at = 0

        def more(count: int) -> list[Timed]:
            nonlocal at
            events = ready[at : at + count]
            at += len(events)
            if at % 1024 < count:
                spent()
            return events

        measured = max(5.0, min(left, seconds - spent()))
        loop_.run(more, measured)
        beat = works.store.beats().get("scorer", {})
    return {
        "rate": round(chosen, 1),
        "latency_ms": loop_.percentiles_ms(),
        "maximum_per_second": None if most is None else round(most, 1),
        "events": loop_.sent,
        "decisions": loop_.histogram.get_total_count(),
        "behind": loop_.behind,
        "measured_s": round(measured, 1),
        "shed": beat.get("shed", "nothing"),
        "curve": [(round(share, 4), round(ms, 3)) for share, ms in loop_.curve()],
        "machine": machine(),
        "console": console,
        "trained": loop.trained,
        "seconds": round(spent(), 2),
    }


def _most(works: Plant, load: Load) -> float:
    """Events a second that the warm scorer takes out of a backlog."""
    lines = load.take(BACKLOG)
    started = time.perf_counter()
    append(works.link, "tg:in", lines)
    _drained(works, WARM_EVENTS + BACKLOG, START_S)
    return BACKLOG / (time.perf_counter() - started)


def _drained(works: Plant, events: int, seconds: float) -> None:
    ends = time.monotonic() + seconds
    # The Control event that named the model counts as one too.
    while works.store.counters().events_in < events + 1:
        if time.monotonic() > ends:
            works.wait(1 << 60, 0.0)
        time.sleep(0.005)
