"""A cluster without processes: its steps, and messages that travel in any order a network may give them."""

from __future__ import annotations

import pickle
import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from dataflow.cluster.desk import Desk
from dataflow.cluster.home import Home
from dataflow.cluster.keys import HOMES, SHARDS
from dataflow.cluster.lead import Lead
from dataflow.cluster.messages import Deciding, Moving, Obeyed, Placing, Reading, Recalling, Round
from dataflow.cluster.owner import Owner
from dataflow.cluster.rounds import Rounds
from dataflow.scoring import Written
from dataflow.sources.stream import Packet
from models.engine import Engine


class Network:
    """Workers with a desk each. Messages from one step to another keep their order; which pair speaks next is drawn."""

    def __init__(
        self, workers: int, engine: Callable[[bool], Engine], draw: random.Random, credits_: int, most: int
    ) -> None:
        self.desks = [Desk(engine(at == 0), lambda _: b"", leads=at == 0) for at in range(workers)]
        self.rounds = Rounds(workers, credits_, most)
        self.lead = Lead(self.desks[0], self.rounds, lambda letter: letter)
        self.homes = [Home(self.desks[(at + 1) % workers], at) for at in range(HOMES)]
        self.owners = [Owner(self.desks[(at + 1) % workers], at) for at in range(len(SHARDS))]
        self._draw, self._lines = draw, dict[tuple[str, str], deque[Any]]()
        self.called_back = 0

    def run(self, packets: Iterator[Packet]) -> Iterator[Written]:
        """Work through the packets to the end."""
        ended = False
        while not ended or not self.rounds.idle:
            if self.rounds.hungry and not ended:
                packet = next(packets, None)
                ended = packet is None
                if packet is not None:
                    self.rounds.add(packet)
            for issued in self.rounds.issue(self.desks[0].engine.ledger.clock):
                self._send("source", f"home-{issued.home}", issued)
            if self._lines:
                yield from self._deliver()

    def _send(self, sender: str, receiver: str, message: Any) -> None:
        # As if every message went to another process.
        self._lines.setdefault((sender, receiver), deque()).append(pickle.loads(pickle.dumps(message)))

    def _deliver(self) -> list[Written]:
        line = self._draw.choice(sorted(self._lines))
        receiver = line[1]
        message = self._lines[line].popleft()
        if not self._lines[line]:
            del self._lines[line]
        match message:
            case Round():
                self._send(receiver, "lead", self.homes[message.home].read(message))
            case Reading():
                for sent in self.lead.order(message):
                    self._route(sent)
            case Moving():
                answer = self.owners[message.to].advance(message)
                if answer is not None:
                    self._send(receiver, f"home-{answer.to}", answer)
            case Placing() | Recalling():
                self.called_back += isinstance(message, Placing) and message.called_back
                decided = self.homes[message.to].take(message)
                if decided is not None:
                    self._send(receiver, "settle", decided)
            case Deciding() | Obeyed():
                return self.lead.settle(message)
        return []

    def _route(self, sent: Moving | Placing | Obeyed) -> None:
        match sent:
            case Moving():
                self._send("lead", f"shard-{sent.to}", sent)
            case Placing():
                self._send("lead", f"home-{sent.to}", sent)
            case Obeyed():
                self._send("lead", "settle", sent)


def packets_of(items: Sequence[Any], sizes: Iterator[int]) -> Iterator[Packet]:
    """The items in packets of these sizes."""
    at = 0
    while at < len(items):
        size = next(sizes)
        yield Packet(list(items[at : at + size]), (str(min(at + size, len(items))), ""), [])
        at += size
