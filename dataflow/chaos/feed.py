"""Where the events of a chaos run come in, and in which order the flow took them.

A feed writes each line exactly once through any number of failures of the store, as its sender would have to: under an
id of its own, which the server takes once. The order is what the flow journals before it scores: the input alone for
the store's lanes, the slices of the partitions for a topic, Controls in between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Protocol

from alerts.redis_link import RedisLink
from dataflow.kafka.admitting import key_of
from dataflow.kafka.client import library
from dataflow.kafka.position import Journal
from dataflow.kafka.records import Record, in_order
from dataflow.progress import number
from dataflow.scoring import now_ms
from dataflow.sources.files import RawItem
from models.errors import StoreError

MOST_LOST = 1000
INPUT, CONTROL, JOURNAL = "tg:in", "tg:control", "tg:journal"


class Feed(Protocol):
    """One way in. sent: lines written so far. controls: those journalled so far. repaired: lines a killed store lost."""

    sent: int
    controls: int
    repaired: int

    def send(self, lines: Sequence[bytes]) -> None:
        """Write lines behind those of before. Raises StoreError: send the same lines again."""

    def look(self) -> None:
        """Read on in what the flow journals, before it is let go. Raises StoreError."""

    def taken(self) -> list[list[RawItem]]:
        """What the flow took since the last call, in its order; Controls stand in batches of their own."""


class _Controls:
    """Lines of the control lane by entry id."""

    def __init__(self, link: RedisLink) -> None:
        self._link, self._last = link, "0-0"
        self.lines: dict[str, bytes] = {}

    def look(self) -> None:
        """Read on."""
        with self._link.speaking() as client:
            for id_, fields in client.xrange(CONTROL, f"({self._last}", "+"):
                self._last = id_.decode()
                self.lines[self._last] = fields[b"e"]


class StreamFeed:
    """The store's input stream."""

    def __init__(self, link: RedisLink) -> None:
        self._link, self._controls = link, _Controls(link)
        self._written: list[tuple[str, bytes]] = []
        self._next: list[tuple[str, bytes]] = []
        self._journal: list[tuple[str, str]] = []
        self._last, self._journalled, self._given = "0-0", "0-0", 0
        self.sent = self.controls = self.repaired = 0

    def send(self, lines: Sequence[bytes]) -> None:
        with self._link.speaking() as client:
            newest = client.xrevrange(INPUT, "+", "-", count=1)
        if newest and self._written:
            self._repair(newest[0][0].decode())
        if not self._next:
            after = number(self._written[-1][0]) if self._written else (0, 0)
            at, sequence = max((now_ms(), 0), (after[0], after[1] + 1))
            self._next = [(f"{at}-{sequence + n}", line) for n, line in enumerate(lines)]
        with self._link.speaking() as client:
            pipe = client.pipeline(transaction=True)
            for id_, line in self._next:
                pipe.xadd(INPUT, {"e": line}, id=id_)
            for answer in pipe.execute(raise_on_error=False):
                # Written by an earlier attempt, whose answer was lost.
                if isinstance(answer, Exception) and "equal or smaller" not in str(answer):
                    raise answer
        self._written += self._next
        self.sent += len(self._next)
        self._next = []

    def _repair(self, newest: str) -> None:
        """Write again what a killed server had answered and not yet written to its log (WAITAOF would have told)."""
        lost = [entry for entry in self._written[-MOST_LOST:] if number(entry[0]) > number(newest)]
        if lost:
            with self._link.speaking() as client:
                for id_, line in lost:
                    client.xadd(INPUT, {"e": line}, id=id_)
            self.repaired += len(lost)

    def look(self) -> None:
        with self._link.speaking() as client:
            for id_, fields in client.xrange(JOURNAL, f"({self._last}", "+"):
                self._last, control = id_.decode(), fields[b"c"].decode()
                # Where an answer was lost it may stand there twice; the first one holds.
                if number(control) > number(self._journalled):
                    self._journal.append((control, fields[b"a"].decode()))
                    self._journalled = control
                    self.controls += 1
        self._controls.look()

    def taken(self) -> list[list[RawItem]]:
        out: list[list[RawItem]] = []
        for control, after in self._journal:
            out += [self._until(number(after)), [_item(control, self._controls.lines.pop(control))]]
        self._journal = []
        out.append(self._until(number(self._written[-1][0]) if self._written else (0, 0)))
        return [batch for batch in out if batch]

    def _until(self, end: tuple[int, int]) -> list[RawItem]:
        start = self._given
        while self._given < len(self._written) and number(self._written[self._given][0]) <= end:
            self._given += 1
        return [_item(*entry) for entry in self._written[start : self._given]]


class TopicFeed:
    """A Kafka topic at `brokers`."""

    def __init__(self, link: RedisLink, brokers: str, topic: str) -> None:
        self._link, self._controls, self._topic = link, _Controls(link), topic
        self._producer: Any = library().Producer(
            {
                "bootstrap.servers": brokers,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "log_level": 0,
            }
        )
        # The stand-in makes a topic when a producer asks for it.
        self._producer.list_topics(topic, timeout=10)
        self._records: defaultdict[int, dict[int, Record]] = defaultdict(dict)
        self._ends: defaultdict[int, int] = defaultdict(int)
        self._control, self._followed, self._merged = "0-0", "0-0", list[list[RawItem]]()
        self.sent = self.controls = self.repaired = 0

    def send(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            at = now_ms()

            def done(error: Any, message: Any, at: int = at, line: bytes = line) -> None:
                assert error is None, error
                place = Record(message.partition(), message.offset(), at, line)
                self._records[place.partition][place.offset] = place

            self._producer.produce(self._topic, line, _key(line), timestamp=at, on_delivery=done)
        while self._producer.flush(1.0):
            pass
        self.sent += len(lines)

    def look(self) -> None:
        self._controls.look()
        for merged in Journal(self._link).after(self._followed):
            self._followed = merged.id
            if isinstance(merged.to, dict):
                slices = {p: self._slice(p, end) for p, end in merged.to.items()}
                self._merged.append(
                    [_item(f"{self._topic}/{r.partition}/{r.offset}", r.value) for r in in_order(slices)]
                )
            elif merged.lane == "control":
                within = [
                    id_
                    for id_ in self._controls.lines
                    if number(self._control) < number(id_) <= number(merged.to)
                ]
                self._control = merged.to
                self._merged += [[_item(id_, self._controls.lines.pop(id_))] for id_ in within]
                self.controls += len(within)
            else:
                raise StoreError(f"{INPUT} has entries that this run did not write")

    def taken(self) -> list[list[RawItem]]:
        out, self._merged = self._merged, []
        return out

    def _slice(self, partition: int, end: int) -> list[Record]:
        records, start = self._records[partition], self._ends[partition]
        self._ends[partition] = max(start, end)
        return [records.pop(offset) for offset in range(start, end)]


def _key(line: bytes) -> bytes:
    """A line that is no event goes where it may."""
    return b"broken" if line.startswith(b'{"broken"') else key_of(line)


def _item(place: str, line: bytes) -> RawItem:
    return RawItem(place, line, None, None)
