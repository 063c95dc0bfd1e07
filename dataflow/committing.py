"""From what a step of the engine gave to what the store is told: the same for the flow and for virtual runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from alerts.alert import AlertHit, hit_of, needs_alert
from alerts.minutes import Minutes, add_dead, add_decision, add_hit
from alerts.response.traces import Line
from alerts.store import Commit
from models.decision import DeadLetter, Decision, encode_decision
from models.engine import Engine, Output
from models.errors import EventError
from models.events import Control, Transaction, decode, encode
from models.rows import Item

Seals = Callable[[DeadLetter], DeadLetter]


def commit_of(engine: Engine, output: Output, seal: Seals, now: int) -> Commit:
    """The commit of the step that `engine` has just made. now: the wall clock, ms.

    Alert hits are numbered here, so call it once for each step, in order.
    """
    counters = engine.counters
    encoded = [encode_decision(decision) for decision in output.decisions]
    minutes: Minutes = {}
    for decision in output.decisions:
        add_decision(minutes, decision)
    hits = _hits(output.decisions, counters.alerts)
    for hit in hits:
        add_hit(minutes, hit)
    counters.alerts += len(hits)
    for letter in output.dead:
        add_dead(minutes, letter.reason, engine.ledger.clock)
    return Commit(
        first_decision_ordinal=counters.decided - len(encoded) + 1, decisions=encoded, hits=hits,
        first_dead_ordinal=counters.dead_letters - len(output.dead) + 1,
        dead=[seal(letter) for letter in output.dead], counters=msgspec.structs.replace(counters), minutes=minutes,
        stream_time=engine.ledger.clock, now=now,
    )  # fmt: skip


def _hits(decisions: Sequence[Decision], before: int) -> list[AlertHit]:
    wanted = [decision for decision in decisions if needs_alert(decision)]
    return [hit_of(decision, ordinal) for ordinal, decision in enumerate(wanted, before + 1)]


def obeyed(items: Sequence[Item], output: Output) -> list[str]:
    """Ids of the Control events among `items` that contain something, or end it, and that the engine took."""
    refused = {letter.event_id for letter in output.dead}
    out = []
    for item in items:
        try:
            event = item.event if item.line is None else decode(item.line)
        except EventError:
            continue
        if isinstance(event, Control) and event.id not in refused and _contains(event):
            out.append(event.id)
    return out


def _contains(event: Control) -> bool:
    return event.kind in ("containment", "limits") or (event.kind == "model" and event.payload is not None)


class _Identity(msgspec.Struct, gc=False):
    id: str = ""


_identity = msgspec.json.Decoder(_Identity)


def alerted(items: Sequence[Item], hits: Sequence[AlertHit]) -> list[Line]:
    """The events that the alert hits are about, as they came in."""
    wanted = {hit.event_id for hit in hits}
    out: list[Line] = []
    for item in items if wanted else ():
        try:
            if item.line is None:
                if isinstance(item.event, Transaction) and item.event.id in wanted:
                    out.append((item.event.id, encode(item.event)))
            elif (id_ := _identity.decode(item.line).id) in wanted:
                out.append((id_, item.line))
        except msgspec.DecodeError:
            continue  # it became a dead letter
    return out
