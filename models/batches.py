"""A batch on its way through the engine, in steps that need not run in one process.

read     what the events say, as arrays          needs the events, exchange rates, the rules' velocities
order    duplicates, labels, outcome windows     needs the ledger: one for the whole stream, batch after batch
advance  windows and memories (models/shard.py)  needs the entities' memory: batch after batch, kind by kind
decide   features, models, rules, decision       needs what the others found, and no memory at all
settle   what becomes of the decisions           goes back to the ledger and the waiting vectors
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.columns import Column, Float
from models.decision import Decision
from models.entities import Flags
from models.events import Label
from models.examples import corridor_codes
from models.facts import Facts, facts_of
from models.fields import fields_of
from models.hashing import Hashes
from models.intake import Taken, dollars, refused
from models.ledger import Walk
from models.ledger_walk import ACT, LABEL, MATCHED, NEW, PAY, ROW, UNMATCHED
from models.risk import DECLINES
from models.rows import columns_of, corridors_of, rows_of
from models.shard import Known
from models.windows import Int64

if TYPE_CHECKING:
    from models.engine import Engine, Output


class Read(NamedTuple):
    """What a batch of n events says. Rows that cannot be judged are of kind SKIP.

    contents (n,): hashes of what each sender sent. columns, corridors: of the payments (rows of kind PAY), in order.
    labels: label events by row.
    """

    facts: Facts
    contents: Hashes
    columns: dict[str, Column]
    corridors: list[str]
    labels: Mapping[int, Label]


class Ordered(NamedTuple):
    """A batch in its place in the stream.

    new (n,): True for payments never seen before. part: places of the rows that take part, known: what their shards are
    told. sequences, slots (m,): numbers of the new payments, and where their vectors go (−1: not kept). upto (n,):
    payments so far, as of each row. clock: the ledger's before the batch, ms.
    """

    walk: Walk
    new: Flags
    part: Int64
    known: Known
    sequences: Int64
    slots: Int64
    upto: Int64
    clock: int


def read_batch(engine: Engine, taken: Taken, output: Output) -> Read:
    """Read a batch; payments without a price in US dollars are refused into `output`."""
    events, fields = taken.events, fields_of(taken.events)
    usd, bad = dollars(fields, engine.fx)
    if bad:
        for i, (reason, detail) in sorted(bad.items()):
            at = int(fields.pay[i])
            item = taken.item(at)
            letter = refused(events[at], item.place, item.line, reason, detail, engine.counters)
            output.refuse(taken.positions[at], letter)
        priced = np.delete(np.arange(usd.shape[0]), list(bad))
        fields, usd = fields.only(events, priced), usd[priced]
    corridors = corridors_of(fields.payments)
    rows = rows_of(events, fields, corridors)
    columns = columns_of(
        fields.payments, usd, rows.times[fields.pay], engine.interner, engine.settings.attributes
    )
    facts = facts_of(rows, fields, columns)
    facts = facts._replace(asked=engine.shards[0].velocities.ask(facts, columns))
    labels = {i: e for i in fields.told.tolist() if isinstance(e := events[i], Label)}
    return Read(facts, taken.contents(), columns, corridors, labels)


def order(engine: Engine, read: Read) -> Ordered:
    """Take a batch into the ledger and claim room for its vectors; label rows get the entities they speak of."""
    rows, ledger = read.facts.rows, engine.ledger
    before, clock = ledger.sequence, ledger.clock
    walk = ledger.walk(
        rows.kinds, rows.ids, read.contents, rows.received, rows.entities, rows.fraud, rows.no_outcome
    )
    new = (rows.kinds == PAY) & (walk.answers == NEW)
    engine.counters.labels_unmatched += int(np.sum((rows.kinds == LABEL) & (walk.answers == UNMATCHED)))
    part = np.flatnonzero(new | (rows.kinds == ACT) | ((rows.kinds == LABEL) & (walk.answers == MATCHED)))
    known = Known(walk.deltas[part], walk.outcomes, walk.owners, np.searchsorted(part, walk.outcomes[:, ROW]))
    sequences = walk.sequences[new]
    slots = engine.vectors.claim(sequences, rows.ids[new], walk.settled[new])
    corridors: Sequence[str] = read.corridors
    if len(corridors) > sequences.shape[0]:
        corridors = [corridors[i] for i in np.flatnonzero(new[rows.kinds == PAY]).tolist()]
    engine.vectors.describe(sequences, corridor_codes(engine.corridors, corridors), rows.received[new])
    return Ordered(walk, new, part, known, sequences, slots, before + np.cumsum(new), clock)


def only_new(read: Read, new: Flags) -> dict[str, Column]:
    """The columns of new payments (new (n,): True for them) out of those of all payments of the batch."""
    wanted = new[read.facts.rows.kinds == PAY]
    return read.columns if wanted.all() else {name: column[wanted] for name, column in read.columns.items()}


def settle(engine: Engine, sequences: Int64, declined: Flags, explored: Flags) -> None:
    """What we decline has no outcome of its own; what is explored stands for what is not. All (m,)."""
    if not engine.settings.enforced:
        return
    engine.ledger.forgo(sequences[declined])
    if explored.any():
        engine.vectors.weigh(sequences[explored], engine.settings.exploration)


def declined_of(made: Sequence[Decision]) -> Flags:
    """Decisions that decline (m,)."""
    return np.array([d.action in DECLINES for d in made], dtype=np.bool_)


def explored_of(made: Sequence[Decision]) -> Flags:
    """Decisions that let a payment through to learn from it (m,)."""
    return np.array([d.explored for d in made], dtype=np.bool_)


def late_of(card: Float, customer: Float, times: Int64) -> np.ndarray:
    """Rows whose event time lies before what their card or customer had already seen."""
    with np.errstate(invalid="ignore"):
        return (card[:, 1] > times) | (customer[:, 1] > times)
