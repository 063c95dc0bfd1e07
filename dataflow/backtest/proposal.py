"""The second opinion of a back-test: the same payments decided by other rules, thresholds or another model.

It sits beside a running engine and reads what that engine read: windows, features and outcomes are computed once.
What differs is only what was proposed, so every difference between the two decisions comes from it. Rules that
decline more would also leave the models fewer outcomes to learn from; that part of the future no recording holds.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np

from models.columns import Column
from models.containment import Measure, asked, weighed
from models.deciding import Judged, edges_of
from models.decision import Decision, RuleHit, Versions
from models.engine import Engine
from models.errors import SnapshotError
from models.features import RULE_KINDS
from models.risk import Thresholds, decide
from models.rules.compiled import CompiledPack, compile_pack
from models.rules.rule import Pack
from models.serving import Snapshot
from models.velocities import Velocities


class Proposal:
    """Decides an engine's batches again. pack, thresholds, snapshot: None is what the engine has at that moment.

    What is given holds from the first payment to the last; Control events of the stream then change only the rest.
    Raises RuleError when the pack does not fit the feature catalogue, SnapshotError when the model does not.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        pack: Pack | None = None,
        thresholds: Thresholds | None = None,
        snapshot: Snapshot | None = None,
    ) -> None:
        self._engine, self._thresholds, self._snapshot = engine, thresholds, snapshot
        self._compiled = None if pack is None else compile_pack(pack, engine.interner, RULE_KINDS)
        expected = engine.settings.features
        if snapshot is not None and snapshot.features != expected:
            raise SnapshotError(
                f"model {snapshot.version} was learnt with {len(snapshot.features)} features, this version has "
                f"{len(expected)} (attributes included): use a snapshot learnt with this feature catalogue"
            )
        # Windows of its own: those of the engine are dropped and begun anew when the stream brings another pack.
        self._velocities = Velocities(engine.interner)
        self._velocities.load(() if self._compiled is None else self._compiled.velocities, 0)

    @property
    def compiled(self) -> CompiledPack:
        """The rules that hold now."""
        return self._compiled or self._engine.compiled

    def edges(self, judged: Judged) -> list[Thresholds]:
        """The band edges of each transaction: what is proposed, else those that its model brings or the engine has."""
        fixed = self._thresholds
        if fixed is None and self._snapshot is not None:
            fixed = edges_of(self._engine, self._snapshot)
        return judged.edges if fixed is None else [fixed] * len(judged.edges)

    @property
    def model(self) -> str:
        """The version of the model that holds now."""
        return (self._snapshot or self._engine.snapshot).version

    def decide(self, judged: Judged, contained: list[list[Measure]]) -> list[Decision]:
        """The decisions on a batch, without reasons. contained: the measures that cover each transaction."""
        columns: dict[str, Column] = dict(judged.columns)
        asked = self._velocities.ask(judged.placed.facts, columns)
        columns.update(self._velocities.advance(judged.placed, asked))
        if not judged.made:
            return []
        scores: list[dict[str, float]] | None = None
        if self._snapshot is not None:
            scored = self._snapshot.score(judged.vectors)
            columns["risk"] = scored.risk
            names = [*scored.by_model]
            scores = [
                {name: value for name, value in zip(names, row, strict=True) if not math.isnan(value)}
                for row in np.stack([scored.by_model[name] for name in names], axis=1).tolist()
            ]
        compiled, placed = self.compiled, judged.placed
        verdicts = compiled.evaluate(columns, placed.rows.times[placed.pay])
        hits: list[list[RuleHit]] = [[] for _ in judged.made]
        for row, rule in zip(*np.nonzero(verdicts.T == 1), strict=True):
            hits[row].append(compiled.rules[rule].hit)
        risks, explore = np.asarray(columns["risk"]).tolist(), judged.explore.tolist()
        edges = self.edges(judged)
        return [
            self._decision(
                before, edges[at], risk, rules, actions, free, before.scores if scores is None else scores[at]
            )
            for at, (before, risk, rules, actions, free) in enumerate(
                zip(judged.made, risks, hits, contained, explore, strict=True)
            )
        ]

    def _decision(
        self, before: Decision, edges: Thresholds, risk: float, hits: list[RuleHit], contained: list[Measure],
        explore: bool, scores: dict[str, float],
    ) -> Decision:  # fmt: skip
        band, action, explored = decide(edges, weighed(contained, risk), hits, asked(contained), explore)
        model = before.versions.model if self._snapshot is None else self._snapshot.version
        return msgspec.structs.replace(
            before, risk=risk, band=band, action=action, explored=explored, rules=hits, reasons=[], not_assessed=[],
            scores=scores, counterfactual=None,
            versions=Versions(model, self.compiled.version, before.versions.lists, before.versions.fx),
        )  # fmt: skip
