"""What the amount alone would have changed: the largest smaller amount at which a payment falls into a lower band.

The entity's past is held fixed and the payment's amount is replaced in the very view the features are computed from;
every formula of the catalogue then answers anew, and the snapshot in force scores the result. Risk need not rise
with the amount, so nothing is interpolated: an amount is told only when it was scored (a counterfactual
explanation after Wachter, Mittelstadt and Russell, "Counterfactual Explanations without Opening the Black Box",
Harvard Journal of Law & Technology 31, 2018).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.columns import Column, Float
from models.decision import Action, Band, Counterfactual, RuleHit
from models.features import CATALOGUE, NAMES, for_models, matrix
from models.memory import COUNT, DEVIATE, TYPICAL, TYPICAL_VAR, typical_spread
from models.risk import Thresholds, strictest
from models.serving import Snapshot
from models.view import SMALL_USD, USD_SCALE, View

Cents = npt.NDArray[np.int64]
FIRST, NEXT, ROUNDS = 48, 24, 6
"""Amounts scored at once: first spread evenly over the logarithm, then evenly over the gap that is left, in so many
batches at most; two are the rule. One amount costs about 40 µs."""
PRECISION = 0.015
"""The search ends when the next larger amount that was tried, and failed, is nearer than this (or than a cent)."""
_SAME = 1e-9
_BAND_ZH = {"low": "低", "medium": "中", "high": "高", "critical": "极高"}


def with_amounts(view: View, row: int, usd: Float) -> View:
    """The view of one payment as if its amount had been each of usd [t], US dollars; everything else as it was.

    Windows include the payment itself, so their amounts move with it; profiles speak of the past and stay, but for
    how far the amount lies from the typical one.
    """
    rows = np.full(usd.shape[0], row)

    def same(values: Column | Float) -> npt.NDArray[np.generic]:
        out: npt.NDArray[np.generic] = values[rows]
        return out

    now = float(np.asarray(view.columns["amount_usd"], dtype=np.float64)[row])
    moved = {
        "usd": np.rint(usd * USD_SCALE) - np.rint(now * USD_SCALE),
        "small": (usd < SMALL_USD).astype(np.float64) - float(now < SMALL_USD),
    }
    columns: dict[str, Column] = {name: same(column) for name, column in view.columns.items()}  # type: ignore[misc]
    columns["amount_usd"] = usd
    if now > 0.0:
        columns["amount_minor"] = np.asarray(columns["amount_minor"], dtype=np.float64) * (usd / now)
    return View(
        times=same(view.times),  # type: ignore[arg-type]
        sums={key: same(v) + moved[key[2]] if key[2] in moved else same(v) for key, v in view.sums.items()},  # type: ignore[misc]
        distinct={key: same(v) for key, v in view.distinct.items()},  # type: ignore[misc]
        gaps={key: same(v) for key, v in view.gaps.items()},  # type: ignore[misc]
        profiles={name: _profile(state[row], usd) for name, state in view.profiles.items()},
        outcomes={name: same(state) for name, state in view.outcomes.items()},  # type: ignore[misc]
        since=same(view.since),  # type: ignore[arg-type]
        hours=same(view.hours),  # type: ignore[arg-type]
        travel_km=same(view.travel_km),  # type: ignore[arg-type]
        columns=columns,
    )


def _profile(state: Float, usd: Float) -> Float:
    out = np.repeat(state[None, :], usd.shape[0], axis=0)
    if state[COUNT] > 0.0:
        spread = typical_spread(state[TYPICAL], state[TYPICAL_VAR], state[COUNT])
        out[:, DEVIATE] = (usd - state[TYPICAL]) / spread
    return out


def vectors_at(view: View, row: int, usd: Float, names: Sequence[str] = NAMES) -> Float:
    """Vectors [t, len(names)] as the models would have seen the payment with each of the amounts usd [t]."""
    return for_models(matrix(with_amounts(view, row, usd), names[len(CATALOGUE) :]))


def counterfactual(
    view: View, row: int, snapshot: Snapshot, thresholds: Thresholds, risk: float, hits: list[RuleHit],
    contained: Sequence[tuple[str, Action]],
) -> Counterfactual | None:  # fmt: skip
    """What a smaller amount would have meant for the payment at `row`; None when its risk cannot be told again.

    risk: as decided with this snapshot. Where a rule, a containment or a list asks for the action by itself, the answer
    names it instead of an amount. contained: origin and action of what does.
    """
    band = thresholds.band(risk)
    deciding = _deciding(thresholds.action(band), hits, contained)
    if band == "low" or deciding:
        return _by_rules(deciding)
    usd = float(np.asarray(view.columns["amount_usd"], dtype=np.float64)[row])
    if (
        abs(float(snapshot.score(vectors_at(view, row, np.array([usd]), snapshot.features)).risk[0]) - risk)
        > _SAME
    ):
        return None
    edge = {"medium": thresholds.medium, "high": thresholds.high, "critical": thresholds.critical}[band]
    search = _Search(view, row, snapshot, edge)
    found = search.largest(usd)
    if found is None:
        return Counterfactual(
            text_en="No smaller amount alone would have lowered the risk band.",
            text_zh="仅降低金额不会降低风险等级。",
        )
    amount, lower = found
    return _told(amount, thresholds.band(lower), lower, search.steady)


def _deciding(wanted: Action, hits: list[RuleHit], contained: Sequence[tuple[str, Action]]) -> list[str]:
    """What asks for at least the action that the band asks for."""
    acting = [(hit.id, hit.action) for hit in hits if not hit.shadow]
    acting += contained
    return list(
        dict.fromkeys(
            name
            for name, action in acting
            if action != "APPROVE" and strictest([action, wanted]) == strictest([action])
        )
    )


def _by_rules(deciding: list[str]) -> Counterfactual | None:
    if not deciding:
        return None
    names = ", ".join(deciding)
    return Counterfactual(
        text_en=f"Decided by {names}, not by the risk: a smaller amount may not change the action.",
        text_zh=f"由 {names} 决定，而非风险分：降低金额未必改变处置。",
        decided_by=deciding,
    )


def _told(amount: float, band: Band, risk: float, steady: bool) -> Counterfactual:
    shown = f"{amount:,.2f}"
    if steady:
        en = f"At most {shown} US dollars would have been band {band} (risk {risk:.2f})."
        zh = f"金额不超过 {shown} 美元时，风险等级为{_BAND_ZH[band]}（风险 {risk:.2f}）。"
    else:
        en = f"{shown} US dollars would have been band {band} (risk {risk:.2f}); not every smaller amount would."
        zh = f"金额为 {shown} 美元时，风险等级为{_BAND_ZH[band]}（风险 {risk:.2f}）；但并非所有更小金额都如此。"
    return Counterfactual(en, zh, amount, band, risk, steady)


class _Search:
    """Looks for the largest amount below `edge` in risk. Amounts are whole cents, so that what is told was scored."""

    def __init__(self, view: View, row: int, snapshot: Snapshot, edge: float) -> None:
        self._view, self._row, self._snapshot, self._edge = view, row, snapshot, edge
        self.steady = True

    def largest(self, usd: float) -> tuple[float, float] | None:
        """(amount in US dollars, its risk), or None."""
        high = int(np.ceil(usd * 100.0 - 1e-6))  # the first cent that is not below the amount
        if high <= 1:
            return None
        found = self._try(np.unique(np.geomspace(1.0, high, FIRST + 1).astype(np.int64)), high)
        for _ in range(ROUNDS - 1):
            if found is None or found[1] - found[0] <= max(1.0, PRECISION * found[0]):
                break
            low, high, _ = found
            closer = self._try(np.unique(np.linspace(low, high, NEXT + 2).astype(np.int64)), high)
            if closer is None:
                break
            found = closer
        return None if found is None else (found[0] / 100.0, found[2])

    def _try(self, cents: Cents, high: int) -> tuple[int, int, float] | None:
        """(largest amount that is below the edge, the next one tried, risk of the first); amounts below `high` only."""
        cents = cents[cents < high]
        rows = vectors_at(self._view, self._row, cents / 100.0, self._snapshot.features)
        risks = self._snapshot.score(rows).risk
        passing = np.flatnonzero(risks < self._edge)
        if passing.size == 0:
            return None
        last = int(passing[-1])
        self.steady = self.steady and passing.size == last + 1
        following = int(cents[last + 1]) if last + 1 < cents.shape[0] else high
        return int(cents[last]), following, float(risks[last])
