"""An incident as it is kept: one surge, one incident, with everything that was seen, decided and done.

Times are ms since the epoch. `*_at` are by the clock of the people (the wall clock when live); `first_bad_at`,
`seen_at` and `last_seen` (the latest signal) are the stream's own, since attacks are measured by that clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import msgspec

from alerts.alert import Severity
from alerts.response.phases import Phase
from alerts.response.review import Review
from models.clear_data import without_clear
from models.containment import SCOPES
from models.errors import IncidentError

KEPT_ALERTS = 500
KEPT_ENTRIES = 2000
"""Newest entries of the timeline kept in the incident itself; the audit chain has all of them."""
SYSTEM = "tidegate"
PERSONS = ("card", "customer", "device", "ip", "party", "payee")
KEYS = (*SCOPES, "component", "list")
"""What an incident can be about: what a measure can cover, a process of ours, a list."""
CUT = 6
"""Characters of such an entry that are shown outside."""

Urgency = Literal["low", "medium", "high", "critical"]
URGENCIES: tuple[Urgency, ...] = ("low", "medium", "high", "critical")
Fact = str | int | float | bool
Scope = dict[str, str]


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the timeline. kind: what happened (`joined`, `declared`, `decision`, `sitrep` …)."""

    at: int
    actor: str
    kind: str
    text: str = ""
    facts: dict[str, Fact] = {}


class Impacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far it reaches. None: not assessed, which is not none. loss_usd: estimated, see Loss."""

    customers: int | None = None
    records: int | None = None
    loss_usd: float | None = None
    outage_min: float | None = None
    payments_failed: int | None = None


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """Estimate of the money lost: US dollars exposed × the share of it that is fraud."""

    exposed_usd: float = 0.0
    rate: float = 0.0

    @property
    def usd(self) -> float:
        """The estimate, US dollars."""
        return self.exposed_usd * self.rate


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A role that was called. acknowledged_at, by: None until somebody answers for it."""

    role: str
    at: int
    acknowledged_at: int | None = None
    by: str | None = None


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A step of the plan that was carried out; verified_by: who looked whether it worked."""

    at: int
    by: str
    verified_by: str | None = None


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A notice that went out. digest: SHA-256 of its text; missing: content it lacked, for which reason."""

    at: int
    by: str
    digest: str
    missing: list[str] = []
    reason: str = ""


class PlanUsed(msgspec.Struct, frozen=True, kw_only=True):
    """The plan in force when the incident was opened. steps: ids of its steps and of its steps of recovery."""

    id: str
    version: str
    digest: str
    steps: list[str] = []


class Incident(msgspec.Struct, kw_only=True):
    """See the module's docstring. `version` rises with each change (compare-and-set).

    scope: as in models/containment.py, empty: the whole service. source: `detector` or `hand`. facts: what is known, by
    the names the notices ask for (alerts/notices/of_incident.py). steps by id of the plan, notices by id of the deadline.
    marks: what the watch has already said once.
    """

    id: str
    version: int
    kind: str
    scope: Scope
    title: str
    phase: Phase
    severity: Severity
    urgency: Urgency
    source: Literal["detector", "hand"]
    detected_at: int
    impacts: Impacts = Impacts()
    loss: Loss = Loss()
    first_bad_at: int | None = None
    seen_at: int | None = None
    declared_at: int | None = None
    acknowledged_at: int | None = None
    contained_at: int | None = None
    recovered_at: int | None = None
    ended_at: int | None = None
    last_seen: int | None = None
    sitrep_at: int | None = None
    plan: PlanUsed | None = None
    commander: str | None = None
    team: list[Page] = []
    alert_ids: list[str] = []
    alert_count: int = 0
    timeline: list[Entry] = []
    steps: dict[str, Done] = {}
    notices: dict[str, Sent] = {}
    not_applicable: dict[str, str] = {}
    facts: dict[str, Fact] = {}
    review: Review | None = None
    marks: list[str] = []


def incident_id(kind: str, scope: Scope, at: int) -> str:
    """Derived, never drawn: the same surge detected again after a restart is the same incident."""
    text = "\x1f".join([kind, *(f"{k}={v}" for k, v in sorted(scope.items())), str(at)])
    return "in_" + hashlib.sha256(text.encode()).hexdigest()[:16]


def noted(incident: Incident, entry: Entry, **changes: object) -> Incident:
    """The next version of `incident`, with one more entry on its timeline."""
    return msgspec.structs.replace(
        incident,
        version=incident.version + 1,
        timeline=[*incident.timeline, entry][-KEPT_ENTRIES:],
        **changes,
    )


def without_persons(scope: Scope) -> Scope:
    """A scope as it may leave the house: what stands for a person, a card or a device is cut short."""
    return {key: f"{value[:CUT]}…" if key in PERSONS else value for key, value in scope.items()}


def check_keys(scope: Scope, keys: Sequence[str]) -> None:
    """IncidentError names the first entry that is not one of `keys`."""
    for key in sorted(scope):
        if key not in keys:
            raise IncidentError(
                f"scope {key!r} is not one of {', '.join(keys)}",
                zh=f"范围 {key!r} 无效，可用：{', '.join(keys)}",
            )


def check_clear(scope: Scope) -> None:
    """IncidentError names the first entry that is a card number or an e-mail address: what is kept are tokens."""
    for key, value in sorted(scope.items()):
        if without_clear(value) != value:
            raise IncidentError(
                f"scope {key} is given in the clear: give its token, as a decision shows it",
                zh=f"范围 {key} 是明文：请填写其代号（见决策记录）",
            )


def scope_text(scope: Scope) -> str:
    """A scope for people."""
    return ", ".join(f"{key} {value}" for key, value in sorted(scope.items())) or "the whole service"
