"""Decisions onto a Kafka topic, keyed by customer: each at least once, and recognisable when it comes again.

The key is the customer's token (without one, the event's id), the value the decision as the store has it. Header `id`
is the event's id, `ordinal` the decision's number along the stream, the same after a replay: who keeps the highest
ordinal of a partition and drops what is not above it has every decision exactly once. An answer to a repeated event has
the header `repeated` instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from dataflow.kafka.client import Said, producer
from dataflow.kafka.settings import KafkaSettings, address_of, connection
from dataflow.kafka.writing import Headers, TopicWriter, given_up_after
from dataflow.scoring import Written

GRACE_S = 5.0


class _Context(msgspec.Struct, gc=False):
    customer: str | None = None


class _Head(msgspec.Struct, gc=False):
    id: str
    context: _Context = msgspec.field(default_factory=_Context)


_head = msgspec.json.Decoder(_Head)


def messages_of(written: Written) -> list[tuple[bytes, bytes, Headers]]:
    """(key, value, headers) of a step's decisions, in stream order, answers to repeated events last."""
    out: list[tuple[bytes, bytes, Headers]] = []
    first = written.commit.first_decision_ordinal
    for ordinal, decision in enumerate(written.commit.decisions, first):
        out.append(_message(decision, ("ordinal", b"%d" % ordinal)))
    return out + [_message(decision, ("repeated", b"1")) for decision in written.repeated]


def _message(decision: bytes, mark: tuple[str, bytes]) -> tuple[bytes, bytes, Headers]:
    head = _head.decode(decision)
    id_ = head.id.encode()
    return (head.context.customer or head.id).encode(), decision, [("id", id_), mark]


class DecisionsPartition(StatefulSinkPartition[Written, None]):
    """Writes what the engine said; an epoch is over when the brokers have all of it."""

    def __init__(self, writer: TopicWriter) -> None:
        self._writer = writer

    def write_batch(self, values: list[Written]) -> None:
        """Queue the decisions. Raises TopicError."""
        for written in values:
            for key, value, headers in messages_of(written):
                self._writer.write(key, value, headers)
        self._writer.poll()

    def snapshot(self) -> None:
        """Wait for the brokers."""
        self._writer.flush()

    def close(self) -> None:
        """The flow ends."""
        self._writer.flush()


class DecisionsSink(FixedPartitionedSink[Written, None]):
    """One partition over the topic `decisions` of `settings`."""

    def __init__(self, settings: KafkaSettings, stopping: Callable[[], bool], said: Said) -> None:
        self._settings, self._stopping, self._said = settings, stopping, said

    def list_parts(self) -> list[str]:
        """The one partition."""
        return ["decisions"]

    def build_part(self, step_id: str, for_part: str, resume_state: Any) -> DecisionsPartition:
        """Connect."""
        client = producer(connection(self._settings, address_of(self._settings.source)), self._said)
        return DecisionsPartition(
            TopicWriter(client, self._settings.decisions, given_up_after(self._stopping, GRACE_S))
        )
