"""The one stateful step of the flow: an engine behind a single key, with checkpoints of its own.

Bytewax keeps only the number of the engine's checkpoint; both belong to the same epoch, so after a kill the engine
starts from the very state the source's position belongs to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
from bytewax.operators import StatefulBatchLogic

from alerts.response.traces import Line
from alerts.store import Commit
from dataflow.background import Background
from dataflow.checkpoint import Checkpoints
from dataflow.committing import Seals, alerted, commit_of, obeyed
from dataflow.progress import Position, Progress, at_or_before, number
from dataflow.shedding import Shedding
from dataflow.sources.stream import START, Packet
from models.decision import DeadLetter, Decision, encode_decision
from models.engine import Engine
from models.errors import SnapshotError
from models.events import Label
from models.examples import Choice, Example
from models.freezing import freeze, thaw
from models.rows import Item
from models.shedding import Shed


class Written(NamedTuple):
    """What a step sends to the sink.

    first_example: ordinal of the first example. choices: of the champion, to stand among the examples. entered: enqueue
    times, ms. control, unsafe: the lane, and its entries that may hold clear personal data and must not stay there.
    obeyed: Controls that contain something from here on, or end it. alerted: the events that alerts are about.
    shed: how much decisions go without now; shed_decisions: how many went without something they were owed so far.
    decisions: the commit's, before they were encoded. packets: taken so far, this one too. full: more may be waiting.
    """

    commit: Commit
    examples: list[Example]
    choices: list[Choice]
    first_example: int
    repeated: list[bytes]
    labelled: list[Label]
    position: tuple[str, str]
    entered: list[int]
    control: bool
    unsafe: list[str]
    obeyed: list[str]
    alerted: list[Line]
    shed: Shed = Shed.NOTHING
    shed_decisions: int = 0
    decisions: list[Decision] | None = None
    packets: int = 0
    full: bool = False


Artefact = Callable[[str], bytes]


class Scorer(StatefulBatchLogic[Packet, Written, int]):
    """Engine, checkpoints and outputs of one stream.

    artefact: fetches a verified model snapshot by version. seal: seals what dead letters hold. A checkpoint number comes
    back as resume state; None and 0 start anew. shedding: says what decisions go without when the flow is behind; None:
    nothing. progress: checkpoints are written beside the flow and reported there; None: at the end of each epoch, while
    the flow waits.
    """

    def __init__(
        self, engine: Engine, checkpoints: Checkpoints, artefact: Artefact, seal: Seals, resume: int | None,
        shedding: Shedding | None = None, progress: Progress | None = None,
    ) -> None:  # fmt: skip
        self._engine, self._checkpoints, self._artefact, self._seal = engine, checkpoints, artefact, seal
        self._shedding = shedding or Shedding(0)
        self._packets, self._position = 0, (START, START)
        self._seen: Position | None = None
        self._background = None if progress is None else Background(checkpoints, progress)
        if resume:
            before = time.process_time()
            found = checkpoints.load(resume)
            if found is None:
                # The source would go on in mid-stream with an engine that has seen nothing.
                raise SnapshotError(
                    f"{checkpoints.directory}: checkpoint {resume} is gone; restore the directory, or remove "
                    "the recovery directory beside it too and start from the stream"
                )
            thaw(engine, found[1], found[2])
            if checkpoints.position[0]:
                self._seen = self._position = checkpoints.position
            if progress is not None and self._background is not None:
                progress.begin(resume, checkpoints.position)
                self._background.loaded(time.process_time() - before)
        checkpoints.drop_after(resume or 0)

    def on_batch(self, values: list[Packet]) -> tuple[list[Written], bool]:
        """Step the engine through each packet."""
        return [self._step(packet) for packet in values], StatefulBatchLogic.RETAIN

    def snapshot(self) -> int:
        """Write a checkpoint for the epoch that closes, or say the newest one that may be gone back to."""
        if self._background is None:
            return self._checkpoints.save(*freeze(self._engine))
        return self._background.checkpoint(self._engine, self._packets, self._position)

    def on_eof(self) -> tuple[list[Written], bool]:
        """The flow ends: the next one goes on from here."""
        if self._background is not None:
            self._background.finish(self._engine, self._packets, self._position)
        return [], StatefulBatchLogic.RETAIN

    def _step(self, packet: Packet) -> Written:
        engine = self._engine
        if self._background is not None:
            self._background.look(engine)
        if self._seen is not None and not packet.elsewhere:
            packet = self._unseen(packet, self._seen)
        self._packets, self._position = self._packets + 1, packet.position
        if packet.control:
            engine.artefacts = artefacts_named(packet.items, self._artefact) or engine.artefacts
        examples, now = engine.counters.examples, now_ms()
        if not packet.control:
            engine.shed = self._shedding.observe(now - packet.entered[0] if packet.entered else 0, now)
        output = engine.step(packet.items)
        commit = commit_of(engine, output, self._seal, now_ms())
        repeated = [encode_decision(decision) for decision in output.repeated]
        return Written(
            commit, output.examples, output.choices, examples + 1, repeated, output.labelled, packet.position,
            packet.entered, packet.control,
            [letter.place for letter in output.dead if may_be_clear(letter) and not packet.elsewhere],
            obeyed(packet.items, output) if packet.control else [], alerted(packet.items, commit.hits),
            engine.shed, engine.shed_decisions, output.decisions, self._packets, packet.full,
        )  # fmt: skip

    def _unseen(self, packet: Packet, seen: Position) -> Packet:
        """The packet without what the checkpoint holds already; the source may have begun a little before it."""
        lane = 1 if packet.control else 0
        if all(not at_or_before(here, there) for here, there in zip(packet.position, seen, strict=True)):
            self._seen = None
        items = packet.items
        if items and at_or_before(items[0].place, seen[lane]):
            items = [item for item in items if not at_or_before(item.place, seen[lane])]
        # What is written carries the later of both positions: nothing before them is asked for again.
        later = (max(packet.position[0], seen[0], key=number), max(packet.position[1], seen[1], key=number))
        return packet._replace(items=items, position=later)


def artefacts_named(items: Sequence[Item], artefact: Artefact) -> dict[str, bytes]:
    """The snapshots that Control events among these entries name; one that is not signed by us is left out."""
    found: dict[str, bytes] = {}
    for item in items:
        try:
            named = msgspec.json.decode(item.line or b"", type=_Named)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue  # the engine refuses it with its place
        if named.kind == "model" and named.version:
            wanted = named.artefact or named.version
            try:
                found[wanted] = artefact(wanted)
            except SnapshotError:
                continue  # not signed by us: the engine refuses the Control, the flow goes on
    return found


def may_be_clear(letter: DeadLetter) -> bool:
    """True when the entry held clear personal data, or was no event, so that nobody can tell."""
    return letter.undecodable or letter.reason == "clear_data"


class _Named(msgspec.Struct):
    kind: str = ""
    version: str = ""
    artefact: str | None = None


def now_ms() -> int:
    """The wall clock in ms, for latencies and beats only: never for a decision."""
    return time.time_ns() // 1_000_000
