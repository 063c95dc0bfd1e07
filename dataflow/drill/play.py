"""Plays an attack through the real engine, detection, routing, incident and containment on a virtual clock."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from alerts.emergency.plan_book import Book
from alerts.memory_store import MemoryStore
from alerts.response.core import ResponseCore
from alerts.response.planned import used
from alerts.routing.plan import Plan
from alerts.routing.router import Router
from alerts.routing.state import RouterState
from dataflow.assemble import engine_of
from dataflow.drill.attacks import ATTACKS, CHANGES
from dataflow.drill.book import Drill, DrillBook
from dataflow.drill.card import Card, Played, card_of
from dataflow.drill.responders import Responders
from dataflow.drill.traffic import SPAN_MS, Traffic
from dataflow.settings import Settings
from dataflow.simulation.world import rng
from dataflow.virtual_flow import Arrival, VirtualFlow, arrival_of
from models.decision import Decision
from models.engine_settings import CAPACITIES

TICK_MS, CALM_TICK_MS = 1000, 5000
"""Between two looks until the containment is in force, and afterwards."""
LONGEST_MS = 60 * 60_000
_decisions = msgspec.json.Decoder(Decision)


def play(drill: Drill, book: DrillBook, plans: Book, settings: Settings, seed: int) -> Card:
    """One of the drills that are played on payments. The same for the same seed, settings, plans and data files."""
    traffic = Traffic(seed)
    store = MemoryStore()
    core = ResponseCore(store, plan_of=lambda kind, _: used(plans.plan(kind)))
    people = Responders(core, drill, book.people, plans, rng(seed, f"drill people {drill.id}"))
    capacities = {name: min(most, 20_000) for name, most in CAPACITIES.items()}
    engine = engine_of(
        settings, learn_inline=False, capacities=capacities, ledger_rows=2**17, vector_rows=2**15
    )
    flow = VirtualFlow(engine, store, core, TICK_MS, lambda now: people.act(now, store.stream_time()))
    router = Router(Plan(book.routing), RouterState(), traffic.watched_from)
    gives_up = int(book.attacker.gives_up_s * 1000)
    until = traffic.attack_at + SPAN_MS

    def arriving() -> Iterator[Arrival]:
        for event in traffic.events(ATTACKS.get(drill.id), CHANGES.get(drill.id)):
            bad = not isinstance(event, tuple) and event.id in traffic.bad
            # `until` moves closer once everything of an attack is refused.
            if not (bad and arrival_of(event) > until):
                yield event

    for now, _ in flow.run(arriving(), traffic.watched_from):
        changes, store.announced = store.announced, []
        people.hear(router.step(now, changes), now)
        contained = people.contained_at()
        if contained is not None:
            flow.every_ms = CALM_TICK_MS
            until = until if drill.id in CHANGES else min(until, contained + gives_up)
        people.over_at = until if now >= until else None
        if people.done or now > traffic.attack_at + LONGEST_MS:
            break
    mine = people.incident()
    others = [one for one in core.incidents(live=False) if mine is None or one.id != mine.id]
    played = Played(
        incident=mine, measures=people.measures(), first_bad_at=traffic.first_bad_at, bad=traffic.bad,
        failed=drill.id == "payment_outage",
        false_alarms=sum(one.detected_at < traffic.attack_at for one in others),
    )  # fmt: skip
    decisions = [_decisions.decode(line) for line in reversed(store.recent_decisions(10**6))]
    return card_of(drill.id, played, decisions, book.targets, core.table)
