"""The score card of a drill: what was measured, against its targets. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from alerts.drills.book import Targets
from alerts.drills.course import Course, course_of
from alerts.notices.clocks import Notice
from alerts.response.incident import Incident
from alerts.response.measure import Measure
from alerts.response.severity import SeverityTable
from models.decision import ACTIONS, Decision

STOPPED = ("HOLD", "DECLINE", "FREEZE")


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What a drill measured. Times in seconds, None: not reached; money in US dollars.

    mttd_s: first bad event to detection. mtta_s: detection to acknowledgement. mttc_s: approval of the containment to its
    effect in the stream. contained_s: declaration to that effect. mttr_s: declaration to recovery.
    loss_before_containment: bad payments let through before it. good_payments_blocked: held, declined or frozen by it.
    notification_lateness_s: of the notice that is latest, sent or not, of those that are owed for certain.
    false_alarms: incidents that had nothing to do with it. lost, doubled: decisions of a failover or restore.
    """

    mttd_s: float | None
    mtta_s: float | None
    mttc_s: float | None
    mttr_s: float | None
    loss_before_containment: float
    good_payments_blocked: int
    contained_s: float | None
    notification_lateness_s: float = 0.0
    false_alarms: int = 0
    lost: int = 0
    doubled: int = 0


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """passed: every target is met. missed: those that are not, with what was measured. course: what happened when."""

    scenario: str
    passed: bool
    targets: dict[str, float]
    measured: dict[str, float | None]
    missed: list[str] = []
    course: Course = Course()


class Played(msgspec.Struct, kw_only=True):
    """What is left of a drill when it is over.

    bad: ids of bad payments; first_bad_at: of the first bad event, ms. failed: bad are payments that were refused.
    late_ms: of the latest notice. notices: all that are owed.
    """

    incident: Incident | None
    measures: list[Measure]
    first_bad_at: int
    bad: set[str] = set()
    failed: bool = False
    late_ms: int = 0
    notices: list[Notice] = []
    false_alarms: int = 0
    lost: int = 0
    doubled: int = 0


def card_of(
    scenario: str, played: Played, decisions: Iterable[Decision], targets: Targets, table: SeverityTable
) -> Card:
    """The card of a drill that was played. decisions: all, in stream order."""
    one = played.incident
    detected, acknowledged, declared, recovered = (
        (None,) * 4
        if one is None
        else (one.detected_at, one.acknowledged_at, one.declared_at, one.recovered_at)
    )
    effective = [m.effective_at for m in played.measures if m.effective_at is not None]
    whole = len(effective) == len(played.measures) and bool(effective)
    contained = max(effective) if whole else None
    waited = [
        _seconds(m.approved_at, m.effective_at)
        for m in played.measures
        if m.effective_at is not None and whole
    ]
    lost, blocked = _toll(decisions, played)
    measured = Measured(
        mttd_s=_seconds(played.first_bad_at, detected),
        mtta_s=_seconds(detected, acknowledged),
        mttc_s=max((s for s in waited if s is not None), default=None),
        contained_s=_seconds(declared, contained),
        mttr_s=_seconds(declared, recovered),
        loss_before_containment=round(lost, 2), good_payments_blocked=blocked,
        notification_lateness_s=played.late_ms / 1000, false_alarms=played.false_alarms,
        lost=played.lost, doubled=played.doubled,
    )  # fmt: skip
    told: dict[str, float | None] = msgspec.structs.asdict(measured)
    wanted = {**msgspec.structs.asdict(targets), "false_alarms": 0.0, "lost": 0.0, "doubled": 0.0}
    if one is not None:
        target = table.targets[one.severity]
        wanted |= {"mtta_s": target.acknowledge * 60.0, "contained_s": target.contain * 60.0}
    missed = []
    for name, most in sorted(wanted.items()):
        value = told[name]
        if value is None or value > most:
            missed.append(f"{name} is {'not reached' if value is None else f'{value:g}'}, at most {most:g}")
    return Card(
        scenario=scenario,
        passed=not missed,
        targets=dict(sorted(wanted.items())),
        measured=told,
        missed=missed,
        course=course_of(one, played.measures, played.notices, played.first_bad_at),
    )


def _toll(decisions: Iterable[Decision], played: Played) -> tuple[float, int]:
    """Money of the bad payments before any containment covered one; good payments that one stopped."""
    lost, blocked, covered = 0.0, 0, False
    for decision in decisions:
        contained = any(reason.kind == "containment" for reason in decision.reasons)
        covered = covered or contained
        if decision.id in played.bad:
            stopped = ACTIONS.index(decision.action) >= ACTIONS.index("STEP_UP")
            refused = decision.context.get("authorisation") == "declined"
            if not covered and (refused if played.failed else not stopped and not refused):
                lost += float(decision.context.get("amount_usd") or 0.0)
        elif contained and decision.action in STOPPED:
            blocked += 1
    return lost, blocked


def _seconds(since: int | None, until: int | None) -> float | None:
    return None if since is None or until is None else round((until - since) / 1000, 3)
