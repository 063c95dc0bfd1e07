"""The engine's loop without store and flow: trains the model that the measurements serve, and times its stages."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec

from dataflow.assemble import engine_of
from dataflow.bench.load import Load
from dataflow.collecting import seldom_collected
from dataflow.replay import BATCH
from dataflow.settings import Settings
from dataflow.sources.files import RawItem
from models.decision import Counters, encode_decision
from models.engine import Engine
from models.errors import SettingsError
from models.freezing import freeze, thaw
from models.snapshot import decode

GROWN = 2000
"""Nodes of boosted trees from which on the model counts as trained: small trees would be scored too fast."""
SETTLE_AFTER_MS = 3_600_000
STAGES = (
    "protect",
    "decode",
    "columns",
    "windows",
    "features",
    "models",
    "rules",
    "explain",
    "decide",
    "write",
)
"""protect: the door. columns: from events to arrays, with amounts and duplicates. decide: bands, actions, records.
write: encoding; what the store adds is in the figures of the flow."""


class Spent:
    """Seconds since it was made; every call tells `progress` as well."""

    def __init__(self, progress: Callable[[float], None]) -> None:
        self._progress, self._started = progress, time.perf_counter()

    def __call__(self) -> float:
        elapsed = time.perf_counter() - self._started
        self._progress(elapsed)
        return elapsed


class Stages:
    """CPU time of this thread by stage; `told` at the end of each, in any order."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._last = time.thread_time()

    def start(self) -> None:
        """What was spent up to now belongs to no stage."""
        self._last = time.thread_time()

    def told(self, stage: str) -> None:
        """The time since the last call belongs to this stage."""
        now = time.thread_time()
        self.spent[stage] = self.spent.get(stage, 0.0) + now - self._last
        self._last = now


class Loop:
    """One engine that has seen the load's stream so far. trained: whether it serves a model of some size."""

    def __init__(self, settings: Settings, load: Load) -> None:
        self._settings, self.load = settings, load
        # Unlabelled payments settle after a simulated hour, so that there is something to learn from so soon.
        self.engine = engine_of(
            settings, learn_inline=True, settle_after_ms=SETTLE_AFTER_MS, negative_rate=0.3
        )
        self.trained = False

    def train(self, until: Callable[[], bool]) -> None:
        """Run on, learning, while until() is False; then stop learning, as the live scorer does not learn either."""
        while not until():
            output = self.engine.step(items_of(self.load.take(BATCH)))
            if output.published:
                self.trained = len(decode(output.published[-1]).boosted.feature) >= GROWN
        self.engine.learner = None

    @seldom_collected()
    def stages(self, events: int) -> dict[str, float]:
        """Microseconds of CPU time an event by STAGES over the next `events`; deciding without enrichment."""
        clock, engine, load = Stages(), self.engine, self.load
        spent, seen, done = load.protect_s, load.events, 0
        engine.stage = clock.told
        engine.settings = msgspec.structs.replace(engine.settings, evidence=False)
        while done < events:
            items = items_of(load.take(BATCH))
            decided = engine.counters.decided + engine.counters.duplicates
            clock.start()
            output = engine.step(items)
            clock.told("decide")
            for decision in output.decisions:
                encode_decision(decision)
            clock.told("write")
            done += len(items)
            if output.dead and engine.counters.decided + engine.counters.duplicates == decided:
                raise SettingsError(
                    f"the engine refuses simulated payments ({output.dead[0].detail}): check fx in the settings"
                )
        engine.stage = silent
        clock.spent["protect"] = load.protect_s - spent
        per_event = 1e6 / (load.events - seen)
        return {stage: round(clock.spent.get(stage, 0.0) * per_event, 2) for stage in STAGES}

    def successor(self) -> Engine:
        """A fresh engine in the state of this one, that has counted nothing yet and does not learn."""
        engine = engine_of(
            self._settings, learn_inline=False, settle_after_ms=SETTLE_AFTER_MS,
            evidence=self._settings.flow.evidence,
        )  # fmt: skip
        arrays, meta = freeze(self.engine)
        thaw(engine, arrays, meta)
        engine.counters = Counters()
        return engine


def items_of(lines: Sequence[bytes]) -> list[RawItem]:
    """Lines as a source hands them over."""
    return [RawItem("bench", line, None, None) for line in lines]


def silent(_: str) -> None:
    """Nobody listens to the stages."""


def trained(settings: Settings, spent: Spent, usual_s: float, most_s: float) -> Loop:
    """A loop over a new load that has trained for `usual_s`, or up to `most_s` where its model is still small."""
    loop = Loop(settings, Load())
    loop.train(lambda: spent() > (usual_s if loop.trained else most_s))
    return loop
