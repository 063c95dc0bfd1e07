"""Which alerts somebody has to act on by when, in the store, and the bells that ring once before and at the deadline.

What is due when is a pure function of the alert (alerts/deadlines.py); the store only keeps it sorted. Bells become
entries of the audit trail by `tidegate`: `warned` before a deadline, `breached` at it, `woken` at the end of a snooze.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from alerts.alert import Alert
from alerts.audit_trail import arguments_of
from alerts.custody.audit import SYSTEM, AuditEntry
from alerts.deadlines import Due, due
from alerts.redis_scripts import RedisScripts

Schedule = tuple[int | None, int | None]
"""(deadline, next bell), ms; None: there is none."""


def schedule_of(alert: Alert) -> Schedule:
    """Deadline and first bell of an alert as it is now."""
    found = due(alert)
    return (None, None) if found is None else (found.by, found.warn)


def rung(alert: Alert, found: Due, now: int) -> tuple[AuditEntry, int | None]:
    """What a bell tells, and when the next one rings."""
    breached = found.state(now) == "breached"
    facts = {"stage": found.stage, "since": found.since, "by": found.by, "severity": alert.severity}
    entry = AuditEntry(
        SYSTEM, SYSTEM, "breached" if breached else "warned", "alert", alert.id, now, "", None, facts
    )
    return entry, None if breached else found.by


class MemoryDue:
    """See alerts.store.Store."""

    _lock: threading.RLock
    _alerts: dict[str, Alert]
    _recorded: Callable[..., Any]
    alert: Callable[[str], Alert | None]

    def __init__(self) -> None:
        super().__init__()
        self._due: dict[str, Schedule] = {}

    def due(self, until: int, limit: int) -> list[Alert]:
        with self._lock:
            found = sorted((by, id_) for id_, (by, _) in self._due.items() if by is not None and by <= until)
            return [alert for _, id_ in found[: max(limit, 0)] if (alert := self.alert(id_)) is not None]

    def bells(self, now: int, limit: int) -> list[tuple[str, int]]:
        with self._lock:
            found = sorted(
                (bell, id_) for id_, (_, bell) in self._due.items() if bell is not None and bell <= now
            )
            return [(id_, bell) for bell, id_ in found[: max(limit, 0)]]

    def ring(self, alert_id: str, bell: int, following: int | None, entry: AuditEntry) -> bool:
        with self._lock:
            by, now = self._due.get(alert_id, (None, None))
            if now != bell:
                return False
            self._due[alert_id] = by, following
            self._recorded(entry, None)
            return True


class RedisDue(RedisScripts):
    """The same in the store. Keys: `alerts:due` and `alerts:bell` (sorted sets by deadline and by next bell)."""

    def due(self, until: int, limit: int) -> list[Alert]:
        ids = self._lowest("alerts:due", until, limit)
        return self._load([id_.decode() for id_, _ in ids])

    def bells(self, now: int, limit: int) -> list[tuple[str, int]]:
        return [(id_.decode(), int(float(score))) for id_, score in self._lowest("alerts:bell", now, limit)]

    def ring(self, alert_id: str, bell: int, following: int | None, entry: AuditEntry) -> bool:
        arguments = [alert_id, bell, "" if following is None else following, *arguments_of(entry)]
        answer: bytes = self._run("ring", arguments)
        return answer == b"ok"

    def _lowest(self, name: str, until: int, limit: int) -> list[tuple[bytes, bytes]]:
        if limit < 1:
            return []
        found = self._one("ZRANGEBYSCORE", self._key(name), "-inf", until, "WITHSCORES", "LIMIT", 0, limit)
        # RESP3 pairs members and scores, RESP2 lays them in a row.
        pairs = (
            found
            if found and isinstance(found[0], list | tuple)
            else zip(found[::2], found[1::2], strict=True)
        )
        return [(id_, score) for id_, score in pairs]
