"""Drills that were played, kept in the store and noted in the audit chain; what became better or worse since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

import msgspec

from alerts.custody.audit import AuditEntry
from alerts.drills.card import Card
from alerts.emergency.plan import Plan
from alerts.response.containing import ResponseStore
from alerts.response.documents import Write

TIMES = ("mttd_s", "mtta_s", "mttc_s", "contained_s", "mttr_s")


class DrillRun(msgspec.Struct, frozen=True, kw_only=True):
    """One drill that was played. at: when, ms. book, plan: versions of the drills and of the emergency plan."""

    id: str
    drill: str
    at: int
    seed: int
    actor: str
    book: str
    plan: str
    card: Card


def run_of(card: Card, *, seed: int, actor: str, at: int, book: str, plan: Plan, id_: str = "") -> DrillRun:
    """The record of a drill that was played. plan: the one it followed; id_: by default drill and time."""
    return DrillRun(
        id=id_ or f"{card.scenario}-{at}", drill=card.scenario, at=at, seed=seed, actor=actor, book=book,
        plan=f"{plan.id} {plan.version}", card=card,
    )  # fmt: skip


class Trend(msgspec.Struct, frozen=True):
    """last: the newest run's times (seconds); before: means of the runs before it, where there are any."""

    runs: int
    passed: int
    last: dict[str, float | None]
    before: dict[str, float | None]


def keep(store: ResponseStore, run: DrillRun, role: str) -> None:
    """Keep a run. The same one again changes nothing, and makes good what a kill left out."""
    store.respond([Write("drill", run.id, 0, 1, msgspec.msgpack.encode(run))])
    after = {
        "passed": run.card.passed,
        "seed": run.seed,
        "measured": run.card.measured,
        "missed": run.card.missed,
    }
    entry = AuditEntry(run.actor, role, "drilled", "drill", run.id, run.at, after=after)
    store.append_audit(entry, f"drill:{run.id}")


def runs(store: ResponseStore, drill: str = "") -> list[DrillRun]:
    """Everything that was played, or one drill's runs, oldest first."""
    found = [msgspec.msgpack.decode(body, type=DrillRun) for body in store.documents("drill")]
    return sorted((one for one in found if drill in ("", one.drill)), key=lambda one: (one.at, one.id))


def last_runs(found: Sequence[DrillRun]) -> dict[str, int]:
    """When each drill was last played, ms. found: oldest first."""
    return {one.drill: one.at for one in found}


def trends(found: Sequence[DrillRun]) -> dict[str, Trend]:
    """How each drill went over time. found: oldest first."""
    by: dict[str, list[Card]] = defaultdict(list)
    for one in found:
        by[one.drill].append(one.card)
    return {
        drill: Trend(
            len(cards),
            sum(card.passed for card in cards),
            {name: cards[-1].measured.get(name) for name in TIMES},
            {name: _mean(cards[:-1], name) for name in TIMES},
        )
        for drill, cards in sorted(by.items())
    }


def _mean(cards: Sequence[Card], name: str) -> float | None:
    known = [value for card in cards if (value := card.measured.get(name)) is not None]
    return round(fmean(known), 3) if known else None
