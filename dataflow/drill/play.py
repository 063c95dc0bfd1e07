"""Plays an attack through the real engine, detection, routing, incident and containment on a virtual clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from alerts.drills.book import Drill, DrillBook
from alerts.drills.card import Card, Played, card_of
from alerts.emergency.plan_book import Book
from alerts.notices.of_incident import NoticeClocks
from alerts.response.core import ResponseCore
from alerts.response.planned import used
from alerts.routing.plan import Plan
from alerts.routing.router import Router
from alerts.routing.state import RouterState
from dataflow.assemble import engine_of
from dataflow.drill.attacks import ATTACKS, CHANGES
from dataflow.drill.responders import Responders
from dataflow.drill.restoring import Restore
from dataflow.drill.stages import InMemory, Stage, StoreLoss
from dataflow.drill.traffic import ATTACK_AFTER_MS, SPAN_MS, Traffic
from dataflow.settings import Settings
from dataflow.simulation.world import rng
from dataflow.virtual_flow import Arrival, arrival_of
from models.decision import Decision
from models.engine import Engine
from models.engine_settings import CAPACITIES

TICK_MS, CALM_TICK_MS = 1000, 5000
"""Between two looks until the incident is found, and afterwards: people are not quicker than that."""
LONGEST_MS = 60 * 60_000
USUAL_MS = ATTACK_AFTER_MS + 25 * 60_000
"""How long drills usually last on the virtual clock; progress is told by it."""
_decisions = msgspec.json.Decoder(Decision)


def play(
    drill: Drill, book: DrillBook, plans: Book, settings: Settings, seed: int,
    progress: Callable[[float], None] = lambda _: None,
) -> Card:  # fmt: skip
    """Play one drill and score it; `progress` is told about which share of it is over.

    Attacks give the same card for the same seed, settings, plans and data files; where real servers are killed, the time
    that takes is measured.
    """
    with TemporaryDirectory(prefix="tidegate-drill-") as directory:
        traffic = Traffic(seed)
        capacities = {name: min(most, 20_000) for name, most in CAPACITIES.items()}

        def fresh() -> Engine:
            return engine_of(
                settings, learn_inline=False, capacities=capacities, ledger_rows=2**17, vector_rows=2**13
            )

        stages: dict[str, Callable[[], Stage]] = {
            "store_loss": lambda: StoreLoss(Path(directory), traffic.attack_at),
            "restore": lambda: Restore(Path(directory), traffic.attack_at, fresh),
        }
        stage = stages.get(drill.id, InMemory)()
        try:
            return _played(
                drill, book, plans, NoticeClocks(settings.notices), seed, traffic, stage, fresh(), progress
            )
        finally:
            stage.close()


def _played(
    drill: Drill, book: DrillBook, plans: Book, notices: NoticeClocks, seed: int, traffic: Traffic, stage: Stage,
    engine: Engine, progress: Callable[[float], None],
) -> Card:  # fmt: skip
    store = stage.open(traffic.start)
    core = ResponseCore(store, plan_of=lambda kind, _: used(plans.plan(kind)), notices=notices)
    people = Responders(core, drill, book.people, plans, rng(seed, f"drill people {drill.id}"))
    flow = stage.flow(engine, core, TICK_MS, lambda now: people.act(now, core.store.stream_time()))
    router = Router(Plan(book.routing), RouterState(), traffic.watched_from)
    gives_up, until, heard = int(book.attacker.gives_up_s * 1000), traffic.attack_at + SPAN_MS, ""

    def arriving() -> Iterator[Arrival]:
        for event in traffic.events(ATTACKS.get(drill.id), CHANGES.get(drill.id)):
            bad = not isinstance(event, tuple) and event.id in traffic.bad
            progress(min((arrival_of(event) - traffic.start) / USUAL_MS, 0.99))
            # `until` moves closer once everything of an attack is refused.
            if not (bad and arrival_of(event) > until):
                yield event

    for now, _ in flow.run(arriving(), traffic.watched_from):
        stage.look(now)
        if stage.broke_at() is not None and stage.restored_at() is None:
            continue
        told = core.store.announcements(heard, 1000)
        heard = told[-1][0] if told else heard
        people.hear(router.step(now, [change for _, change in told]), now)
        contained = people.contained_at()
        if people.incident() is not None:
            flow.every_ms = CALM_TICK_MS
        if contained is not None:
            until = until if drill.id in CHANGES else min(until, contained + gives_up)
        over = stage.restored_at() or (until if now >= until else None)
        people.over_at = over
        if people.done or now > traffic.attack_at + LONGEST_MS:
            break
    mine, told_of = people.incident(), stage.report()
    others = [one for one in core.incidents(live=False) if mine is None or one.id != mine.id]
    played = Played(
        incident=mine, measures=people.measures(), first_bad_at=stage.broke_at() or traffic.first_bad_at,
        bad=traffic.bad, late_ms=people.late_ms(flow.now), failed=drill.id == "payment_outage",
        notices=people.notices(flow.now),
        lost=told_of.lost, doubled=told_of.doubled,
        false_alarms=sum(one.detected_at < traffic.attack_at for one in others),
    )  # fmt: skip
    decisions = [_decisions.decode(line) for line in reversed(core.store.recent_decisions(10**6))]
    return card_of(drill.id, played, decisions, book.targets, core.table)
