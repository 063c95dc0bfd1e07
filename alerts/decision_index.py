"""How decisions are found again: by their event, and all of one entity, newest first.

For `event` and each of INDEXED_ENTITIES the store keeps a string for every GENERATION ordinals, `index:<kind>:<n>`:
a hash of four bytes for each decision, in their order, 0 where it has no such entity. A commit writes a piece of each;
whoever asks compares the hashes, a few hundred thousand in a millisecond, and reads the decisions that may be meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from alerts.memory_store import INDEXED_ENTITIES
from alerts.minutes import Headed, head_of
from alerts.redis_scripts import RedisScripts
from models.hashing import hash_texts

EVENT = "event"
KINDS = (EVENT, *INDEXED_ENTITIES)
GENERATION = 50_000
"""Ordinals a string spans; it is dropped as a whole when all of its decisions are trimmed."""
_CODE = np.dtype("<u4")
Codes = npt.NDArray[np.uint32]


def indexed(heads: Sequence[Headed], first: int) -> list[tuple[str, int, bytes]]:
    """The index's part of decisions numbered from `first` on, in pieces: end of the key, where in the string, bytes."""
    if not heads:
        return []
    pieces = []
    columns = {EVENT: [head.id for head in heads]}
    contexts = [head.context for head in heads]
    for kind in INDEXED_ENTITIES:
        columns[kind] = [name if type(name := context.get(kind)) is str else "" for context in contexts]
    end = first + len(heads)
    cuts = [first, *range((first // GENERATION + 1) * GENERATION, end, GENERATION), end]
    for kind, texts in columns.items():
        codes = _codes(texts).tobytes()
        for start, stop in pairwise(cuts):
            piece = codes[(start - first) * _CODE.itemsize : (stop - first) * _CODE.itemsize]
            pieces.append((f"{kind}:{start // GENERATION}", start % GENERATION * _CODE.itemsize, piece))
    return pieces


def _codes(texts: list[str]) -> Codes:
    """The upper half of each text's hash; 0 only for an empty text."""
    hashes = hash_texts(texts)
    return np.where(hashes == 0, 0, np.maximum(hashes >> np.uint64(32), 1)).astype(_CODE)


class RedisHistory(RedisScripts):
    """Decisions by event or entity."""

    _keep_of_entity = 100

    def decision(self, event_id: str) -> bytes | None:
        return next(iter(self._named(EVENT, event_id, 1)), None)

    def decisions_of(self, entity_kind: str, entity: str, limit: int) -> list[bytes]:
        if entity_kind not in INDEXED_ENTITIES:
            return []
        return self._named(entity_kind, entity, min(limit, self._keep_of_entity))

    def _named(self, kind: str, name: str, most: int) -> list[bytes]:
        """The newest decisions with this event or entity, at most so many."""
        found: list[bytes] = []
        if not name or "\x1f" in name:
            return found
        code, newest = _codes([name])[0], self.cursors()["decisions"]
        oldest = max(newest - self._keep, 0) + 1
        for generation in range(newest // GENERATION, oldest // GENERATION - 1, -1):
            codes = self._one("GET", self._key(f"index:{kind}:{generation}")) or b""
            places = np.flatnonzero(np.frombuffer(codes, dtype=_CODE) == code)[::-1]
            ordinals = (places + generation * GENERATION).tolist()
            while ordinals and len(found) < most:
                # Hashes seldom lie, so that about as many are read as are wanted.
                part, ordinals = ordinals[: most - len(found)], ordinals[most - len(found) :]
                kept = self._decisions_at(part)
                found += [line for line in kept if line is not None and _is_of(line, kind, name)]
            if len(found) >= most:
                break
        return found


def _is_of(decision: bytes, kind: str, name: str) -> bool:
    head = head_of(decision)
    return name == (head.id if kind == EVENT else head.context.get(kind))
