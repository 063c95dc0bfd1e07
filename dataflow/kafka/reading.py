"""Reads all partitions of a topic from positions it is told, in bounded memory, and never waits longer than asked."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from itertools import chain, takewhile
from typing import Any

from dataflow.kafka.client import Said, library, remedy
from dataflow.kafka.records import Record, first, in_order
from dataflow.kafka.settings import Address
from models.errors import TopicError

HELD = 10_000
"""Records that are held at most (and no fewer than two batches)."""
STARVED_S = 1.0
"""How long the other partitions wait for one that has more and sends nothing: longer, and its brokers are away."""


class Reader:
    """Records of `consumer` from `offsets` on, which it moves with what is taken. batch: most taken at once."""

    def __init__(
        self,
        consumer: Any,
        address: Address,
        offsets: Mapping[int, int],
        batch: int,
        *,
        skip_lost: bool = False,
        said: Said = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._consumer, self._address, self._batch, self._skip_lost = consumer, address, batch, skip_lost
        self._said, self._clock, self._kafka, self._most = said, clock, library(), max(HELD, 2 * batch)
        self.offsets = dict(offsets)
        self._held: dict[int, deque[Record]] = {partition: deque() for partition in offsets}
        self._fetched = dict(offsets)
        self._starved: float | None = None
        self.lost = 0
        """Records the brokers had deleted before they were read."""
        consumer.assign([self._place(partition, offset) for partition, offset in offsets.items()])

    def fetch(self, wait_s: float = 0.0, *, unbounded: bool = False) -> None:
        """Take in what the brokers have sent; wait up to `wait_s` for something. Raises TopicError.

        unbounded: also when as much is held as there may be.
        """
        room = self._batch if unbounded else self._most - sum(map(len, self._held.values()))
        if room <= 0:
            return
        message = self._consumer.poll(wait_s)
        if message is None:
            return
        # The library's call for many waits until it has as many as asked: it is called without waiting.
        for one in chain([message], self._consumer.consume(min(room, 10_000), 0)):
            if one.error() is None:
                self._keep(one)
            else:
                self._hear(one.error(), one.partition(), one.offset())

    def take(self) -> list[Record]:
        """The next batch, in order; empty when there is none, or a partition with more has yet to show its next one."""
        if not any(self._held.values()):
            return []
        now = self._clock()
        if any(not held and not self._ended(partition) for partition, held in self._held.items()):
            self._starved = now if self._starved is None else self._starved
            full = sum(map(len, self._held.values())) >= self._most
            if now - self._starved < STARVED_S and not full:
                return []
        else:
            self._starved = None
        records = first(self._held, self._batch)
        for record in records:
            self._held[record.partition].popleft()
            self.offsets[record.partition] = record.offset + 1
        return records

    def take_until(self, ends: Mapping[int, int]) -> list[Record] | None:
        """The records before `ends` (offsets by partition), in order; None when they have not all come yet."""
        if not all(
            self._fetched[partition] >= end or self._ended(partition) for partition, end in ends.items()
        ):
            return None
        slices: dict[int, list[Record]] = {}
        for partition, end in ends.items():
            held = self._held[partition]
            slices[partition] = list(takewhile(lambda record, end=end: record.offset < end, held))  # type: ignore[misc]
            for _ in slices[partition]:
                held.popleft()
            self.offsets[partition] = max(end, self.offsets[partition])
        return list(in_order(slices))

    def lag(self) -> int:
        """Records in the topic that were not taken yet, as far as the brokers have told."""
        return sum(max(0, self._high(p) - offset) for p, offset in self.offsets.items())

    def _keep(self, message: Any) -> None:
        partition, offset = message.partition(), message.offset()
        record = Record(partition, offset, max(message.timestamp()[1], 0), message.value() or b"")
        self._held[partition].append(record)
        self._fetched[partition] = offset + 1

    def _hear(self, error: Any, partition: int, offset: int) -> None:
        codes = self._kafka.KafkaError
        code = error.code()
        if code == codes._PARTITION_EOF:
            # The offsets before it that held no record (a transaction's marker) are passed too.
            self._fetched[partition] = max(self._fetched[partition], offset)
        elif code in (codes._AUTO_OFFSET_RESET, codes.OFFSET_OUT_OF_RANGE):
            self._gone(partition)
        elif error.fatal() or code in (
            codes.UNKNOWN_TOPIC_OR_PART, codes._UNKNOWN_TOPIC, codes._UNKNOWN_PARTITION, codes.TOPIC_AUTHORIZATION_FAILED
        ):  # fmt: skip
            raise TopicError(f"{self._address}: {error.str()}. {remedy(error)}")
        else:
            self._said(f"{error.name()}: {error.str()}")

    def _gone(self, partition: int) -> None:
        """The position is not in the topic: its records were deleted, or the topic was made anew."""
        here = self._fetched[partition]
        low, high = self._consumer.get_watermark_offsets(self._place(partition, here))
        place = f"{self._address} partition {partition}"
        if not low > here:
            raise TopicError(
                f"{place}: it ends at {high}, but was read up to {here} before: this is another topic of the same name. "
                "Give it another name, or start on a new data directory"
            )
        if not self._skip_lost:
            raise TopicError(
                f"{place}: offsets {here} to {low - 1} were deleted by the brokers before they were read. Lengthen the "
                "topic's retention; to go on without them set kafka.skip_lost = true"
            )
        self.lost += low - here
        self._said(f"partition {partition}: {low - here} records were deleted before they were read")
        self._fetched[partition] = low
        if not self._held[partition]:
            self.offsets[partition] = low
        self._consumer.seek(self._place(partition, low))

    def _ended(self, partition: int) -> bool:
        # A fetch tells where the partition ends; where no record stands at its end, the mark of the end comes later.
        return 0 <= self._high(partition) <= self._fetched[partition]

    def _high(self, partition: int) -> int:
        return int(self._consumer.get_watermark_offsets(self._place(partition, 0), cached=True)[1])

    def _place(self, partition: int, offset: int) -> Any:
        return self._kafka.TopicPartition(self._address.topic, partition, offset)
