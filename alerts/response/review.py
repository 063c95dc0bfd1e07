"""The review after an incident: what must be written before it may close, prefilled from what was recorded."""

from __future__ import annotations

from typing import Literal

import msgspec

from models.errors import IncidentError

SECTIONS = (
    "timeline", "detection_source", "impact", "loss", "root_cause", "what_worked", "what_failed", "measures",
    "notifications", "member_performance", "containment_cost",
)  # fmt: skip


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done so that it does not happen again. due: day (YYYY-MM-DD); done: day it was finished."""

    id: str
    text: str
    owner: str
    due: str
    done: str | None = None


class PlanDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of the emergency plan: `changed` (into `version`, for `actions`), or `unchanged`; and why."""

    outcome: Literal["changed", "unchanged"]
    reason: str
    by: str
    at: int
    plan: str = ""
    version: str = ""
    actions: list[str] = []


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """The sections by name, the actions, and the decision on the plan. An unwritten section is empty."""

    sections: dict[str, str] = {}
    actions: list[Action] = []
    plan_decision: PlanDecision | None = None

    def missing(self) -> list[str]:
        """What keeps the review from being complete, by name."""
        empty = [name for name in SECTIONS if not self.sections.get(name, "").strip()]
        if not self.actions:
            empty.append("actions")
        for action in self.actions:
            if not action.owner.strip() or not action.due.strip():
                empty.append(f"owner and due date of {action.id}")
        if self.plan_decision is None:
            empty.append("plan_decision")
        return empty


def check_complete(review: Review | None) -> Review:
    """The review, when it is complete. IncidentError names every section that is not."""
    if review is None:
        raise IncidentError(
            "there is no review yet: go to phase review first, it is prefilled there",
            zh="尚无复盘：请先进入复盘阶段",
        )
    missing = review.missing()
    if missing:
        raise IncidentError(
            f"the review is not complete: {', '.join(missing)} - write them, then close",
            zh=f"复盘尚未完成，还缺：{', '.join(missing)}；补齐后再关闭",
        )
    return review
