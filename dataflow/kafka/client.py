"""The Kafka client library, loaded when it is asked for, with errors that say what to do."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib import import_module
from typing import Any

from dataflow.kafka.settings import Address, KafkaSettings, check
from models.errors import SettingsError, TopicError

Said = Callable[[str], None]
"""Told what the client met on the way (a broker is away, …); it goes on by itself."""


def library() -> Any:
    """confluent_kafka. Raises SettingsError naming the remedy when it is not installed."""
    try:
        return import_module("confluent_kafka")
    except ImportError:
        raise SettingsError(
            "Kafka needs the package confluent-kafka, which is not installed here: pip install 'tidegate[kafka]'"
        ) from None


def check_kafka(settings: KafkaSettings) -> None:
    """Raise SettingsError for what cannot work, a missing library included, before anything is started."""
    check(settings)
    if settings.source:
        library()


def consumer(properties: dict[str, Any], said: Said) -> Any:
    """A consumer that is told its partitions and positions, and never commits or joins a group."""
    chosen = {
        **properties,
        # Asked for by the library; with assigned partitions no such group comes to be on the brokers.
        "group.id": "tidegate",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        # A position that the brokers do not have any more must never be mended by guessing.
        "auto.offset.reset": "error",
        "isolation.level": "read_committed",
        "fetch.wait.max.ms": 50,
        # Small portions of each partition, so that their records meet in time order.
        "max.partition.fetch.bytes": 262_144,
        "queued.max.messages.kbytes": 32_768,
    }
    return _made(library().Consumer, chosen, said)


def producer(properties: dict[str, Any], said: Said) -> Any:
    """A producer whose retries neither repeat nor reorder, and which waits for its brokers as long as it takes."""
    chosen = {
        **properties,
        "enable.idempotence": True,
        "acks": "all",
        "message.timeout.ms": 0,
        "linger.ms": 2,
        "compression.type": "lz4",
        # As Java's clients place keys, so that a customer has one partition whoever writes.
        "partitioner": "murmur2_random",
        "delivery.report.only.error": True,
    }
    return _made(library().Producer, chosen, said)


def partitions_of(client: Any, address: Address, timeout_s: float) -> list[int]:
    """The topic's partitions, None of them when no broker answers. Raises TopicError: it is not there, or not for us."""
    kafka = library()
    try:
        found = client.list_topics(address.topic, timeout=timeout_s).topics[address.topic]
    except kafka.KafkaException as error:
        if error.args[0].code() in (
            kafka.KafkaError._TRANSPORT,
            kafka.KafkaError._TIMED_OUT,
            kafka.KafkaError._ALL_BROKERS_DOWN,
        ):
            return []
        raise TopicError(f"{address}: {error.args[0].str()}") from None
    if found.error is not None:
        if found.error.code() == kafka.KafkaError.LEADER_NOT_AVAILABLE:
            return []
        raise TopicError(f"{address}: {found.error.str()}. {remedy(found.error)}")
    return sorted(found.partitions)


def remedy(error: Any) -> str:
    """What to do about an error of the brokers."""
    codes = library().KafkaError
    if error.code() in (codes.UNKNOWN_TOPIC_OR_PART, codes._UNKNOWN_TOPIC, codes._UNKNOWN_PARTITION):
        return "Make the topic, or correct its name"
    if error.code() in (codes.TOPIC_AUTHORIZATION_FAILED, codes.CLUSTER_AUTHORIZATION_FAILED):
        return "Grant this user the right to it"
    if error.code() in (codes._AUTHENTICATION, codes.SASL_AUTHENTICATION_FAILED):
        return "Check kafka.username, its password and kafka.sasl"
    return "Look at the brokers' log"


def _made(kind: Any, chosen: dict[str, Any], said: Said) -> Any:
    quiet = logging.getLogger("kafka.client")
    # What the library would log comes by error_cb too, in words that can be told.
    quiet.propagate = False
    quiet.addHandler(logging.NullHandler())
    told = {**chosen, "error_cb": lambda error: said(f"{error.name()}: {error.str()}")}
    try:
        return kind(told, logger=quiet)
    except library().KafkaException as error:
        raise SettingsError(f"kafka: {error.args[0].str()}") from None
