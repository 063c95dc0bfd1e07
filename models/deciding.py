"""The last step of a batch: rules, band, action and reasons become Decision records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.columns import Column, Float
from models.counterfactual import counterfactual
from models.decision import Action, Counterfactual, Decision, Reason, Versions
from models.events import AnyEvent, Transaction
from models.reasons import feature_reasons, rule_reason
from models.risk import decide
from models.rows import corridor_of
from models.serving import Snapshot
from models.state import Placed
from models.view import View

if TYPE_CHECKING:
    from models.engine import Engine

LISTS_NONE = "none"


class Scored(NamedTuple):
    """Risk of m transactions, probability by model, and the snapshot each was scored with."""

    risk: Float
    by_model: dict[str, Float]
    snapshots: list[Snapshot]


class Judged(NamedTuple):
    """A batch as it was decided: all it takes to decide it again by other rules, band edges or models.

    placed: the rows that took part, with their slots; events: theirs. columns: what rules can speak of, one element a
    transaction. vectors: as the models saw them. explore (m,): as in `decisions_of`. made: the decisions, in order.
    """

    placed: Placed
    events: Sequence[AnyEvent]
    columns: dict[str, Column]
    vectors: Float
    explore: np.ndarray
    made: list[Decision]


def decisions_of(
    engine: Engine, payments: Sequence[Transaction], columns: Mapping[str, Column], values: Float, vectors: Float,
    view: View, scored: Scored, late: np.ndarray, explore: np.ndarray,
) -> list[Decision]:  # fmt: skip
    """One Decision a transaction, in order. values: features as they are; vectors: as the models saw them.

    explore (m,): payments that may be let through where the models alone would decline.
    """
    m = len(payments)
    if m == 0:
        return []
    pack, settings = engine.compiled, engine.settings
    times = np.array([t.event_time for t in payments], dtype=np.int64)
    verdicts = pack.evaluate(columns, times)
    hit_rows: dict[int, list[int]] = {}
    for rule, row in zip(*np.nonzero(verdicts == 1), strict=True):
        hit_rows.setdefault(int(row), []).append(int(rule))
    by_model = {name: values.tolist() for name, values in scored.by_model.items()}
    risks = scored.risk.tolist()
    usd = np.asarray(columns["amount_usd"]).tolist()
    versions: dict[str, Versions] = {}
    out = []
    for i, t in enumerate(payments):
        snapshot = scored.snapshots[i]
        version = versions.get(snapshot.version)
        if version is None:
            version = versions[snapshot.version] = Versions(
                snapshot.version, pack.version, LISTS_NONE, engine.fx.version
            )
        rules = hit_rows.get(i, [])
        hits = [pack.rules[r].hit for r in rules]
        contained: list[Action] = (
            [c.action for c in engine.containments if c.covers(t)] if engine.containments else []
        )
        band, action, explored = decide(engine.thresholds, risks[i], hits, contained, bool(explore[i]))
        reasons: list[Reason] = []
        not_assessed: list[str] = []
        contrast: Counterfactual | None = None
        if band != "low" or hits or contained or settings.explain_all:
            _, shares = snapshot.contributions(vectors[i])
            reasons = [rule_reason(pack.rules[r], columns, i) for r in rules]
            reasons.extend(_contained(c) for c in contained)
            reasons.extend(feature_reasons(values[i], shares, snapshot.features))
            not_assessed = [pack.rules[int(r)].id for r in np.flatnonzero(verdicts[:, i] == -1)]
            if settings.evidence:
                contrast = counterfactual(view, i, snapshot, engine.thresholds, risks[i], hits, contained)
        out.append(
            Decision(
                id=t.id,
                event_time=t.event_time,
                risk=risks[i],
                band=band,
                action=action,
                rules=hits,
                reasons=reasons,
                not_assessed=not_assessed,
                scores={name: values[i] for name, values in by_model.items() if not math.isnan(values[i])},
                versions=version,
                context=_context(t, usd[i]),
                late=bool(late[i]),
                explored=explored,
                counterfactual=contrast,
                features=(
                    _features(settings.features, values[i])
                    if settings.with_features or (settings.evidence and reasons)
                    else None
                ),
            )
        )
    return out


def _contained(action: Action) -> Reason:
    return Reason(
        code="containment", kind="containment", text_en=f"a containment in force asks for {action}",
        text_zh=f"生效中的遏制措施要求 {action}",
    )  # fmt: skip


def _features(names: Sequence[str], row: Float) -> dict[str, float | None]:
    return {name: None if math.isnan(v) else v for name, v in zip(names, row.tolist(), strict=True)}


_CONTEXT = (
    "amount", "currency", "channel", "card", "bin", "last4", "device", "ip", "merchant", "payee", "partner", "mcc",
    "issuer_country", "payer_country", "payee_country", "ip_country", "ship_country", "authorisation", "decline_code",
    "order_id", "purpose",
)  # fmt: skip


def _context(t: Transaction, usd: float) -> dict[str, str | float | int | None]:
    context: dict[str, str | float | int | None] = {"amount_usd": round(usd, 2), "corridor": corridor_of(t)}
    if t.payer is not None:
        context["customer"] = t.payer
    for name in _CONTEXT:
        value = getattr(t, name)
        if value is not None:
            context[name] = value
    return context
