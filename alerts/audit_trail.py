"""The audit chain in the store: entries are recorded in the same step as what they tell of, then linked in order.

The server cannot hash with SHA-256, so recording and linking are two steps. An action's script appends the entry to
the trail, which fixes its number; `seal_audit` puts the hashes on whatever has none, in the order of the numbers, each
exactly once: it writes only if the last link is still the one it built upon. Any process may seal, as often as it
likes; `tidegate up` does once a second, and so does every reader of the chain.
"""

from __future__ import annotations

import hashlib
import threading
from itertools import pairwise
from typing import Any

import msgspec

from alerts.custody.audit import GENESIS, SYSTEM, AuditEntry, AuditLink, canonical, digest_of, linked
from alerts.redis_scripts import Argument, RedisScripts
from models.errors import CustodyError, StoreError
from models.events import Control, encode

PAGE = 1000


class MemoryAudit:
    """See alerts.store.Store. `controls` holds the Control events (encoded) that were sent into the stream."""

    _lock: threading.RLock

    def __init__(self) -> None:
        super().__init__()
        self.controls: list[bytes] = []
        self._chain: list[AuditLink] = []
        self._once: dict[str, tuple[int, str]] = {}

    def append_audit(self, entry: AuditEntry, once: str = "") -> int:
        with self._lock:
            return self._recorded(entry, None, once)[0]

    def send_control(self, event: Control, entry: AuditEntry, once: str = "") -> str:
        with self._lock:
            return self._recorded(entry, event, once)[1]

    def controls_after(self, place: str) -> list[tuple[str, bytes]]:
        start = int(place.partition("-")[0]) if place else 0
        with self._lock:
            return [(f"{n}-0", line) for n, line in enumerate(self.controls[start:], start + 1)]

    def _recorded(self, entry: AuditEntry, event: Control | None, once: str = "") -> tuple[int, str]:
        if once and once in self._once:
            return self._once[once]
        previous = self._chain[-1].hash if self._chain else GENESIS
        self._chain.append(linked(len(self._chain) + 1, entry, previous))
        place = ""
        if event is not None:
            self.controls.append(encode(event))
            place = f"{len(self.controls)}-0"
        if once:
            self._once[once] = len(self._chain), place
        return len(self._chain), place

    def seal_audit(self) -> int:
        return 0

    def audit_chain(self, after: int, limit: int) -> list[AuditLink]:
        with self._lock:
            return self._chain[max(after, 0) :][: max(limit, 0)]

    def audit_of(self, object_kind: str, object_id: str, limit: int) -> list[AuditEntry]:
        with self._lock:
            wanted = (object_kind, object_id)
            found = [e.entry for e in self._chain if (e.entry.object_kind, e.entry.object_id) == wanted]
            return found[-limit:] if limit > 0 else []


class RedisAudit(RedisScripts):
    """The same in the store.

    Keys: `audit` (stream, id `<number>-0`: the entries), `audit:links` (stream, the same ids, field `h`: their
    hashes), `audit:of:<kind>:<id>` (numbers of a thing's entries), `audit:once` (hash: key → number and place).
    Nothing of it is ever dropped.
    """

    def append_audit(self, entry: AuditEntry, once: str = "") -> int:
        return int(self._run("record", [once, *arguments_of(entry)])[0])

    def send_control(self, event: Control, entry: AuditEntry, once: str = "") -> str:
        place: bytes = self._run("record", [once, *arguments_of(entry), encode(event)])[1]
        return place.decode()

    def controls_after(self, place: str) -> list[tuple[str, bytes]]:
        rows = self._one("XRANGE", self._key("control"), f"({place}" if place else "-", "+")
        return [(id_.decode(), fields[b"e"]) for id_, fields in rows]

    def seal_audit(self) -> int:
        count = 0
        while True:
            last = self._one("XREVRANGE", self._key("audit:links"), "+", "-", "COUNT", 1)
            seq, previous = (_number(last[0][0]), last[0][1][b"h"].decode()) if last else (0, GENESIS)
            rows = self._one("XRANGE", self._key("audit"), f"({seq}-0", "+", "COUNT", PAGE)
            if not rows:
                return count
            arguments: list[Argument] = [seq, previous]
            for entry_id, fields in rows:
                seq = _number(entry_id)
                previous = digest_of(seq, entry_from(fields), previous)
                arguments += [seq, previous]
            if self._run("seal", arguments) == b"done":
                count += len(rows)

    def audit_chain(self, after: int, limit: int) -> list[AuditLink]:
        if limit < 1:
            return []
        try:
            self.seal_audit()
        except StoreError:
            # What cannot be sealed (a copy that may only be read, a chain that was cut) can still be looked at.
            pass
        rows = self._one("XRANGE", self._key("audit"), f"({max(after, 0)}-0", "+", "COUNT", limit)
        if not rows:
            return []
        first, last = rows[0][0], rows[-1][0]
        before, within = self._many(
            [
                ("XREVRANGE", self._key("audit:links"), b"(" + first, "-", "COUNT", 1),
                ("XRANGE", self._key("audit:links"), first, last),
            ]
        )
        hashes = {entry_id: fields.get(b"h", b"").decode() for entry_id, fields in within}
        ids = sorted({*hashes, *(entry_id for entry_id, _ in rows)}, key=_number)
        previous_of = dict(
            zip(ids[1:], (hashes.get(earlier, "") for earlier, _ in pairwise(ids)), strict=True)
        )
        previous_of[ids[0]] = before[0][1][b"h"].decode() if before else GENESIS
        return [
            AuditLink(_number(entry_id), entry_from(fields), previous_of[entry_id], hashes.get(entry_id, ""))
            for entry_id, fields in rows
        ]

    def audit_of(self, object_kind: str, object_id: str, limit: int) -> list[AuditEntry]:
        if limit < 1:
            return []
        places = self._one("LRANGE", self._key(f"audit:of:{object_kind}:{object_id}"), -limit, -1)
        found = self._many([("XRANGE", self._key("audit"), place + b"-0", place + b"-0") for place in places])
        return [entry_from(fields) for rows in found for _, fields in rows]


_NAMES = ("actor", "role", "action", "kind", "id", "at", "reason", "before", "after")


def arguments_of(entry: AuditEntry) -> list[Argument]:
    """The nine strings that `record_from` of lua/filing.lua reads."""
    texts = (
        entry.actor,
        entry.role,
        entry.action,
        entry.object_kind,
        entry.object_id,
        entry.at,
        entry.reason,
    )
    return [*texts, canonical(entry.before), canonical(entry.after)]


def entry_from(fields: dict[bytes, bytes]) -> AuditEntry:
    """The entry kept in the fields of the trail.

    Fields that somebody changed into something else still give an entry, one that says so: the chain goes on, and
    `tidegate audit verify` finds the place because the hash is another.
    """
    text = {name: fields.get(name.encode(), b"").decode("utf-8", "replace") for name in _NAMES}
    try:
        facts: list[Any] = [msgspec.json.decode(text[name]) for name in ("before", "after")]
        at = int(text["at"])
        return AuditEntry(
            text["actor"], text["role"], text["action"], text["kind"], text["id"], at, text["reason"], *facts
        )
    except (ValueError, CustodyError):
        found = hashlib.sha256(canonical(text)).hexdigest()
        return AuditEntry(SYSTEM, SYSTEM, "unreadable", "audit", found, 0, "the fields kept make no entry")


def _number(entry_id: bytes) -> int:
    return int(entry_id.partition(b"-")[0])
