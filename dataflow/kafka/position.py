"""Where a flow with a Kafka topic stands, and the journal of the order in which its lanes were merged."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from alerts.redis_link import RedisLink
from dataflow.store_access import READ
from models.errors import TopicError

JOURNAL = "kafka:journal"
Lane = Literal["in", "control", "kafka"]
PAGE = 10_000


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """What to resume after. input, control: entries of the store's lanes. topic: its name. offsets: next by partition.

    journal: the last journal entry that was followed. read: entries taken from the store's two lanes.
    """

    input: str
    control: str
    topic: str
    offsets: dict[int, int]
    journal: str
    read: int


class Merged(NamedTuple):
    """One journal entry: up to where a batch went. to: an entry's id, or the ends by partition."""

    id: str
    lane: Lane
    to: str | dict[int, int]


class Journal:
    """Which lane gave the next batch, and up to where: written before the batch is scored, followed after a kill."""

    def __init__(self, link: RedisLink, prefix: str = "tg:") -> None:
        self._link, self._prefix = link, prefix

    def write(self, merged: list[tuple[Lane, str | dict[int, int]]], read: int) -> list[str]:
        """Append entries, and how much was read of the store's lanes; the entries' ids."""
        with self._link.speaking() as client:
            pipe = client.pipeline(transaction=True)
            for lane, to in merged:
                pipe.xadd(f"{self._prefix}{JOURNAL}", {"l": lane, "t": msgspec.json.encode(to)})
            pipe.set(f"{self._prefix}{READ}", read)
            return [id_.decode() for id_ in pipe.execute()[:-1]]

    def after(self, id_: str) -> list[Merged]:
        """At most PAGE entries after one."""
        with self._link.speaking() as client:
            entries = client.xrange(f"{self._prefix}{JOURNAL}", f"({id_}", "+", count=PAGE)
        return [
            Merged(
                at.decode(),
                fields[b"l"].decode(),
                msgspec.json.decode(fields[b"t"], type=str | dict[int, int]),
            )
            for at, fields in entries
        ]

    def forget(self, before: str) -> None:
        """Drop entries that no checkpoint lies before any more."""
        with self._link.speaking() as client:
            client.xtrim(f"{self._prefix}{JOURNAL}", minid=before, approximate=False)

    def read_before(self, positions: dict[str, str]) -> int:
        """How many entries of the store's lanes lie at or before `positions`, counted once, at the first start."""
        total = 0
        with self._link.speaking() as client:
            for lane, position in positions.items():
                key = f"{self._prefix}{lane}"
                if client.exists(key):
                    total += int(client.xinfo_stream(key)["entries-added"]) - _count_after(
                        client, key, position
                    )
        return max(0, total)


def matched(position: Position, topic: str, partitions: list[int], expected: int) -> Position:
    """`position` for a topic that has `partitions` now. expected: how many were set on purpose; 0: none were.

    Raises TopicError when the topic is another one, or its number of partitions changed unasked.
    """
    if position.topic != topic:
        raise TopicError(
            f"the checkpoint belongs to topic {position.topic}, not {topic}: start with the topic it was made with, "
            "or on a new data directory"
        )
    before, now = len(position.offsets), len(partitions)
    if before == now:
        return position
    if now < before:
        raise TopicError(
            f"topic {topic} has {now} partitions, the checkpoint was made with {before}: it was made anew. Give it "
            "another name, or start on a new data directory"
        )
    if expected != now:
        raise TopicError(
            f"topic {topic} has {now} partitions, the checkpoint was made with {before}: customers have moved between "
            "partitions, and what is still unread in the old ones may be scored after their newer payments. Stop the "
            f"writers, let the lag come to 0, then set kafka.partitions = {now}"
        )
    added = {partition: 0 for partition in partitions if partition not in position.offsets}
    return msgspec.structs.replace(position, offsets={**position.offsets, **added})


def encode(position: Position) -> bytes:
    """For the recovery store, which holds bytes only."""
    return msgspec.json.encode(position)


def decode(data: bytes) -> Position:
    """The position that `encode` wrote. Raises TopicError when another version did."""
    try:
        return msgspec.json.decode(data, type=Position)
    except msgspec.DecodeError as error:
        raise TopicError(
            f"the position in the recovery store cannot be read: {error}; it was written by another version"
        ) from None


def _count_after(client: Any, key: str, position: str) -> int:
    count = 0
    while ids := client.xrange(key, f"({position}", "+", count=PAGE):
        count += len(ids)
        position = ids[-1][0].decode()
    return count
