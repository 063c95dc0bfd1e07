"""Rounds: batches of the stream on their way, numbered, few at a time.

A round is issued to a home, comes back to the lead to be put in order, goes to every shard, is decided at its home and is
settled by the lead. Some must not overlap:

- A Control event runs alone, so that every process applies it at the same place of the stream.
- A label may not be put in order while the payment it speaks of is under way, nor may an outcome window close on one:
  both depend on how that payment was decided. The lead then calls the round back, and every later one with it; their
  entries are issued again when all before them are settled, cut where they would stand in their own way. Answers never
  depend on how a stream is cut into batches, so this changes none.
- A checkpoint is cut between rounds: when an epoch closes, none is issued until all of them are settled and saved.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from dataflow.cluster.keys import HOMES, home_key, worker_of
from dataflow.cluster.messages import Round
from dataflow.sources.files import RawItem
from dataflow.sources.stream import Packet
from models.errors import EventError
from models.events import Control, decode

LEADS = 1
"""Rounds that leading weighs as much as, while others are under way."""


class Piece(NamedTuple):
    """A part of a packet that is one round. last: it ends the packet. alone: nothing may be under way before it."""

    packet: Packet
    items: list[RawItem]
    last: bool
    control: bool = False
    alone: bool = False


class Position(NamedTuple):
    """Where the stream goes on: after the last whole packet, and how many entries of the next are done."""

    packet: tuple[str, str] | None = None
    entries: int = 0


class Rounds:
    """See the module's docstring. workers: processes. credits: most rounds under way. most: most entries of a round."""

    def __init__(self, workers: int, credits_: int, most: int) -> None:
        self._credits, self._most = credits_, most
        self._workers = [worker_of(home_key(home), workers) for home in range(HOMES)]
        # The first worker has the order to keep besides, so it gets the fewer rounds.
        self._burden = [LEADS if worker == 0 and workers > 1 else 0 for worker in range(workers)]
        self._waiting: deque[Piece] = deque()
        self._flying: dict[int, tuple[int, Piece]] = {}
        self._number = 0
        self.position = Position()
        self._skip = 0
        self._issued = False
        self.closing = False

    @property
    def first(self) -> int | None:
        """The number of the oldest round under way."""
        return next(iter(self._flying), None)

    @property
    def next(self) -> int:
        """The number of the next round."""
        return self._number + 1

    @property
    def idle(self) -> bool:
        """True when nothing is under way and nothing waits."""
        return not self._flying and not self._waiting

    @property
    def hungry(self) -> bool:
        """True when another packet is wanted."""
        return not self.closing and not self._waiting and len(self._flying) < self._credits

    def piece(self, number: int) -> Piece:
        """What a round under way is."""
        return self._flying[number][1]

    def resume(self, position: Position) -> None:
        """Go on where a checkpoint ended."""
        self.position, self._skip = position, position.entries

    def add(self, packet: Packet) -> None:
        """Take a packet of the stream, but for what was done of it before a restart."""
        skipped = min(self._skip, len(packet.items))
        self._skip -= skipped
        if skipped and skipped == len(packet.items):  # packets may be cut otherwise than they were
            self.position = Position(packet.position, self._skip)
            return
        self._waiting.extend(_pieces(packet, packet.items[skipped:], self._most))

    def issue(self, clock: int) -> list[Round]:
        """The rounds that may begin now. clock: the ledger's, ms."""
        out: list[Round] = []
        while self._waiting and not self.closing and len(self._flying) < self._credits:
            piece = self._waiting[0]
            before = next(reversed(self._flying.values()))[1] if self._flying else None
            if before is not None and (piece.alone or piece.control or before.control):
                break
            self._waiting.popleft()
            self._number += 1
            self._issued = True
            home = min(range(HOMES), key=lambda at: (self._burden[self._workers[at]], at))
            self._burden[self._workers[home]] += 1
            self._flying[self._number] = home, piece
            homes = range(HOMES) if piece.control else [home]
            out += [Round(self._number, to, piece.items, piece.control, clock) for to in homes]
        return out

    def settled(self, number: int) -> Piece:
        """The oldest round is done; its piece."""
        home, piece = self._flying.pop(number)
        self._burden[self._workers[home]] -= 1
        done = self.position.entries + len(piece.items)
        self.position = (
            Position(piece.packet.position) if piece.last else self.position._replace(entries=done)
        )
        return piece

    def call_back(self, number: int, cuts: Sequence[int]) -> list[tuple[int, int]]:
        """Issue this round and all later ones again; cuts: entries of this one at which to begin anew.

        Returns number and home of the rounds that are void.
        """
        void = [(at, home) for at, (home, _) in self._flying.items() if at >= number]
        pieces = [self._flying.pop(at)[1] for at, _ in void]
        for _, home in void:
            self._burden[self._workers[home]] -= 1
        first = pieces[0]
        bounds = [0, *cuts, len(first.items)]
        parts = [
            first._replace(items=first.items[a:b], last=first.last and b == bounds[-1], alone=True)
            for a, b in pairwise(bounds)
        ]
        self._waiting.extendleft(reversed([*parts, *pieces[1:]]))
        return void

    def close(self) -> bool:
        """An epoch closes: True when rounds were issued in it, so that a checkpoint is to be written before the next."""
        closing, self._issued = self._issued, False
        self.closing = self.closing or closing
        return closing


def _pieces(packet: Packet, items: list[RawItem], most: int) -> list[Piece]:
    """A packet as rounds: at most so many entries each, Control events by themselves."""
    out: list[Piece] = []
    start = 0
    for at, item in enumerate(items):
        if _is_control(item):
            out += _plain(packet, items[start:at], most)
            out.append(Piece(packet, [item], False, control=True))
            start = at + 1
    out += _plain(packet, items[start:], most)
    if not out:  # a pulse
        return [Piece(packet, [], True)]
    return [*out[:-1], out[-1]._replace(last=True)]


def _plain(packet: Packet, items: list[RawItem], most: int) -> list[Piece]:
    return [Piece(packet, items[at : at + most], False) for at in range(0, len(items), most)]


def _is_control(item: RawItem) -> bool:
    if item.line is None:
        return isinstance(item.event, Control)
    # `control` as a JSON string, also with letters written as escapes: most lines need no closer look.
    if item.error is not None or (b"control" not in item.line and b"\\u00" not in item.line):
        return False
    try:
        return isinstance(decode(item.line), Control)
    except EventError:
        return False
