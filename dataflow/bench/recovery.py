"""Time from a kill of the scorer to its first new decision, with many entities in its state."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from dataflow.bench.flow import Runner, append
from dataflow.bench.load import Load
from dataflow.bench.machine import machine
from dataflow.bench.plant import START_S, plant
from dataflow.bench.strangers import filled, known
from dataflow.bench.workshop import workshop
from dataflow.settings import Settings
from dataflow.worker import ring_of

ENTITIES = 60_000
BATCH = 512


def recovery(
    settings: Settings, progress: Callable[[float], None], entities: int = ENTITIES
) -> dict[str, Any]:
    """Seconds from SIGKILL to the first decision on an event that came after it; the restart itself is immediate.

    The state is filled with `entities` that have paid once, then the scorer takes a live stream until its checkpoint
    is done. progress is called with the entities so far.
    """
    started = time.perf_counter()
    with workshop() as (url, directory), plant(url, directory, settings) as works:
        held = [filled(works.settings, entities, progress)]
        entities = known(held[0])
        load = Load(customers=2000)
        signer = ring_of(works.settings).signer("checkpoint")
        # The runner lets go of the engine before the scorer takes its place.
        runner = Runner(url, "tg:", directory, works.settings, held.pop, signer)
        seeding = runner.lap(load.take(2 * BATCH))
        del runner
        scorer = works.start("scorer")
        append(works.link, "tg:in", load.take(BATCH))
        before = works.decided()
        works.wait(before + 1, START_S)
        _settled(works.decided)
        before = works.decided()
        killed = time.perf_counter()
        works.kill(scorer)
        append(works.link, "tg:in", load.take(BATCH))
        works.start("scorer")
        works.wait(before + 1, START_S)
        seconds = time.perf_counter() - killed
        checkpoint = sum(path.stat().st_size for path in (directory / "checkpoints").iterdir())
    return {
        "recovery_seconds": round(seconds, 2),
        "entities": entities,
        "checkpoint_mb": round(checkpoint / 1e6, 1),
        "seeding_seconds": round(seeding.wall_s, 2),
        "machine": machine(),
        "seconds": round(time.perf_counter() - started, 2),
    }


def _settled(decided: Callable[[], int]) -> None:
    """Wait until the decisions have stopped coming for a second."""
    last, at = decided(), time.monotonic()
    while time.monotonic() - at < 1.0:
        time.sleep(0.05)
        if decided() != last:
            last, at = decided(), time.monotonic()
