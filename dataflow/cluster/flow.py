"""The Bytewax graph of a cluster, the same in each of its processes.

    source → read → order ─→ advance → decide → settle → sink
            (home)  (lead) └─────────→ (home)   (lead)
                           (shard)

Bytewax delivers the messages of one step to another in the order they were sent, and an epoch closes at a step when all
its messages have passed. Answers of the lead come back to the source within the one process that has both.
"""

from __future__ import annotations

import datetime as dt
import functools
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.operators import KeyedStream, StatefulBatchLogic
from bytewax.outputs import Sink

from dataflow.checkpoint import Checkpoints, Signs
from dataflow.cluster.desk import Desk
from dataflow.cluster.home import Home
from dataflow.cluster.keys import HOMES, home_key, lead_key, shard_key
from dataflow.cluster.lead import Lead, Sent
from dataflow.cluster.messages import Deciding, Moving, Obeyed, Placing, Reading, Recalling, Round
from dataflow.cluster.owner import Owner
from dataflow.cluster.saving import HomeSaving, LeadSaving, ShardSaving
from dataflow.scoring import Written
from dataflow.sources.stream import Packet

P = ParamSpec("P")
R = TypeVar("R")
Opens = Callable[[tuple[str, str] | None], StatefulSourcePartition[Packet, Any]]
"""Opens the stream after the position of a packet, or from its beginning."""


class Place:
    """What one process brings to the flow. lead: in the first one only. directory: of checkpoints; None saves nothing."""

    def __init__(
        self,
        desk: Desk,
        lead: Lead | None,
        directory: Path | None,
        signer: Signs | None,
        *,
        digest: bool = False,
    ) -> None:
        self.desk, self.lead, self._directory, self._signer = desk, lead, directory, signer
        self.saving: LeadSaving | None = None
        self.homes = [Home(desk, at, digest=digest) for at in range(HOMES)]

    def checkpoints(self, name: str) -> Checkpoints | None:
        """Where the part of the cluster that is called so saves."""
        if self._directory is None or self._signer is None:
            return None
        return Checkpoints(self._directory / name, self._signer)


def said(method: Callable[P, R]) -> Callable[P, R]:
    """Say what went wrong: Bytewax ends all processes then, and tells only that they have lost each other."""

    @functools.wraps(method)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except StopIteration:
            raise
        except Exception:
            traceback.print_exc()
            raise

    return wrapped


Kept = tuple[int, int]
"""Which home or shard, and the number of its checkpoint: Bytewax does not tell a step its key."""


class _Reads(StatefulBatchLogic[Round, Reading, Kept]):
    def __init__(self, place: Place, resume: Kept | None) -> None:
        self._place = place
        self._saving = None if resume is None else self._open(*resume)
        self._home = -1 if resume is None else resume[0]

    def _open(self, home: int, number: int) -> HomeSaving:
        return HomeSaving(self._place.desk, self._place.checkpoints(f"home-{home}"), number)

    @said
    def on_batch(self, values: list[Round]) -> tuple[Iterable[Reading], bool]:
        if self._saving is None:
            self._home = values[0].home
            self._saving = self._open(self._home, 0)
        return [self._place.homes[self._home].read(given) for given in values], StatefulBatchLogic.RETAIN

    @said
    def snapshot(self) -> Kept:
        return self._home, 0 if self._saving is None else self._saving.save()


class _Advances(StatefulBatchLogic[Moving, Recalling, Kept]):
    def __init__(self, place: Place, resume: Kept | None) -> None:
        self._place = place
        self._shard = -1 if resume is None else resume[0]
        self._saving = None if resume is None else self._open(*resume)
        self._owner = Owner(place.desk, self._shard)

    def _open(self, shard: int, number: int) -> ShardSaving:
        return ShardSaving(self._place.desk, shard, self._place.checkpoints(f"shard-{shard}"), number)

    @said
    def on_batch(self, values: list[Moving]) -> tuple[Iterable[Recalling], bool]:
        if self._saving is None:
            self._shard = values[0].to
            self._saving = self._open(self._shard, 0)
            self._owner = Owner(self._place.desk, self._shard)
        answers = [self._owner.advance(move) for move in values]
        return [answer for answer in answers if answer is not None], StatefulBatchLogic.RETAIN

    @said
    def snapshot(self) -> Kept:
        return self._shard, 0 if self._saving is None else self._saving.save()


class _Decides(StatefulBatchLogic[Placing | Recalling, Deciding, None]):
    def __init__(self, place: Place) -> None:
        self._homes = place.homes

    @said
    def on_batch(self, values: list[Placing | Recalling]) -> tuple[Iterable[Deciding], bool]:
        answers = [self._homes[value.to].take(value) for value in values]
        return [answer for answer in answers if answer is not None], StatefulBatchLogic.RETAIN

    def snapshot(self) -> None:
        return None


class _Orders(StatefulBatchLogic[Reading, Sent, None]):
    def __init__(self, lead: Lead) -> None:
        self._lead = lead

    @said
    def on_batch(self, values: list[Reading]) -> tuple[Iterable[Sent], bool]:
        return [sent for value in values for sent in self._lead.order(value)], StatefulBatchLogic.RETAIN

    def snapshot(self) -> None:
        return None


class _Settles(StatefulBatchLogic[Deciding | Obeyed, Written, int]):
    def __init__(self, place: Place) -> None:
        self._place = place

    @said
    def on_batch(self, values: list[Deciding | Obeyed]) -> tuple[Iterable[Written], bool]:
        assert self._place.lead is not None
        written = [one for value in values for one in self._place.lead.settle(value)]
        return written, StatefulBatchLogic.RETAIN

    @said
    def snapshot(self) -> int:
        assert self._place.saving is not None
        return self._place.saving.save()


class RoundsPartition(StatefulSourcePartition[tuple[str, Round], int]):
    """Issues rounds of a stream while there is credit for them."""

    def __init__(self, lead: Lead, saving: LeadSaving, opens: Opens) -> None:
        self._rounds, self._saving, self._ledger = lead.rounds, saving, lead.desk.engine.ledger
        self._stream = opens(self._rounds.position.packet)
        self._awake: dt.datetime | None = None
        self._ended = False

    @said
    def next_batch(self) -> list[tuple[str, Round]]:
        """Rounds that may begin; StopIteration when the stream has ended and all of it is settled."""
        rounds = self._rounds
        # Asked once after each batch: a stream counts from when it is asked, and would put it off again each time.
        due = self._awake is None or self._awake <= dt.datetime.now(dt.UTC)
        if due and rounds.hungry and not self._ended:
            try:
                for packet in self._stream.next_batch():
                    rounds.add(packet)
            except StopIteration:
                self._ended = True
            self._awake = self._stream.next_awake()
        if self._ended and rounds.idle and not rounds.closing:
            raise StopIteration
        return [(home_key(given.home), given) for given in rounds.issue(self._ledger.clock)]

    def next_awake(self) -> dt.datetime | None:
        """While rounds are under way, as soon as Bytewax likes: one may come home at any moment."""
        return self._awake if self._rounds.idle and not self._ended else None

    def snapshot(self) -> int:
        """The number of the lead's checkpoint for the epoch that closes."""
        return self._saving.announce()

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()


class RoundsSource(FixedPartitionedSource[tuple[str, Round], int]):
    """One partition, in the process that leads."""

    def __init__(self, place: Place, opens: Opens) -> None:
        self._place, self._opens = place, opens

    def list_parts(self) -> list[str]:
        """The one partition, where it can be read."""
        return [] if self._place.lead is None else ["rounds"]

    @said
    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> RoundsPartition:
        """Resume with the lead's checkpoint of this number, or begin."""
        place = self._place
        assert place.lead is not None
        place.saving = LeadSaving(place.lead, place.checkpoints("lead"), resume_state)
        return RoundsPartition(place.lead, place.saving, self._opens)


def build_cluster(place: Place, opens: Opens, sink: Sink[tuple[str, Written]]) -> Dataflow:
    """The graph. opens: the stream, read where the lead is."""

    def orders(_: None) -> _Orders:
        if place.lead is None:
            raise AssertionError("the lead's work came to a process that does not lead")
        return _Orders(place.lead)

    flow = Dataflow("tidegate_cluster")
    rounds = op.input("rounds", flow, RoundsSource(place, opens))
    read = op.stateful_batch("read", rounds, lambda resume: _Reads(place, resume))
    to_lead = op.map("to_order", read, lambda pair: (lead_key(), pair[1]))
    ordered = op.stateful_batch("order", to_lead, orders)
    sent: KeyedStream[Any] = op.map("send", ordered, lambda pair: (_receiver(pair[1]), pair[1]))
    moves = op.filter("moves", sent, lambda pair: isinstance(pair[1], Moving))
    placings = op.filter("placings", sent, lambda pair: isinstance(pair[1], Placing))
    obeyed = op.filter("obeyed", sent, lambda pair: isinstance(pair[1], Obeyed))
    recalled = op.stateful_batch("advance", moves, lambda resume: _Advances(place, resume))
    to_home = op.map("to_decide", recalled, lambda pair: (home_key(pair[1].to), pair[1]))
    decided = op.stateful_batch("decide", op.merge("told", placings, to_home), lambda _: _Decides(place))
    to_settle = op.map("to_settle", decided, lambda pair: (lead_key(), pair[1]))
    written = op.stateful_batch("settle", op.merge("done", obeyed, to_settle), lambda _: _Settles(place))
    op.output("out", written, sink)
    return flow


def _receiver(sent: Sent) -> str:
    match sent:
        case Moving():
            return shard_key(sent.to)
        case Placing():
            return home_key(sent.to)
        case Obeyed():
            return lead_key()
