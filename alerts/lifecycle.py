"""An alert's life as pure functions: open, merge, and the labels that a person's verdict sends back.

MemoryStore runs these directly; RedisStore runs the same steps in Lua (lua/commit.lua), held together by the
contract test.
"""

from __future__ import annotations

import hashlib

import msgspec

from alerts.alert import MAX_EVENTS_KEPT, MERGE_WINDOW_MS, Alert, AlertHit, Verdict, alert_id
from models.events import Label, encode


def amount_of(hit: AlertHit) -> float:
    """USD amount of the hit's transaction, 0 where it is not known."""
    amount = hit.decision.context.get("amount_usd")
    return float(amount) if isinstance(amount, (int, float)) else 0.0


def takes(alert: Alert, hit: AlertHit) -> bool:
    """True when `hit` (same fingerprint) belongs into `alert`, False when it opens a new one."""
    return alert.status != "resolved" and hit.event_time - alert.last_time <= MERGE_WINDOW_MS


def opened(hit: AlertHit) -> Alert:
    """The alert that `hit` opens. `opened_at` is event time, so that a replay opens the same alert."""
    return Alert(
        id=alert_id(hit.fingerprint, hit.event_id),
        fingerprint=hit.fingerprint,
        version=1,
        status="open",
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
    )


def merged(alert: Alert, hit: AlertHit) -> Alert:
    """`alert` with one more hit: severity only worsens, priority and amount add up, the worst decision stays.

    Priority is the sum of risk × amount over the hits: the loss to expect from the whole problem. A snoozed
    alert whose severity worsens is open again, since somebody snoozed a lesser problem.
    """
    worse = hit.severity < alert.severity
    return msgspec.structs.replace(
        alert,
        version=alert.version + 1,
        status="open" if worse and alert.status == "snoozed" else alert.status,
        severity=min(alert.severity, hit.severity),
        priority=alert.priority + hit.priority,
        count=alert.count + 1,
        amount_usd=alert.amount_usd + amount_of(hit),
        first_time=min(alert.first_time, hit.event_time),
        last_time=max(alert.last_time, hit.event_time),
        event_ids=[*alert.event_ids, hit.event_id][-MAX_EVENTS_KEPT:],
        decision=hit.decision if hit.decision.risk > alert.decision.risk else alert.decision,
    )


def labels_of(alert: Alert, fraud: bool, actor: str, at: int) -> list[bytes]:
    """The encoded Label events a verdict on `alert` sends to the input stream, one for each event kept in it.

    Ids come from alert, version and event, so the same verdict is never counted twice, and the correction
    that follows an undo (a later version) is a new label. `at` is the stream's own time, not the wall clock:
    the engine knows no other clock, and on replayed time a wall-clock label would lie in its future.
    """
    lines = []
    for event_id in alert.event_ids:
        identity = f"{alert.id}\x1f{alert.version}\x1f{event_id}"
        label = Label(
            id="lb_" + hashlib.sha256(identity.encode()).hexdigest()[:32],
            event_time=at,
            received_at=at,
            transaction_id=event_id,
            fraud=fraud,
            source="analyst",
            actor=actor,
            typology=alert.typology if fraud else None,
        )
        lines.append(encode(label))
    return lines


def fraud_flag(verdict: Verdict | None) -> bool | None:
    """True for fraud, False for legitimate, None when a verdict carries no label."""
    return {"fraud": True, "legitimate": False}.get(verdict or "unsure")
