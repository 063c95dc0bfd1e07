"""What a back-test keeps of a stream while it runs.

Outcomes come late, so every payment is kept until the end: 27 bytes each and 7 for each rule it hit. Of payments
whose decision changes only the largest are kept in words.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from heapq import heappush, heappushpop
from itertools import combinations
from typing import Any, NamedTuple

import msgspec
import numpy as np

from alerts.alert import needs_alert
from dataflow.backtest.outcomes import Flags
from models.columns import Float
from models.containment import Measure, asked, weighed
from models.decision import ACTIONS, Decision, RuleHit
from models.hashing import Hashes
from models.risk import Thresholds, decide
from models.windows import Int64

ALERT = 8
"""Set in a payment's code beside the rank of its action (0 APPROVE … 4 FREEZE)."""
ALONE, DECIDES = 1, 2
"""Marks of a hit: no other live rule hit; without it (in shadow: with it) action or alert would have been another."""
MOST_TOLD = 500
"""Changed payments kept in words, the largest each way."""
_RANK = {action: rank for rank, action in enumerate(ACTIONS)}


class Payments:
    """All payments in stream order: hash of the id, time of arrival in ms, US dollars, code before and after.

    happened: not declined, so that what becomes of a payment can be known without a label.
    """

    def __init__(self) -> None:
        self._keys, self._received, self._usd = array("Q"), array("q"), array("d")
        self._before, self._after, self._happened = array("B"), array("B"), array("B")

    def __len__(self) -> int:
        return len(self._keys)

    def add(
        self, keys: Hashes, received: Int64, usd: Float, happened: Flags, before: bytes, after: bytes
    ) -> None:
        """Take a batch, one element a payment."""
        self._keys.frombytes(keys.astype(np.uint64).tobytes())
        self._received.frombytes(received.astype(np.int64).tobytes())
        self._usd.frombytes(usd.astype(np.float64).tobytes())
        self._happened.frombytes(happened.astype(np.uint8).tobytes())
        self._before.frombytes(before)
        self._after.frombytes(after)

    @property
    def keys(self) -> Hashes:
        return np.frombuffer(self._keys, dtype=np.uint64)

    @property
    def received(self) -> Int64:
        return np.frombuffer(self._received, dtype=np.int64)

    @property
    def usd(self) -> Float:
        return np.frombuffer(self._usd, dtype=np.float64)

    @property
    def happened(self) -> Flags:
        return np.frombuffer(self._happened, dtype=np.bool_)

    @property
    def before(self) -> np.ndarray:
        return np.frombuffer(self._before, dtype=np.uint8)

    @property
    def after(self) -> np.ndarray:
        return np.frombuffer(self._after, dtype=np.uint8)


def codes(decisions: Sequence[Decision]) -> bytes:
    """A byte a decision: the rank of its action, and ALERT where it goes in front of a person."""
    return bytes(_RANK[d.action] | (ALERT if needs_alert(d) else 0) for d in decisions)


class Hits:
    """Which payments each rule hit, rules by their id; a rule whose text changes in mid-stream stays one rule."""

    def __init__(self) -> None:
        self.rules: dict[str, RuleHit] = {}
        self.overlap: Counter[tuple[str, str]] = Counter()
        self._numbers: dict[str, int] = {}
        self._rows, self._rule, self._marks = array("I"), array("H"), array("B")

    def add(
        self,
        row: int,
        decision: Decision,
        thresholds: Thresholds,
        contained: list[Measure],
        explore: bool,
    ) -> None:
        """Take what the rules said of payment number `row`."""
        live = [hit for hit in decision.rules if not hit.shadow]
        risk, measures = weighed(contained, decision.risk), asked(contained)
        for hit in decision.rules:
            number = self._numbers.setdefault(hit.id, len(self._numbers))
            self.rules[hit.id] = hit
            others = [other for other in live if other is not hit]
            marks = 0 if others else ALONE
            # The decision with the hit of a shadow rule counted, or without that of a live one.
            turned = [*live, msgspec.structs.replace(hit, shadow=False)] if hit.shadow else others
            action = decide(thresholds, risk, turned, measures, explore).action
            changed = msgspec.structs.replace(decision, action=action, rules=turned)
            if codes([changed]) != codes([decision]):
                marks |= DECIDES
            self._rows.append(row)
            self._rule.append(number)
            self._marks.append(marks)
        self.overlap.update(combinations(sorted(hit.id for hit in decision.rules), 2))

    def of(self, rule: str) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of the payments that `rule` hit, and the marks of these hits."""
        number = self._numbers.get(rule)
        at = np.flatnonzero(np.frombuffer(self._rule, dtype=np.uint16) == (-1 if number is None else number))
        return np.frombuffer(self._rows, dtype=np.uint32)[at], np.frombuffer(self._marks, dtype=np.uint8)[at]


class Change(NamedTuple):
    """A payment whose action or alert changes, with the decisions on it. Ordered by amount."""

    usd: float
    row: int
    id: str
    before: Decision
    after: Decision


def stricter(before: Any, after: Any) -> Any:
    """Whether codes (or arrays of them) became stricter: a stricter action, or the same with an alert."""
    rank_before, rank_after = before % ALERT, after % ALERT
    return (rank_after > rank_before) | ((rank_after == rank_before) & (after > before))


class Changes:
    """The largest payments whose decision changes, each way."""

    def __init__(self) -> None:
        self.stricter: list[Change] = []
        self.milder: list[Change] = []

    def add(self, change: Change, before: int, after: int) -> None:
        """Take a change with the codes on both sides."""
        kept = self.stricter if stricter(before, after) else self.milder
        if len(kept) < MOST_TOLD:
            heappush(kept, change)
        else:
            heappushpop(kept, change)
