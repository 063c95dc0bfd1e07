"""Has every kernel compiled and loaded before the first payment comes: what says it is ready then answers in time."""

from __future__ import annotations

from itertools import islice

from dataflow.assemble import engine_of
from dataflow.settings import Settings
from dataflow.simulate import Simulator
from dataflow.sources.files import RawItem

TOGETHER, ALONE = 512, 64


def warm_up(settings: Settings) -> int:
    """Run simulated events through an engine of these settings that is thrown away; how many were decided.

    With reasons for everything, so that explaining is warm as well. Takes seconds where nothing is compiled yet.
    """
    engine = engine_of(settings, learn_inline=False, evidence=settings.flow.evidence, explain_all=True)
    # Half as in a backlog, half as live: payments that come alone take other paths.
    events = [
        RawItem("warm-up", None, event, None)
        for event in islice(Simulator(1, customers=200).stream(), TOGETHER + ALONE)
    ]
    engine.step(events[:TOGETHER])
    for item in events[TOGETHER:]:
        engine.step([item])
    return engine.counters.decided
