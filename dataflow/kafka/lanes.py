"""Which source and which second sink the settings ask for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from bytewax.inputs import Source
from bytewax.outputs import Sink

from dataflow.kafka.client import check_kafka
from dataflow.observe.logs import log, logger
from dataflow.progress import Progress
from dataflow.scoring import Written
from dataflow.sources.stream import FIRST, Packet, StreamSource

if TYPE_CHECKING:
    from dataflow.settings import Settings


def source_of(
    settings: Settings, url: str, stopping: Callable[[], bool], progress: Progress | None
) -> Source[Packet]:
    """The input stream of the store at `url`, with a Kafka topic beside it when one is set. Raises SettingsError.

    progress: how far the flow may go back to, for the input stream alone.
    """
    check_kafka(settings.kafka)
    if not settings.kafka.source:
        return StreamSource(url, settings.flow.batch, stopping, progress=progress)
    from dataflow.kafka.source import KafkaSource

    return KafkaSource(settings.kafka, url, min(settings.flow.batch, FIRST), stopping, _say)


def copy_of(settings: Settings, stopping: Callable[[], bool]) -> Sink[tuple[str, Written]] | None:
    """Where decisions go besides the store; None: nowhere."""
    if not settings.kafka.decisions:
        return None
    from dataflow.kafka.decisions import DecisionsSink

    return DecisionsSink(settings.kafka, stopping, _say)


def _say(text: str) -> None:
    log(logger("scorer"), logging.WARNING, "kafka", said=text)
