"""Each rule on its own: what it hits, how often it is right, what it alone decides, and which rules say the same."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from dataflow.backtest.outcomes import Flags
from dataflow.backtest.run import Backtest
from dataflow.backtest.tally import ALONE, DECIDES, Hits
from models.decision import RuleHit
from models.rules.compiled import CompiledRule
from models.rules.rule import TYPOLOGIES

if TYPE_CHECKING:
    from dataflow.backtest.result import Judged

_Z = 1.959963984540054
"""Of the normal distribution, for 95 %."""
MOST_OVERLAPS = 5


def rule_rows(backtest: Backtest, judged: Judged) -> list[dict[str, Any]]:
    """A row for each rule of either side, by id. What is new, changed or removed says so under `state`."""
    before, after = backtest.hits_before, backtest.hits_after
    old: dict[str, CompiledRule | RuleHit] = {**before.rules, **backtest.rules_before}
    new: dict[str, CompiledRule | RuleHit] = {**after.rules, **backtest.rules_after}
    rows = []
    for id_ in sorted({*old, *new}):
        hits = after if id_ in new else before
        rule = new.get(id_) or old[id_]
        row = {
            "id": id_, "version": rule.version, "state": _state(old.get(id_), new.get(id_)),
            "title_en": getattr(rule, "title_en", ""), "title_zh": getattr(rule, "title_zh", ""),
            "action": rule.action, "severity": rule.severity, "typology": rule.typology, "shadow": rule.shadow,
            "hits_before": len(before.of(id_)[0]) if id_ in old else 0,
            **_measured(hits, id_, rule.typology, judged),
            "overlap": _overlap(hits, id_),
        }  # fmt: skip
        if id_ not in new:
            row["hits"] = 0
        rows.append(row)
    return rows


def _state(old: CompiledRule | RuleHit | None, new: CompiledRule | RuleHit | None) -> str:
    if old is None:
        return "new"
    if new is None:
        return "removed"
    return "same" if old.version == new.version else "changed"


def _measured(hits: Hits, id_: str, typology: str, judged: Judged) -> dict[str, Any]:
    """Hits and outcomes; of a removed rule as it was. Intervals: Wilson, 95 %."""
    rows, marks = hits.of(id_)
    chosen = np.zeros(len(judged.usd), dtype=np.bool_)
    chosen[rows] = True
    told = judged.measured(chosen)
    told["hits"] = told.pop("payments")
    told["precision_interval"] = wilson(told["frauds"], told["frauds"] + told["good"])
    told["typology_recall"] = _of_typology(chosen, typology, judged)
    for name, mark in (("alone", ALONE), ("decides", DECIDES)):
        part = np.zeros(len(judged.usd), dtype=np.bool_)
        part[rows[(marks & mark) > 0]] = True
        told[name] = judged.measured(part)
    return told


def _of_typology(chosen: Flags, typology: str, judged: Judged) -> float | None:
    """Share of the frauds of the rule's own typology that it hits; None where nobody named any."""
    if typology not in TYPOLOGIES:
        return None
    frauds = judged.frauds & (judged.known.typology == TYPOLOGIES.index(typology))
    return float((frauds & chosen).sum() / frauds.sum()) if frauds.any() else None


def _overlap(hits: Hits, id_: str) -> list[dict[str, Any]]:
    """Rules that hit the same payments, most first: how many, and which share of this rule's hits."""
    total = len(hits.of(id_)[0])
    shared = [
        (count, (set(pair) - {id_}).pop()) for pair, count in hits.overlap.items() if id_ in pair and count
    ]
    shared.sort(key=lambda found: (-found[0], found[1]))
    return [{"rule": other, "hits": count, "share": count / total} for count, other in shared[:MOST_OVERLAPS]]


def wilson(hits: int, of: int) -> list[float] | None:
    """95 % interval of a proportion (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927); None of nothing."""
    if not of:
        return None
    share, z2 = hits / of, _Z * _Z
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z / (1 + z2 / of) * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    # At the ends the formula gives 0 and 1 but for the last bits.
    return [max(0.0, middle - half) if hits else 0.0, min(1.0, middle + half) if hits < of else 1.0]
