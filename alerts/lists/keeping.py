"""The lists in the two stores: see alerts.lists.kept.KeepsLists."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import msgspec

from alerts.audit_trail import arguments_of
from alerts.custody.audit import AuditEntry
from alerts.lists.kept import Kept
from alerts.redis_scripts import Argument, RedisScripts
from models.events import Control, encode
from models.lists import Key

_AT_ONCE = 5000


class MemoryLists:
    """See KeepsLists."""

    _lock: threading.RLock

    def __init__(self) -> None:
        super().__init__()
        self._kept_lists: dict[Key, Kept] = {}
        self._awaited: dict[str, bytes] = {}
        self._awaited_version = 0

    def change_lists(
        self, event: Control, entry: AuditEntry, put: Sequence[Kept], drop: Sequence[Key]
    ) -> str:
        with self._lock:
            place: str = self.send_control(event, entry)  # type: ignore[attr-defined]
            for key in drop:
                self._kept_lists.pop(key, None)
            self._kept_lists.update({one.entry.key: one for one in put})
            return place

    def kept_lists(self) -> list[Kept]:
        with self._lock:
            return [self._kept_lists[key] for key in sorted(self._kept_lists)]

    def await_indicators(self, put: Mapping[str, bytes], drop: Sequence[str]) -> None:
        with self._lock:
            for name in drop:
                self._awaited.pop(name, None)
            self._awaited.update(put)
            self._awaited_version += 1

    def awaited_indicators(self) -> dict[str, bytes]:
        with self._lock:
            return dict(self._awaited)

    def awaited_version(self) -> int:
        with self._lock:
            return self._awaited_version


class RedisLists(RedisScripts):
    """The same in the store.

    Keys: `lists` (hash: list, entity and token, apart by U+001F → entry), `lists:awaited` (hash: name → indicator) and
    `lists:awaited:version`.
    """

    def change_lists(
        self, event: Control, entry: AuditEntry, put: Sequence[Kept], drop: Sequence[Key]
    ) -> str:
        arguments: list[Argument] = [*arguments_of(entry), encode(event), len(put)]
        for one in put:
            arguments += ["\x1f".join(one.entry.key), msgspec.json.encode(one)]
        put_keys = {one.entry.key for one in put}
        gone = [key for key in drop if key not in put_keys]
        arguments += [len(gone), *("\x1f".join(key) for key in gone)]
        place: bytes = self._run("listed", arguments)[1]
        return place.decode()

    def kept_lists(self) -> list[Kept]:
        bodies = self._one("HVALS", self._key("lists"))
        found = [msgspec.json.decode(body, type=Kept) for body in bodies]
        return sorted(found, key=lambda one: one.entry.key)

    def await_indicators(self, put: Mapping[str, bytes], drop: Sequence[str]) -> None:
        key, names = self._key("lists:awaited"), list(put)
        for start in range(0, len(drop), _AT_ONCE):
            self._one("HDEL", key, *drop[start : start + _AT_ONCE])
        for start in range(0, len(names), _AT_ONCE):
            pairs = [part for name in names[start : start + _AT_ONCE] for part in (name, put[name])]
            self._one("HSET", key, *pairs)
        self._one("INCR", f"{key}:version")

    def awaited_indicators(self) -> dict[str, bytes]:
        found: dict[bytes, bytes] = self._one("HGETALL", self._key("lists:awaited"))
        return {name.decode(): body for name, body in found.items()}

    def awaited_version(self) -> int:
        return int(self._one("GET", self._key("lists:awaited:version")) or 0)
