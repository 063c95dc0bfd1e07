"""Examples: outcomes that came ripe, on their way to a learner, inline on a replay or in a process of its own.

An operator's choice of champion or trust travels among them, so that a learner meets it at the same place every time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, get_args, get_type_hints

import numpy as np

from models.columns import Float, Interner
from models.events import Control, Label
from models.ledger import Walk
from models.ledger_walk import LABEL, ROW, SEQUENCE, SKIP, UNKNOWN
from models.rows import Rows
from models.settled import NOWHERE, Origin
from models.vectors import UNDESCRIBED
from models.windows import Int64

if TYPE_CHECKING:
    from models.engine import Engine

MOST_CORRIDORS, MOST_ACTORS = 20_000, 2_000
"""Corridors, and actors who label, told by name; whatever comes after them has none."""
SOURCES: tuple[str, ...] = get_args(get_type_hints(Label)["source"])
"""Where labels come from, by code."""


class Example(NamedTuple):
    """A vector whose outcome window closed: what a learner in its own process is sent.

    key: the transaction's number in the stream; it comes again when its label is corrected. weight: how many payments
    it stands for, beside the sampling of good ones. origin: where it comes from and when its label came.
    """

    vector: Float
    fraud: bool
    key: int
    weight: float
    origin: Origin = NOWHERE


class Choice(NamedTuple):
    """A Control event of kind `champion` or `trust`, for a learner in its own process.

    after: examples handed out before it; number: Control events counted, this one included. The two order choices and
    examples the same way every time.
    """

    after: int
    number: int
    event: Control


class Learner(Protocol):
    """What learns inline on a replay (models.learners.OnlineLearner)."""

    @property
    def examples(self) -> int: ...
    def learn(
        self, x: Float, fraud: bool, weight: float = 1.0, key: int = -1, origin: Origin = NOWHERE
    ) -> bool: ...
    def choose(self, name: str, actor: str, reason: str, at: int) -> object: ...
    def trust(self, name: str, actor: str, reason: str, at: int) -> object: ...
    def snapshot(self) -> bytes: ...
    def to_state(self) -> bytes: ...
    @classmethod
    def from_state(cls, data: bytes) -> Learner: ...


def publishes(examples: int, every: int) -> bool:
    """True when a model is due after this many learnt examples: every so many, and each eighth of it to begin with.

    Whoever starts, or has few labels, would otherwise be without a model for long.
    """
    return examples % every == 0 or (examples < every and examples % max(every // 8, 1) == 0)


def corridor_codes(names: Interner, corridors: Sequence[str]) -> Int64:
    """Codes of the corridors of payments; UNDESCRIBED for those beyond MOST_CORRIDORS."""
    codes = names.column(corridors) if len(names.codes) + len(corridors) <= MOST_CORRIDORS else None
    if codes is None:
        return np.array([_code(names, corridor, MOST_CORRIDORS) for corridor in corridors], dtype=np.int64)
    return codes.astype(np.int64)


def _code(names: Interner, name: str, most: int) -> int:
    if name not in names.codes and len(names.codes) >= most:
        return UNDESCRIBED
    return names.code(name)


def ripe(
    engine: Engine, rows: Rows, walk: Walk, upto: Int64, clock: int, told: Mapping[int, Label]
) -> Iterator[tuple[int, Example]]:
    """(row, example) of each outcome that came ripe and whose vector is kept, in stream order.

    upto: transactions so far, as of each row. clock: the ledger's before the batch, ms. To be read to the end: times of
    labels are noted on the way. told: labels by row.
    """
    engine.counters.vectors_waiting = engine.ledger.waiting
    vectors, corridors = engine.vectors, engine.corridors.texts() if len(walk.examples) else []
    known_at = np.maximum(np.maximum.accumulate(np.where(rows.kinds == SKIP, 0, rows.received)), clock)
    at = walk.outcomes[:, ROW]
    by_label = (rows.kinds[at] == LABEL) & (walk.sequences[at] == walk.outcomes[:, SEQUENCE])
    labels = iter(walk.outcomes[by_label][:, [SEQUENCE, ROW]].tolist())
    label, actors = next(labels, None), engine.actors.texts() if len(walk.examples) else []
    for sequence, fraud, row, before in walk.examples.tolist():
        while label is not None and label[1] <= row:
            _note(engine, told[label[1]], label[0], int(known_at[label[1]]))
            label, actors = next(labels, None), engine.actors.texts()
        kept = vectors.get(sequence, int(upto[row]))
        if kept is None:
            engine.counters.vectors_gone += vectors.gone(sequence, int(upto[row]))
            continue
        origin = Origin(
            corridors[kept.corridor] if kept.corridor != UNDESCRIBED else "",
            kept.paid_at,
            kept.labelled_at,
            int(known_at[row]),
            SOURCES[kept.source] if kept.source != UNDESCRIBED else "",
            actors[kept.actor] if kept.actor != UNDESCRIBED else "",
            before != UNKNOWN,
        )
        yield row, Example(kept.vector, fraud == 1, sequence, kept.weight, origin)
    while label is not None:
        _note(engine, told[label[1]], label[0], int(known_at[label[1]]))
        label = next(labels, None)


def _note(engine: Engine, event: Label, sequence: int, at: int) -> None:
    """Keep with a waiting vector when and from whom its label came."""
    actor = _code(engine.actors, event.actor, MOST_ACTORS) if event.actor else UNDESCRIBED
    engine.vectors.label(sequence, at, SOURCES.index(event.source), actor)
