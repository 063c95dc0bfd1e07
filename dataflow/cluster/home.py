"""A home: where a batch is read and, once the lead and every shard have spoken, decided.

Neither needs memory of what came before, so any number of homes work on different batches at once. The entries never
leave their home: others get arrays, and back go answers.
"""

from __future__ import annotations

from functools import reduce

import numpy as np

from alerts.alert import hit_of, needs_alert
from alerts.minutes import Minutes, add_decision, add_hit
from dataflow.cluster.desk import Desk, Pending
from dataflow.cluster.keys import SHARDS
from dataflow.cluster.messages import Batch, Deciding, Placing, Reading, Recalling, Round
from dataflow.committing import alerted
from dataflow.replay import merging
from dataflow.sources.files import RawItem
from models.batches import declined_of, explored_of, only_new, read_batch
from models.columns import Float
from models.deciding import Judged, scored_by
from models.decision import Counters, DeadLetter, Decision, digest_line, encode_decision
from models.engine import Output
from models.events import Heartbeat, Label, Settlement
from models.intake import Taken, met, read
from models.ledger_walk import DUPLICATE, PAY
from models.shard import merged
from models.state import Placed, deviation_of
from models.windows import Int64

_NO_OUTCOMES: Int64 = np.empty((0, 6), dtype=np.int64)
_NOWHERE: Int64 = np.empty(0, dtype=np.int64)


class Home:
    """See the module's docstring. number: of the home. digest: decisions are also told as lines of a digest."""

    def __init__(self, desk: Desk, number: int, *, digest: bool = False) -> None:
        self._desk, self._number, self._digest = desk, number, digest
        self._placings: dict[int, Placing] = {}
        self._recalled: dict[int, list[Recalling]] = {}

    def read(self, given: Round) -> Reading:
        """Decode a batch and turn it into arrays, or take a Control event in."""
        desk = self._desk
        if given.control:
            desk.obey(given)
            return Reading(given.number, self._number, None, Counters())
        output, taken = Output(), Taken(given.items)
        with desk.counting() as counted:
            for position, event in enumerate(read(given.items, counted)):
                met(event, counted)
                if isinstance(event, DeadLetter):
                    output.refuse(position, event)
                elif not isinstance(event, (Heartbeat, Settlement)):
                    taken.add(event, position)
            found = read_batch(desk.engine, taken, output) if taken.events else None
        desk.pending[given.number] = Pending(given.items, taken, found, output)
        if found is None:
            return Reading(given.number, self._number, None, counted)
        positions = np.array(taken.positions, dtype=np.int64)
        batch = Batch(found.facts, found.contents, found.corridors, found.labels, positions)
        return Reading(given.number, self._number, batch, counted)

    def take(self, message: Placing | Recalling) -> Deciding | None:
        """Take what the lead or a shard says of a batch; the decisions when nothing is missing any more."""
        number = message.number
        if isinstance(message, Placing):
            if message.called_back:
                del self._desk.pending[number]
                return None
            self._placings[number] = message
        else:
            self._recalled.setdefault(number, []).append(message)
        placing = self._placings.get(number)
        if placing is None:
            return None
        if placing.part is not None and len(self._recalled.get(number, [])) < len(SHARDS):
            return None
        del self._placings[number]
        return self._decided(placing, self._recalled.pop(number, []))

    def _decided(self, placing: Placing, recalled: list[Recalling]) -> Deciding:
        items, taken, found, output = pending = self._desk.pending.pop(placing.number)
        duplicates: list[int] = []
        with self._desk.counting() as counted:
            judged = vectors = None
            if placing.part is not None:
                judged, vectors = self._judge(pending, placing, recalled)
                answers, sequences = placing.answers, placing.sequences
                assert found is not None
                assert answers is not None
                assert sequences is not None
                rows = found.facts.rows
                self._desk.engine.repeat(taken, rows.kinds, answers, sequences, output)
                again = (rows.kinds == PAY) & (answers == DUPLICATE)
                duplicates = sequences[again].tolist()
        output.order()
        return self._told(placing, items, judged, vectors, counted, output, duplicates, recalled)

    def _judge(self, pending: Pending, placing: Placing, recalled: list[Recalling]) -> tuple[Judged, Float]:
        desk, engine, found = self._desk, self._desk.engine, pending.read
        assert found is not None
        assert placing.part is not None
        assert placing.new is not None
        recalled.sort(key=lambda message: message.shard)
        view = merged([message.view for message in recalled])
        view = view._replace(columns=only_new(found, placing.new))
        asked: dict[str, Float] = reduce(lambda all_, message: all_ | message.asked, recalled, {})
        values, vectors = engine.vectors_of(view)
        swaps = [(row, desk.model(version, placing.snapshots)) for row, version in placing.swaps]
        scored = scored_by(
            desk.model(placing.model, placing.snapshots), vectors, np.flatnonzero(placing.new), swaps
        )
        placed = Placed(found.facts.part(placing.part), _NO_OUTCOMES, _NOWHERE)
        events = [pending.taken.events[i] for i in placing.part.tolist()]
        return engine.decide(placed, events, view, asked, values, vectors, scored), vectors

    def _told(
        self, placing: Placing, items: list[RawItem], judged: Judged | None, vectors: Float | None, counted: Counters,
        output: Output, duplicates: list[int], recalled: list[Recalling],
    ) -> Deciding:  # fmt: skip
        made: list[Decision] = [] if judged is None else judged.made
        hits = [hit_of(d, n) for n, d in enumerate((d for d in made if needs_alert(d)), 1)]
        minutes: Minutes = {}
        for decision in made:
            add_decision(minutes, decision)
        for hit in hits:
            add_hit(minutes, hit)
        nothing: Float = np.empty((0, len(self._desk.engine.settings.features)))
        deviates = np.empty(0) if judged is None else deviation_of(judged.view)
        kept = nothing if vectors is None else vectors[placing.kept]
        return Deciding(
            number=placing.number,
            counted=counted,
            decisions=[encode_decision(d) for d in made],
            hits=hits,
            minutes=minutes,
            dead=output.dead,
            labelled=[] if judged is None else [e for e in judged.events if type(e) is Label],
            alerted=alerted(items, hits),
            duplicates=duplicates,
            deviates=deviates.astype(np.float32),
            vectors=kept.astype(np.float32),
            declined=declined_of(made),
            explored=explored_of(made),
            evicted={message.shard: message.evicted for message in recalled},
            lines=b"".join(digest_line(d) + b"\n" for d in made) if self._digest else b"",
            merging=merging(made) if self._digest else [],
        )
