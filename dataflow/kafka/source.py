"""The live source with a Kafka topic beside the store's lanes, merged in a journalled order.

One Bytewax partition reads all partitions of the topic from positions of its own (no consumer group), the input
stream (labels, what comes by HTTP or the console) and the control lane. Which of them gave the next batch, and up to
where, is journalled in the store before the batch is scored: after a kill the same batches come again in the same
order, and the same decisions with them. Controls are looked at before every batch and overtake a backlog.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from alerts.redis_link import RedisLink
from alerts.redis_store import RedisStore
from dataflow.kafka.client import Said, consumer, library, partitions_of
from dataflow.kafka.position import Journal, Lane, Merged, Position, decode, encode, matched
from dataflow.kafka.reading import Reader
from dataflow.kafka.records import Record
from dataflow.kafka.settings import KafkaSettings, address_of, connection
from dataflow.progress import number
from dataflow.scoring import now_ms
from dataflow.sources.files import RawItem
from dataflow.sources.stream import CONTROL, IDLE, INPUT, PULSE_S, QUIET, START, Packet, entries_of
from models.errors import StoreError, TopicError

SLEEP_S = 0.02
"""Longest sleep of an idle source: the brokers wake it, the store's lanes do not."""
KEPT = 4
"""Epochs whose journal is kept, as many as the sink keeps input for."""
BEAT_MS = 1000
RETRY_S = 1.0
BEAT = "kafka"


class KafkaPartition(StatefulSourcePartition[Packet, bytes]):
    """Merges the topic's `reader` with the store's lanes from `position` on; `stopping` ends the flow cleanly."""

    def __init__(
        self, url: str, prefix: str, batch: int, position: Position, reader: Reader, stopping: Callable[[], bool],
        told: Callable[[Reader], None],
    ) -> None:  # fmt: skip
        self._link, self._prefix = RedisLink(url, same_server=True), prefix
        self._batch, self._stopping = batch, stopping
        self._journal, self._reader, self._told = Journal(self._link, prefix), reader, told
        self._lanes = {INPUT: position.input, CONTROL: position.control}
        self._topic, self._followed, self._read = position.topic, position.journal, position.read
        self._repeat: deque[Merged] = deque(self._journal.after(self._followed))
        self._epochs: deque[str] = deque(maxlen=KEPT)
        self._quiet, self._last = 0, 0.0

    def next_batch(self) -> list[Packet]:
        """Packets of controls, of the input stream and of the topic; a pulse; or nothing."""
        if self._stopping():
            raise StopIteration
        # While batches wait to be repeated, all that comes is let in: what is needed may stand behind it.
        self._reader.fetch(SLEEP_S if self._quiet >= QUIET else 0.0, unbounded=bool(self._repeat))
        packets = self._again() if self._repeat else self._live()
        self._told(self._reader)
        self._quiet = 0 if packets else self._quiet + 1
        now = time.monotonic()
        if packets or now - self._last < PULSE_S:
            self._last = now if packets else self._last
            return packets
        self._last = now
        return [Packet([], self._position(), [])]

    def next_awake(self) -> dt.datetime | None:
        """At once after a batch or a sleep, a little later when nothing came."""
        return dt.datetime.now(dt.UTC) + IDLE if 0 < self._quiet <= QUIET else None

    def snapshot(self) -> bytes:
        """Position to resume after; the journal of epochs long past is let go."""
        if len(self._epochs) == KEPT and self._epochs[0] != START:
            self._journal.forget(self._epochs[0])
        self._epochs.append(self._followed)
        return encode(
            Position(
                input=self._lanes[INPUT], control=self._lanes[CONTROL], topic=self._topic,
                offsets=self._reader.offsets, journal=self._followed, read=self._read,
            )
        )  # fmt: skip

    def _live(self) -> list[Packet]:
        with self._link.speaking() as client:
            pipe = client.pipeline(transaction=False)
            for lane in (CONTROL, INPUT):
                pipe.xrange(f"{self._prefix}{lane}", f"({self._lanes[lane]}", "+", count=self._batch)
            controls, inputs = map(entries_of, pipe.execute())
        records = self._reader.take()
        merged: list[tuple[Lane, str | dict[int, int]]] = []
        if controls:
            merged.append(("control", controls[-1][0]))
        if inputs:
            merged.append(("in", inputs[-1][0]))
        if records:
            merged.append(("kafka", {record.partition: record.offset + 1 for record in records}))
        if not merged:
            return []
        self._read += len(controls) + len(inputs)
        self._followed = self._journal.write(merged, self._read)[-1]
        packets = [self._entries(CONTROL, controls)] if controls else []
        packets += [self._entries(INPUT, inputs)] if inputs else []
        return packets + ([self._records(records)] if records else [])

    def _again(self) -> list[Packet]:
        """The next journalled batch, once all of it has come."""
        merged = self._repeat[0]
        if isinstance(merged.to, dict):
            records = self._reader.take_until(merged.to)
            if records is None:
                return []
            packets = [self._records(records)] if records else []
        else:
            lane = CONTROL if merged.lane == "control" else INPUT
            with self._link.speaking() as client:
                entries = entries_of(
                    client.xrange(f"{self._prefix}{lane}", f"({self._lanes[lane]}", merged.to)
                )
            self._read += len(entries)
            self._lanes[lane] = merged.to
            packets = [self._entries(lane, entries)] if entries else []
        self._followed = self._repeat.popleft().id
        if not self._repeat:
            self._repeat.extend(self._journal.after(self._followed))
        return packets

    def _entries(self, lane: str, entries: list[tuple[str, bytes]]) -> Packet:
        self._lanes[lane] = entries[-1][0]
        items = [RawItem(id_, line, None, None) for id_, line in entries]
        entered = [number(id_)[0] for id_, _ in (entries[0], entries[-1])]
        return Packet(items, self._position(), entered, lane == CONTROL)

    def _records(self, records: list[Record]) -> Packet:
        topic = self._topic
        items = [RawItem(f"{topic}/{r.partition}/{r.offset}", r.value, None, None) for r in records]
        # A topic may come without times.
        entered = [records[0].at, records[-1].at] if records[0].at else []
        return Packet(items, self._position(), entered, elsewhere=True)

    def _position(self) -> tuple[str, str]:
        return self._lanes[INPUT], self._lanes[CONTROL]


class KafkaSource(FixedPartitionedSource[Packet, bytes]):
    """One partition over the topic of `settings` and the store at `url`. said: told what the client meets on the way."""

    def __init__(
        self, settings: KafkaSettings, url: str, batch: int, stopping: Callable[[], bool], said: Said, prefix: str = "tg:"
    ) -> None:  # fmt: skip
        self._settings, self._url, self._batch, self._stopping = settings, url, batch, stopping
        self._said, self._prefix, self._store = said, prefix, RedisStore(url, prefix)
        self._address = address_of(settings.source)
        self._beaten, self._trouble = 0, ""

    def list_parts(self) -> list[str]:
        """The one partition, named as that of the store alone: a topic may be added to a running system."""
        return [INPUT]

    def build_part(
        self, step_id: str, for_part: str, resume_state: Any
    ) -> StatefulSourcePartition[Packet, bytes]:
        """Resume after `resume_state`, or from the beginning. Waits for brokers; raises TopicError."""
        settings, address = self._settings, self._address
        client = consumer(connection(settings, address), self._hear)
        partitions = self._partitions(client)
        if isinstance(resume_state, bytes):
            position = matched(decode(resume_state), address.topic, partitions, settings.partitions)
        else:
            input_, control = resume_state or (START, START)
            read = Journal(RedisLink(self._url), self._prefix).read_before({INPUT: input_, CONTROL: control})
            position = Position(
                input=input_, control=control, topic=address.topic, offsets=self._first(client, partitions),
                journal=START, read=read,
            )  # fmt: skip
        reader = Reader(
            client, address, position.offsets, self._batch, skip_lost=settings.skip_lost, said=self._hear
        )
        return KafkaPartition(
            self._url, self._prefix, self._batch, position, reader, self._stopping, self._beat
        )

    def _partitions(self, client: Any) -> list[int]:
        while not self._stopping():
            if found := partitions_of(client, self._address, self._settings.timeout_s):
                return found
            client.poll(0)
            self._say("waiting", "no broker answers")
            time.sleep(RETRY_S)
        raise TopicError(f"{self._address}: stopped before a broker answered")

    def _first(self, client: Any, partitions: list[int]) -> dict[int, int]:
        kafka, chosen = library(), {}
        for partition in partitions:
            try:
                low, high = client.get_watermark_offsets(
                    kafka.TopicPartition(self._address.topic, partition), timeout=self._settings.timeout_s
                )
            except kafka.KafkaException as error:
                raise TopicError(
                    f"{self._address} partition {partition}: where it begins is not known: {error.args[0].str()}"
                ) from None
            chosen[partition] = high if self._settings.start == "latest" else low
        return chosen

    def _hear(self, text: str) -> None:
        if text != self._trouble:
            self._trouble = text
            self._said(text)

    def _beat(self, reader: Reader) -> None:
        if not 0 <= now_ms() - self._beaten < BEAT_MS:
            self._say("live", "", lag=reader.lag(), lost=reader.lost, partitions=len(reader.offsets))

    def _say(self, status: str, trouble: str, **numbers: int) -> None:
        now = now_ms()
        self._beaten = now
        told: dict[str, str | int | float] = {
            "status": status, "pid": os.getpid(), "topic": self._address.topic, "brokers": self._address.brokers,
            "trouble": trouble or self._trouble, **numbers,
        }  # fmt: skip
        self._trouble = ""
        try:
            self._store.beat(BEAT, told, now)
        except StoreError as error:
            self._said(str(error))
