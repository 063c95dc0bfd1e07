"""What the router and the audit chain are told of an incident or a measure."""

from __future__ import annotations

import msgspec

from alerts.alert import Severity
from alerts.custody.audit import AuditEntry
from alerts.response.effects import Owed, role_of
from alerts.response.incident import Entry, Fact, Incident, scope_text, without_persons
from alerts.response.kinds import BY_ID
from alerts.response.measure import Measure
from alerts.routing.change import Change, State

_ROUTED = ("corridor", "partner", "bin", "merchant", "channel", "component", "list")


def change_of_incident(incident: Incident, at: int) -> Change:
    """The incident's present state; children stay quiet until its review begins."""
    state: State = "open" if incident.acknowledged_at is None else "acknowledged"
    if incident.phase in ("review", "plan_update", "closed", "dismissed"):
        state = "resolved"
    return Change(
        kind="incident", id=incident.id, severity=incident.severity, at=at, state=state, version=incident.version,
        labels=labels_of(incident), text_en=_title(incident, "en"), text_zh=_title(incident, "zh"),
        facts={
            "phase": incident.phase, "scope": scope_text(without_persons(incident.scope)), "alerts": incident.alert_count,
            "loss_usd": round(incident.loss.usd, 2), "roles": ", ".join(page.role for page in incident.team),
        },
    )  # fmt: skip


def labels_of(incident: Incident) -> dict[str, str]:
    """What routes and silences match on."""
    labels = {name: incident.scope[name] for name in _ROUTED if name in incident.scope}
    return {**labels, "kind": incident.kind, "phase": incident.phase, "source": incident.source}


def notice_of(
    incident: Incident, mark: str, at: int, text_en: str, text_zh: str, severity: Severity
) -> Change:
    """Something about an incident that is said once. It names the incident in a label: a child would stay quiet."""
    return Change(
        kind="notice", id=f"{incident.id}:{mark}", severity=severity, at=at, version=1,
        labels={"kind": incident.kind, "about": incident.id, "mark": mark.partition(":")[0]},
        text_en=f"{_title(incident, 'en')}: {text_en}", text_zh=f"{_title(incident, 'zh')}：{text_zh}",
    )  # fmt: skip


def audit_of_incident(incident: Incident, entry: Entry, role: str = "") -> AuditEntry:
    """The audit entry of the newest line of the timeline."""
    facts: dict[str, Fact] = {
        "phase": incident.phase,
        "severity": incident.severity,
        "version": incident.version,
    }
    return AuditEntry(
        entry.actor, role_of(entry.actor, role), entry.kind, "incident", incident.id, entry.at, entry.text[:1000],
        after={**entry.facts, **facts},
    )  # fmt: skip


def audit_of_measure(
    measure: Measure, action: str, actor: str, role: str, at: int, reason: str
) -> AuditEntry:
    """The audit entry of a step in a measure's life."""
    after = {
        "verb": measure.verb, "scope": measure.scope, "minutes": measure.minutes, "state": measure.state,
        "until": measure.until, "stream_until": measure.stream_until, "above_usd": measure.above_usd,
        "model": measure.model, "incident": measure.incident, "proposed_by": measure.proposed_by,
    }  # fmt: skip
    if measure.radius is not None:
        after["radius"] = msgspec.to_builtins(measure.radius)
    return AuditEntry(
        actor, role_of(actor, role), action, "containment", measure.id, at, reason[:1000], after=after
    )


def change_of_measure(measure: Measure, at: int, severity: Severity) -> Change:
    """A measure for the router: open while it waits for a second person or is in force."""
    state: State = {"proposed": "open", "in_force": "acknowledged"}.get(measure.state, "resolved")  # type: ignore[assignment]
    labels = {name: measure.scope[name] for name in _ROUTED if name in measure.scope}
    text = msgspec.structs.replace(measure, scope=without_persons(measure.scope)).text
    return Change(
        kind="self", id=measure.id, severity=severity, at=at, state=state, version=measure.version,
        labels={**labels, "kind": "containment", "verb": measure.verb, "state": measure.state},
        text_en=f"containment {measure.state.replace('_', ' ')}: {text}",
        text_zh=f"遏制措施（{_STATES_ZH[measure.state]}）：{text}",
        facts={"minutes": measure.minutes, "proposed_by": measure.proposed_by},
    )  # fmt: skip


_STATES_ZH = {
    "proposed": "待批准", "in_force": "生效中", "rejected": "已驳回", "lapsed": "已失效", "expired": "已到期",
    "undone": "已撤销",
}  # fmt: skip


def _title(incident: Incident, language: str) -> str:
    kind = BY_ID.get(incident.kind)
    name = incident.title if kind is None else kind.title_zh if language == "zh" else kind.title_en
    return f"{incident.severity} {name} ({scope_text(without_persons(incident.scope))})"


def owed_by(incident: Incident, entries: int = 1, role: str = "") -> list[Owed]:
    """Audit entries of the newest lines of the timeline, and the announcement of the newest version."""
    name = f"{incident.id}:{incident.version}"
    out = [
        Owed(id=f"{name}:{n}", audit=audit_of_incident(incident, entry, role))
        for n, entry in enumerate(incident.timeline[-entries:])
    ]
    return [*out, Owed(id=f"{name}:change", change=change_of_incident(incident, incident.timeline[-1].at))]
