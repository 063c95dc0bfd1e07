"""Who is trained in what, and for how long: a pure function of the sittings, the plans and the day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from alerts.tabletop.rules import TrainingRules, day_of
from alerts.tabletop.sitting import Sitting

State = Literal["lapsed", "failed", "outdated", "expiring", "current"]
ORDER: tuple[State, ...] = ("lapsed", "failed", "outdated", "expiring", "current")
"""The most urgent first."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A person in an exercise, by the newest sitting they passed (failed: by the newest of those they did not).

    outdated: passed and in time, but the plan has changed since. days: left until it expires, negative: since then.
    tries: finished sittings.
    """

    person: str
    exercise: str
    state: State
    score: float
    completed_on: str
    expires_on: str
    days: int
    plan: str
    sitting: str
    tries: int


def standings(
    sittings: Iterable[Sitting], plans: Mapping[str, str], rules: TrainingRules, now: int
) -> list[Standing]:
    """Everybody who finished an exercise, the most urgent first. plans: digest of the plan each exercise trains now."""
    by: dict[tuple[str, str], list[Sitting]] = {}
    for one in sorted(sittings, key=lambda one: (one.ended_at or 0, one.id)):
        if one.state == "done":
            by.setdefault((one.person, one.exercise), []).append(one)
    found = [_standing(tried, plans, rules, day_of(now)) for tried in by.values()]
    return sorted(found, key=lambda one: (ORDER.index(one.state), one.days, one.person, one.exercise))


def _standing(
    tried: list[Sitting], plans: Mapping[str, str], rules: TrainingRules, today: dt.date
) -> Standing:
    passed = [one for one in tried if one.passed]
    best = passed[-1] if passed else tried[-1]
    days = (dt.date.fromisoformat(best.expires_on) - today).days if passed else 0
    state: State = "failed"
    if passed:
        changed = plans.get(best.exercise, best.plan_digest) != best.plan_digest
        state = (
            "lapsed" if days < 0 else "outdated" if changed else "expiring" if days <= rules.warn_days else "current"
        )  # fmt: skip
    return Standing(
        person=best.person, exercise=best.exercise, state=state, score=best.score or 0.0,
        completed_on=day_of(best.ended_at or 0).isoformat(), expires_on=best.expires_on, days=days, plan=best.plan,
        sitting=best.id, tries=len(tried),
    )  # fmt: skip
