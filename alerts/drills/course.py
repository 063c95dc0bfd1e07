"""What happened in a drill and when: seconds since the first bad event, for the record and for the parties. Pure.

No name of a person and no token is in it: measures are told by their verb and by what kinds of entities they hit.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from alerts.notices.clocks import Notice
from alerts.response.incident import Incident
from alerts.response.measure import Measure, Verb

STEPS = ("detected", "acknowledged", "declared", "contained", "recovered")


class Contained(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A measure. hits: kinds of entities its scope names (`bin`, `corridor`), none: the whole service.

    approved_s, effective_s: seconds since the first bad event.
    """

    verb: Verb
    hits: list[str] = []
    minutes: int
    above_usd: float | None = None
    approved_s: float | None = None
    effective_s: float | None = None


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A notice that was owed for certain. contact: id in the directory; due_s, sent_s: since the first bad event."""

    deadline: str
    contact: str
    due_s: float | None = None
    sent_s: float | None = None
    late_s: float = 0.0


class Course(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """steps: seconds since the first bad event by STEPS, what was not reached is not there."""

    severity: str = ""
    steps: dict[str, float] = {}
    measures: list[Contained] = []
    notices: list[Told] = []


def course_of(
    incident: Incident | None, measures: Sequence[Measure], notices: Sequence[Notice], first_bad_at: int
) -> Course:
    """The course of a drill; an empty one when nothing was found."""
    if incident is None:
        return Course()

    def since(at: int | None) -> float | None:
        return None if at is None else round((at - first_bad_at) / 1000, 3)

    effective = [one.effective_at for one in measures]
    reached = {
        "detected": incident.detected_at, "acknowledged": incident.acknowledged_at, "declared": incident.declared_at,
        "contained": max((at for at in effective if at is not None), default=None) if all(effective) else None,
        "recovered": incident.recovered_at,
    }  # fmt: skip
    return Course(
        severity=incident.severity,
        steps={name: at for name in STEPS if (at := since(reached[name])) is not None},
        measures=[
            Contained(
                verb=one.verb, hits=sorted(one.scope), minutes=one.minutes, above_usd=one.above_usd,
                approved_s=since(one.approved_at), effective_s=since(one.effective_at),
            )
            for one in measures
        ],
        notices=[
            Told(
                deadline=one.id, contact=one.contact, due_s=since(one.due), sent_s=since(one.sent_at),
                late_s=one.late_ms / 1000,
            )
            for one in notices
            if one.owed == "yes"
        ],
    )  # fmt: skip
