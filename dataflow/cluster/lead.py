"""The lead: puts rounds in the order of the stream, and settles them in that order.

There is one. It has the ledger (duplicates, labels, outcome windows), the vectors that wait for their outcome, the inline
learner of a replay, and the running totals that number decisions, alerts and dead letters.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import msgspec
import numpy as np

from alerts.minutes import add_dead
from alerts.store import Commit
from dataflow.cluster.desk import Desk
from dataflow.cluster.keys import HOMES, SHARDS
from dataflow.cluster.messages import Batch, Deciding, Moving, Obeyed, Placing, Reading
from dataflow.cluster.rounds import Piece, Position, Rounds
from dataflow.committing import Seals, obeyed
from dataflow.replay import Digest
from dataflow.scoring import Written, may_be_clear, now_ms
from models.batches import Read, order, settle
from models.decision import Counters
from models.engine import RECENT, Output
from models.examples import ripe
from models.facts import Facts
from models.hashing import Hashes
from models.ledger_walk import LABEL, PAY, SEQUENCE
from models.recent import Recent
from models.shard import ACCOUNT
from models.windows import Int64

Sent = Moving | Placing | Obeyed
_NO_KEYS: Hashes = np.empty(0, dtype=np.uint64)
_NO_ROWS: Int64 = np.empty(0, dtype=np.int64)


class Flight(NamedTuple):
    """A round between its order and its settling: what was counted, clocks before and after, its payments."""

    counted: Counters
    opened: int
    clock: int
    ids: Hashes
    sequences: Int64
    slots: Int64
    output: Output


class Lead:
    """See the module's docstring. seal: seals what dead letters hold of their entry. digest: takes every decision.

    evicted: entities each shard has forgotten.
    """

    def __init__(self, desk: Desk, rounds: Rounds, seal: Seals, digest: Digest | None = None) -> None:
        self.desk, self.rounds, self._seal, self.digest = desk, rounds, seal, digest
        self._read: dict[int, list[Reading]] = {}
        self._next = 1
        self._flights: OrderedDict[int, Flight] = OrderedDict()
        self._answers: dict[int, Deciding | Obeyed] = {}
        self._seen: list[set[str]] = [set() for _ in range(HOMES)]
        self._recent: Recent[bytes] = Recent(RECENT)
        self.evicted = dict.fromkeys(range(len(SHARDS)), 0)

    def resume(self, position: Position, evicted: dict[int, int], controls: int) -> None:
        """Go on from a checkpoint whose state the engine has."""
        self.rounds.resume(position)
        self.evicted.update(evicted)
        self.desk.led_on(controls)

    def order(self, reading: Reading) -> list[Sent]:
        """Take a reading; what is to be sent now that it, and maybe others behind it, are in order."""
        out: list[Sent] = []
        if reading.number < self._next:
            return [Placing(reading.home, reading.number, True)]
        self._read.setdefault(reading.number, []).append(reading)
        while (at := self._next) in self._read:
            control = self.rounds.piece(at).control
            if control and len(self._read[at]) < HOMES:
                break
            readings = self._read.pop(at)
            self._next += 1
            out += self._obeyed(at) if control else self._ordered(readings[0])
        return out

    def _obeyed(self, number: int) -> list[Sent]:
        """Every process has applied the Control event; the shards are told so that their checkpoints show it."""
        output = self.desk.output
        out: list[Sent] = [Moving(shard, number, 0, None, None, None) for shard in range(len(SHARDS))]
        clock = self.desk.engine.ledger.clock
        self._flights[number] = Flight(Counters(), clock, clock, _NO_KEYS, _NO_ROWS, _NO_ROWS, output)
        return [*out, Obeyed(number, output)]

    def _ordered(self, reading: Reading) -> list[Sent]:
        batch, engine = reading.batch, self.desk.engine
        if batch is None:
            clock = engine.ledger.clock
            self._flights[reading.number] = Flight(
                reading.counted, clock, clock, _NO_KEYS, _NO_ROWS, _NO_ROWS, Output()
            )
            return [Placing(reading.home, reading.number, False)]
        cuts = self._cuts(batch)
        if cuts is not None:
            return self._call_back(reading, cuts)
        output = Output()
        with self.desk.counting() as counted:
            opened = max(engine.ledger.clock, int(batch.facts.rows.received[0]))
            read = Read(batch.facts, batch.contents, {}, batch.corridors, batch.labels)
            ordered = order(engine, read)
            noted = engine.ledger.noted(ordered.walk.outcomes[:, SEQUENCE]).astype(np.float64)
            model, rows = engine.snapshot, batch.facts.rows
            ripened = ripe(engine, rows, ordered.walk, ordered.upto, ordered.clock, batch.labels)
            swaps = engine.learn(ripened, output)
        for _, snapshot in swaps:
            self.desk.keep(snapshot)
            engine.snapshot = snapshot
        self._flights[reading.number] = Flight(
            added(reading.counted, counted), opened, engine.ledger.clock, rows.ids[ordered.new], ordered.sequences,
            ordered.slots, output,
        )  # fmt: skip
        in_force = [model, *(snapshot for _, snapshot in swaps)]
        unseen = {s.version: s.data for s in in_force if s.version not in self._seen[reading.home]}
        self._seen[reading.home].update(unseen)
        placing = Placing(
            reading.home, reading.number, False, ordered.walk.answers, ordered.walk.sequences, ordered.part,
            ordered.new, ordered.slots >= 0, model.version, [(row, s.version) for row, s in swaps], unseen,
        )  # fmt: skip
        facts = batch.facts.part(ordered.part)
        entities = {name: spec.entity for name, spec in engine.shards[0].velocities.specs.items()}
        moves: list[Sent] = [
            Moving(shard, reading.number, reading.home, _for(facts, kinds, entities), ordered.known, noted)
            for shard, kinds in enumerate(SHARDS)
        ]
        return [*moves, placing]

    def _cuts(self, batch: Batch) -> list[int] | None:
        """None when the batch may follow what is under way; else the rows at which it is to be cut, maybe none."""
        ledger, rows = self.desk.engine.ledger, batch.facts.rows
        flying = list(self._flights.values())
        labels = rows.ids[rows.kinds == LABEL]
        after = ledger.settle_after
        latest, opened = int(rows.received.max()), max(ledger.clock, int(rows.received[0]))
        waits = bool(flying) and (
            latest > flying[0].opened + after or any(np.isin(labels, flight.ids).any() for flight in flying)
        )
        within = latest > opened + after or bool(np.isin(labels, rows.ids[rows.kinds == PAY]).any())
        if not within:
            return [] if waits else None
        cuts, clock, seen = [], ledger.clock, set[int]()
        columns = (rows.kinds.tolist(), rows.ids.tolist(), rows.received.tolist())
        for row, (kind, id_, received) in enumerate(zip(*columns, strict=True)):
            if row and (received > opened + after or (kind == LABEL and id_ in seen)):
                cuts.append(row)
                opened, seen = max(clock, received), set()
            clock = max(clock, received)
            if kind == PAY:
                seen.add(id_)
        return cuts if cuts or waits else None

    def _call_back(self, reading: Reading, rows: list[int]) -> list[Sent]:
        assert reading.batch is not None
        void = self.rounds.call_back(reading.number, reading.batch.positions[rows].tolist())
        out: list[Sent] = []
        for number, home in void:
            out.append(Obeyed(number, None))
            if number == reading.number or self._read.pop(number, None) is not None:
                out.append(Placing(home, number, True))
        self._next = self.rounds.next
        return out

    def settle(self, answer: Deciding | Obeyed) -> list[Written]:
        """Take the decisions of a round; what is to be written now that it, and maybe others, are settled."""
        if isinstance(answer, Obeyed) and answer.output is None:
            return []  # called back: nothing to settle
        self._answers[answer.number] = answer
        out: list[Written] = []
        while (first := self.rounds.first) is not None and first in self._answers:
            out.append(self._settled(self._answers.pop(first), self._flights.pop(first)))
        return out

    def _settled(self, answer: Deciding | Obeyed, flight: Flight) -> Written:
        engine, output = self.desk.engine, flight.output
        piece = self.rounds.settled(answer.number)
        if isinstance(answer, Obeyed):
            engine.counters.evicted = sum(self.evicted.values())
            return self._written(piece, flight, None, obeyed(piece.items, output))
        engine.ledger.note(flight.sequences, answer.deviates)
        engine.vectors.fill(flight.slots[flight.slots >= 0], answer.vectors)
        settle(engine, flight.sequences, answer.declined, answer.explored)
        total = added(added(engine.counters, flight.counted), answer.counted)
        self.evicted.update(answer.evicted)
        waiting = flight.counted if flight.sequences is not _NO_ROWS else engine.counters
        total.vectors_waiting = waiting.vectors_waiting
        total.evicted = sum(self.evicted.values())
        total.dead_letters += len(answer.dead)
        total.examples += len(output.examples)
        engine.counters = total
        if self.digest is not None:
            self.digest.take(answer.lines, answer.merging)
        if answer.decisions:
            self._recent.add(int(flight.sequences[0]), answer.decisions)
        return self._written(piece, flight, answer, [])

    def _written(self, piece: Piece, flight: Flight, answer: Deciding | None, controls: list[str]) -> Written:
        """Number what a round gave, as dataflow.committing.commit_of does."""
        counters, output, packet = self.desk.engine.counters, flight.output, piece.packet
        dead = output.dead if answer is None else answer.dead
        decisions = [] if answer is None else answer.decisions
        hits = [] if answer is None else answer.hits
        hits = [msgspec.structs.replace(hit, ordinal=counters.alerts + hit.ordinal) for hit in hits]
        counters.alerts += len(hits)
        minutes = {} if answer is None else answer.minutes
        for letter in dead:
            add_dead(minutes, letter.reason, flight.clock)
        commit = Commit(
            first_decision_ordinal=counters.decided - len(decisions) + 1, decisions=decisions, hits=hits,
            first_dead_ordinal=counters.dead_letters - len(dead) + 1, dead=[self._seal(letter) for letter in dead],
            counters=msgspec.structs.replace(counters), minutes=minutes, stream_time=flight.clock, now=now_ms(),
        )  # fmt: skip
        again = [] if answer is None else [self._recent.get(number) for number in answer.duplicates]
        return Written(
            commit, output.examples, output.choices, counters.examples - len(output.examples) + 1,
            [decision for decision in again if decision is not None],
            [] if answer is None else answer.labelled, packet.position, packet.entered, packet.control,
            [letter.place for letter in dead if may_be_clear(letter)], controls,
            [] if answer is None else answer.alerted,
        )  # fmt: skip


def added(a: Counters, b: Counters) -> Counters:
    """Both together."""
    return Counters(**{name: getattr(a, name) + getattr(b, name) for name in Counters.__struct_fields__})


def _for(facts: Facts, kinds: tuple[str, ...], entities: dict[str, str]) -> Facts:
    """What a shard of these kinds needs; entities: of the rules' velocities, by column."""
    own = facts._replace(
        asked={name: values for name, values in facts.asked.items() if entities[name] in kinds}
    )
    return own if ACCOUNT in kinds else own._replace(papers=facts.papers.part(_NO_ROWS))
