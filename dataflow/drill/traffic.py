"""What a drill is played on: a quiet day of ordinary customers, passing in two hours, and an attack in the midst of it.

Every customer of the world pays about once, so that what is usual is known when the attack begins and every partner and
corridor has traffic. All of it follows from the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import merge
from operator import attrgetter
from typing import Any

import msgspec

from dataflow.simulate import DEFAULT_START, Simulator
from dataflow.simulation.craft import Craft, Draft
from dataflow.simulation.world import rng
from dataflow.virtual_flow import Arrival
from models.events import AnyEvent, Behaviour, Label, Transaction

CUSTOMERS = 8000
FASTER = 12
"""How much faster the ordinary day passes."""
ATTACK_AFTER_MS = 70 * 60_000
WATCHED_BEFORE_MS = 60_000
"""The watch looks for so long before the attack, so that a false alarm would show."""

SPAN_MS = 15 * 60_000
"""How long an attack or outage goes on, unless an attacker gives up before."""

Attack = Callable[[Craft, int], list[Draft]]
"""What comes from the moment given (ms) on, besides ordinary payments."""
Change = Callable[[Transaction], Arrival | None]
"""What becomes of an ordinary payment in the meantime; None: it stays as it is."""


class Traffic:
    """Ordinary payments and what goes wrong. bad: ids of what belongs to that. first_bad_at: of its first event, ms."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.simulator = Simulator(seed, customers=CUSTOMERS, scenarios=("quiet",))
        self.start = DEFAULT_START
        self.attack_at = self.start + ATTACK_AFTER_MS
        self.watched_from = self.attack_at - WATCHED_BEFORE_MS
        self.bad: set[str] = set()
        self.first_bad_at = 0

    def events(self, attack: Attack | None, change: Change | None) -> Iterator[Arrival]:
        """Everything in the order of arrival."""
        bad = [] if attack is None else self._attack(attack)
        ordinary = (event for event in map(self._sooner, self.simulator.events(1.0)) if event is not None)
        if change is None:
            return merge(ordinary, bad, key=attrgetter("received_at"))
        return (self._changed(event, change) for event in ordinary)

    def _changed(self, event: AnyEvent, change: Change) -> Arrival:
        if not isinstance(event, Transaction) or not 0 <= event.received_at - self.attack_at < SPAN_MS:
            return event
        other = change(event)
        if other is None:
            return event
        self.bad.add(event.id)
        self.first_bad_at = self.first_bad_at or event.received_at
        return other

    def craft(self, purpose: str) -> Craft:
        """Draws payments in this world."""
        return Craft(self.simulator.world, rng(self.seed, f"drill {purpose}"), 0)

    def _attack(self, attack: Attack) -> list[AnyEvent]:
        drafts = sorted(attack(self.craft("attack"), self.attack_at), key=attrgetter("received_at"))
        events = [_event(draft, f"drill-n{n}") for n, draft in enumerate(drafts)]
        self.bad = {event.id for event, draft in zip(events, drafts, strict=True) if draft.typology}
        self.first_bad_at = min(draft.received_at for draft in drafts if draft.typology)
        return events

    def _sooner(self, event: AnyEvent) -> AnyEvent | None:
        """The event as it comes in the day that passes faster; labels stay out, they would come in days."""
        if isinstance(event, Label):
            return None
        lag = event.received_at - event.event_time
        at = self.start + (event.event_time - self.start) // FASTER
        return msgspec.structs.replace(event, event_time=at, received_at=at + lag)


def _event(draft: Draft, id_: str) -> AnyEvent:
    fields: dict[str, Any] = draft.fields
    if draft.kind == "behaviour":
        return Behaviour(id=id_, received_at=draft.received_at, **fields)
    return Transaction(id=id_, received_at=draft.received_at, **fields)
