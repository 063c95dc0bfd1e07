"""What would be done with something imagined: its way through the tree, who hears of it then and later. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import msgspec

from alerts.routing.change import Change, Kind
from alerts.routing.matching import all_fit
from alerts.routing.plan import Plan, Route
from alerts.routing.silence import Silence, silence_of
from models.errors import SettingsError

Verdict = Literal["takes", "through", "no_match", "passed_over"]
"""takes: this route tells of it. through: it fits, and a child of it takes it. no_match: a matcher does not fit.
passed_over: an earlier route beside it took it and does not let it go on."""


class Branch(msgspec.Struct, frozen=True):
    """One route that was asked. failed: the matchers that do not fit."""

    path: str
    verdict: Verdict
    failed: list[str] = []


class Step(msgspec.Struct, frozen=True):
    """Whom a route tells: at `at` (ms), of its chain's `level` (0: the first page). told: receiver → target."""

    route: str
    level: int
    at: int
    told: dict[str, str]


class Imagined(msgspec.Struct, frozen=True):
    """branches: in the order of the tree, as far as it was asked. steps: if nobody acknowledges.

    silence: what would keep it quiet. fallback: hears of it since nobody else would; "": somebody does, or there is none.
    """

    branches: list[Branch]
    steps: list[Step]
    silence: Silence | None
    fallback: str

    @property
    def takers(self) -> list[str]:
        """Paths of the routes that take it."""
        return [branch.path for branch in self.branches if branch.verdict == "takes"]


def imagined(given: Mapping[str, str], at: int) -> Change:
    """Something imagined from labels; `type` (alert) and `severity` (S2) may be among them. Raises SettingsError."""
    labels = {name.strip(): value.strip() for name, value in given.items() if value.strip()}
    kind, severity = labels.pop("type", "alert"), labels.pop("severity", "S2")
    if kind not in get_args(Kind) or severity not in ("S1", "S2", "S3", "S4"):
        raise SettingsError(f"label: type is one of {', '.join(get_args(Kind))}, severity S1 to S4")
    incident = labels.pop("incident", None)
    return Change(
        kind=kind, id=labels.pop("id", "imagined"), severity=severity, at=at, labels=labels, incident=incident  # type: ignore[arg-type]
    )  # fmt: skip


def imagine(plan: Plan, change: Change, now: int, silences: Sequence[Silence] = ()) -> Imagined:
    """What would be done with `change` if it came up at `now` (ms) and nobody acknowledged it."""
    branches = _asked(plan.root, change)
    steps = []
    for branch in branches:
        if branch.verdict != "takes":
            continue
        route, first = plan.routes[branch.path], now + plan.routes[branch.path].wait
        steps.append(Step(route.path, 0, first, plan.reached(route.notify, first)))
        for level, (after, targets) in enumerate(route.steps, 1):
            steps.append(Step(route.path, level, first + after, plan.reached(targets, first + after)))
    silent = all(plan.routes[step.route].silent for step in steps)
    nobody = not any(step.told for step in steps if step.level == 0) and not silent
    return Imagined(branches, steps, silence_of(silences, change, now), plan.fallback if nobody else "")


def _asked(route: Route, change: Change) -> list[Branch]:
    """The route, which fits, and what was asked below it."""
    below: list[Branch] = []
    taken = over = False
    for child in route.children:
        if over:
            below.append(Branch(child.path, "passed_over"))
        elif all_fit(child.conditions, change):
            below += _asked(child, change)
            taken, over = True, not child.goes_on
        else:
            failed = [one.text for one in child.conditions if not one.fits(change)]
            below.append(Branch(child.path, "no_match", failed))
    return [Branch(route.path, "through" if taken else "takes"), *below]
