"""Incidents, containment measures and the watch's own state in the store: versioned documents, changed all or none.

A change writes several documents, links alerts to an incident and leaves the effects it owes, in one atomic step that
compares the version of every document first.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from alerts.redis_scripts import Argument, RedisScripts
from alerts.response.effects import Owed
from alerts.routing.change import Change

Kind = Literal["incident", "measure", "watch", "drill", "tabletop"]
KEPT_CHANGES = 100_000


class Write(msgspec.Struct, frozen=True):
    """One document to write. before: the version it has now, 0: it is new. live: still at work, so that it is listed."""

    kind: Kind
    id: str
    before: int
    version: int
    body: bytes
    live: bool = True


Links = Sequence[tuple[str, str]]
"""(alert id, incident id) pairs."""


class KeepsResponse(Protocol):
    """What a store gives to the response besides alerts.store.Store."""

    def respond(self, writes: Sequence[Write], links: Links = (), owed: Sequence[Owed] = ()) -> bool:
        """Write all of it, or nothing when a document has another version than `before`; then False."""

    def document(self, kind: Kind, id_: str) -> bytes | None: ...
    def documents(self, kind: Kind, live: bool = True) -> list[bytes]:
        """The live ones, or all, by id."""

    def owed(self) -> list[Owed]:
        """Effects that nobody has settled yet, in order."""

    def settled(self, id_: str) -> None: ...
    def incident_of(self, alert_ids: Sequence[str]) -> dict[str, str]:
        """The incidents that alerts belong to."""

    def announce(self, change: Change) -> None:
        """Tell the router."""

    def announcements(self, after: str, limit: int) -> list[tuple[str, Change]]:
        """What was announced after a position ("" = from the start), with positions."""


class MemoryResponse:
    """See KeepsResponse. `announced` holds what the router is told."""

    _lock: threading.RLock

    def __init__(self) -> None:
        super().__init__()
        self.announced: list[Change] = []
        self._documents: dict[tuple[Kind, str], Write] = {}
        self._owed: dict[str, bytes] = {}
        self._incident_of: dict[str, str] = {}

    def respond(self, writes: Sequence[Write], links: Links = (), owed: Sequence[Owed] = ()) -> bool:
        with self._lock:
            for write in writes:
                now = self._documents.get((write.kind, write.id))
                if (0 if now is None else now.version) != write.before:
                    return False
            for write in writes:
                self._documents[write.kind, write.id] = write
            for alert_id, incident_id in links:
                self._incident_of[alert_id] = incident_id
            for effect in owed:
                self._owed[effect.id] = msgspec.json.encode(effect)
            return True

    def document(self, kind: Kind, id_: str) -> bytes | None:
        with self._lock:
            found = self._documents.get((kind, id_))
            return None if found is None else found.body

    def documents(self, kind: Kind, live: bool = True) -> list[bytes]:
        with self._lock:
            found = [w for (k, _), w in self._documents.items() if k == kind and (w.live or not live)]
            return [w.body for w in sorted(found, key=lambda w: w.id)]

    def owed(self) -> list[Owed]:
        with self._lock:
            return [msgspec.json.decode(body, type=Owed) for body in self._owed.values()]

    def settled(self, id_: str) -> None:
        with self._lock:
            self._owed.pop(id_, None)

    def incident_of(self, alert_ids: Sequence[str]) -> dict[str, str]:
        with self._lock:
            return {a: self._incident_of[a] for a in alert_ids if a in self._incident_of}

    def announce(self, change: Change) -> None:
        with self._lock:
            self.announced.append(change)

    def announcements(self, after: str, limit: int) -> list[tuple[str, Change]]:
        start = int(after.partition("-")[0]) if after else 0
        with self._lock:
            found = self.announced[start : start + limit]
            return [(f"{start + n}-0", change) for n, change in enumerate(found, 1)]


class RedisResponse(RedisScripts):
    """The same in the store.

    Keys: `response:<kind>` (hash: id → document), `response:<kind>:versions`, `response:<kind>:live` (set of ids),
    `response:owed` (hash: id → effect) and `response:owed:order` (sorted set), `response:alerts` (hash: alert →
    incident), `changes` (stream, field `c`: what the router is told).
    """

    def respond(self, writes: Sequence[Write], links: Links = (), owed: Sequence[Owed] = ()) -> bool:
        arguments: list[Argument] = [len(writes)]
        for write in writes:
            arguments += [write.kind, write.id, write.before, write.version, write.body, int(write.live)]
        arguments.append(len(links))
        for alert_id, incident_id in links:
            arguments += [alert_id, incident_id]
        for effect in owed:
            arguments += [effect.id, msgspec.json.encode(effect)]
        return bool(self._run("respond", arguments) == b"done")

    def document(self, kind: Kind, id_: str) -> bytes | None:
        body: bytes | None = self._one("HGET", self._key(f"response:{kind}"), id_)
        return body

    def documents(self, kind: Kind, live: bool = True) -> list[bytes]:
        key = self._key(f"response:{kind}")
        ids = sorted(self._one("SMEMBERS", f"{key}:live") if live else self._one("HKEYS", key))
        return [body for body in self._one("HMGET", key, *ids) if body is not None] if ids else []

    def owed(self) -> list[Owed]:
        key = self._key("response:owed")
        ids = self._one("ZRANGE", f"{key}:order", 0, 999)
        bodies = self._one("HMGET", key, *ids) if ids else []
        return [msgspec.json.decode(body, type=Owed) for body in bodies if body is not None]

    def settled(self, id_: str) -> None:
        key = self._key("response:owed")
        self._many([("ZREM", f"{key}:order", id_), ("HDEL", key, id_)])

    def incident_of(self, alert_ids: Sequence[str]) -> dict[str, str]:
        if not alert_ids:
            return {}
        found = self._one("HMGET", self._key("response:alerts"), *alert_ids)
        return {a: i.decode() for a, i in zip(alert_ids, found, strict=True) if i is not None}

    def announce(self, change: Change) -> None:
        body = msgspec.json.encode(change)
        self._one("XADD", self._key("changes"), "MAXLEN", "~", KEPT_CHANGES, "*", "c", body)

    def announcements(self, after: str, limit: int) -> list[tuple[str, Change]]:
        start = f"({after}" if after else "-"
        found = self._one("XRANGE", self._key("changes"), start, "+", "COUNT", limit)
        return [(id_.decode(), msgspec.json.decode(fields[b"c"], type=Change)) for id_, fields in found]
