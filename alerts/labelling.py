"""The labels that a person's verdict on an alert sends back into the stream."""

from __future__ import annotations

import hashlib

from alerts.alert import Alert, Verdict
from models.events import Label, encode


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


def flag_of_change(before: Alert, after: Alert) -> bool | None:
    """What a step says of the alert's payments: its verdict, or, where a verdict is taken back, the opposite of it."""
    if after.status == "resolved":
        return fraud_flag(after.verdict)
    taken_back = fraud_flag(before.verdict) if before.status == "resolved" else None
    return None if taken_back is None else not taken_back
