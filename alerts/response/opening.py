"""From detections to incidents: one surge is one incident, and what comes later joins it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from alerts.response.clock import Clock
from alerts.response.detection import Detection
from alerts.response.incident import (
    KEPT_ALERTS,
    KEYS,
    SYSTEM,
    URGENCIES,
    Entry,
    Impacts,
    Incident,
    Loss,
    Page,
    PlanUsed,
    Scope,
    Urgency,
    check_clear,
    check_keys,
    incident_id,
    noted,
    scope_text,
)
from alerts.response.kinds import BY_ID
from alerts.response.phases import LIVE
from alerts.response.severity import SeverityTable, cny_per_usd
from models.errors import IncidentError

JOIN_EVERY_MS = 60_000
"""A surge that goes on is noted this often at most, unless it gets worse."""
SAME_RUN_MS = 5 * 60_000
PlanOf = Callable[[str, int], PlanUsed | None]


def belongs(incident: Incident, detection: Detection) -> bool:
    """True when the detection is about the surge of this incident."""
    if incident.kind != detection.kind:
        return False
    shares = not set(incident.alert_ids).isdisjoint(detection.alert_ids)
    if incident.scope != detection.scope and not shares:
        return False
    if incident.phase in LIVE:
        return True
    # After its end only what was seen before belongs to it; anything new is a new incident.
    began = detection.first_bad_at if detection.first_bad_at is not None else detection.at
    same_run = began <= (incident.last_seen or 0) + SAME_RUN_MS
    fresh = set(detection.alert_ids) - set(incident.alert_ids)
    return same_run and (incident.phase == "dismissed" or not fresh)


def grows(incident: Incident, again: Incident, table: SeverityTable) -> bool:
    """True when a surge that was dismissed is worse by now than what was dismissed, however a person had graded it.

    again: the incident that would be opened of it.
    """
    was = min(incident.severity, table.severity(incident.urgency, incident.impacts, cny_per_usd()))
    return incident.phase == "dismissed" and again.severity < was


def opened(
    detection: Detection, clock: Clock, table: SeverityTable, plan: PlanUsed | None
) -> tuple[Incident, int]:
    """The incident a detection opens, triaged by the table and, when it is grave, declared; lines of its timeline."""
    kind = BY_ID[detection.kind]
    least = detection.urgency or kind.urgency
    began = detection.first_bad_at if detection.first_bad_at is not None else detection.at
    urgency = table.urgency_of(least, detection.loss, began, detection.at)
    severity = table.severity(urgency, detection.impacts, cny_per_usd())
    one = Incident(
        id=incident_id(detection.kind, detection.scope, detection.at), version=0, kind=detection.kind,
        scope=detection.scope, title=f"{kind.title_en}: {scope_text(detection.scope)}", phase="detect",
        severity=severity, urgency=urgency, source="detector", detected_at=clock.now, impacts=detection.impacts,
        loss=detection.loss, first_bad_at=detection.first_bad_at, seen_at=detection.at, last_seen=detection.at,
        plan=plan, alert_ids=detection.alert_ids[-KEPT_ALERTS:], alert_count=len(detection.alert_ids),
    )  # fmt: skip
    facts = {**detection.facts, "text_zh": detection.text_zh}
    one = noted(one, _entry(clock, "detected", detection.text_en, **facts))
    return _triaged(one, clock, table)


def declared(
    kind: str, scope: Scope, actor: str, reason: str, clock: Clock, table: SeverityTable, plan: PlanUsed | None, *,
    impacts: Impacts | None = None, urgency: Urgency | None = None, alerts: Sequence[str] = (), loss: Loss | None = None,
) -> tuple[Incident, int]:  # fmt: skip
    """The incident a person declares; it is paged whatever its severity."""
    if kind not in BY_ID:
        raise IncidentError(
            f"there is no kind {kind!r}: {', '.join(BY_ID)}",
            zh=f"没有此事件类型 {kind!r}：{', '.join(BY_ID)}",
        )
    if not reason.strip():
        raise IncidentError(
            "say what happened: a declaration has a reason", zh="请说明发生了什么：宣布事件须有理由"
        )
    check_keys(scope, KEYS)
    check_clear(scope)
    impacts, loss = impacts or Impacts(), loss or Loss()
    urgency = urgency or BY_ID[kind].urgency
    severity = table.severity(urgency, impacts, cny_per_usd())
    one = Incident(
        id=incident_id(kind, scope, clock.now), version=0, kind=kind, scope=scope,
        title=f"{BY_ID[kind].title_en}: {scope_text(scope)}", phase="triage", severity=severity, urgency=urgency,
        source="hand", detected_at=clock.now, seen_at=clock.stream, impacts=impacts, loss=loss, plan=plan,
        alert_ids=list(alerts)[-KEPT_ALERTS:], alert_count=len(alerts),
    )  # fmt: skip
    one = msgspec.structs.replace(one, team=_pages(one, table, clock.now))
    entry = Entry(
        at=clock.now, actor=actor, kind="declared", text=reason.strip(), facts={"severity": severity}
    )
    return noted(one, entry, phase="declare", declared_at=clock.now), 1


def joined(
    incident: Incident, detection: Detection, clock: Clock, table: SeverityTable
) -> tuple[Incident, int] | None:
    """`incident` with what the detection adds; None when there is nothing to write yet."""
    if incident.phase not in LIVE:
        return None
    fresh = [a for a in detection.alert_ids if a not in set(incident.alert_ids)]
    loss = detection.loss if detection.loss.usd > incident.loss.usd else incident.loss
    impacts = _larger(incident.impacts, detection.impacts)
    began = incident.first_bad_at or incident.seen_at or detection.at
    urgency = table.urgency_of(incident.urgency, loss, began, detection.at)
    if detection.urgency is not None:
        urgency = URGENCIES[max(URGENCIES.index(urgency), URGENCIES.index(detection.urgency))]
    severity = incident.severity
    if "graded_by_hand" not in incident.marks:
        severity = min(severity, table.severity(urgency, impacts, cny_per_usd()))
    worse = severity < incident.severity
    if not worse and detection.at - (incident.last_seen or 0) < JOIN_EVERY_MS:
        return None
    if not worse and not fresh and incident.scope == detection.scope:
        # It goes on, and nothing about it is new: keep the time, not a line.
        after = msgspec.structs.replace(incident, version=incident.version + 1, last_seen=detection.at)
        return after, 0
    facts = {**detection.facts, "alerts": len(fresh), "text_zh": detection.text_zh}
    after = noted(
        incident, _entry(clock, "joined", detection.text_en, **facts), loss=loss, impacts=impacts, urgency=urgency,
        last_seen=detection.at, alert_ids=[*incident.alert_ids, *fresh][-KEPT_ALERTS:],
        alert_count=incident.alert_count + len(fresh),
    )  # fmt: skip
    if not worse:
        return after, 1
    return regraded(after, severity, clock, table)


def known(incident: Incident, clock: Clock, table: SeverityTable) -> tuple[Incident, int]:
    """After new facts: worse by the table, unless a person graded it; lines of the timeline since then."""
    severity = table.severity(incident.urgency, incident.impacts, cny_per_usd())
    if severity >= incident.severity or "graded_by_hand" in incident.marks:
        return incident, 1
    after, lines = regraded(incident, severity, clock, table)
    return after, lines


def graded(before: Incident, after: Incident, clock: Clock, table: SeverityTable) -> Incident:
    """After a person set the severity: worse, roles that were not there yet are paged and the acknowledgement ends."""
    if after.severity >= before.severity:
        return after
    team = [*after.team, *_pages(after, table, clock.now)]
    return msgspec.structs.replace(after, team=team, acknowledged_at=None)


def regraded(incident: Incident, severity: str, clock: Clock, table: SeverityTable) -> tuple[Incident, int]:
    """Worse than it was: roles that were not there yet are paged, the acknowledgement ends, grave ones are declared."""
    entry = _entry(
        clock, "worsened", f"{incident.severity} to {severity}", before=incident.severity, after=severity
    )
    after = noted(incident, entry, severity=severity, acknowledged_at=None)
    after = msgspec.structs.replace(after, team=[*after.team, *_pages(after, table, clock.now)])
    if after.phase == "triage" and after.severity in ("S1", "S2"):
        return _declared(after, clock), 3
    return after, 2


def _triaged(incident: Incident, clock: Clock, table: SeverityTable) -> tuple[Incident, int]:
    text = f"urgency {incident.urgency}, severity {incident.severity} by the table of {table.version}"
    one = noted(incident, _entry(clock, "triaged", text), phase="triage")
    one = msgspec.structs.replace(one, team=_pages(one, table, clock.now))
    if one.severity in ("S1", "S2"):
        return _declared(one, clock), 3
    return one, 2


def _declared(incident: Incident, clock: Clock) -> Incident:
    entry = _entry(clock, "declared", f"declared at once, since it is {incident.severity}")
    return noted(incident, entry, phase="declare", declared_at=clock.now)


def _pages(incident: Incident, table: SeverityTable, now: int) -> list[Page]:
    there = {page.role for page in incident.team}
    return [Page(role=role, at=now) for role in table.targets[incident.severity].team if role not in there]


def _larger(one: Impacts, other: Impacts) -> Impacts:
    """The larger of each impact; what one does not know the other tells."""
    a, b = msgspec.structs.asdict(one), msgspec.structs.asdict(other)
    return Impacts(**{k: max((v for v in (a[k], b[k]) if v is not None), default=None) for k in a})


def _entry(clock: Clock, kind: str, text: str, **facts: str | int | float | bool) -> Entry:
    return Entry(at=clock.now, actor=SYSTEM, kind=kind, text=text, facts=facts)
