"""A labelled stream through the engine: what it said of each transaction, and what turned out true."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterable, Sequence

import msgspec
import numpy as np

from dataflow.evaluation.doubts import first_of
from dataflow.evaluation.protocol import Scored
from dataflow.replay import BATCH, batched
from models.decision import DeadLetter
from models.engine import Engine
from models.errors import EventError, MappingError
from models.events import Label, decode
from models.rows import Item


def scored_stream(
    source: Iterable[Sequence[Item]], engine: Engine, progress: Callable[[float], None] | None = None,
    refused: list[DeadLetter] | None = None,
) -> tuple[Scored, float]:  # fmt: skip
    """Run the stream; what a protocol needs, and the seconds that took. Raises MappingError without a label.

    refused: takes the first entry that was refused.

    The truth is the last label of a transaction, whenever it arrived; without one it is legitimate. A
    transaction the engine refused is not among the rows.
    """
    ids: list[str] = []
    times, cards, merchants = array("q"), array("q"), array("q")
    risks, amounts = array("d"), array("d")
    card_codes: dict[str, int] = {}
    merchant_codes: dict[str, int] = {}
    frauds: dict[str, bool] = {}
    refused = [] if refused is None else refused
    started = time.perf_counter()
    for items in batched(source, BATCH):
        for item in items:
            label = _label(item)
            if label is not None:
                frauds[label.transaction_id] = label.fraud
        output = engine.step(items)
        if not refused:
            refused += output.dead[:1]
        for decision in output.decisions:
            context = decision.context
            cards.append(_code(card_codes, context.get("card"), len(ids)))
            merchants.append(_code(merchant_codes, context.get("merchant"), len(ids)))
            ids.append(decision.id)
            times.append(decision.event_time)
            risks.append(decision.risk)
            amounts.append(float(context["amount_usd"] or 0.0))
        if progress is not None:
            progress(engine.counters.events_in)
    seconds = time.perf_counter() - started
    fraud = np.fromiter((frauds.get(id_, False) for id_ in ids), dtype=np.bool_, count=len(ids))
    if not fraud.any():
        raise MappingError(
            f"none of {len(ids)} transactions has a fraud label: there is nothing to measure; "
            f"name the label column in the mapping or give a stream with labels{first_of(refused)}"
        )
    data = Scored(
        time=np.asarray(times, dtype=np.int64),
        score=np.asarray(risks),
        fraud=fraud,
        card=np.asarray(cards, dtype=np.int64) if card_codes else None,
        amount=np.asarray(amounts),
        merchant=np.asarray(merchants, dtype=np.int64) if merchant_codes else None,
    )
    return data, seconds


def _code(codes: dict[str, int], name: str | float | None, row: int) -> int:
    # A payment without a card is a card of its own, not one card with all the others.
    return -row - 1 if name is None else codes.setdefault(str(name), len(codes))


def _label(item: Item) -> Label | None:
    event = item.event
    if event is None and item.line is not None and b'"label"' in item.line:
        try:
            event = decode(item.line)
        except (EventError, msgspec.MsgspecError):
            return None  # the engine counts it
    return event if isinstance(event, Label) else None
