"""The last settled examples with what every candidate said of them before they were learnt.

A window of fixed size: what the learner reports is measured on it (models/standings.py), and a model that is to be
promoted must also rank it no worse (models/champions.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
WINDOW = 10_000
HOUR_MS = 3_600_000


class Origin(NamedTuple):
    """Where an example comes from. paid_at, labelled_at, known_at: ms, by the stream's clock; 0 where not known.

    labelled_at: when its label arrived, 0 if none came until the outcome window closed. known_at: when it was learnt.
    source, actor: of that label (models.events.Label), "" where there is none. corrects: the payment had been settled
    as the opposite, by another label or by silence.
    """

    corridor: str = ""
    paid_at: int = 0
    labelled_at: int = 0
    known_at: int = 0
    source: str = ""
    actor: str = ""
    corrects: bool = False


NOWHERE = Origin()
"""Of an example of which nothing is known but its vector and its label."""


class Settled(NamedTuple):
    """n settled examples, oldest first. risks [n, C]; weight: payments each stands for; delay: hours, NaN unlabelled."""

    risks: Float
    fraud: npt.NDArray[np.bool_]
    weight: Float
    delay: Float
    corridors: npt.NDArray[np.object_]

    def part(self, rows: npt.NDArray[np.bool_]) -> Settled:
        """The examples at these rows."""
        return Settled(
            self.risks[rows], self.fraud[rows], self.weight[rows], self.delay[rows], self.corridors[rows]
        )


class SettledWindow:
    """The last `size` settled examples of `candidates` candidates."""

    def __init__(self, candidates: int, size: int = WINDOW) -> None:
        self._risks = np.full((size, candidates), np.nan)
        self._fraud = np.zeros(size, dtype=np.bool_)
        self._weight, self._delay = np.zeros(size), np.full(size, np.nan)
        self._corridors: list[str] = [""] * size
        self._keys: list[int] = [-1] * size
        self._slots: dict[int, int] = {}
        self._count = 0

    def add(self, risks: Float, fraud: bool, weight: float, key: int, origin: Origin) -> bool:
        """Take an example; False when it only corrects the label of one in the window.

        Its payment has been learnt by then, and what candidates say of it is no test of them any more. A fraud that
        has left the window and is none after all adds nothing either: it would stand for good payments twice.
        """
        known = self._slots.get(key) if key >= 0 else None
        if known is not None:
            self._fraud[known], self._weight[known] = fraud, weight
            return False
        if origin.corrects and not fraud:
            return False
        slot = self._count % len(self._weight)
        if self._slots.get(self._keys[slot]) == slot:
            del self._slots[self._keys[slot]]
        if key >= 0:
            self._slots[key] = slot
        labelled = origin.labelled_at > 0 and origin.paid_at > 0
        self._risks[slot], self._fraud[slot], self._weight[slot] = risks, fraud, weight
        self._delay[slot] = (origin.labelled_at - origin.paid_at) / HOUR_MS if labelled else np.nan
        self._corridors[slot], self._keys[slot] = origin.corridor, key
        self._count += 1
        return True

    def read(self) -> Settled:
        """What is in the window now (copies)."""
        size = len(self._weight)
        held = np.arange(max(self._count - size, 0), self._count) % size
        return Settled(
            self._risks[held], self._fraud[held], self._weight[held], self._delay[held],
            np.array(self._corridors, dtype=object)[held],
        )  # fmt: skip
