"""Throughput of the loop: one simulated stream in memory, taken by the floor and by the whole engine in turn.

Both see the same lines in the same batches, interleaved, so that a machine that slows down slows both. CPU
time of this process counts, not wall time: other work on the machine changes it little.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
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
from models.decision import Decision, Versions, encode_decision
from models.errors import SettingsError
from models.events import Transaction, decode

SEED, CUSTOMERS = 20, 2000
WARM_UP_SHARE, LONGEST_WARM_UP_SHARE = 0.25, 0.6
DAY_MS = 86_400_000
_CONSTANT = Versions(model="", rules="", lists="", fx="")


def throughput(settings: Settings, seconds: float, progress: Callable[[float], None]) -> dict[str, Any]:
    """Floor and full throughput, events a second of CPU time, within about `seconds` of wall time.

    The first part goes to compiling, filling the windows and learning a model, and does not count: a quarter
    of the time, more if no model is ready by then. `trained` says whether one was.
    Unlabelled payments settle after one simulated day here, so that there is something to learn from so soon.
    """
    started = time.perf_counter()

    def spent() -> float:
        elapsed = time.perf_counter() - started
        progress(elapsed)
        return elapsed

    simulator = Simulator(SEED, customers=CUSTOMERS)
    clock = simulator.start
    door = Door(KeyRing.for_tests(), MemoryDataKeys(), clock=lambda: clock)
    engine = engine_of(settings, learn_inline=True, settle_after_ms=DAY_MS)
    stream = simulator.stream()
    cpu = {"protect": 0.0, "decode": 0.0, "step": 0.0, "write": 0.0, "floor": 0.0}
    events = transactions = 0
    warm, trained = True, False
    while (elapsed := spent()) < seconds:
        ready = trained or elapsed > LONGEST_WARM_UP_SHARE * seconds
        if warm and ready and elapsed > WARM_UP_SHARE * seconds:
            # The live scorer does not learn either: models come to it from the learner's process.
            warm, engine.learner = False, None
        raw = [(simulator.raw(event), event.received_at) for event in islice(stream, BATCH)]
        at = time.process_time()
        lines = []
        for line, clock in raw:  # noqa: B007 -- the door reads the clock
            lines.append(door.protect(line))
        protected = time.process_time()
        made = _floor(lines)
        floored = time.process_time()
        for line in lines:
            decode(line)
        decoded = time.process_time()
        output = engine.step([RawItem("bench", line, None, None) for line in lines])
        stepped = time.process_time()
        for decision in output.decisions:
            encode_decision(decision)
        written = time.process_time()
        trained = trained or bool(output.published)
        if len(output.decisions) + len(output.repeated) != made:
            raise SettingsError(
                f"the engine refused simulated payments ({output.dead[:1]}): check fx in the settings"
            )
        if not warm:
            events += len(lines)
            transactions += made
            for name, span in zip(
                cpu,
                (
                    protected - at,
                    decoded - floored,
                    stepped - decoded,
                    written - stepped,
                    floored - protected,
                ),
                strict=True,
            ):
                cpu[name] += span
    floor, full = events / cpu["floor"], events / (cpu["step"] + cpu["write"])
    stages = {
        "protect": cpu["protect"],
        "decode": cpu["decode"],
        "engine": cpu["step"] - cpu["decode"],
        "write": cpu["write"],
    }
    return {
        "floor_per_second": round(floor, 1),
        "full_per_second": round(full, 1),
        "ratio": round(full / floor, 4),
        "stages_us": {name: round(total * 1e6 / events, 2) for name, total in stages.items()},
        "machine": machine(),
        "events": events,
        "transactions": transactions,
        "trained": trained,
        "seconds": round(time.perf_counter() - started, 2),
    }


def _floor(lines: list[bytes]) -> int:
    """Decode, decide always the same, encode: no engine is faster. Returns how many decisions."""
    made = 0
    for line in lines:
        event = decode(line)
        if isinstance(event, Transaction):
            made += 1
            encode_decision(
                Decision(
                    id=event.id, event_time=event.event_time, risk=0.0, band="low", action="APPROVE",
                    versions=_CONSTANT,
                )
            )  # fmt: skip
    return made


def machine() -> dict[str, Any]:
    """What it was measured on."""
    return {
        "cpu": next(_cpu_names(), platform.processor() or platform.machine()),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "os": f"{platform.system()} {platform.release()}",
    }


def _cpu_names() -> Iterator[str]:
    listed = Path("/proc/cpuinfo")
    for line in listed.read_text(encoding="utf-8").splitlines() if listed.exists() else ():
        if line.startswith("model name"):
            yield line.partition(":")[2].strip()
