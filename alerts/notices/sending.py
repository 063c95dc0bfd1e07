"""That a notice went out, or is not owed: recorded in the audit chain, once each, and read back from there."""

from __future__ import annotations

from typing import Any, Protocol

from alerts import rights
from alerts.custody.audit import AuditEntry
from alerts.notices.clocks import notices_of
from alerts.notices.deadlines import Rules, known, shipped_rules
from alerts.notices.drafting import draft_notice
from alerts.notices.facts import IncidentFacts, Profile, Sent
from models.errors import PlanError

KIND = "notice"


class KeepsAudit(Protocol):
    """What is needed of alerts.store.Store."""

    def append_audit(self, entry: AuditEntry, once: str = "") -> int: ...
    def audit_of(self, object_kind: str, object_id: str, limit: int) -> list[AuditEntry]: ...
    def wait_durable(self, timeout_ms: int = 5000) -> None: ...


def object_id(incident: str, notice: str) -> str:
    """What the audit chain calls a notice of an incident."""
    return f"{incident}:{notice}"


def recorded(
    store: KeepsAudit, incident: str, rules: Rules | None = None
) -> tuple[dict[str, Sent], dict[str, str]]:
    """What the audit chain says of an incident's notices: sent, and waived with the reason, by id."""
    rules = shipped_rules() if rules is None else rules
    sent: dict[str, Sent] = {}
    waived: dict[str, str] = {}
    for row in rules.deadline:
        for entry in store.audit_of(KIND, object_id(incident, row.id), 10):
            after = entry.after or {}
            if entry.action == "sent":
                sent[row.id] = Sent(
                    at=int(after["sent_at"]), by=entry.actor, digest=str(after.get("digest", "")),
                    missing=[str(name) for name in after.get("missing", [])], reason=entry.reason,
                )  # fmt: skip
            elif entry.action == "waived":
                waived[row.id] = entry.reason
            elif entry.action == "owed_again":
                waived.pop(row.id, None)
    return sent, waived


def record_sent(
    store: KeepsAudit, notice: str, facts: IncidentFacts, profile: Profile, *, actor: str, role: str, now: int,
    sent_at: int | None = None, language: str = "zh", reason: str = "", rules: Rules | None = None,
) -> Sent:  # fmt: skip
    """Record that the draft went out as it stands now; on disk when this returns.

    sent_at: when it went out, if not `now`. Raises RefusedError for the role, PlanError when it was sent before, lacks
    content without a reason, or went out in the future.
    """
    rights.require(role, "notice.send")
    at = now if sent_at is None else sent_at
    if at > now:
        raise PlanError(f"{notice}: it cannot have gone out at a time that is yet to come")
    if notice in facts.sent or notice in recorded(store, facts.incident, rules)[0]:
        raise PlanError(
            f"{notice} of {facts.incident} was sent already; what follows goes into the incident's notes"
        )
    draft = draft_notice(notice, facts, profile, language, rules)
    if draft.missing and not reason.strip():
        raise PlanError(
            f"{notice} lacks {', '.join(draft.missing)}: say with a reason why it goes out all the same"
        )
    clock = next((one for one in notices_of(facts, profile, at, rules) if one.id == notice), None)
    after: dict[str, Any] = {
        "sent_at": at, "digest": draft.digest, "language": language, "missing": draft.missing,
        "due": None if clock is None else clock.due, "late_ms": 0 if clock is None else clock.late_ms,
    }  # fmt: skip
    entry = AuditEntry(
        actor, role, "sent", KIND, object_id(facts.incident, notice), now, reason.strip(), after=after
    )
    store.append_audit(entry, f"{KIND}:{object_id(facts.incident, notice)}:sent")
    store.wait_durable()
    return Sent(at=at, by=actor, digest=draft.digest, missing=draft.missing, reason=reason.strip())


def record_waived(
    store: KeepsAudit, notice: str, incident: str, *, actor: str, role: str, now: int, reason: str, again: bool = False,
    rules: Rules | None = None,
) -> None:  # fmt: skip
    """Record that a notice is not owed, or (`again`) that it is owed after all. Raises RefusedError, PlanError."""
    rights.require(role, "notice.waive")
    known(notice, rules)
    if not reason.strip():
        raise PlanError("say why the notice is owed or not: it stands in the audit chain")
    action = "owed_again" if again else "waived"
    store.append_audit(
        AuditEntry(actor, role, action, KIND, object_id(incident, notice), now, reason.strip())
    )
    store.wait_durable()
