"""From risk, rules and containment to band and action: the strictest wins."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from models.decision import ACTIONS, BANDS, Action, Band, RuleHit


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lower edges of the bands above low, in risk (probability), and the action each band asks for.

    `version` travels with a Control event of kind `thresholds`.
    """

    medium: float = 0.10
    high: float = 0.35
    critical: float = 0.75
    medium_action: Action = "STEP_UP"
    high_action: Action = "HOLD"
    critical_action: Action = "DECLINE"

    def __post_init__(self) -> None:
        if not 0.0 < self.medium < self.high < self.critical < 1.0:
            raise ValueError("thresholds must rise: 0 < medium < high < critical < 1")

    def moved(self, high: float | None) -> Thresholds:
        """The same with another lower edge of band high (None: as it is), kept below critical.

        Band medium keeps its proportion where high moves down, so that the bands stay in order.
        """
        if high is None:
            return self
        high = min(high, 0.99 * self.critical)
        return msgspec.structs.replace(
            self, high=high, medium=min(self.medium, high * self.medium / self.high)
        )

    def band(self, risk: float) -> Band:
        """Band of a risk."""
        if risk < self.medium:
            return "low"
        if risk < self.high:
            return "medium"
        return "high" if risk < self.critical else "critical"

    def action(self, band: Band) -> Action:
        """What the band alone asks for."""
        if band == "low":
            return "APPROVE"
        if band == "medium":
            return self.medium_action
        return self.high_action if band == "high" else self.critical_action


_RANK = {action: rank for rank, action in enumerate(ACTIONS)}


def strictest(actions: list[Action]) -> Action:
    """The strictest of some actions, APPROVE of none."""
    return max(actions, key=_RANK.__getitem__, default="APPROVE")


DECLINES: tuple[Action, ...] = ("DECLINE", "FREEZE")
"""Actions after which a payment does not happen."""


class Verdict(NamedTuple):
    """Band and action of a transaction; explored: let through for the sake of learning what becomes of it."""

    band: Band
    action: Action
    explored: bool


def decide(
    thresholds: Thresholds, risk: float, hits: list[RuleHit], contained: list[Action], explore: bool = False
) -> Verdict:
    """Band and action of a transaction. Shadow hits change neither.

    explore: where the models alone would decline, ask for the action of band high instead.
    """
    band = thresholds.band(risk)
    others = [*contained, *(hit.action for hit in hits if not hit.shadow)]
    action = strictest([thresholds.action(band), *others])
    if explore and action in DECLINES:
        milder = strictest([thresholds.high_action, *others])
        if milder not in DECLINES:
            return Verdict(band, milder, True)
    return Verdict(band, action, False)


def by_band(thresholds: Thresholds, risk: npt.NDArray[np.float64]) -> list[Verdict]:
    """Band and action of transactions (m,) by their risk alone."""
    table = [Verdict(band, thresholds.action(band), False) for band in BANDS]
    edges = np.array([thresholds.medium, thresholds.high, thresholds.critical])
    return [table[at] for at in np.searchsorted(edges, risk, side="right").tolist()]
