"""The engine: one function, `step`, that live, replay, bench and drill all run.

A batch is an execution detail. Events of one entity see each other in stream order (kernels walk row by row),
Control events cut the batch, a new model takes over exactly after the row that completed it, and every number is
computed in one fixed order for each row: the same stream gives the same decisions whatever its batches.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from models.columns import ENTITIES, Column, Float, Interner
from models.containment import Containment
from models.controls import apply_control
from models.deciding import Judged, Scored, decisions_of, edges_of
from models.decision import Counters, DeadLetter, Decision
from models.engine_settings import EngineSettings
from models.events import Control, Heartbeat, Label, Settlement, Transaction
from models.examples import Choice, Example, Learner, corridor_codes, publishes, ripe
from models.features import CATALOGUE, RULE_KINDS, for_models, matrix, signals
from models.intake import Taken, dollars, read, refused
from models.ledger import Ledger, Walk
from models.ledger_walk import ACT, CONFLICT, DUPLICATE, LABEL, MATCHED, NEW, PAY, SEQUENCE, SKIP, UNMATCHED
from models.lists import Lists
from models.money import FxTable
from models.reasons import as_columns
from models.relations import Relations
from models.risk import DECLINES
from models.rows import Item, Rows, columns_of, rows_of
from models.rules.compiled import CompiledPack, compile_pack
from models.rules.rule import Pack
from models.serving import Snapshot
from models.shedding import Shed
from models.state import EntityState, deviation_of
from models.vectors import MAX_BATCH, Vectors, chosen
from models.velocities import Velocities
from models.windows import Int64

_RECENT = 16_384
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
    `shed`: how much the decisions go without; set from outside, it changes none of them.
    """

    def __init__(
        self,
        settings: EngineSettings,
        pack: Pack,
        fx: FxTable,
        snapshot: Snapshot,
        learner: Learner | None = None,
        vectors_directory: Path | None = None,
    ) -> None:
        self.settings, self.fx, self.snapshot, self.learner = settings, fx, snapshot, learner
        self.thresholds = settings.thresholds
        self.counters = Counters()
        self.interner, self.corridors, self.actors = Interner(), Interner(), Interner()
        self.state = EntityState(settings.capacities)
        self.relations = Relations(settings.capacities)
        self.velocities = Velocities(self.interner)
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
        self._recent: OrderedDict[int, Decision] = OrderedDict()
        self.load_rules(pack)

    def load_rules(self, pack: Pack) -> None:
        """Put a pack in force from the next row on; RuleError leaves the old one in force."""
        self.compiled: CompiledPack = compile_pack(pack, self.interner, RULE_KINDS)
        self.pack = pack
        self.velocities.load(self.compiled.velocities, self.ledger.clock)

    def step(self, items: Sequence[Item]) -> Output:
        """Take entries in stream order and decide every transaction among them."""
        output = Output()
        taken, opened = Taken(), 0
        for position, item in enumerate(items):
            event = read(item, self.counters)
            if isinstance(event, DeadLetter):
                output.refuse(position, event)
            elif isinstance(event, Control):
                self._flush(taken, output)
                taken = Taken()
                problem = apply_control(self, event, output)
                if problem is not None:
                    output.refuse(position, refused(event, item.place, item.line, *problem, self.counters))
            elif not isinstance(event, (Heartbeat, Settlement)):
                # No outcome window may open and close in one batch: decisions say which payments have one.
                if taken.events and event.received_at > opened + self.settings.settle_after_ms:
                    self._flush(taken, output)
                    taken = Taken()
                if not taken.events:
                    opened = max(self.ledger.clock, event.received_at)
                taken.add(event, item, position)
                if len(taken.events) >= MAX_BATCH:
                    self._flush(taken, output)
                    taken = Taken()
        self._flush(taken, output)
        output.order()
        self.counters.dead_letters += len(output.dead)
        self.counters.examples += len(output.examples)
        self.counters.evicted = self.state.evicted + self.relations.evicted
        return output

    def _flush(self, taken: Taken, output: Output) -> None:
        if not taken.events:
            return
        self.stage("decode")
        rows = rows_of(taken.events)
        usd, bad = dollars(taken.events, rows, self.fx)
        for i, (reason, detail) in sorted(bad.items()):
            rows.kinds[i] = SKIP
            letter = refused(taken.events[i], taken.places[i], taken.lines[i], reason, detail, self.counters)
            output.refuse(taken.positions[i], letter)
        before, clock = self.ledger.sequence, self.ledger.clock
        walk = self.ledger.walk(
            rows.kinds, rows.ids, taken.contents(), rows.received, rows.entities, rows.fraud, rows.no_outcome
        )
        new = (rows.kinds == PAY) & (walk.answers == NEW)
        self.counters.labels_unmatched += int(np.sum((rows.kinds == LABEL) & (walk.answers == UNMATCHED)))
        part = np.flatnonzero(new | (rows.kinds == ACT) | ((rows.kinds == LABEL) & (walk.answers == MATCHED)))
        events = [taken.events[i] for i in part.tolist()]
        payments = [e for e in events if type(e) is Transaction]
        columns = columns_of(payments, usd[new], rows.times[new], self.interner, self.settings.attributes)
        self.stage("columns")
        placed = self.state.place(rows, part, walk)
        view = self.state.advance(placed, events, columns, walk.deltas[part], self.interner)
        sequences = walk.sequences[new]
        self.ledger.note(sequences, deviation_of(view).astype(np.float32))
        noted = self.ledger.noted(walk.outcomes[:, SEQUENCE]).astype(np.float64)
        view = self.state.recall(placed, view, noted)
        view = self.relations.follow(view, payments, rows.entities[new])
        asked = self.velocities.advance(placed, events, columns)
        self.stage("windows")
        values = matrix(view, self.settings.features[len(CATALOGUE) :])
        vectors = for_models(values)
        vectors[:, list(self.blind)] = np.nan
        keys = rows.ids[new]
        self.vectors.put(sequences, keys, walk.settled[new], vectors)
        self.vectors.describe(sequences, corridor_codes(self.corridors, payments), rows.received[new])
        if self.watch is not None:
            self.watch(vectors)
        swaps = self._learn(ripe(self, rows, walk, before + np.cumsum(new), clock, taken.events), output)
        self.stage("features")
        scored = self._score(vectors, np.flatnonzero(new), swaps)
        self.stage("models")
        features = as_columns(values)
        everything: dict[str, Column] = {**columns, **features, **signals(view), **asked, "risk": scored.risk}
        late = _late(view.profiles["card"], view.profiles["customer"], view.times)
        explore = np.array(
            [chosen(key ^ _EXPLORING, self.settings.exploration) for key in keys], dtype=np.bool_
        )
        made = decisions_of(self, payments, everything, values, vectors, view, scored, late, explore)
        if self.beside is not None:
            by_model = {snapshot: edges_of(self, snapshot) for snapshot in dict.fromkeys(scored.snapshots)}
            edges = [by_model[snapshot] for snapshot in scored.snapshots]
            self.beside(Judged(placed, events, everything, view, vectors, explore, edges, made))
        self._forgo(sequences, made)
        self.counters.decided += len(made)
        self.counters.late += int(late.sum())
        for sequence, decision in zip(sequences.tolist(), made, strict=True):
            self._recent[sequence] = decision
        output.decisions.extend(made)
        output.labelled.extend(e for e in events if type(e) is Label)
        self._repeat(taken, rows, walk, output)
        while len(self._recent) > _RECENT:
            self._recent.popitem(last=False)
        self.stage("decide")

    def _forgo(self, sequences: Int64, made: list[Decision]) -> None:
        """What we decline has no outcome of its own; what is explored stands for what is not."""
        if not self.settings.enforced:
            return
        declined = np.array([d.action in DECLINES for d in made], dtype=np.bool_)
        explored = np.array([d.explored for d in made], dtype=np.bool_)
        self.ledger.forgo(sequences[declined])
        if explored.any():
            self.vectors.weigh(sequences[explored], self.settings.exploration)

    def _learn(self, examples: Iterable[tuple[int, Example]], output: Output) -> list[tuple[int, Snapshot]]:
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

    def _score(self, vectors: Float, rows: Int64, swaps: list[tuple[int, Snapshot]]) -> Scored:
        """Score each transaction with the model in force at its row."""
        scored = Scored(np.empty(rows.shape[0]), {}, [])
        start = 0
        for row, following in [*swaps, (None, None)]:
            end = rows.shape[0] if row is None else int(np.searchsorted(rows, row, side="right"))
            if end > start:
                part = self.snapshot.score(vectors[start:end])
                scored.risk[start:end] = part.risk
                for name, values in part.by_model.items():
                    scored.by_model.setdefault(name, np.full(rows.shape[0], np.nan))[start:end] = values
                scored.snapshots.extend([self.snapshot] * (end - start))
                start = end
            if following is not None:
                self.snapshot = following
        return scored

    def _repeat(self, taken: Taken, rows: Rows, walk: Walk, output: Output) -> None:
        """Answer duplicates with the decision they had; refuse conflicts."""
        for i in np.flatnonzero((rows.kinds == PAY) & (walk.answers != NEW)).tolist():
            if walk.answers[i] == DUPLICATE:
                self.counters.duplicates += 1
                decision = self._recent.get(int(walk.sequences[i]))
                if decision is not None:
                    output.repeated.append(decision)
            elif walk.answers[i] == CONFLICT:
                event = taken.events[i]
                detail = f"id {event.id!r} came before with other content - at `$.id`"
                letter = refused(
                    event, taken.places[i], taken.lines[i], "conflicting_duplicate", detail, self.counters
                )
                output.refuse(taken.positions[i], letter)


def _unheard(_: str) -> None:
    """Nobody asks how long a stage takes."""


def _late(card: Float, customer: Float, times: Int64) -> np.ndarray:
    """Rows whose event time lies before what their card or customer had already seen."""
    with np.errstate(invalid="ignore"):
        return (card[:, 1] > times) | (customer[:, 1] > times)
