"""What a decision may go without when the flow is behind, in the order it is left out; the decision itself never is.

Risk, band, action, rules, lists, containments and the reasons' codes, values and shares are the same at every level, and
so is the digest. Challengers are no part of the order: they run with the learner, in a process of its own.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

Left = Literal["", "advice", "enrichment", "texts"]


class Shed(IntEnum):
    """How much is left out; each level leaves out what those before it do.

    ADVICE: what a smaller amount would have meant. ENRICHMENT: the features beside the reasons, which similar cases are
    found by. TEXTS: numbers in the reasons' wording; code, value, usual value and share stay beside it.
    """

    NOTHING = 0
    ADVICE = 1
    ENRICHMENT = 2
    TEXTS = 3

    @property
    def left(self) -> Left:
        """The last thing that is left out, as a decision names it."""
        names: tuple[Left, ...] = ("", "advice", "enrichment", "texts")
        return names[self]
