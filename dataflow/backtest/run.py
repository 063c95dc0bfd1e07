"""A back-test: one replay of a recording, in which every payment is decided twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dataflow.backtest.outcomes import Labels, Outcomes, truth_of
from dataflow.backtest.proposal import Proposal
from dataflow.backtest.tally import Change, Changes, Hits, Payments, codes
from dataflow.replay import BATCH, Digest, replay
from dataflow.sources.mapping import Mapping
from models.columns import Float
from models.containment import Measure
from models.deciding import Judged, measures_on
from models.decision import Decision
from models.engine import Engine, Output
from models.events import Label, Transaction
from models.ledger_walk import LABEL
from models.risk import DECLINES, Thresholds
from models.rows import Item
from models.rules.compiled import CompiledRule


class Backtest:
    """Both sides of a back-test. proposal None: nothing is proposed, the engine's decisions stand for both.

    Sits on the engine's `beside` from its making on; `summary` is there after `run`. in_force: rules and thresholds
    (before, after) that held, in the order of the stream.
    """

    def __init__(self, engine: Engine, proposal: Proposal | None) -> None:
        self.engine, self.proposal = engine, proposal
        self.payments, self.labels, self.changes = Payments(), Labels(), Changes()
        self.hits_after = Hits()
        self.hits_before = self.hits_after if proposal is None else Hits()
        self.rules_before: dict[str, CompiledRule] = {}
        self.rules_after: dict[str, CompiledRule] = {}
        self.in_force: dict[str, list[tuple[Any, Any]]] = {"rules": [], "thresholds": []}
        self.alerts_before, self.alerts_after = Digest(), Digest()
        self.summary: dict[str, Any] = {}
        engine.beside = self._see
        self._note_rules()

    def run(
        self, paths: Sequence[Path], mapping: Mapping | None = None, *, limit: int | None = None, batch: int = BATCH,
        sources: Iterable[Sequence[Item]] | None = None, on_output: Callable[[Output], None] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:  # fmt: skip
        """Replay the files, or `sources` (batches of entries) where they are no files. See dataflow.replay."""
        self.summary = replay(
            paths, self.engine, mapping, limit=limit, batch=batch, sources=sources, on_output=on_output,
            progress=progress,
        )  # fmt: skip

    def outcomes(self, truth: Sequence[Path] = ()) -> Outcomes:
        """What is known of the payments: by the truth beside the files `truth`, else by labels in the stream."""
        if truth:
            return truth_of(truth, self.payments.keys)
        received = self.payments.received
        last = int(received.max()) if received.size else 0
        settled = last - self.engine.settings.settle_after_ms
        return self.labels.outcomes(self.payments.keys, received, self.payments.happened, settled)

    def _see(self, judged: Judged) -> None:
        self._note_rules()
        self._note_edges(judged)
        rows = judged.placed.rows
        named = [e for e in judged.events if type(e) is Label]
        for key, label in zip(rows.ids[rows.kinds == LABEL].tolist(), named, strict=True):
            self.labels.add(key, label.fraud, label.typology)
        at, usd = judged.placed.pay, np.asarray(judged.columns["amount_usd"], dtype=np.float64)
        contained = self._contained(judged, usd)
        after = judged.made if self.proposal is None else self.proposal.decide(judged, contained)
        if not judged.made:
            return
        first, before = len(self.payments), judged.made
        codes_before, codes_after = codes(before), codes(after)
        enforced = self.engine.settings.enforced
        ours = np.array([enforced and decision.action in DECLINES for decision in before], dtype=np.bool_)
        happened = ~(rows.no_outcome[at] | ours)
        self.payments.add(rows.ids[at], rows.received[at], usd, happened, codes_before, codes_after)
        self.alerts_before.add(before)
        self.alerts_after.add(after)
        self._note(first, judged, before, after, contained)
        for row, (old, new) in enumerate(zip(before, after, strict=True)):
            if codes_before[row] != codes_after[row]:
                change = Change(float(usd[row]), first + row, old.id, old, new)
                self.changes.add(change, codes_before[row], codes_after[row])

    def _note(
        self, first: int, judged: Judged, before: list[Decision], after: list[Decision],
        contained: list[list[Measure]],
    ) -> None:  # fmt: skip
        """Take what the rules said, on both sides where they differ."""
        sides = [(self.hits_after, after, self._edges(judged))]
        if self.proposal is not None:
            sides.append((self.hits_before, before, judged.edges))
        for hits, decisions, edges in sides:
            for row, decision in enumerate(decisions):
                if decision.rules:
                    free = bool(judged.explore[row])
                    hits.add(first + row, decision, edges[row], contained[row], free)

    def _contained(self, judged: Judged, usd: Float) -> list[list[Measure]]:
        """The measures in force that cover each payment."""
        if not self.engine.containments and not len(self.engine.lists):
            return [[]] * len(judged.made)
        payments = [e for e in judged.events if type(e) is Transaction]
        return [
            measures_on(self.engine, payment, amount)
            for payment, amount in zip(payments, usd.tolist(), strict=True)
        ]

    def _edges(self, judged: Judged) -> list[Thresholds]:
        """Band edges of each transaction as proposed."""
        return judged.edges if self.proposal is None else self.proposal.edges(judged)

    def _note_edges(self, judged: Judged) -> None:
        """Collect the band edges on both sides: Control events change them, models may bring their own."""
        told = self.in_force["thresholds"]
        for pair in zip(judged.edges, self._edges(judged), strict=True):
            if not told or told[-1] != pair:
                told.append(pair)

    def _note_rules(self) -> None:
        """Collect what rules hold on both sides: Control events of the stream may change them."""
        engine, proposal, rules = self.engine, self.proposal or self.engine, self.in_force["rules"]
        now = (engine.compiled.version, proposal.compiled.version)
        if not rules or rules[-1] != now:
            rules.append(now)
            self.rules_before.update({rule.id: rule for rule in engine.compiled.rules})
            self.rules_after.update({rule.id: rule for rule in proposal.compiled.rules})
