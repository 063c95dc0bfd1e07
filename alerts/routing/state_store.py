"""The router's part of the store: its state in parts, what happens to alerts, messages that are done, attempts."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import get_args

import msgspec

from alerts.alert import Alert, Status
from alerts.custody.audit import AuditLink
from alerts.redis_scripts import Argument
from alerts.routing.intent import Done
from alerts.routing.keeping import Act, Delivery, KeepsRouting, Saved
from alerts.routing.reconciling import Reconciliation, reconcile
from alerts.routing.silencing import MemoryAsking, RedisAsking
from alerts.routing.view import View, routing_view
from alerts.routing.why import Why, why
from models.errors import StoreError

KEEP_DONE = 20_000
"""Messages that are kept after they were delivered or given up, the newest ones, to be sent again by hand."""
KEEP_DELIVERIES = 10_000
LIVE: tuple[Status, ...] = tuple(status for status in get_args(Status) if status != "resolved")
_DONE = msgspec.msgpack.Decoder(Done)
MOVED = "somebody else saved the router's state: two senders run on this store; stop one"


class _Answers:
    """What both stores answer from what they keep."""

    def why(self: KeepsRouting, key: str) -> Why | None:
        return why(self, key)

    def routing_view(self: KeepsRouting, now: int) -> View | None:
        return routing_view(self, now)

    def reconcile(self: KeepsRouting, now: int) -> Reconciliation:
        return reconcile(self, now)


class MemoryRouting(_Answers, MemoryAsking):
    """See alerts.routing.keeping."""

    _lock: threading.RLock
    _chain: list[AuditLink]
    _alerts: dict[str, Alert]

    def __init__(self) -> None:
        super().__init__()
        self._parts: dict[str, bytes] = {}
        self._version = 0
        self._done_messages: dict[str, Done] = {}
        self._deliveries: deque[Delivery] = deque(maxlen=KEEP_DELIVERIES)

    def routing_state(self) -> tuple[int, dict[str, bytes]]:
        with self._lock:
            return self._version, dict(self._parts)

    def routing_parts(self, names: Sequence[str]) -> dict[str, bytes]:
        with self._lock:
            return {name: self._parts[name] for name in names if name in self._parts}

    def save_routing(self, version: int, saved: Saved) -> int:
        with self._lock:
            if version != self._version:
                raise StoreError(MOVED)
            self._parts.update(saved.put)
            for name in saved.drop:
                self._parts.pop(name, None)
            for id_, done in saved.done.items():
                self._done_messages.pop(id_, None)
                self._done_messages[id_] = done
            self._deliveries.extend(saved.deliveries)
            while len(self._done_messages) > KEEP_DONE:
                del self._done_messages[next(iter(self._done_messages))]
            self._version += 1
            return self._version

    def done_messages(self, limit: int) -> list[Done]:
        with self._lock:
            return list(self._done_messages.values())[::-1][: max(limit, 0)]

    def dead_messages(self, limit: int) -> list[Done]:
        return [one for one in self.done_messages(KEEP_DONE) if one.outcome == "dead"][: max(limit, 0)]

    def done_by_id(self, ids: Sequence[str]) -> dict[str, Done]:
        with self._lock:
            return {id_: self._done_messages[id_] for id_ in ids if id_ in self._done_messages}

    def acts(self, after: int, limit: int) -> list[Act]:
        with self._lock:
            return [
                Act(link.seq, link.entry.object_kind, link.entry.object_id, link.entry.action, link.entry.at)
                for link in self._chain[max(after, 0) :][: max(limit, 0)]
            ]

    def last_act(self) -> int:
        return len(self._chain)

    def live_alerts(self) -> list[str]:
        with self._lock:
            return sorted(id_ for id_, alert in self._alerts.items() if alert.status in LIVE)

    def alerts_by_id(self, ids: Sequence[str]) -> dict[str, Alert]:
        with self._lock:
            found = [self._alerts[id_] for id_ in ids if id_ in self._alerts]
            return {a.id: msgspec.structs.replace(a, event_ids=list(a.event_ids)) for a in found}

    def deliveries(self, limit: int) -> list[Delivery]:
        return list(self._deliveries)[::-1][: max(limit, 0)]


class RedisRouting(_Answers, RedisAsking):
    """The same in the store.

    Keys: `routing` (hash: part → MessagePack, and `version`), `routing:done` (hash: message id → record),
    `routing:done:order` and of those `routing:dead` (sorted sets), `deliveries` (stream). The trail itself is the feed of
    what happens to alerts.
    """

    def routing_state(self) -> tuple[int, dict[str, bytes]]:
        found = self._one("HGETALL", self._key("routing"))
        version = int(found.pop(b"version", b"0"))
        return version, {name.decode(): value for name, value in found.items()}

    def routing_parts(self, names: Sequence[str]) -> dict[str, bytes]:
        found = self._one("HMGET", self._key("routing"), *names) if names else []
        return {name: part for name, part in zip(names, found, strict=True) if part is not None}

    def save_routing(self, version: int, saved: Saved) -> int:
        arguments: list[Argument] = [
            version,
            len(saved.put),
            len(saved.drop),
            len(saved.done),
            KEEP_DONE,
            KEEP_DELIVERIES,
        ]
        arguments += [text for pair in saved.put.items() for text in pair]
        arguments += saved.drop
        for id_, done in saved.done.items():
            arguments += (id_, done.at, done.outcome, msgspec.msgpack.encode(done))
        arguments += [msgspec.json.encode(delivery) for delivery in saved.deliveries]
        after: int = self._run("routing", arguments)
        if after < 0:
            raise StoreError(f"{self._link.where}: {MOVED}")
        return after

    def done_messages(self, limit: int) -> list[Done]:
        return self._newest_done("routing:done:order", limit)

    def dead_messages(self, limit: int) -> list[Done]:
        return self._newest_done("routing:dead", limit)

    def _newest_done(self, index: str, limit: int) -> list[Done]:
        ids = self._one("ZREVRANGE", self._key(index), 0, limit - 1) if limit > 0 else []
        found = self._one("HMGET", self._key("routing:done"), *ids) if ids else []
        return [_DONE.decode(record) for record in found if record is not None]

    def done_by_id(self, ids: Sequence[str]) -> dict[str, Done]:
        found = self._one("HMGET", self._key("routing:done"), *ids) if ids else []
        pairs = zip(ids, found, strict=True)
        return {id_: _DONE.decode(record) for id_, record in pairs if record is not None}

    def acts(self, after: int, limit: int) -> list[Act]:
        found = self._one("XRANGE", self._key("audit"), f"({max(after, 0)}-0", "+", "COUNT", max(limit, 1))
        return [_act(id_, fields) for id_, fields in found]

    def last_act(self) -> int:
        found = self._one("XREVRANGE", self._key("audit"), "+", "-", "COUNT", 1)
        return int(found[0][0].partition(b"-")[0]) if found else 0

    def live_alerts(self) -> list[str]:
        indexes = [("ZRANGE", self._key(f"alerts:{status}:newest"), 0, -1) for status in LIVE]
        return sorted({id_.decode() for found in self._many(indexes) for id_ in found})

    def alerts_by_id(self, ids: Sequence[str]) -> dict[str, Alert]:
        return {alert.id: alert for alert in self._load(list(ids))}

    def deliveries(self, limit: int) -> list[Delivery]:
        return [msgspec.json.decode(line, type=Delivery) for line in self._newest("deliveries", limit)]


def _act(id_: bytes, fields: dict[bytes, bytes]) -> Act:
    kind, thing, action = (
        fields.get(name, b"").decode("utf-8", "replace") for name in (b"kind", b"id", b"action")
    )
    at = fields.get(b"at", b"0")
    # Somebody may have written into the trail by hand: `tidegate audit verify` is who finds that, not the router.
    return Act(int(id_.partition(b"-")[0]), kind, thing, action, int(at) if at.isdigit() else 0)
