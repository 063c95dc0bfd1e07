"""What a hit does to an alert, as pure functions: open one, merge into one, and end what people said of a lesser one.

MemoryStore runs these directly; RedisStore runs the same steps in Lua (lua/commit.lua), held together by the
contract test.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from alerts.alert import MAX_EVENTS_KEPT, MERGE_WINDOW_MS, Alert, AlertHit, Severity, Status, alert_id


class RuleSnooze(msgspec.Struct, frozen=True, kw_only=True):
    """A rule (or MODEL) on one entity is not to raise alerts until `until` (ms, the clock of the store's writer).

    severity: the worst alert it keeps quiet; anything worse is heard all the same.
    """

    rule: str
    entity_kind: str
    entity: str
    severity: Severity
    until: int
    since: int
    actor: str
    role: str
    reason: str

    @property
    def key(self) -> str:
        """Its identity: there is one snooze for a rule and an entity."""
        return snooze_key(self.rule, self.entity_kind, self.entity)


class Merged(NamedTuple):
    """An alert after a hit. worsened: its severity rose. heard: people are to be told."""

    alert: Alert
    worsened: bool
    heard: bool


def snooze_key(rule: str, entity_kind: str, entity: str) -> str:
    """Identity of the snooze of a rule on an entity."""
    return "\x1f".join((rule, entity_kind, entity))


def quiet_until(hit: AlertHit, snoozes: Mapping[str, RuleSnooze], now: int) -> int | None:
    """Until when every cause of the hit is snoozed for its entity at its severity; None: at least one is not."""
    ends = []
    for cause in hit.causes:
        snooze = snoozes.get(snooze_key(cause, hit.entity_kind, hit.entity))
        if snooze is None or snooze.until <= now or hit.severity < snooze.severity:
            return None
        ends.append(snooze.until)
    return min(ends, default=None)


def amount_of(hit: AlertHit) -> float:
    """USD amount of the hit's transaction, 0 where it is not known."""
    amount = hit.decision.context.get("amount_usd")
    return float(amount) if isinstance(amount, (int, float)) else 0.0


def takes(alert: Alert, hit: AlertHit) -> bool:
    """True when `hit` (same fingerprint) belongs into `alert`, False when it opens a new one."""
    return alert.status != "resolved" and hit.event_time - alert.last_time <= MERGE_WINDOW_MS


def opened(hit: AlertHit, now: int, quiet: int | None = None) -> Alert:
    """The alert that `hit` opens; quiet: snoozed until then from the start.

    `opened_at` is event time, so that a replay opens the same alert; `now` starts the clock for people.
    """
    return Alert(
        id=alert_id(hit.fingerprint, hit.event_id),
        fingerprint=hit.fingerprint,
        version=1,
        status="open" if quiet is None else "snoozed",
        severity=hit.severity,
        priority=hit.priority,
        typology=hit.typology,
        entity_kind=hit.entity_kind,
        entity=hit.entity,
        count=1,
        amount_usd=amount_of(hit),
        first_time=hit.event_time,
        last_time=hit.event_time,
        opened_at=hit.event_time,
        event_ids=[hit.event_id],
        decision=hit.decision,
        waiting_since=now,
        severity_since=now,
        snoozed_until=quiet,
    )


ENDED_BY_WORSE: tuple[Status, ...] = ("acknowledged", "snoozed", "proposed")
"""What people said of a lesser problem: it no longer holds when the alert worsens, and the alert is open again."""


def merged(alert: Alert, hit: AlertHit, now: int, quiet: int | None = None) -> Merged:
    """`alert` with one more hit: severity only worsens, priority and amount add up, the worst decision stays.

    Priority is the sum of risk × amount over the hits: the loss to expect from the whole problem. An alert that
    worsens is open again if it was acknowledged, snoozed or had a verdict proposed, unless the hit is quiet and the
    alert was snoozed anyway.
    """
    worse = hit.severity < alert.severity
    heard = worse and not (quiet is not None and alert.status == "snoozed")
    after = msgspec.structs.replace(
        alert,
        version=alert.version + 1,
        severity=min(alert.severity, hit.severity),
        priority=alert.priority + hit.priority,
        count=alert.count + 1,
        amount_usd=alert.amount_usd + amount_of(hit),
        first_time=min(alert.first_time, hit.event_time),
        last_time=max(alert.last_time, hit.event_time),
        event_ids=[*alert.event_ids, hit.event_id][-MAX_EVENTS_KEPT:],
        decision=hit.decision if hit.decision.risk > alert.decision.risk else alert.decision,
        severity_since=now if worse else alert.severity_since,
    )
    if heard:
        after = waiting(after, now)
    return Merged(after, worse, heard)


def waiting(alert: Alert, now: int) -> Alert:
    """The alert as one that waits to be taken up from `now` on: open again, unless it was handed on to others."""
    return msgspec.structs.replace(
        alert,
        status="open" if alert.status in (*ENDED_BY_WORSE, "resolved") else alert.status,
        waiting_since=now,
        acknowledged_by=None,
        acknowledged_at=None,
        snoozed_until=None,
        snoozed_by=None,
        snooze_reason=None,
        proposed_verdict=None,
        proposed_by=None,
        proposed_at=None,
    )
