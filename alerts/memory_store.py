"""The Store in this process's memory: for tests, drills and replays. Nothing survives the process.

It holds the same contract test as RedisStore. One lock around each change makes it safe between threads.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import get_args

import msgspec

from alerts import merging
from alerts.alert import Alert, AlertHit, Severity, Status, alert_id
from alerts.audit_trail import MemoryAudit
from alerts.case_work import CaseWork, Swap
from alerts.custody.audit import SYSTEM, AuditEntry, Facts
from alerts.due_list import MemoryDue, schedule_of
from alerts.fraud_cases import MemoryCases
from alerts.lifecycle import FourEyes
from alerts.lists.keeping import MemoryLists
from alerts.memory_jobs import MemoryJobs
from alerts.minutes import Headed, add_counts, head_of
from alerts.overlap import remaining
from alerts.response.documents import MemoryResponse
from alerts.response.traces import MemoryTraces
from alerts.routing.state_store import MemoryRouting
from alerts.rule_report import MemoryRules
from alerts.rule_snoozes import MemorySnoozes
from alerts.store import Commit, Sort
from models.decision import Counters, DeadLetter

INDEXED_ENTITIES = ("card", "customer", "device", "merchant", "payee")
"""Entities that `decisions_of` can be asked for."""


class MemoryStore(
    CaseWork,
    MemoryCases,
    MemorySnoozes,
    MemoryDue,
    MemoryJobs,
    MemoryAudit,
    MemoryRules,
    MemoryResponse,
    MemoryTraces,
    MemoryRouting,
    MemoryLists,
):
    """See alerts.store.Store for the meaning of each call.

    keep_decisions: newest decisions kept. `queued` holds the Label events (encoded) that verdicts sent back;
    on a live system they go to the input stream.
    """

    def __init__(
        self, keep_decisions: int = 200_000, keep_of_entity: int = 100, four_eyes: FourEyes | None = None
    ) -> None:
        super().__init__()
        self.four_eyes = four_eyes or FourEyes()
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
        self._labelled: dict[str, str] = {}
        self._beats: dict[str, dict[str, str | int | float]] = {}

    def ping(self) -> float:
        return 0.0

    def wait_durable(self, timeout_ms: int = 5000) -> None:
        """Memory has no disk to wait for."""

    # the scorer

    def commit(self, batch: Commit, heads: Sequence[Headed] | None = None) -> None:
        with self._lock:
            new = remaining(batch, self._cursors)
            for head, decision in zip(map(head_of, new.decisions), new.decisions, strict=True):
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
                self._take(hit, batch.now or batch.stream_time)
            self._dead.extend(new.dead)
            self._cursors["decisions"] += len(new.decisions)
            self._cursors["hits"] += len(new.hits)
            self._cursors["dead"] += len(new.dead)
            if batch.counters.events_in >= self._counters.events_in:
                self._counters = batch.counters
            self._stream_time = max(self._stream_time, batch.stream_time)

    def _take(self, hit: AlertHit, now: int) -> None:
        alert = self._alerts.get(self._open.get(hit.fingerprint, ""))
        quiet = merging.quiet_until(hit, self._snoozes, now)
        if alert is not None and merging.takes(alert, hit):
            if hit.event_id in alert.event_ids:
                return
            after, worsened, heard = merging.merged(alert, hit, now, quiet)
            if worsened:
                before = {"severity": alert.severity, "status": alert.status}
                self._tell("worsened", before, after, hit, now)
        else:
            if alert_id(hit.fingerprint, hit.event_id) in self._alerts:
                return
            after, heard = merging.opened(hit, now, quiet), quiet is None
            self._open[hit.fingerprint] = after.id
            self._tell("opened", None, after, hit, now)
            self._due[after.id] = schedule_of(after)
        self._alerts[after.id] = after
        if heard:
            self._due[after.id] = schedule_of(after)

    def _tell(self, action: str, before: Facts | None, after: Alert, hit: AlertHit, now: int) -> None:
        facts = {"severity": after.severity, "status": after.status, "event_id": hit.event_id}
        self._recorded(AuditEntry(SYSTEM, SYSTEM, action, "alert", after.id, now, "", before, facts), None)

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

    # people

    def _swap(self, swap: Swap) -> bool:
        before, after = swap.before, swap.after
        with self._lock:
            kept = self._alerts.get(before.id)
            if kept is None or kept.version != before.version:
                return False
            self._alerts[after.id] = msgspec.structs.replace(
                after,
                event_ids=list(kept.event_ids),
                learned=kept.learned and after.status == before.status,
            )
            if after.status == "resolved" and self._open.get(after.fingerprint) == after.id:
                del self._open[after.fingerprint]
            if before.status == "resolved" and after.status != "resolved":
                # A newer alert on the same problem may be collecting hits by now; it goes on doing so.
                self._open.setdefault(after.fingerprint, after.id)
            self._due[after.id] = schedule_of(after)
            for transaction_id, label in swap.labels:
                self.queued.append(label)
                self._labelled[transaction_id] = after.id
            if swap.entry is not None:
                self._recorded(swap.entry, None)
            return True

    def mark_learned(self, transaction_ids: list[str]) -> None:
        with self._lock:
            for transaction_id in transaction_ids:
                alert = self._alerts.get(self._labelled.pop(transaction_id, ""))
                if alert is not None and alert.status == "resolved":
                    alert.learned = True

    # processes

    def beat(self, process: str, status: dict[str, str | int | float], now: int) -> None:
        self._beats[process] = {**status, "at": now}

    def beats(self) -> dict[str, dict[str, str | int | float]]:
        return {process: dict(status) for process, status in self._beats.items()}


def _copy(alert: Alert) -> Alert:
    return msgspec.structs.replace(alert, event_ids=list(alert.event_ids))


def _order(sort: Sort) -> Callable[[Alert], tuple[float, str]]:
    return (lambda a: (a.priority, a.id)) if sort == "priority" else (lambda a: (a.last_time, a.id))
