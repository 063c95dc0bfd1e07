"""What a back-test found, as the JSON that its command prints and its job keeps.

Every group of payments is told the same way: how many, worth how much, and how many of them were frauds, good, or of
unknown outcome. All money is in US dollars.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import numpy as np

from dataflow.backtest.outcomes import FRAUD, GOOD, OPEN, Flags, Outcomes
from dataflow.backtest.rules import rule_rows
from dataflow.backtest.run import Backtest
from dataflow.backtest.tally import ALERT, Change, stricter
from models.columns import Float
from models.costs import CostMatrix
from models.decision import ACTIONS
from models.risk import DECLINES

TOLD = 20
"""Changed payments told each way, the largest first."""
_DECLINED = min(ACTIONS.index(action) for action in DECLINES)
_HELD = ACTIONS.index("HOLD")


class Judged:
    """All payments of a back-test with what is known of them; groups are chosen by flags (n,)."""

    def __init__(self, backtest: Backtest, known: Outcomes) -> None:
        payments = backtest.payments
        self.known, self.usd = known, payments.usd
        self.before, self.after = payments.before, payments.after
        self.frauds, self.good = known.outcome == FRAUD, known.outcome == GOOD

    def group(self, chosen: Flags) -> dict[str, Any]:
        """How many payments and dollars, by what became of them."""
        told: dict[str, Any] = {"payments": int(chosen.sum()), "usd": _money(self.usd[chosen])}
        for name, state in (("frauds", FRAUD), ("good", GOOD), ("open", OPEN)):
            part = chosen & (self.known.outcome == state)
            told[name] = int(part.sum())
            told["fraud_usd" if name == "frauds" else f"{name}_usd"] = _money(self.usd[part])
        return told

    def measured(self, chosen: Flags) -> dict[str, Any]:
        """The same with precision (frauds among payments of known outcome) and recall; None: not defined."""
        told, frauds = self.group(chosen), int(self.frauds.sum())
        judged = told["frauds"] + told["good"]
        told["precision"] = told["frauds"] / judged if judged else None
        told["recall"] = told["frauds"] / frauds if frauds else None
        return told


def result_of(backtest: Backtest, known: Outcomes, costs: CostMatrix, told: int = TOLD) -> dict[str, Any]:
    """The whole result. told: changed payments named, the largest each way."""
    judged = Judged(backtest, known)
    before, after = judged.before, judged.after
    changed = before != after
    up = stricter(before, after) & changed
    alerted_before, alerted_after = before >= ALERT, after >= ALERT
    rank_before, rank_after = before % ALERT, after % ALERT
    summary = backtest.summary
    return {
        "payments": len(before),
        **_span(backtest),
        "proposed": _proposed(backtest),
        "outcomes": {
            "source": known.source, "labels": known.labels,
            **judged.group(np.ones(len(before), dtype=np.bool_)),
        },
        "changed": judged.group(changed),
        "alerts": {
            "before": judged.measured(alerted_before), "after": judged.measured(alerted_after),
            "new": judged.group(alerted_after & ~alerted_before),
            "gone": judged.group(alerted_before & ~alerted_after),
            "merged_before": backtest.alerts_before.alerts, "merged_after": backtest.alerts_after.alerts,
        },
        "held_or_stricter": _sides(judged, rank_before >= _HELD, rank_after >= _HELD),
        "declined": _sides(judged, rank_before >= _DECLINED, rank_after >= _DECLINED),
        "stricter": judged.group(up),
        "milder": judged.group(changed & ~up),
        "actions": _actions(judged, rank_before, rank_after),
        "cost": _cost(judged, alerted_before, alerted_after, costs),
        "rules": rule_rows(backtest, judged),
        "largest": {
            "stricter": [_told(change, judged) for change in _largest(backtest.changes.stricter, told)],
            "milder": [_told(change, judged) for change in _largest(backtest.changes.milder, told)],
        },
        "digest": {"before": backtest.alerts_before.hex(), "after": backtest.alerts_after.hex()},
        "events_in": summary["events_in"], "dead_lettered": summary["dead_lettered"],
        "undecodable": summary["undecodable"], "duplicates": summary["duplicates"],
        "seconds": summary["seconds"], "transactions_per_second": summary["transactions_per_second"],
    }  # fmt: skip


def _span(backtest: Backtest) -> dict[str, Any]:
    received = backtest.payments.received
    if not received.size:
        return {"first": None, "last": None, "days": 0.0}
    first, last = int(received.min()), int(received.max())
    return {"first": _day(first), "last": _day(last), "days": round((last - first) / 86_400_000, 3)}


def _proposed(backtest: Backtest) -> dict[str, Any]:
    """Which rules and thresholds held on both sides, in order, and the model at the end."""
    model = backtest.engine.snapshot.version
    sides = {**backtest.in_force, "model": [(model, model if (p := backtest.proposal) is None else p.model)]}
    told = {}
    for name, pairs in sides.items():
        old, new = ([*dict.fromkeys(side)] for side in (zip(*pairs, strict=True) if pairs else ((), ())))
        told[name] = {
            "before": msgspec.to_builtins(old), "after": msgspec.to_builtins(new),
            "differs": any(a != b for a, b in pairs),
        }  # fmt: skip
    return told


def _sides(judged: Judged, before: Flags, after: Flags) -> dict[str, Any]:
    return {
        "before": judged.measured(before), "after": judged.measured(after),
        "new": judged.group(after & ~before), "gone": judged.group(before & ~after),
    }  # fmt: skip


def _actions(judged: Judged, before: np.ndarray, after: np.ndarray) -> list[dict[str, Any]]:
    """A row for each change of action that happens, from mild to strict."""
    pairs = sorted({(int(a), int(b)) for a, b in zip(before, after, strict=True) if a != b})
    return [
        {"before": ACTIONS[a], "after": ACTIONS[b], **judged.group((before == a) & (after == b))}
        for a, b in pairs
    ]


def _cost(judged: Judged, before: Flags, after: Flags, costs: CostMatrix) -> dict[str, Any]:
    """What missed frauds, reviews and wrongly stopped payments cost, over payments of known outcome."""
    usd = judged.usd
    missed = np.where(judged.frauds, costs.missed_share * usd + costs.chargeback_fee, 0.0)
    alerted = costs.review + np.where(judged.good, costs.declined_share * usd + costs.declined_fixed, 0.0)
    known = judged.frauds | judged.good

    def total(chosen: Flags) -> float:
        return _money(np.where(chosen, alerted, missed)[known])

    told = {"before": total(before), "after": total(after)}
    return {**told, "change": round(told["after"] - told["before"], 2), "matrix": msgspec.to_builtins(costs)}


def _largest(changes: list[Change], told: int) -> list[Change]:
    return sorted(changes, key=lambda change: (-change.usd, change.row))[:told]


def _told(change: Change, judged: Judged) -> dict[str, Any]:
    """A changed payment: ids and actions; tokens and places only of what a person asks for by its id."""
    outcome = {FRAUD: "fraud", GOOD: "good", OPEN: "open"}[int(judged.known.outcome[change.row])]
    out: dict[str, Any] = {"id": change.id, "usd": round(change.usd, 2), "outcome": outcome}
    out["corridor"] = change.before.context.get("corridor")
    for name, decision, code in (
        ("before", change.before, judged.before[change.row]),
        ("after", change.after, judged.after[change.row]),
    ):
        rules = [hit.id for hit in decision.rules if not hit.shadow]
        out[name] = {
            "action": decision.action, "band": decision.band, "risk": round(decision.risk, 6),
            "alert": bool(code >= ALERT), "rules": rules,
        }  # fmt: skip
    return out


def _money(values: Float) -> float:
    return round(float(values.sum()), 2)


def _day(ms: int) -> str:
    return dt.datetime.fromtimestamp(ms / 1000, dt.UTC).strftime("%Y-%m-%d %H:%M")
