"""Protected events onto a Kafka topic, keyed by customer: the events of a customer stay in order."""

from __future__ import annotations

import msgspec

from dataflow.kafka.client import Said, partitions_of, producer
from dataflow.kafka.settings import Address, KafkaSettings, connection
from dataflow.kafka.writing import TopicWriter
from models.errors import TopicError


class _Keys(msgspec.Struct, gc=False):
    id: str
    payer: str | None = None
    card: str | None = None
    transaction_id: str | None = None


_keys = msgspec.json.Decoder(_Keys)


def key_of(line: bytes) -> bytes:
    """Key of a protected event: its customer; without one its card, the payment it is about, itself."""
    found = _keys.decode(line)
    return (found.payer or found.card or found.transaction_id or found.id).encode()


class EventsTopic:
    """Where the door puts events instead of the store's input stream. Raises SettingsError and TopicError."""

    def __init__(self, settings: KafkaSettings, address: Address, said: Said) -> None:
        client = producer(connection(settings, address), said)
        if not partitions_of(client, address, settings.timeout_s):
            raise TopicError(
                f"{address}: no broker answers within {settings.timeout_s:g} s; is it running, and is the address right?"
            )
        self._writer = TopicWriter(client, address.topic, lambda: False)

    def send(self, lines: list[bytes]) -> None:
        """Write protected lines in order; all of them are with the brokers when this returns."""
        for line in lines:
            self._writer.write(key_of(line), line)
        self._writer.flush()
