"""Checkpoints of a cluster: the lead, each shard and each home save for themselves, all between the same two rounds.

Bytewax keeps the number of each one's checkpoint with the epoch it closes. The position in the stream is in the lead's
checkpoint, whose number is what the source gives Bytewax to keep: it is announced when the epoch closes at the source and
written when the last round of the epoch is settled, before any round of the next begins.
"""

from __future__ import annotations

import msgspec

from dataflow.checkpoint import Checkpoints
from dataflow.cluster.desk import Desk
from dataflow.cluster.lead import Lead
from dataflow.cluster.rounds import Position
from models.entities import Arrays
from models.errors import SnapshotError
from models.freezing import freeze, thaw
from models.state import arrays_of, restore_into


class _Led(msgspec.Struct, frozen=True, array_like=True):
    position: Position
    evicted: dict[int, int]
    controls: int
    engine: bytes


def loaded(checkpoints: Checkpoints, number: int) -> tuple[Arrays, bytes]:
    """A checkpoint that Bytewax has kept the number of; those after it are dropped."""
    found = checkpoints.load(number)
    if found is None:
        raise SnapshotError(
            f"{checkpoints.directory}: checkpoint {number} is gone; restore the directory, or remove the recovery "
            "directory beside it too and start from the stream"
        )
    checkpoints.drop_after(number)
    return found[1], found[2]


class LeadSaving:
    """The lead's checkpoints; None: it saves nothing."""

    def __init__(self, lead: Lead, checkpoints: Checkpoints | None, resume: int | None) -> None:
        self._lead, self._checkpoints, self._number = lead, checkpoints, resume or 0
        if checkpoints is None:
            return
        if not self._number:
            checkpoints.drop_after(0)
            return
        arrays, meta = loaded(checkpoints, self._number)
        led = msgspec.msgpack.decode(meta, type=_Led)
        thaw(lead.desk.engine, arrays, led.engine, shards=False)
        lead.resume(led.position, led.evicted, led.controls)

    def announce(self) -> int:
        """An epoch closes at the source: the number of the checkpoint that belongs to it."""
        self._number += self._lead.rounds.close()
        return self._number

    def save(self) -> int:
        """Every round of the epoch is settled: write its checkpoint; rounds may begin again."""
        lead = self._lead
        if lead.rounds.first is not None:
            raise AssertionError("an epoch closed while rounds were under way")
        # When the stream ends, Bytewax asks once more although no round has passed.
        if self._checkpoints is not None and lead.rounds.closing:
            arrays, engine = freeze(lead.desk.engine, shards=False)
            led = _Led(lead.rounds.position, lead.evicted, lead.desk.controls, engine)
            self._checkpoints.save(arrays, msgspec.msgpack.encode(led), self._number)
        lead.rounds.closing = False
        return self._number


class ShardSaving:
    """The checkpoints of one shard; number: the one to go on from, 0 for none."""

    def __init__(self, desk: Desk, shard: int, checkpoints: Checkpoints | None, number: int) -> None:
        self._desk, self._shard, self._checkpoints = desk, desk.engine.shards[shard], checkpoints
        if checkpoints is None:
            return
        if not number:
            checkpoints.drop_after(0)
            return
        arrays, record = loaded(checkpoints, number)
        desk.adopt(record)
        restore_into(self._shard.parts(), arrays)

    def save(self) -> int:
        """Write what the shard remembers."""
        if self._checkpoints is None:
            return 0
        return self._checkpoints.save(arrays_of(self._shard.parts()), self._desk.record())


class HomeSaving:
    """The checkpoints of one home: what Control events have changed, written when one has. number: as of ShardSaving."""

    def __init__(self, desk: Desk, checkpoints: Checkpoints | None, number: int) -> None:
        self._desk, self._checkpoints, self._number = desk, checkpoints, number
        self._saved = 0
        if checkpoints is None:
            return
        if number:
            desk.adopt(loaded(checkpoints, number)[1])
            self._saved = desk.controls
        else:
            checkpoints.drop_after(0)

    def save(self) -> int:
        """Write the record if it has changed."""
        if self._checkpoints is not None and self._saved != self._desk.controls:
            self._number = self._checkpoints.save({}, self._desk.record())
            self._saved = self._desk.controls
        return self._number
