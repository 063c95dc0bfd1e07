"""From what a step of the engine gave to what the store is told: the same for the flow and for virtual runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from alerts.alert import AlertHit, hit_of, needs_alert
from alerts.minutes import Minutes, add_decision, add_hit, head_of
from alerts.store import Commit
from models.decision import DeadLetter, Decision, encode_decision
from models.engine import Engine, Output

Seals = Callable[[DeadLetter], DeadLetter]


def commit_of(engine: Engine, output: Output, seal: Seals, now: int) -> Commit:
    """The commit of the step that `engine` has just made. now: the wall clock, ms.

    Alert hits are numbered here, so call it once for each step, in order.
    """
    counters = engine.counters
    encoded = [encode_decision(decision) for decision in output.decisions]
    minutes: Minutes = {}
    for decision in encoded:
        add_decision(minutes, head_of(decision))
    hits = _hits(output.decisions, counters.alerts)
    for hit in hits:
        add_hit(minutes, hit)
    counters.alerts += len(hits)
    return Commit(
        first_decision_ordinal=counters.decided - len(encoded) + 1, decisions=encoded, hits=hits,
        first_dead_ordinal=counters.dead_letters - len(output.dead) + 1,
        dead=[seal(letter) for letter in output.dead], counters=msgspec.structs.replace(counters), minutes=minutes,
        stream_time=engine.ledger.clock, now=now,
    )  # fmt: skip


def _hits(decisions: Sequence[Decision], before: int) -> list[AlertHit]:
    wanted = [decision for decision in decisions if needs_alert(decision)]
    return [hit_of(decision, ordinal) for ordinal, decision in enumerate(wanted, before + 1)]
