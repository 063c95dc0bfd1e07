"""Confirmed frauds and model snapshots kept beside the alerts, as evidence for the case view.

A bounded list, written by the scorer's sink and read by the console one case at a time. Every call may be repeated
after a kill: the key of a fraud is its payment's number in the stream.
"""

from __future__ import annotations

import msgspec

from alerts.minutes import head_of
from alerts.model_reports import MemoryReports, RedisReports
from models.similar import KEPT, ConfirmedFraud, FraudMemory

Vectors = list[tuple[int, bytes, float]]
"""Payments confirmed as fraud: number in the stream, packed vector, amount in US dollars."""


def case_of(key: int, vector: bytes, amount_usd: float, decision: bytes | None) -> ConfirmedFraud:
    """What is remembered of a fraud; decision: as encoded when it was made, None when it is no longer kept."""
    if decision is None:
        return ConfirmedFraud(key=key, vector=vector, amount_usd=amount_usd)
    head = head_of(decision)
    return ConfirmedFraud(
        key=key, vector=vector, amount_usd=amount_usd, id=head.id, time=head.event_time,
        corridor=str(head.context.get("corridor") or ""),
    )  # fmt: skip


class MemoryCases(MemoryReports):
    """See alerts.store.Store. `artefacts` holds signed snapshots by version."""

    _decisions: dict[str, bytes]
    _cursors: dict[str, int]

    def __init__(self) -> None:
        super().__init__()
        self.artefacts: dict[str, bytes] = {}
        self._cases = FraudMemory()

    def decision_numbered(self, number: int) -> bytes | None:
        """The decision on the payment of this number: decisions are numbered from 1, payments from 0."""
        kept = list(self._decisions.values())
        at = number - (self._cursors["decisions"] - len(kept))
        return kept[at] if 0 <= at < len(kept) else None

    def remember_frauds(self, frauds: Vectors, cleared: list[int]) -> None:
        self._cases.feed([case_of(*fraud, self.decision_numbered(fraud[0])) for fraud in frauds], cleared)

    def confirmed_frauds(self) -> list[ConfirmedFraud]:
        return self._cases.frauds()

    def artefact(self, version: str) -> bytes | None:
        return self.artefacts.get(version)


class RedisCases(RedisReports):
    """The same in the store.

    Keys: `frauds` (sorted set: number of the payment → order of confirmation), `frauds:rows` (hash: number → case),
    `frauds:count` (confirmations so far), `artefact:<version>`.
    """

    def remember_frauds(self, frauds: Vectors, cleared: list[int]) -> None:
        index, rows = self._key("frauds"), self._key("frauds:rows")
        commands: list[tuple[str | bytes | int, ...]] = []
        if cleared:
            commands += [("ZREM", index, *cleared), ("HDEL", rows, *cleared)]
        if frauds:
            last = int(self._one("INCRBY", self._key("frauds:count"), len(frauds)))
            decisions = self._decisions_at([number + 1 for number, _, _ in frauds])
            for place, (fraud, decision) in enumerate(
                zip(frauds, decisions, strict=True), last - len(frauds) + 1
            ):
                case = case_of(*fraud, decision)
                # The row first: who finds a number in the set finds its row.
                commands += [
                    ("HSET", rows, case.key, msgspec.msgpack.encode(case)),
                    ("ZADD", index, place, case.key),
                ]
        if commands:
            self._many(commands)
        gone = self._one("ZRANGE", index, 0, -KEPT - 1) if frauds else []
        if gone:
            self._many([("ZREM", index, *gone), ("HDEL", rows, *gone)])

    def confirmed_frauds(self) -> list[ConfirmedFraud]:
        numbers = self._one("ZRANGE", self._key("frauds"), 0, -1)
        found = self._one("HMGET", self._key("frauds:rows"), *numbers) if numbers else []
        return [msgspec.msgpack.decode(row, type=ConfirmedFraud) for row in found if row is not None]

    def artefact(self, version: str) -> bytes | None:
        data: bytes | None = self._one("GET", self._key(f"artefact:{version}"))
        return data
