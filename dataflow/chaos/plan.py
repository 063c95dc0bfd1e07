"""What happens in each round: drawn from the seed and the round's number alone, so that it can be named and repeated."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

EVENTS = 240
"""Events of a round, before the extra ones below."""
FEED_S = 1.6
"""Seconds over which they come."""
LAST_KILL_S = 3.2
"""Kills fall into the first seconds of a round: while events come, while a backlog is worked off, and while others that
were killed are starting again."""
CHUNK = 12
_MOST_KILLS = 3


class Kill(NamedTuple):
    """SIGKILL to one process, so many seconds into the round."""

    at: float
    victim: str


class Round(NamedTuple):
    """number: from 1. again: positions where an event of the round is sent a second time; broken: lines that are no
    events, by position."""

    number: int
    kills: list[Kill]
    again: list[int]
    broken: dict[int, bytes]

    def lines(self, events: Sequence[bytes]) -> list[bytes]:
        """The lines of the round: the events, with what was drawn among them."""
        out = []
        for position, event in enumerate(events):
            out.append(event)
            if position in self.broken:
                out.append(self.broken[position])
            if position in self.again:
                out.append(events[self.random_before(position)])
        return out

    def random_before(self, position: int) -> int:
        """An event of this round at or before `position`."""
        return random.Random(f"{self.number}:{position}").randint(0, position)


def drawn(seed: int, number: int, victims: Sequence[str]) -> Round:
    """Round `number` of a run with this seed."""
    dice = random.Random(f"{seed}:{number}")
    kills = sorted(
        Kill(round(dice.uniform(0.0, LAST_KILL_S), 3), dice.choice(victims))
        for _ in range(dice.randint(1, _MOST_KILLS))
    )
    again = dice.sample(range(EVENTS), dice.randint(0, 4))
    broken = {dice.randrange(EVENTS): b'{"broken": %d' % number for _ in range(dice.randint(0, 2))}
    return Round(number, kills, again, broken)
