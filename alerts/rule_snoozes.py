"""Snoozes of a rule on an entity: set, lifted, ended by time; every one with reason and actor, all in one list.

A snooze keeps alerts quiet, never decisions: hits whose every cause is snoozed open their alert as snoozed. It covers
the severity it was set for and below; what is worse is heard (alerts/merging.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from alerts import rights
from alerts.alert import Alert, Status
from alerts.audit_trail import arguments_of
from alerts.custody.audit import SYSTEM, AuditEntry
from alerts.deadlines import longest_snooze
from alerts.merging import RuleSnooze
from alerts.redis_scripts import RedisScripts
from models.errors import RefusedError

MOST_ALERTS = 1000
"""Snoozed alerts in the list of all."""
_MOST_TEXT = 256
_TRIES = 100


class SnoozeRow(NamedTuple):
    """One line of the list of all snoozes. alert_id: of a snoozed alert; rule: of a snoozed rule."""

    until: int
    alert_id: str | None
    rule: str | None
    entity_kind: str
    entity: str
    severity: str
    actor: str
    reason: str


class KeepsSnoozes(Protocol):
    """What is needed of a store."""

    def alerts(
        self, statuses: tuple[Status, ...], sort: Literal["priority", "newest"], limit: int
    ) -> list[Alert]: ...
    def rule_snoozes(self) -> list[RuleSnooze]: ...


def all_snoozes(alerts: list[Alert], rules: list[RuleSnooze]) -> list[SnoozeRow]:
    """Everything that is quiet now, the first to end first. alerts: those that are snoozed."""
    rows = [
        SnoozeRow(
            a.snoozed_until or 0, a.id, None, a.entity_kind, a.entity, a.severity, a.snoozed_by or SYSTEM,
            a.snooze_reason or "",
        )
        for a in alerts
    ]  # fmt: skip
    rows += [
        SnoozeRow(s.until, None, s.rule, s.entity_kind, s.entity, s.severity, s.actor, s.reason)
        for s in rules
    ]
    return sorted(rows, key=lambda row: (row.until, row.alert_id or "", row.rule or "", row.entity))


def snoozes_of(store: KeepsSnoozes) -> list[SnoozeRow]:
    """The list of all snoozes as the store has them. Raises StoreError."""
    return all_snoozes(store.alerts(("snoozed",), "newest", MOST_ALERTS), store.rule_snoozes())


def checked(snooze: RuleSnooze, now: int) -> RuleSnooze:
    """The snooze, if it may be set at `now`; RefusedError says what is wrong."""
    rights.require(snooze.role, "snooze.set")
    longest = longest_snooze(snooze.severity)
    if not now < snooze.until <= now + longest:
        raise RefusedError(
            f"a snooze of {snooze.severity} ends in the future and within {longest // 60_000} minutes",
            zh=f"{snooze.severity} 的搁置须在将来结束，且不超过 {longest // 60_000} 分钟",
        )
    for name in ("rule", "entity_kind", "entity", "actor"):
        text = getattr(snooze, name)
        if not 0 < len(text) <= _MOST_TEXT or not text.isprintable():
            raise RefusedError(
                f"snooze: {name} is one line of 1 to {_MOST_TEXT} characters",
                zh=f"搁置：{name} 须为一行，1 至 {_MOST_TEXT} 个字符",
            )
    if not snooze.reason.strip():
        raise RefusedError(
            "snooze: give the reason; it is shown beside the snooze and kept", zh="搁置：请填写理由"
        )
    return snooze


class _Snoozes:
    """What both stores share: read the snooze that is there, and swap it for another one, audited."""

    _one_snooze: Callable[[str], RuleSnooze | None]
    _swap_snooze: Callable[[str, RuleSnooze | None, RuleSnooze | None, AuditEntry], bool]

    def snooze_rule(self, snooze: RuleSnooze, now: int) -> None:
        checked(snooze, now)
        self._change(snooze.key, snooze, snooze.actor, snooze.role, "snoozed", snooze.reason, now)

    def lift_snooze(self, key: str, actor: str, role: str, reason: str, now: int) -> bool:
        rights.require(role, "snooze.lift")
        return self._change(key, None, actor, role, "lifted", reason, now)

    def expire_snooze(self, key: str, now: int) -> bool:
        return self._change(key, None, SYSTEM, SYSTEM, "expired", "", now)

    def _change(
        self, key: str, after: RuleSnooze | None, actor: str, role: str, action: str, reason: str, now: int
    ) -> bool:
        for _ in range(_TRIES):
            before = self._one_snooze(key)
            if after is None and (before is None or (action == "expired" and before.until > now)):
                return False
            facts = [None if s is None else msgspec.to_builtins(s) for s in (before, after)]
            named = key.replace("\x1f", " ")
            entry = AuditEntry(actor, role, action, "rule_snooze", named, now, reason, *facts)
            if self._swap_snooze(key, before, after, entry):
                return True
        named = key.replace(chr(31), " ")
        raise RefusedError(
            f"the snooze of {named} keeps changing: try again in a moment",
            zh=f"{named} 的搁置正在变更，请稍后重试",
        )


class MemorySnoozes(_Snoozes):
    """See alerts.store.Store."""

    _lock: threading.RLock
    _recorded: Callable[..., Any]

    def __init__(self) -> None:
        super().__init__()
        self._snoozes: dict[str, RuleSnooze] = {}

    def rule_snoozes(self) -> list[RuleSnooze]:
        with self._lock:
            return in_order(list(self._snoozes.values()))

    def _one_snooze(self, key: str) -> RuleSnooze | None:
        return self._snoozes.get(key)

    def _swap_snooze(
        self, key: str, before: RuleSnooze | None, after: RuleSnooze | None, entry: AuditEntry
    ) -> bool:
        with self._lock:
            if self._snoozes.get(key) != before:
                return False
            if after is None:
                del self._snoozes[key]
            else:
                self._snoozes[key] = after
            self._recorded(entry, None)
            return True


class RedisSnoozes(_Snoozes, RedisScripts):
    """The same in the store. Key: `snoozes` (hash: key of the snooze → JSON), which lua/commit.lua reads."""

    def rule_snoozes(self) -> list[RuleSnooze]:
        found = self._one("HGETALL", self._key("snoozes"))
        return in_order([msgspec.json.decode(kept, type=RuleSnooze) for kept in found.values()])

    def _one_snooze(self, key: str) -> RuleSnooze | None:
        kept = self._one("HGET", self._key("snoozes"), key)
        return None if kept is None else msgspec.json.decode(kept, type=RuleSnooze)

    def _swap_snooze(
        self, key: str, before: RuleSnooze | None, after: RuleSnooze | None, entry: AuditEntry
    ) -> bool:
        kept = [b"" if snooze is None else msgspec.json.encode(snooze) for snooze in (before, after)]
        answer: bytes = self._run("swap", ["snoozes", key, *kept, *arguments_of(entry)])
        return answer == b"ok"


def in_order(snoozes: list[RuleSnooze]) -> list[RuleSnooze]:
    """The first to end first."""
    return sorted(snoozes, key=lambda s: (s.until, s.key))
