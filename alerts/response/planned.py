"""Which version of the emergency plan an incident follows: the one in force on the day it is opened."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from alerts.emergency.plan import Plan
from alerts.emergency.plan_book import Book
from alerts.response.incident import PlanUsed
from alerts.response.opening import PlanOf


def plans_by(book: Callable[[], Book]) -> PlanOf:
    """Plans of a book that is read when the first incident asks for it. Raises PlanError then."""
    read: list[Book] = []

    def plan_of(kind: str, now: int) -> PlanUsed | None:
        if not read:
            read.append(book())
        plan = read[0].in_force(kind, dt.datetime.fromtimestamp(now / 1000, dt.UTC).date())
        return None if plan is None else used(plan)

    return plan_of


def used(plan: Plan) -> PlanUsed:
    """What an incident keeps of the plan it follows."""
    steps = [*(one.id for one in plan.step), *(one.id for one in plan.recovery)]
    return PlanUsed(id=plan.id, version=plan.version, digest=plan.digest, steps=steps)
