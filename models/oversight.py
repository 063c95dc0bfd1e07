"""What watches over learning: surges of labels, drift, calibration by corridor and the cost of the alert threshold.

One for each learner, advanced by its examples only. Nothing here learns; it says which examples may be learnt, what
people should know, and which threshold the next snapshot carries.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.alert_threshold import AlertThreshold
from models.champions import COLUMNS, Champions
from models.corridor_calibration import CorridorWatch, corridor_ratios
from models.costs import CostSettings
from models.drift import DriftWatch
from models.learner_report import Mark
from models.poisoning import LabelWatch, streams_of
from models.risk import Thresholds
from models.scaling import Row
from models.settled import Origin
from models.standings import CORRIDORS
from models.vectors import chosen

Float = npt.NDArray[np.float64]
HELD = 2000
"""Examples held back that an operator's trust can still bring in; older ones are gone."""
RECENT = 256
"""Newest rows on which the part of each feature is measured."""
_AMOUNT = "amount_usd"
_THINNING = np.uint64(0x3C79AC492BA7B653)


class HeldBack(NamedTuple):
    """An example that was not learnt, with everything it takes to learn it later; vector [F]."""

    vector: Float
    fraud: bool
    weight: float
    key: int
    origin: Origin

    def stands_for(self, negative_rate: float) -> float:
        """Payments it stands for among all payments. A fraud that proves to be none was not sampled as good ones are."""
        sampled = not self.fraud and not self.origin.corrects
        return self.weight / negative_rate if sampled else self.weight


class Oversight:
    """See the module's docstring. Can be pickled; memory is bounded."""

    def __init__(
        self, features: tuple[str, ...], negative_rate: float, costs: CostSettings, thresholds: Thresholds,
        by_cost: bool,
    ) -> None:  # fmt: skip
        self.labels = LabelWatch()
        self.drift = DriftWatch(features, negative_rate)
        self.corridors = CorridorWatch()
        self.threshold = AlertThreshold(costs, thresholds, by_cost)
        self.marks: deque[Mark] = deque(maxlen=100)
        self.held: deque[HeldBack] = deque(maxlen=HELD)
        self._rate = negative_rate
        self._amount = features.index(_AMOUNT) if _AMOUNT in features else None
        self._recent = np.full((RECENT, len(features)), np.nan)
        self._offered, self._learnt = 0, 0

    def admits(self, example: HeldBack, risk: float) -> bool:
        """True when an example may be learnt; it is kept for an operator's trust when not. risk: as served."""
        self._offered += 1
        given = risk if example.fraud else 1.0 - risk
        share = self.labels.offer(example.origin, example.fraud, given)
        if share == 1.0:
            return True
        # By identity, so that a correction fares as its payment did; by number where there is none.
        identity = np.uint64(example.key if example.key >= 0 else self._offered)
        if chosen(identity ^ _THINNING, share):
            return True
        # A copy: whoever offered the row may use it for the next one.
        self.held.append(example._replace(vector=example.vector.copy()))
        return False

    def takes_back(self, example: HeldBack) -> bool:
        """True when an example corrects a label that was held back: it is forgotten, and nothing is left to be learnt."""
        before = next((e for e in self.held if e.key == example.key >= 0), None)
        if before is None:
            return False
        self.held = deque((e for e in self.held if e is not before), maxlen=HELD)
        # Of a fraud whose good standing before was held back only the fraud is left; the rest cancels out.
        return before.origin.corrects or not example.fraud

    def released(self, called: str) -> list[HeldBack]:
        """Take out what was held back of a source (`actor:alice`), oldest first."""
        of = [
            e for e in self.held if any(s.called == called for s in streams_of(e.origin, e.fraud, math.nan))
        ]
        self.held = deque((e for e in self.held if not any(e is other for other in of)), maxlen=HELD)
        return of

    def learnt(self, row: Row, risk: float, fraud: bool, weight: float, key: int, origin: Origin) -> None:
        """Take an example that is learnt: its row on the running scale, and the risk it was served before."""
        self._recent[self._learnt % RECENT] = row.raw
        self._learnt += 1
        if fraud or not origin.corrects:
            self.marks.extend(self.drift.add(origin.known_at, risk, fraud, row.squash))
        if self._amount is not None:
            amount = float(row.raw[self._amount])
            self.threshold.add(origin.paid_at, risk, amount, fraud, weight, key, origin.corrects)

    @property
    def recent(self) -> Float:
        """The newest learnt rows [n, F], n ≤ RECENT."""
        return self._recent[: min(self._learnt, RECENT)]

    def check(self, champions: Champions, at: int) -> None:
        """Judge what is judged on the whole window. at: time of the stream, ms."""
        ratios = corridor_ratios(
            champions.window.read(), COLUMNS.index(champions.champion), self._rate, CORRIDORS
        )
        self.marks.extend(self.corridors.check(ratios, at))
        self.threshold.check()
