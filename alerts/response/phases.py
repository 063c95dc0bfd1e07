"""The life of an incident as a table: which phase may follow which.

The phases are those of an emergency plan: detect, triage, declare, contain, investigate, notify, recover, review, plan
update. Work may go back (a surge comes again after recovery), the end may not.
"""

from __future__ import annotations

from typing import Literal

from models.errors import IncidentError

Phase = Literal[
    "detect", "triage", "declare", "contain", "investigate", "notify", "recover", "review", "plan_update",
    "closed", "dismissed",
]  # fmt: skip

NEXT: dict[Phase, tuple[Phase, ...]] = {
    "detect": ("triage",),
    "triage": ("declare", "dismissed"),
    "declare": ("contain", "investigate", "notify", "dismissed"),
    "contain": ("investigate", "notify", "recover"),
    "investigate": ("contain", "notify", "recover"),
    "notify": ("contain", "investigate", "recover"),
    "recover": ("contain", "investigate", "notify", "review"),
    "review": ("recover", "plan_update"),
    "plan_update": ("review", "closed"),
    "closed": (),
    "dismissed": (),
}
ENDS: tuple[Phase, ...] = ("closed", "dismissed")
LIVE: tuple[Phase, ...] = ("detect", "triage", "declare", "contain", "investigate", "notify", "recover")
"""Phases in which new signals join: what comes during the review is a new incident."""


def check_move(now: Phase, to: Phase) -> None:
    """IncidentError names the moves that are there when this one is not."""
    if to not in NEXT[now]:
        there = ", ".join(NEXT[now]) or "nothing: it has ended"
        raise IncidentError(
            f"an incident in phase {now} cannot go to {to}; next can be {there}",
            zh=f"处于 {now} 阶段的事件不能进入 {to}；下一步可为 {there}",
        )
