"""What the router is told: something people may have to hear of came up, got worse, was acknowledged, ended."""

from __future__ import annotations

from typing import Literal

import msgspec

from alerts.alert import Alert, Severity, Status

Kind = Literal["alert", "incident", "self", "notice"]
"""alert: of the scorer. incident: declared. self: Tidegate about itself. notice: said once, never resolved."""
State = Literal["open", "acknowledged", "snoozed", "resolved"]


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The present state of one subject, whole: a later Change replaces an earlier one.

    id: unique within its kind and stable. version: rises with each change of the subject; a Change that is
    not newer than the one known is ignored, so that it may be announced again; 0: always taken. state: an
    acknowledgement that ended because the subject got worse comes as `open`. labels: what routes, groups and
    silences match on (`corridor`, `partner`, `typology`, …; names of lower-case letters and `_`). incident:
    the incident it belongs to; while that one is not resolved, its children stay quiet. text_en, text_zh: one
    sentence. facts: a few values shown as they are. Neither may hold clear personal data.
    at: ms since the epoch, when it happened.
    """

    kind: Kind
    id: str
    severity: Severity
    at: int
    state: State = "open"
    version: int = 0
    labels: dict[str, str] = {}
    incident: str | None = None
    text_en: str = ""
    text_zh: str = ""
    facts: dict[str, str | int | float] = {}

    @property
    def key(self) -> str:
        """The subject's identity over all kinds."""
        return self.id if self.kind == "alert" else f"{self.kind}:{self.id}"

    def value(self, label: str) -> str:
        """What routes and silences match on: `type`, `severity`, `id`, `incident` or a label, "" without."""
        if label == "type":
            return self.kind
        if label == "severity":
            return self.severity
        if label == "id":
            return self.id
        if label == "incident":
            return self.incident or (self.id if self.kind == "incident" else "")
        return self.labels.get(label, "")


LABELS_OF_CONTEXT = ("corridor", "partner", "channel", "mcc", "bin", "issuer_country", "payee_country")
"""What of a decision's context an alert's routes may match on: facts of the business, not of a person."""


LABELS = (
    "type", "severity", "id", "incident",
    *LABELS_OF_CONTEXT, "typology", "band", "action", "entity_kind", "status", "stage", "alert",
    "merchant", "kind", "phase", "source", "about", "mark", "verb", "state", "list",
    "component", "receiver", "silence", "actor",
)  # fmt: skip
"""Every label that a Change may have: of all kinds, of alerts, of incidents and measures, of Tidegate's own troubles."""

_STATE: dict[Status, State] = {
    "open": "open",
    "escalated": "open",
    "acknowledged": "acknowledged",
    "proposed": "acknowledged",
    "snoozed": "snoozed",
    "resolved": "resolved",
}
"""Escalated waits for somebody senior, so it is open; a route may match `status=escalated`."""


def change_of(alert: Alert, incident: str | None = None) -> Change:
    """The Change an alert's present state amounts to. incident: the one it belongs to."""
    context = alert.decision.context
    labels = {name: value for name in LABELS_OF_CONTEXT if isinstance(value := context.get(name), str)}
    labels |= {
        "typology": alert.typology,
        "band": alert.decision.band,
        "action": alert.decision.action,
        "entity_kind": alert.entity_kind,
        "status": alert.status,
    }
    return Change(
        kind="alert",
        id=alert.id,
        severity=alert.severity,
        at=alert.last_time,
        state=_STATE[alert.status],
        version=alert.version,
        labels=labels,
        incident=incident,
    )
