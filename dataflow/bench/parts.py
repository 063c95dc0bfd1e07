"""What each feature, each rule and each model costs: microseconds of CPU time a transaction, in batches as they came."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from dataflow.bench.loop import Loop, Spent, items_of, trained
from dataflow.bench.machine import machine
from dataflow.replay import BATCH
from dataflow.settings import Settings
from models import snapshot
from models.columns import Float
from models.deciding import Judged
from models.features import CATALOGUE, for_models, matrix
from models.rules.operations import Frame
from models.serving import Snapshot

TRAIN_SHARE, MOST_TRAIN_SHARE = 0.4, 0.6
BATCHES = 4

Part = tuple[str, Callable[[], object]]


class Parts:
    """Batches of a simulated stream as the engine decided them, with a trained model."""

    def __init__(self, loop: Loop) -> None:
        self.engine, self.trained = loop.engine, loop.trained
        self.batches: list[Judged] = []
        self.engine.beside = self.batches.append
        while len(self.batches) < BATCHES:
            self.engine.step(items_of(loop.load.take(BATCH)))
        self.rows = sum(len(batch.made) for batch in self.batches)

    def features(self) -> list[Part]:
        """A part for each feature of the catalogue, and `matrix` for all of them with the caps for the models."""
        parts: list[Part] = [
            (feature.name, _over(self.batches, lambda b, f=feature: f.formula(b.view)))  # type: ignore[misc]
            for feature in CATALOGUE
        ]
        return [*parts, ("matrix", _over(self.batches, lambda b: for_models(matrix(b.view))))]

    def rules(self) -> list[Part]:
        """A part for each rule by itself, and `pack` for all of them, which share what they have in common."""
        pack = self.engine.compiled
        parts: list[Part] = [
            (rule.id, _over(self.batches, lambda b, r=rule: r.run(Frame(b.columns, pack.compiler.shared))))  # type: ignore[misc]
            for rule in pack.rules
        ]
        return [*parts, ("pack", _over(self.batches, lambda b: pack.evaluate(b.columns, b.view.times)))]

    def models(self) -> list[Part]:
        """linear: scaling and logistic regression; every other model with that taken out; score: all, calibrated;
        explain: shares of the features, which only what has reasons gets."""
        whole = self.engine.snapshot
        body = snapshot.decode(whole.data)
        bare = snapshot.blank(body.features, body.calibration)
        parts = ("forest", "boosted", "half_space")
        alone = {"linear": msgspec.structs.replace(body, **{name: getattr(bare, name) for name in parts})}
        for name in parts:
            alone[name] = msgspec.structs.replace(alone["linear"], **{name: getattr(body, name)})
        served = {name: Snapshot(of, b"") for name, of in alone.items()}
        made: list[Part] = [
            (name, _over(self.batches, lambda b, s=of: s.raw(b.vectors)))  # type: ignore[misc]
            for name, of in served.items()
        ]
        score: Part = ("score", _over(self.batches, lambda b: whole.score(b.vectors)))
        explain: Part = ("explain", _over(self.batches, lambda b: whole.shares(b.vectors)))
        return [*made, score, explain]


def costs(parts: Sequence[Part], rows: int, more: Callable[[], bool]) -> dict[str, float]:
    """Microseconds a row of each part: its median over rounds, which go on while more(); every part once a round."""
    times: dict[str, list[float]] = {name: [] for name, _ in parts}
    with np.errstate(all="ignore"):
        while not times[parts[-1][0]] or more():
            for name, run in parts:
                started = time.thread_time()
                run()
                times[name].append(time.thread_time() - started)
    return {name: round(float(np.median(of)) * 1e6 / rows, 4) for name, of in times.items()}


def measured(
    what: str, settings: Settings, seconds: float, progress: Callable[[float], None]
) -> dict[str, Any]:
    """`microseconds` by part (features: also by entity) for what = features, rules or models."""
    spent = Spent(progress)
    parts = Parts(trained(settings, spent, seconds * TRAIN_SHARE, seconds * MOST_TRAIN_SHARE))
    run = {"features": parts.features, "rules": parts.rules, "models": parts.models}[what]()
    each = costs(run, parts.rows, lambda: spent() < seconds * 0.95)
    result: dict[str, Any] = {"microseconds": each}
    if what == "features":
        result = {"groups": _by_entity(each), "microseconds": each}
    if what == "models":
        for name in ("forest", "boosted", "half_space"):
            each[name] = round(max(0.0, each[name] - each["linear"]), 4)
    return {
        **result,
        "rows": parts.rows,
        "trained": parts.trained,
        "machine": machine(),
        "seconds": round(spent(), 2),
    }


def _over(batches: Iterable[Judged], run: Callable[[Judged], object]) -> Callable[[], list[Float | object]]:
    return lambda: [run(batch) for batch in batches]


def _by_entity(each: dict[str, float]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for feature in CATALOGUE:
        sums[feature.entity] = sums.get(feature.entity, 0.0) + each[feature.name]
    return {entity: round(total, 4) for entity, total in sorted(sums.items(), key=lambda pair: -pair[1])}
