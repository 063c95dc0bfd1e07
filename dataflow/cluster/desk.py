"""What the steps of one process share: an engine, the models at hand, and the batches it has read and not yet decided.

The engine's rules, rates, lists and containments are the same in every process, because every Control event comes to each
of them while nothing else is under way. Its shards are filled only as far as this process owns them; the ledger and the
vectors only in the process that leads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from dataflow.cluster.messages import Round
from dataflow.scoring import Artefact, artefacts_named
from dataflow.sources.files import RawItem
from models.batches import Read
from models.decision import Counters
from models.engine import Engine, Output
from models.freezing import adopt, record_of
from models.intake import Taken
from models.serving import Snapshot

KEPT_MODELS = 8


class Pending(NamedTuple):
    """A batch at its home, between reading and deciding."""

    items: list[RawItem]
    taken: Taken
    read: Read | None
    output: Output


class _Record(msgspec.Struct, frozen=True, array_like=True):
    controls: int
    engine: bytes


class Desk:
    """See the module's docstring. artefact: fetches a verified model snapshot by version. leads: has the ledger.

    controls: how many Control events were applied since the stream began.
    """

    def __init__(self, engine: Engine, artefact: Artefact, *, leads: bool) -> None:
        self.engine, self.leads, self._artefact = engine, leads, artefact
        self.pending: dict[int, Pending] = {}
        self.controls = 0
        self._models: dict[str, Snapshot] = {}
        self.output = Output()
        self._applied, self._adopted = 0, False
        self.keep(engine.snapshot)

    @contextmanager
    def counting(self) -> Iterator[Counters]:
        """Counters of their own for a while: what a step counts travels with the round."""
        kept, counted = self.engine.counters, Counters()
        self.engine.counters = counted
        try:
            yield counted
        finally:
            self.engine.counters = kept

    def obey(self, control: Round) -> None:
        """Apply a Control event, once in this process; `output` is what it gave."""
        if control.number > self._applied:
            self._applied, self.controls = control.number, self.controls + 1
            engine = self.engine
            engine.ledger.advance_clock(control.clock)
            engine.artefacts = artefacts_named(control.items, self._artefact) or engine.artefacts
            if self.leads:
                self.output = engine.step(control.items)
            else:
                with self.counting():
                    self.output = engine.step(control.items)
            self.keep(engine.snapshot)

    def keep(self, snapshot: Snapshot) -> None:
        """Have a model at hand for the rounds that name it."""
        self._models.pop(snapshot.version, None)
        self._models[snapshot.version] = snapshot
        while len(self._models) > KEPT_MODELS:
            del self._models[next(iter(self._models))]

    def model(self, version: str, sent: dict[str, bytes]) -> Snapshot:
        """The model a round names; sent: what came with the round."""
        if version not in self._models:
            self.keep(Snapshot.from_bytes(sent[version]))
        return self._models[version]

    def record(self) -> bytes:
        """Everything Control events have changed, for a checkpoint."""
        return msgspec.msgpack.encode(_Record(self.controls, record_of(self.engine)))

    def led_on(self, controls: int) -> None:
        """The engine has the state of a lead's checkpoint, or of the one a cluster begins with."""
        self.controls, self._adopted = controls, True
        self.keep(self.engine.snapshot)

    def adopt(self, record: bytes) -> None:
        """Take a checkpoint's record, once: those of one moment are all alike."""
        if not self._adopted:
            found = msgspec.msgpack.decode(record, type=_Record)
            adopt(self.engine, found.engine)
            self.controls, self._adopted = found.controls, True


Desks = Callable[[], Desk]
