"""The last step of a batch: rules, band, action and reasons become Decision records."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.columns import Column, Float
from models.containment import Measure, asked, askers, weighed
from models.contexts import contexts
from models.counterfactual import counterfactual
from models.decision import Counterfactual, Decision, Reason, Versions
from models.events import AnyEvent, Transaction
from models.reasons import model_reasons, rule_reason
from models.risk import Thresholds, Verdict, by_band, decide
from models.rules.compiled import CompiledPack
from models.serving import Snapshot
from models.shedding import Shed
from models.state import Placed
from models.view import View
from models.windows import Int64

if TYPE_CHECKING:
    from models.engine import Engine


class Scored(NamedTuple):
    """Risk of m transactions, probability by model, and the snapshot each was scored with."""

    risk: Float
    by_model: dict[str, Float]
    snapshots: list[Snapshot]


def scored_by(
    snapshot: Snapshot, vectors: Float, rows: Int64, swaps: Sequence[tuple[int, Snapshot]]
) -> Scored:
    """Score each transaction with the model in force at its row.

    snapshot: in force at the first row; swaps: (row, model in force after it), in order; rows (m,): of the transactions.
    """
    scored = Scored(np.empty(rows.shape[0]), {}, [])
    start = 0
    for row, following in [*swaps, (None, None)]:
        end = rows.shape[0] if row is None else int(np.searchsorted(rows, row, side="right"))
        if end > start:
            part = snapshot.score(vectors[start:end])
            scored.risk[start:end] = part.risk
            for name, values in part.by_model.items():
                scored.by_model.setdefault(name, np.full(rows.shape[0], np.nan))[start:end] = values
            scored.snapshots.extend([snapshot] * (end - start))
            start = end
        if following is not None:
            snapshot = following
    return scored


class Judged(NamedTuple):
    """A batch as it was decided: all it takes to decide it again by other rules, band edges or models.

    placed: the rows that took part, with their slots; events: theirs. columns: what rules can speak of, one element a
    transaction. view: what features are computed from; vectors: as the models saw them. explore (m,): as in
    `decisions_of`. edges: band edges of each transaction. made: the decisions, in order.
    """

    placed: Placed
    events: Sequence[AnyEvent]
    columns: dict[str, Column]
    view: View
    vectors: Float
    explore: np.ndarray
    edges: list[Thresholds]
    made: list[Decision]


class _Owed(NamedTuple):
    """What is told of a transaction beyond its band: its rules (places in the pack), measures and verdict."""

    rules: list[int]
    contained: list[Measure]
    verdict: Verdict


def decisions_of(
    engine: Engine, payments: Sequence[Transaction], columns: Mapping[str, Column], values: Float, vectors: Float,
    view: View, scored: Scored, late: np.ndarray, explore: np.ndarray,
) -> list[Decision]:  # fmt: skip
    """One Decision a transaction, in order. values: features as they are; vectors: as the models saw them.

    explore (m,): payments that may be let through where the models alone would decline.
    """
    if not payments:
        return []
    pack, settings = engine.compiled, engine.settings
    verdicts = pack.evaluate(columns, view.times)
    engine.stage("rules")
    hit_rows: dict[int, list[int]] = {}
    for row, rule in zip(*(at.tolist() for at in np.nonzero(verdicts.T == 1)), strict=True):
        hit_rows.setdefault(row, []).append(rule)
    risks, exploring = scored.risk.tolist(), explore.tolist()
    measured = bool(engine.containments) or len(engine.lists) > 0
    edges = {snapshot: edges_of(engine, snapshot) for snapshot in dict.fromkeys(scored.snapshots)}
    quiet = _quiet(edges, scored)
    amounts = np.asarray(columns["amount_usd"], dtype=np.float64)
    usd = amounts.tolist()
    owed: dict[int, _Owed] = {}
    for i, t in enumerate(payments):
        rules = hit_rows.get(i, _NOTHING)
        contained = measures_on(engine, t, usd[i]) if measured else []
        if rules or contained or exploring[i]:
            hits = [pack.rules[r].hit for r in rules]
            verdict = decide(
                edges[scored.snapshots[i]], weighed(contained, risks[i]), hits, asked(contained), exploring[i]
            )
            owed[i] = _Owed(rules, contained, verdict)
        elif quiet[i].band != "low" or settings.explain_all:
            owed[i] = _Owed(rules, contained, quiet[i])
    engine.stage("decide")
    reasons = _reasons(engine, owed, scored.snapshots, columns, values, vectors)
    engine.stage("explain")
    told = contexts(payments, amounts)
    scores, lateness = _scores(scored), late.tolist()
    versions = {s.version: _versions(engine, s) for s in scored.snapshots}
    out = []
    for i, t in enumerate(payments):
        more = owed.get(i)
        snapshot = scored.snapshots[i]
        if more is None:
            out.append(
                Decision(
                    id=t.id, event_time=t.event_time, risk=risks[i], band=quiet[i].band, action=quiet[i].action,
                    scores=scores[i], versions=versions[snapshot.version], context=told[i], late=lateness[i],
                    features=_features(settings.features, values[i]) if settings.with_features else None,
                )
            )  # fmt: skip
            continue
        hits = [pack.rules[r].hit for r in more.rules]
        why = reasons.get(i, [])
        contrast: Counterfactual | None = None
        enriched = settings.evidence and bool(why)
        engine.shed_decisions += bool(enriched and engine.shed)
        if enriched and engine.shed < Shed.ADVICE:
            risk, measures = weighed(more.contained, risks[i]), askers(more.contained)
            contrast = counterfactual(view, i, snapshot, edges[snapshot], risk, hits, measures)
        out.append(
            Decision(
                id=t.id, event_time=t.event_time, risk=risks[i], band=more.verdict.band, action=more.verdict.action,
                rules=hits, reasons=why,
                not_assessed=_not_assessed(pack, verdicts[:, i]) if i in reasons else [],
                scores=scores[i], versions=versions[snapshot.version], context=told[i], late=lateness[i],
                explored=more.verdict.explored, counterfactual=contrast, shed=engine.shed.left if enriched else "",
                features=(
                    _features(settings.features, values[i])
                    if settings.with_features or (enriched and engine.shed < Shed.ENRICHMENT)
                    else None
                ),
            )
        )  # fmt: skip
    return out


def edges_of(engine: Engine, snapshot: Snapshot) -> Thresholds:
    """Band edges for what this snapshot scored: the ones it brings, unless the settings or an operator fix them."""
    fixed = engine.settings.alert_threshold == "fixed" or engine.thresholds != engine.settings.thresholds
    return engine.thresholds if fixed else engine.thresholds.moved(snapshot.high)


def _quiet(edges: Mapping[Snapshot, Thresholds], scored: Scored) -> list[Verdict]:
    """Band and action by risk alone; rows of one snapshot lie together."""
    out: list[Verdict] = []
    for snapshot, run in itertools.groupby(scored.snapshots):
        out += by_band(edges[snapshot], scored.risk[len(out) : len(out) + sum(1 for _ in run)])
    return out


_NOTHING: list[int] = []


def measures_on(engine: Engine, payment: Transaction, usd: float) -> list[Measure]:
    """What bears on a payment besides models and rules: containments, then lists."""
    found: list[Measure] = [c for c in engine.containments if c.covers(payment, usd)]
    found.extend(engine.lists.covering(payment))
    return found


def _reasons(
    engine: Engine, owed: Mapping[int, _Owed], snapshots: Sequence[Snapshot], columns: Mapping[str, Column],
    values: Float, vectors: Float,
) -> dict[int, list[Reason]]:  # fmt: skip
    """Reasons of the transactions that are owed some: rules, measures, then the models' part."""
    rows = [
        i
        for i, more in owed.items()
        if more.verdict.band != "low" or more.rules or more.contained or engine.settings.explain_all
    ]
    pack, brief, out = engine.compiled, engine.shed >= Shed.TEXTS, {}
    for snapshot in dict.fromkeys(snapshots[i] for i in rows):
        part = [i for i in rows if snapshots[i] is snapshot]
        _, shares = snapshot.shares(vectors[part])
        told = model_reasons(values[part], shares, snapshot.features, brief)
        for i, of_model in zip(part, told, strict=True):
            why = [rule_reason(pack.rules[r], columns, i, brief) for r in owed[i].rules]
            why.extend(c.reason() for c in owed[i].contained)
            why.extend(of_model)
            out[i] = why
    return out


def _not_assessed(pack: CompiledPack, verdicts: np.ndarray) -> list[str]:
    return [pack.rules[r].id for r in np.flatnonzero(verdicts == -1).tolist()]


def _versions(engine: Engine, snapshot: Snapshot) -> Versions:
    return Versions(snapshot.version, engine.compiled.version, engine.lists.version, engine.fx.version)


def _scores(scored: Scored) -> list[dict[str, float]]:
    """Probability by model of each transaction; a model that did not speak is left out."""
    names = [*scored.by_model]
    columns = [values.tolist() for values in scored.by_model.values()]
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    if any(np.isnan(values).any() for values in scored.by_model.values()):
        rows = [{name: p for name, p in row.items() if not math.isnan(p)} for row in rows]
    return rows or [{} for _ in scored.snapshots]


def _features(names: Sequence[str], row: Float) -> dict[str, float | None]:
    return {name: None if math.isnan(v) else v for name, v in zip(names, row.tolist(), strict=True)}
