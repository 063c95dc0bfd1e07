"""The Store in this process's memory: for tests, drills and replays. Nothing survives the process.

It holds the same contract test as RedisStore. One lock around each change makes it safe between threads.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import get_args

import msgspec

from alerts import lifecycle
from alerts.alert import Alert, AlertHit, Severity, Status, Verdict, alert_id
from alerts.audit_trail import MemoryAudit
from alerts.fraud_cases import MemoryCases
from alerts.minutes import add_counts, head_of
from alerts.overlap import remaining
from alerts.rule_report import MemoryRules
from alerts.store import Commit, Conflict, Delivery, Notification, Sort
from models.decision import Counters, DeadLetter
from models.errors import StoreError

INDEXED_ENTITIES = ("card", "customer", "device", "merchant", "payee")
"""Entities that `decisions_of` can be asked for."""
SYSTEM = "tidegate"
"""The actor that audit entries name when no person acted."""


class MemoryStore(MemoryCases, MemoryAudit, MemoryRules):
    """See alerts.store.Store for the meaning of each call.

    keep_decisions: newest decisions kept. `queued` holds the Label events (encoded) that verdicts sent back;
    on a live system they go to the input stream.
    """

    def __init__(self, keep_decisions: int = 200_000, keep_of_entity: int = 100) -> None:
        super().__init__()
        self.queued: list[bytes] = []
        self._keep = keep_decisions
        self._keep_of_entity = keep_of_entity
        self._lock = threading.RLock()
        self._cursors = {"decisions": 0, "hits": 0, "dead": 0}
        self._counters = Counters()
        self._stream_time = 0
        self._decisions: dict[str, bytes] = {}
        self._of_entity: dict[tuple[str, str], deque[str]] = {}
        self._minutes: dict[int, dict[str, float]] = {}
        self._dead: deque[DeadLetter] = deque(maxlen=50_000)
        self._alerts: dict[str, Alert] = {}
        self._open: dict[str, str] = {}
        self._audit: dict[str, list[dict[str, str]]] = {}
        self._labelled: dict[str, str] = {}
        self._outbox: list[Notification] = []
        self._sender_state: bytes | None = None
        self._deliveries: deque[Delivery] = deque(maxlen=10_000)
        self._beats: dict[str, dict[str, str | int | float]] = {}

    def ping(self) -> float:
        return 0.0

    def wait_durable(self, timeout_ms: int = 5000) -> None:
        """Memory has no disk to wait for."""

    # the scorer

    def commit(self, batch: Commit) -> None:
        with self._lock:
            new = remaining(batch, self._cursors)
            heads = [head_of(decision) for decision in new.decisions]
            for head, decision in zip(heads, new.decisions, strict=True):
                self._decisions[head.id] = decision
                for kind in INDEXED_ENTITIES:
                    entity = head.context.get(kind)
                    if isinstance(entity, str):
                        ids = self._of_entity.setdefault((kind, entity), deque(maxlen=self._keep_of_entity))
                        ids.append(head.id)
            while len(self._decisions) > self._keep:
                del self._decisions[next(iter(self._decisions))]
            for minute, fields in new.minutes.items():
                add_counts(self._minutes.setdefault(minute, {}), fields)
            self.count_rules(new.decisions)
            for hit in new.hits:
                self._take(hit)
            self._dead.extend(new.dead)
            self._cursors["decisions"] += len(new.decisions)
            self._cursors["hits"] += len(new.hits)
            self._cursors["dead"] += len(new.dead)
            if batch.counters.events_in >= self._counters.events_in:
                self._counters = batch.counters
            self._stream_time = max(self._stream_time, batch.stream_time)

    def _take(self, hit: AlertHit) -> None:
        alert = self._alerts.get(self._open.get(hit.fingerprint, ""))
        if alert is not None and lifecycle.takes(alert, hit):
            if hit.event_id in alert.event_ids:
                return
            after = lifecycle.merged(alert, hit)
            self._alerts[alert.id] = after
            if after.severity == alert.severity:
                return
            self._note(after, SYSTEM, "worsened", hit.event_time, f"{alert.severity} to {after.severity}")
        else:
            if alert_id(hit.fingerprint, hit.event_id) in self._alerts:
                return
            after = lifecycle.opened(hit)
            self._alerts[after.id] = after
            self._open[hit.fingerprint] = after.id
            self._note(after, SYSTEM, "opened", hit.event_time, after.severity)
        position = f"{hit.ordinal}-0"
        self._outbox.append(
            Notification(position=position, alert_id=after.id, severity=after.severity, count=after.count)
        )

    def cursors(self) -> dict[str, int]:
        return dict(self._cursors)

    # reading

    def counters(self) -> Counters:
        return msgspec.structs.replace(self._counters)

    def stream_time(self) -> int:
        return self._stream_time

    def decision(self, event_id: str) -> bytes | None:
        return self._decisions.get(event_id)

    def recent_decisions(self, limit: int) -> list[bytes]:
        with self._lock:
            return list(self._decisions.values())[::-1][:limit]

    def minutes(self, since: int, until: int) -> dict[int, dict[str, float]]:
        with self._lock:
            return {m: dict(f) for m, f in sorted(self._minutes.items()) if since <= m < until}

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        with self._lock:
            return list(self._dead)[::-1][:limit]

    def alert(self, alert_id: str) -> Alert | None:
        with self._lock:
            found = self._alerts.get(alert_id)
            return _copy(found) if found else None

    def alerts(self, statuses: tuple[Status, ...], sort: Sort, limit: int) -> list[Alert]:
        with self._lock:
            found = [alert for alert in self._alerts.values() if alert.status in statuses]
            return [_copy(a) for a in sorted(found, key=_order(sort), reverse=True)[:limit]]

    def alert_counts(self) -> dict[str, int]:
        counts: dict[str, int] = dict.fromkeys(get_args(Status), 0)
        counts.update({f"open:{severity}": 0 for severity in get_args(Severity)})
        with self._lock:
            for alert in self._alerts.values():
                counts[alert.status] += 1
                if alert.status == "open":
                    counts[f"open:{alert.severity}"] += 1
        return counts

    def alerts_of(self, entity_kind: str, entity: str, limit: int) -> list[Alert]:
        with self._lock:
            found = [a for a in self._alerts.values() if (a.entity_kind, a.entity) == (entity_kind, entity)]
            return [_copy(a) for a in sorted(found, key=_order("newest"), reverse=True)[:limit]]

    def decisions_of(self, entity_kind: str, entity: str, limit: int) -> list[bytes]:
        with self._lock:
            ids = list(self._of_entity.get((entity_kind, entity), ()))[::-1][:limit]
            return [self._decisions[event_id] for event_id in ids if event_id in self._decisions]

    def audit(self, alert_id: str) -> list[dict[str, str]]:
        with self._lock:
            return [dict(entry) for entry in self._audit.get(alert_id, [])]

    # people

    def claim(self, alert_id: str, actor: str, now: int, lease_ms: int) -> Alert | Conflict:
        with self._lock:
            alert = self._existing(alert_id)
            held = alert.claimed_by is not None and (alert.claimed_until or 0) > now
            if alert.status == "resolved" or (held and alert.claimed_by != actor):
                return Conflict(_copy(alert))
            changes_hands = not held
            alert.claimed_by, alert.claimed_until = actor, now + lease_ms
            if changes_hands:
                alert.version += 1
                self._note(alert, actor, "claimed", now)
            return _copy(alert)

    def resolve(
        self, alert_id: str, version: int, verdict: Verdict, actor: str, now: int
    ) -> Alert | Conflict:
        with self._lock:
            alert = self._existing(alert_id)
            if alert.status == "resolved" or alert.version != version:
                again = (version + 1, actor, verdict) == (alert.version, alert.resolved_by, alert.verdict)
                return _copy(alert) if again and alert.status == "resolved" else Conflict(_copy(alert))
            fraud = lifecycle.fraud_flag(verdict)
            self._queue(alert, fraud, actor, now)
            alert.version += 1
            alert.status, alert.verdict, alert.learned = "resolved", verdict, False
            alert.resolved_at, alert.resolved_by = now, actor
            alert.claimed_by = alert.claimed_until = None
            if self._open.get(alert.fingerprint) == alert.id:
                del self._open[alert.fingerprint]
            self._note(alert, actor, "resolved", now, verdict)
            return _copy(alert)

    def set_status(
        self, alert_id: str, version: int, status: Status, actor: str, now: int, reason: str = ""
    ) -> Alert | Conflict:
        if status == "resolved":
            raise StoreError("an alert is resolved with a verdict: call resolve, not set_status")
        with self._lock:
            alert = self._existing(alert_id)
            if alert.status == "resolved" or alert.version != version:
                return Conflict(_copy(alert))
            alert.version += 1
            alert.status = status
            self._note(alert, actor, status, now, reason)
            return _copy(alert)

    def undo(self, alert_id: str, version: int, actor: str, now: int) -> Alert | Conflict:
        with self._lock:
            alert = self._existing(alert_id)
            if alert.status != "resolved" or alert.version != version:
                return Conflict(_copy(alert))
            fraud = lifecycle.fraud_flag(alert.verdict)
            self._queue(alert, None if fraud is None else not fraud, actor, now)
            alert.version += 1
            alert.status, alert.verdict, alert.learned = "open", None, False
            alert.resolved_at = alert.resolved_by = None
            # A newer alert on the same problem may be collecting hits by now; it goes on doing so.
            self._open.setdefault(alert.fingerprint, alert.id)
            self._note(alert, actor, "undone", now)
            return _copy(alert)

    def mark_learned(self, transaction_ids: list[str]) -> None:
        with self._lock:
            for transaction_id in transaction_ids:
                alert = self._alerts.get(self._labelled.pop(transaction_id, ""))
                if alert is not None and alert.status == "resolved":
                    alert.learned = True

    def _existing(self, alert_id: str) -> Alert:
        alert = self._alerts.get(alert_id)
        if alert is None:
            raise StoreError(f"there is no alert {alert_id}: load the queue again")
        return alert

    def _queue(self, alert: Alert, fraud: bool | None, actor: str, now: int) -> None:
        if fraud is None:
            return
        self.queued += lifecycle.labels_of(alert, fraud, actor, self._stream_time or now)
        for event_id in alert.event_ids:
            self._labelled[event_id] = alert.id

    def _note(self, alert: Alert, actor: str, action: str, at: int, detail: str = "") -> None:
        self._audit.setdefault(alert.id, []).append(
            {"at": str(at), "actor": actor, "action": action, "detail": detail, "version": str(alert.version)}
        )

    # the webhook sender

    def outbox(self, after: str, limit: int) -> list[Notification]:
        position = int(after.partition("-")[0]) if after else 0
        with self._lock:
            owed = [n for n in self._outbox if int(n.position.partition("-")[0]) > position]
            return owed[:limit]

    def sender_state(self) -> bytes | None:
        return self._sender_state

    def save_sender_state(self, state: bytes) -> None:
        self._sender_state = state

    def log_delivery(self, delivery: Delivery) -> None:
        self._deliveries.append(delivery)

    def deliveries(self, limit: int) -> list[Delivery]:
        """Newest first."""
        return list(self._deliveries)[::-1][:limit]

    # processes

    def beat(self, process: str, status: dict[str, str | int | float], now: int) -> None:
        self._beats[process] = {**status, "at": now}

    def beats(self) -> dict[str, dict[str, str | int | float]]:
        return {process: dict(status) for process, status in self._beats.items()}


def _copy(alert: Alert) -> Alert:
    return msgspec.structs.replace(alert, event_ids=list(alert.event_ids))


def _order(sort: Sort) -> Callable[[Alert], tuple[float, str]]:
    return (lambda a: (a.priority, a.id)) if sort == "priority" else (lambda a: (a.last_time, a.id))
