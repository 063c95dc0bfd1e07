"""The one stateful step of the flow: an engine behind a single key, with checkpoints of its own.

Bytewax keeps only the number of the engine's checkpoint; both belong to the same epoch, so after a kill the engine
starts from the very state the source's position belongs to.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec
from bytewax.operators import StatefulBatchLogic

from alerts.response.traces import Line
from alerts.store import Commit
from dataflow.checkpoint import Checkpoints
from dataflow.committing import Seals, alerted, commit_of, obeyed
from dataflow.shedding import Shedding
from dataflow.sources.stream import Packet
from models.decision import DeadLetter, Decision, encode_decision
from models.engine import Engine
from models.errors import SnapshotError
from models.events import Label
from models.examples import Choice, Example
from models.freezing import freeze, thaw
from models.shedding import Shed


class Written(NamedTuple):
    """What a step sends to the sink.

    first_example: ordinal of the first example. choices: of the champion, to stand among the examples. entered: enqueue
    times, ms. control, unsafe: the lane, and its entries that may hold clear personal data and must not stay there.
    obeyed: Controls that contain something from here on, or end it. alerted: the events that alerts are about.
    shed: how much decisions go without now; shed_decisions: how many went without something they were owed so far.
    decisions: the commit's, before they were encoded.
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


Artefact = Callable[[str], bytes]


class Scorer(StatefulBatchLogic[Packet, Written, int]):
    """Engine, checkpoints and outputs of one stream.

    artefact: fetches a verified model snapshot by version. seal: seals what dead letters hold. A checkpoint number comes
    back as resume state; None starts anew. shedding: says what decisions go without when the flow is behind; None:
    nothing.
    """

    def __init__(
        self, engine: Engine, checkpoints: Checkpoints, artefact: Artefact, seal: Seals, resume: int | None,
        shedding: Shedding | None = None,
    ) -> None:  # fmt: skip
        self._engine, self._checkpoints, self._artefact, self._seal = engine, checkpoints, artefact, seal
        self._shedding, self._shed_decisions = shedding or Shedding(0), 0
        if resume is not None:
            found = checkpoints.load(resume)
            if found is None:
                # The source would go on in mid-stream with an engine that has seen nothing.
                raise SnapshotError(
                    f"{checkpoints.directory}: checkpoint {resume} is gone; restore the directory, or remove "
                    "the recovery directory beside it too and start from the stream"
                )
            thaw(engine, found[1], found[2])
        checkpoints.drop_after(resume or 0)

    def on_batch(self, values: list[Packet]) -> tuple[list[Written], bool]:
        """Step the engine through each packet."""
        return [self._step(packet) for packet in values], StatefulBatchLogic.RETAIN

    def snapshot(self) -> int:
        """Write a checkpoint for the epoch that closes."""
        return self._checkpoints.save(*freeze(self._engine))

    def _step(self, packet: Packet) -> Written:
        engine = self._engine
        if packet.control:
            self._fetch(packet)
        examples, now = engine.counters.examples, now_ms()
        if not packet.control:
            engine.shed = self._shedding.observe(now - packet.entered[0] if packet.entered else 0, now)
        output = engine.step(packet.items)
        self._shed_decisions += sum(1 for decision in output.decisions if decision.shed)
        commit = commit_of(engine, output, self._seal, now_ms())
        repeated = [encode_decision(decision) for decision in output.repeated]
        return Written(
            commit, output.examples, output.choices, examples + 1, repeated, output.labelled, packet.position,
            packet.entered, packet.control, [letter.place for letter in output.dead if may_be_clear(letter)],
            obeyed(packet.items, output) if packet.control else [], alerted(packet.items, commit.hits),
            engine.shed, self._shed_decisions, output.decisions,
        )  # fmt: skip

    def _fetch(self, packet: Packet) -> None:
        """Have the snapshots at hand that Control events of this packet name."""
        found: dict[str, bytes] = {}
        for item in packet.items:
            try:
                named = msgspec.json.decode(item.line or b"", type=_Named)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue  # the engine refuses it with its place
            if named.kind == "model" and named.version:
                wanted = named.artefact or named.version
                try:
                    found[wanted] = self._artefact(wanted)
                except SnapshotError:
                    continue  # not signed by us: the engine refuses the Control, the flow goes on
        if found:
            self._engine.artefacts = found


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
