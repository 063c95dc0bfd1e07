"""What time alone brings about in an incident: pages nobody answered, targets missed, reports due. Pure."""

from __future__ import annotations

import datetime as dt

import msgspec

from alerts.response.incident import SYSTEM, Entry, Incident, noted
from alerts.response.phases import ENDS
from alerts.response.review import Action
from alerts.response.severity import MINUTE_MS, SeverityTable

LISTED_AFTER_END_MS = 6 * 3_600_000
"""How long an ended incident is still looked at, so that the rest of its surge is no new one."""
AT_WORK = ("declare", "contain", "investigate", "notify", "recover")


class Overdue(msgspec.Struct, frozen=True):
    """Something to be said once, under a mark."""

    mark: str
    text_en: str
    text_zh: str


def overdue(incident: Incident, now: int, table: SeverityTable) -> list[Overdue]:
    """What is overdue and has not been said."""
    target, out = table.targets[incident.severity], []
    waited = now - max(incident.detected_at, *(page.at for page in incident.team), 0)
    unanswered = incident.acknowledged_at is None and incident.phase not in ENDS
    if unanswered and waited >= target.acknowledge * MINUTE_MS:
        out.append(
            Overdue(
                f"unacknowledged:{incident.severity}",
                f"nobody acknowledged within {target.acknowledge} min",
                f"{target.acknowledge} 分钟内无人确认",
            )
        )
    if incident.phase in AT_WORK and incident.declared_at is not None:
        if incident.contained_at is None and now - incident.declared_at >= target.contain * MINUTE_MS:
            out.append(
                Overdue(
                    f"uncontained:{incident.severity}",
                    f"nothing is contained {target.contain} min after the declaration",
                    f"宣布后 {target.contain} 分钟仍未遏制",
                )
            )
        last = incident.sitrep_at or incident.declared_at
        if now - last >= target.sitrep * MINUTE_MS:
            out.append(
                Overdue(
                    f"sitrep:{last}",
                    f"a situation report is due (every {target.sitrep} min)",
                    f"应提交态势报告（每 {target.sitrep} 分钟）",
                )
            )
    if incident.phase == "closed" and incident.review is not None:
        out += [_late_action(one) for one in incident.review.actions if one.done is None and late(one, now)]
    return [one for one in out if one.mark not in incident.marks]


def late(action: Action, now: int) -> bool:
    """True when the due day of an action that is not done has passed (UTC)."""
    return (
        action.done is None and action.due < dt.datetime.fromtimestamp(now / 1000, dt.UTC).date().isoformat()
    )


def _late_action(action: Action) -> Overdue:
    return Overdue(
        f"action:{action.id}:{action.due}",
        f"action {action.id} of {action.owner} was due on {action.due}: {action.text}",
        f"{action.owner} 的整改项 {action.id} 已于 {action.due} 到期：{action.text}",
    )


def said(incident: Incident, one: Overdue, now: int) -> Incident:
    """The incident once it was said."""
    entry = Entry(at=now, actor=SYSTEM, kind="overdue", text=one.text_en, facts={"text_zh": one.text_zh})
    # Marks of reports that have been written since are of no use any more.
    kept = [m for m in incident.marks if not m.startswith("sitrep:") or not one.mark.startswith("sitrep:")]
    return noted(incident, entry, marks=[*kept, one.mark])


def listed(incident: Incident, now: int) -> bool:
    """True while it is at work, has ended only lately, or an action of its review is still to be done."""
    undone = incident.review is not None and any(one.done is None for one in incident.review.actions)
    return incident.ended_at is None or now - incident.ended_at < LISTED_AFTER_END_MS or undone
