"""Alerts: what of the decisions a person should look at, merged by fingerprint.

A fingerprint names one problem (typology × the entity it turns on); hits with the same fingerprint merge into
the open alert and raise its counter. A hit opens a new alert when the last one is resolved or has been quiet
longer than MERGE_WINDOW_MS, so that new fraud never hides in a stale alert.
Ids are derived, never drawn: a replay writes the same alerts again over themselves.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from models.decision import BANDS, Band, Decision, RuleHit

MERGE_WINDOW_MS = 24 * 3600 * 1000
MAX_EVENTS_KEPT = 50
MODEL = "MODEL"
"""Typology and cause of what no rule but the models' risk raised."""
LIST = "LIST"
"""The same of a payment that is only of interest because one of its entities is on the watch list."""
_WATCHED = "list.watch."

Severity = Literal["S1", "S2", "S3", "S4"]
Status = Literal["open", "acknowledged", "snoozed", "escalated", "proposed", "resolved"]
Verdict = Literal["fraud", "legitimate", "unsure"]
SEVERITY_OF_BAND: dict[Band, Severity] = {"critical": "S1", "high": "S2", "medium": "S3", "low": "S4"}


class AlertHit(msgspec.Struct, frozen=True, kw_only=True):
    """One decision that belongs in front of a person; the store merges it into an alert.

    ordinal: position among all hits of the stream (1, 2, …): a hit at or below the store's cursor was
    already written. priority = risk × amount in USD. causes: what alone would have raised it: ids of live rules of
    severity high or above, MODEL for a risk in band high or above, LIST for an entry of the watch list.
    """

    ordinal: int
    fingerprint: str
    event_id: str
    event_time: int
    severity: Severity
    priority: float
    typology: str
    entity_kind: str
    entity: str
    decision: Decision
    causes: tuple[str, ...] = ()


class Alert(msgspec.Struct, kw_only=True):
    """An alert as the store keeps it. `version` rises with each change (compare-and-set).

    first_time/last_time: event times of first and last hit. decision: the worst hit's (highest risk).
    event_ids: the newest MAX_EVENTS_KEPT hits. claim lapses at `claimed_until` (ms since the epoch).
    waiting_since: since when nobody has taken it up; severity_since: since when it has its severity; both by the
    clock of the store's writer, 0 in alerts of older versions. A verdict under four eyes stands in `proposed_*` until
    another person confirms it.
    """

    id: str
    fingerprint: str
    version: int
    status: Status
    severity: Severity
    priority: float
    typology: str
    entity_kind: str
    entity: str
    count: int
    amount_usd: float
    first_time: int
    last_time: int
    opened_at: int
    event_ids: list[str]
    decision: Decision
    verdict: Verdict | None = None
    claimed_by: str | None = None
    claimed_until: int | None = None
    resolved_at: int | None = None
    resolved_by: str | None = None
    learned: bool = False
    waiting_since: int = 0
    severity_since: int = 0
    acknowledged_by: str | None = None
    acknowledged_at: int | None = None
    assigned_to: str | None = None
    assigned_by: str | None = None
    snoozed_until: int | None = None
    snoozed_by: str | None = None
    snooze_reason: str | None = None
    proposed_verdict: Verdict | None = None
    proposed_by: str | None = None
    proposed_at: int | None = None
    confirmed_by: str | None = None


def fingerprint(typology: str, entity_kind: str, entity: str) -> str:
    """The identity of a problem: 128 bits of SHA-256 over typology and entity."""
    return hashlib.sha256(f"{typology}\x1f{entity_kind}\x1f{entity}".encode()).hexdigest()[:32]


def alert_id(fingerprint_: str, first_event_id: str) -> str:
    """Derived id of the alert that `first_event_id` opened."""
    return "al_" + hashlib.sha256(f"{fingerprint_}\x1f{first_event_id}".encode()).hexdigest()[:24]


def needs_alert(decision: Decision) -> bool:
    """True when a person should see it: band above medium, a live rule of severity high or above, or a watched entity."""
    if decision.band in ("high", "critical"):
        return True
    return any(_alarming(hit) for hit in decision.rules) or bool(_watched(decision))


def _watched(decision: Decision) -> list[str]:
    """Kinds of the entities that are on the watch list."""
    return [reason.code[len(_WATCHED) :] for reason in decision.reasons if reason.code.startswith(_WATCHED)]


def _alarming(hit: RuleHit) -> bool:
    return not hit.shadow and BANDS.index(hit.severity) >= 2


# What an alert turns on, by typology: enumeration groups by where it comes from, laundering by the merchant.
_ENTITY_OF_TYPOLOGY = {
    "T01": ("device", "ip", "merchant", "card"),
    "T03": ("customer", "device", "card"),
    "T05": ("merchant",),
    "T06": ("payee", "customer"),
    "T07": ("payee", "customer"),
    "T12": ("device", "card"),
    "T14": ("merchant",),
    "T16": ("ip", "device"),
}
_DEFAULT_ENTITIES = ("card", "customer", "device", "merchant")


def hit_of(decision: Decision, ordinal: int) -> AlertHit:
    """The alert hit of a decision that `needs_alert`."""
    live = [hit for hit in decision.rules if not hit.shadow]
    worst = max(live, key=lambda hit: BANDS.index(hit.severity), default=None)
    watched = _watched(decision)
    typology = worst.typology if worst else MODEL
    candidates: tuple[str, ...] = _DEFAULT_ENTITIES
    if watched and worst is None and decision.band in ("low", "medium"):
        # `party` and `account` name no field of the context: what stands behind them is one of the usual entities.
        typology, candidates = LIST, (*watched, *_DEFAULT_ENTITIES)
    kind, entity = "transaction", decision.id
    for candidate in _ENTITY_OF_TYPOLOGY.get(typology, candidates):
        value = decision.context.get(candidate)
        if isinstance(value, str):
            kind, entity = candidate, value
            break
    rank = max(BANDS.index(decision.band), BANDS.index(worst.severity) if worst else 0)
    amount = decision.context.get("amount_usd")
    causes = [hit.id for hit in live if _alarming(hit)]
    if decision.band in ("high", "critical"):
        causes.append(MODEL)
    if watched:
        causes.append(LIST)
    return AlertHit(
        ordinal=ordinal,
        fingerprint=fingerprint(typology, kind, entity),
        event_id=decision.id,
        event_time=decision.event_time,
        severity=SEVERITY_OF_BAND[BANDS[rank]],
        priority=decision.risk * (float(amount) if isinstance(amount, (int, float)) else 0.0),
        typology=typology,
        entity_kind=kind,
        entity=entity,
        decision=decision,
        causes=tuple(causes),
    )
