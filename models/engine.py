"""The engine: one function, `step`, that live, replay, bench and drill all run.

A batch is an execution detail. Events of one entity see each other in stream order (kernels walk row by row),
Control events cut the batch, a new model takes over exactly after the row that completed it, and every number is
computed in one fixed order for each row: the same stream gives the same decisions whatever its batches.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.batches import declined_of, explored_of, late_of, only_new, order, read_batch, settle
from models.columns import ENTITIES, Column, Float, Interner
from models.containment import Containment
from models.controls import apply_control
from models.deciding import Judged, Scored, decisions_of, edges_of, scored_by
from models.decision import Counters, DeadLetter, Decision
from models.engine_settings import EngineSettings
from models.events import AnyEvent, Control, Heartbeat, Label, Settlement, Transaction
from models.examples import Choice, Example, Learner, publishes, ripe
from models.features import CATALOGUE, RULE_KINDS, for_models, matrix, signals
from models.intake import Taken, met, read, refused
from models.ledger import Ledger
from models.ledger_walk import CONFLICT, DUPLICATE, NEW, PAY, SEQUENCE
from models.lists import Lists
from models.money import FxTable
from models.reasons import as_columns
from models.recent import Recent
from models.rows import Item
from models.rules.compiled import CompiledPack, compile_pack
from models.rules.rule import Pack
from models.serving import Snapshot
from models.shard import KINDS, Shard
from models.shedding import Shed
from models.state import Placed, deviation_of
from models.vectors import MAX_BATCH, Vectors, choose
from models.view import View
from models.windows import Int64

RECENT = 16_384
"""Decisions kept to be given again."""
_EXPLORING = np.uint64(0x2545F4914F6CDD1D)


class Output:
    """What one step gives, in stream order.

    repeated: decisions of exact duplicates, given again. examples: outcomes whose window closed. published:
    snapshots an inline learner completed. labelled: the labels that were taken in. choices: of the champion,
    for a learner in its own process.
    """

    def __init__(self) -> None:
        self.decisions: list[Decision] = []
        self.repeated: list[Decision] = []
        self.dead: list[DeadLetter] = []
        self.examples: list[Example] = []
        self.choices: list[Choice] = []
        self.published: list[bytes] = []
        self.labelled: list[Label] = []
        self._refused: list[tuple[int, DeadLetter]] = []

    def refuse(self, position: int, letter: DeadLetter) -> None:
        """Note a dead letter of the entry at `position`."""
        self._refused.append((position, letter))

    def order(self) -> None:
        """Put dead letters in stream order: they are found at different stages, their numbering may not depend on it."""
        self._refused.sort(key=lambda pair: pair[0])
        self.dead = [letter for _, letter in self._refused]


class Engine:
    """State and rules of one stream. `learner` None: models come only by Control events.

    vectors_directory: where vectors wait for their outcome on disk; None keeps them in memory. `watch` is shown the
    vectors of each batch's new transactions, in stream order. `blind`: columns the models get as missing (ablation).
    `beside` is shown each batch once it is decided (a back-test). `stage` is told the name of each stage as it ends.
    `shed`: how much the decisions go without; set from outside, it changes none of them; shed_decisions: how many did.
    kinds: of entities, by shard; `step` decides payments with a single shard only.
    """

    def __init__(
        self,
        settings: EngineSettings,
        pack: Pack,
        fx: FxTable,
        snapshot: Snapshot,
        learner: Learner | None = None,
        vectors_directory: Path | None = None,
        kinds: Sequence[Collection[str]] = (KINDS,),
    ) -> None:
        self.settings, self.fx, self.snapshot, self.learner = settings, fx, snapshot, learner
        self.thresholds = settings.thresholds
        self.counters = Counters()
        self.interner, self.corridors, self.actors = Interner(), Interner(), Interner()
        self.shards = [Shard(settings.capacities, self.interner, of) for of in kinds]
        self.ledger = Ledger(
            settings.ledger_rows, len(ENTITIES), settings.settle_after_ms, settings.negative_rate
        )
        self.vectors = Vectors(
            settings.vector_rows, len(settings.features), settings.ledger_rows, vectors_directory
        )
        self.containments: tuple[Containment, ...] = ()
        self.lists = Lists()
        self.artefacts: dict[str, bytes] = {}
        self.watch: Callable[[Float], None] | None = None
        self.blind: Sequence[int] = ()
        self.beside: Callable[[Judged], None] | None = None
        self.stage: Callable[[str], None] = _unheard
        self.shed = Shed.NOTHING
        self.shed_decisions = 0
        self._recent: Recent[Decision] = Recent(RECENT)
        self.load_rules(pack)

    def load_rules(self, pack: Pack) -> None:
        """Put a pack in force from the next row on; RuleError leaves the old one in force."""
        self.compiled: CompiledPack = compile_pack(pack, self.interner, RULE_KINDS)
        self.pack = pack
        for shard in self.shards:
            shard.load(self.compiled.velocities, self.ledger.clock)

    def step(self, items: Sequence[Item]) -> Output:
        """Take entries in stream order and decide every transaction among them."""
        output = Output()
        taken, opened = Taken(items), 0
        for position, event in enumerate(read(items, self.counters)):
            if isinstance(event, DeadLetter):
                met(event, self.counters)
                output.refuse(position, event)
            elif isinstance(event, Control):
                met(event, self.counters)
                self._flush(taken, output)
                taken = Taken(items)
                problem = apply_control(self, event, output)
                if problem is not None:
                    item = items[position]
                    output.refuse(position, refused(event, item.place, item.line, *problem, self.counters))
            elif not isinstance(event, (Heartbeat, Settlement)):
                # No outcome window may open and close in one batch: decisions say which payments have one.
                if taken.events and event.received_at > opened + self.settings.settle_after_ms:
                    self._flush(taken, output)
                    taken = Taken(items)
                if not taken.events:
                    opened = max(self.ledger.clock, event.received_at)
                taken.add(event, position)
                if len(taken.events) >= MAX_BATCH:
                    self._flush(taken, output)
                    taken = Taken(items)
        self._flush(taken, output)
        output.order()
        self.counters.dead_letters += len(output.dead)
        self.counters.examples += len(output.examples)
        self.counters.evicted = sum(shard.evicted for shard in self.shards)
        return output

    def _flush(self, taken: Taken, output: Output) -> None:
        if not taken.events:
            return
        self.stage("decode")
        read = read_batch(self, taken, output)
        ordered = order(self, read)
        self.stage("columns")
        placed, view, asked = self.shards[0].advance(read.facts.part(ordered.part), ordered.known)
        self.ledger.note(ordered.sequences, deviation_of(view).astype(np.float32))
        noted = self.ledger.noted(ordered.walk.outcomes[:, SEQUENCE]).astype(np.float64)
        view = self.shards[0].recall(placed, view, noted)
        view = view._replace(columns=only_new(read, ordered.new))
        self.stage("windows")
        values, vectors = self.vectors_of(view)
        self.vectors.fill(ordered.slots, vectors)
        if self.watch is not None:
            self.watch(vectors)
        rows = read.facts.rows
        swaps = self.learn(ripe(self, rows, ordered.walk, ordered.upto, ordered.clock, read.labels), output)
        self.stage("features")
        scored = scored_by(self.snapshot, vectors, np.flatnonzero(ordered.new), swaps)
        if swaps:
            self.snapshot = swaps[-1][1]
        self.stage("models")
        events = [taken.events[i] for i in ordered.part.tolist()]
        judged = self.decide(placed, events, view, asked, values, vectors, scored)
        if self.beside is not None:
            self.beside(judged)
        made = judged.made
        settle(self, ordered.sequences, declined_of(made), explored_of(made))
        if made:
            self._recent.add(int(ordered.sequences[0]), made)
        output.decisions.extend(made)
        output.labelled.extend(e for e in events if type(e) is Label)
        self.repeat(taken, rows.kinds, ordered.walk.answers, ordered.walk.sequences, output)
        self.stage("decide")

    def vectors_of(self, view: View) -> tuple[Float, Float]:
        """The features of a batch (m, F) as they are, and as the models see them."""
        values = matrix(view, self.settings.features[len(CATALOGUE) :])
        vectors = for_models(values)
        vectors[:, list(self.blind)] = np.nan
        return values, vectors

    def decide(
        self, placed: Placed, events: Sequence[AnyEvent], view: View, asked: dict[str, Float], values: Float,
        vectors: Float, scored: Scored,
    ) -> Judged:  # fmt: skip
        """Decide the payments of a batch and count them. events: of the rows placed."""
        everything: dict[str, Column] = {
            **view.columns, **as_columns(values), **signals(view), **asked, "risk": scored.risk,
        }  # fmt: skip
        late = late_of(view.profiles["card"], view.profiles["customer"], view.times)
        keys = placed.rows.ids[placed.pay]
        explore = np.empty(keys.shape[0], dtype=np.bool_)
        choose(keys ^ _EXPLORING, self.settings.exploration, explore)
        payments = [e for e in events if type(e) is Transaction]
        made = decisions_of(self, payments, everything, values, vectors, view, scored, late, explore)
        self.counters.decided += len(made)
        self.counters.late += int(late.sum())
        by_model = {snapshot: edges_of(self, snapshot) for snapshot in dict.fromkeys(scored.snapshots)}
        edges = [by_model[snapshot] for snapshot in scored.snapshots]
        return Judged(placed, events, everything, view, vectors, explore, edges, made)

    def learn(self, examples: Iterable[tuple[int, Example]], output: Output) -> list[tuple[int, Snapshot]]:
        """Hand ripe examples on; returns (row, model in force after that row) for models completed here."""
        swaps: list[tuple[int, Snapshot]] = []
        for row, example in examples:
            output.examples.append(example)
            learner = self.learner
            if learner is None:
                continue
            learnt = learner.learn(example.vector, example.fraud, example.weight, example.key, example.origin)
            if learnt and publishes(learner.examples, self.settings.publish_every):
                data = learner.snapshot()
                output.published.append(data)
                swaps.append((row, Snapshot.from_bytes(data)))
        return swaps

    def repeat(
        self,
        taken: Taken,
        kinds: npt.NDArray[np.int8],
        answers: npt.NDArray[np.int8],
        sequences: Int64,
        output: Output,
    ) -> None:
        """Answer duplicates with the decision they had; refuse conflicts. answers, sequences: the ledger's, by row."""
        for i in np.flatnonzero((kinds == PAY) & (answers != NEW)).tolist():
            if answers[i] == DUPLICATE:
                self.counters.duplicates += 1
                decision = self._recent.get(int(sequences[i]))
                if decision is not None:
                    output.repeated.append(decision)
            elif answers[i] == CONFLICT:
                event, item = taken.events[i], taken.item(i)
                detail = f"id {event.id!r} came before with other content - at `$.id`"
                letter = refused(event, item.place, item.line, "conflicting_duplicate", detail, self.counters)
                output.refuse(taken.positions[i], letter)


def _unheard(_: str) -> None:
    """Nobody asks how long a stage takes."""
