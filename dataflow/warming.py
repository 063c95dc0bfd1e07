"""Has every kernel compiled and loaded before the first payment comes: what says it is ready then answers in time."""

from __future__ import annotations

import gc
from itertools import islice

from dataflow.assemble import engine_of
from dataflow.replay import BATCH
from dataflow.settings import Settings
from dataflow.simulate import Simulator
from dataflow.sources.files import RawItem

ALONE = 64
YOUNG, MIDDLE, OLD = 20_000, 20, 100
"""When Python looks for garbage cycles: after so many objects more than were freed, about a millisecond's work, among the
youngest; after so many such searches one generation further."""


def warm_up(settings: Settings) -> int:
    """Run simulated events through an engine of these settings that is thrown away; how many were decided.

    With reasons for everything, so that explaining is warm as well. Takes seconds where nothing is compiled yet.
    """
    engine = engine_of(settings, learn_inline=False, evidence=settings.flow.evidence, explain_all=True)
    # Half as in a backlog, half as live: payments that come alone take other paths.
    events = [
        RawItem("warm-up", None, event, None)
        for event in islice(Simulator(1, customers=200).stream(), BATCH + ALONE)
    ]
    engine.step(events[:BATCH])
    for item in events[BATCH:]:
        engine.step([item])
    settle_heap()
    return engine.counters.decided


def settle_heap() -> None:
    """Keep what is there now out of the search for garbage cycles, and have that made less often.

    Imports and kernels leave a quarter of a million objects that live as long as the process. A search through all of
    them takes a tenth of a second, while the flow waits; as often as Python makes it by itself, a tenth of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
