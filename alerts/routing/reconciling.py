"""Reconciliation: every alert that is stored was told to somebody or is quiet for a recorded reason, and every page that
went out is about an alert that is stored. What does not add up is a gap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from alerts.alert import Alert
from alerts.routing.keeping import KeepsRouting
from alerts.routing.reasons import NobodyToTell, WaitingForGroup, code
from alerts.routing.router import KEEP_OPEN_MS
from alerts.routing.state import Tracked, tracked_from
from alerts.routing.why import Fates

GRACE_MS = 60_000
PAGE = 500
LATEST = 5000
"""Newest messages that are looked at for alerts that are not there."""
Kind = Literal["not_routed", "nobody", "overdue", "undelivered", "dead", "orphan"]
"""not_routed: the router does not know it, or not how bad it is. nobody: no receiver was there to tell. overdue: its
group should have gone out. undelivered: under way, and no attempt was taken in time. dead: all its messages were given
up. orphan: a page went out about an alert that is not stored."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that does not add up. since: ms. receiver, message: where there is one."""

    kind: Kind
    alert_id: str
    severity: str
    since: int
    receiver: str = ""
    message: str = ""


class Reconciliation(msgspec.Struct, kw_only=True):
    """at: when (ms). alerts: those not resolved. told: a page of it was delivered; quiet: nobody is told, for a recorded
    reason (`reasons` counts them); waiting: under way in time. forgotten: told longer ago than messages are kept."""

    at: int
    alerts: int = 0
    told: int = 0
    quiet: int = 0
    waiting: int = 0
    forgotten: int = 0
    messages: int = 0
    reasons: dict[str, int] = {}
    gaps: list[Gap] = []


def reconcile(store: KeepsRouting, now: int, grace_ms: int = GRACE_MS) -> Reconciliation:
    """Compare what is stored with what was told. grace_ms: how long anything may take. Raises StoreError."""
    found = Reconciliation(at=now)
    ids, known = store.live_alerts(), set[str]()
    for start in range(0, len(ids), PAGE):
        page = ids[start : start + PAGE]
        alerts = [alert for alert in store.alerts_by_id(page).values() if alert.status != "resolved"]
        parts = store.routing_parts([f"t:{alert.id}" for alert in alerts])
        tracked = {name[2:]: tracked_from(part) for name, part in parts.items()}
        fates = Fates(store, [sent.message for subject in tracked.values() for sent in subject.sent.values()])
        found.alerts += len(alerts)
        known.update(alert.id for alert in alerts)
        for alert in alerts:
            gap = _judged(found, alert, tracked.get(alert.id), fates, now, now - grace_ms)
            if gap is not None:
                found.gaps.append(gap)
    found.gaps += _orphans(store, found, known)
    found.gaps.sort(key=lambda gap: (gap.severity, gap.since, gap.alert_id))
    return found


def _judged(
    found: Reconciliation, alert: Alert, subject: Tracked | None, fates: Fates, now: int, patience: int
) -> Gap | None:
    """Count the alert, or say what is missing."""

    def gap(kind: Kind, since: int, receiver: str = "", message: str = "") -> Gap:
        return Gap(
            kind=kind,
            alert_id=alert.id,
            severity=alert.severity,
            since=since,
            receiver=receiver,
            message=message,
        )

    since = max(alert.waiting_since or 0, alert.severity_since or 0)
    if subject is None and since <= now - KEEP_OPEN_MS:
        found.told += 1
        found.forgotten += 1
        return None
    if subject is None or subject.change.severity > alert.severity:
        if since > patience:
            found.waiting += 1
            return None
        return gap("not_routed", since)
    if subject.sent:
        told = [(receiver, sent, *fates.of(sent.message)) for receiver, sent in subject.sent.items()]
        reached = [fate for _, _, fate, _ in told if fate in ("delivered", "forgotten")]
        if reached:
            found.told += 1
            found.forgotten += "delivered" not in reached
            return None
        under_way = [(receiver, sent) for receiver, sent, fate, _ in told if fate == "in_flight"]
        receiver, sent = min(under_way or [(r, s) for r, s, _, _ in told], key=lambda pair: pair[1].at)
        if under_way and sent.at > patience:
            found.waiting += 1
            return None
        return gap("undelivered" if under_way else "dead", sent.at, receiver, sent.message)
    reasons = [held.reason for held in subject.quiet.values()]
    if not reasons or any(isinstance(reason, NobodyToTell) for reason in reasons):
        return gap("nobody", since)
    waits = [reason.until for reason in reasons if isinstance(reason, WaitingForGroup)]
    if waits and len(waits) == len(reasons):
        if max(waits) <= patience:
            return gap("overdue", max(waits))
        found.waiting += 1
        return None
    found.quiet += 1
    for name in {code(reason) for reason in reasons}:
        found.reasons[name] = found.reasons.get(name, 0) + 1
    return None


def _orphans(store: KeepsRouting, found: Reconciliation, known: set[str]) -> Iterator[Gap]:
    messages = [done for done in store.done_messages(LATEST) if done.outcome == "delivered"]
    found.messages = len(messages)
    about = {
        change.id: (change, done)
        for done in messages
        for change in done.intent.subjects
        if change.kind == "alert"
    }
    ids = [id_ for id_ in about if id_ not in known]
    for start in range(0, len(ids), PAGE):
        page = ids[start : start + PAGE]
        for id_ in sorted(set(page) - set(store.alerts_by_id(page))):
            change, done = about[id_]
            yield Gap(
                kind="orphan", alert_id=id_, severity=change.severity, since=done.at, receiver=done.intent.receiver,
                message=done.intent.id,
            )  # fmt: skip
