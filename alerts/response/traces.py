"""What the flow leaves for the response: when a Control took effect, and the events that alerts are about.

An effect is kept once, the first time it is told; the events as they came in, protected, for the evidence of incidents.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

from alerts.redis_scripts import RedisScripts

Line = tuple[str, bytes]
"""Id and encoded bytes of an event."""


class KeepsTraces(Protocol):
    """What a store gives to the flow and to whoever asks what came of a Control."""

    def note_effects(self, ids: Sequence[str], now: int) -> None:
        """These Control events are in force in the flow since `now` (ms, the people's clock). May be repeated."""

    def effects(self, ids: Sequence[str]) -> dict[str, int]:
        """When Control events took effect; those that have not are left out."""

    def keep_events(self, lines: Sequence[Line]) -> None:
        """Keep events that an alert is about. May be repeated."""

    def kept_events(self, ids: Sequence[str]) -> dict[str, bytes]:
        """Those of these ids that are kept."""


class MemoryTraces:
    """See KeepsTraces."""

    _lock: threading.RLock

    def __init__(self) -> None:
        super().__init__()
        self._effects: dict[str, int] = {}
        self._events: dict[str, bytes] = {}

    def note_effects(self, ids: Sequence[str], now: int) -> None:
        with self._lock:
            for id_ in ids:
                self._effects.setdefault(id_, now)

    def effects(self, ids: Sequence[str]) -> dict[str, int]:
        with self._lock:
            return {id_: self._effects[id_] for id_ in ids if id_ in self._effects}

    def keep_events(self, lines: Sequence[Line]) -> None:
        with self._lock:
            self._events.update(lines)

    def kept_events(self, ids: Sequence[str]) -> dict[str, bytes]:
        with self._lock:
            return {id_: self._events[id_] for id_ in ids if id_ in self._events}


class RedisTraces(RedisScripts):
    """The same in the store. Keys: `effects` (hash: Control id → ms), `evidence` (hash: event id → event)."""

    def note_effects(self, ids: Sequence[str], now: int) -> None:
        self._many([("HSETNX", self._key("effects"), id_, now) for id_ in ids])

    def effects(self, ids: Sequence[str]) -> dict[str, int]:
        return {id_: int(at) for id_, at in self._of("effects", ids).items()}

    def keep_events(self, lines: Sequence[Line]) -> None:
        if lines:
            self._one("HSET", self._key("evidence"), *(part for line in lines for part in line))

    def kept_events(self, ids: Sequence[str]) -> dict[str, bytes]:
        return self._of("evidence", ids)

    def _of(self, name: str, ids: Sequence[str]) -> dict[str, bytes]:
        found = self._one("HMGET", self._key(name), *ids) if ids else []
        return {id_: value for id_, value in zip(ids, found, strict=True) if value is not None}
