"""The sender: changes in the store through the router to the receivers, at least once and under stable ids.

One step reads what happened, lets the router decide, and saves intents, positions and the router's state in one write
before the first attempt is made. A sender that is killed between an answer and its saving makes that attempt again under
the same id, which the receiver recognises; one that is killed anywhere else does nothing twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from alerts.receivers.attempts import Attempt, Attempts
from alerts.receivers.lines import Line, Lines, Outcome, Owed
from alerts.receivers.message import Message
from alerts.receivers.post import Answer
from alerts.receivers.receiver import Receiver, Wire
from alerts.receivers.specs import digest
from alerts.routing import feed
from alerts.routing.change import Change
from alerts.routing.intent import Intent
from alerts.routing.keeping import Delivery, Saved
from alerts.routing.plan import Plan
from alerts.routing.reasons import code
from alerts.routing.router import Router
from alerts.routing.silencing import KEEP_ENDED_MS
from alerts.routing.state import RouterState
from alerts.store import Store
from models.errors import StoreError

ROUNDS = 5
"""Attempts for each receiver in one step, before the store and the clock are read again."""
TROUBLE_MS = 120_000
"""How long a receiver is in trouble before the others hear of it."""
FEED = "feed"


class Working(NamedTuple):
    """What is read from the store at the start, and kept beside it. version: of the store's state."""

    version: int
    router: Router
    lines: Lines
    position: feed.Position


class Sender:
    """Routes and delivers what `store` holds to `receivers`, which are those of `plan`, by name.

    console_url: address of the console's queue page, for links.
    """

    def __init__(
        self,
        store: Store,
        plan: Plan,
        receivers: Mapping[str, Receiver],
        attempts: Attempts,
        wire: Wire,
        console_url: str = "",
    ) -> None:
        self._store, self._attempts, self._wire, self._console_url = store, attempts, wire, console_url
        self._plan, self._receivers = plan, dict(receivers)
        self._at: Working | None = None
        self._busy: set[str] = set()
        self._ended: list[Attempt] = []
        self.unsure = 0
        """Times the store did not say in time that intents are on disk."""

    def follow(self, plan: Plan, receivers: Mapping[str, Receiver]) -> None:
        """Go on by another plan."""
        self._plan, self._receivers, self._at = plan, dict(receivers), None

    def step(self, now: int) -> int | None:
        """Do what is due at `now`; when there is something to do next, None: not before something changes.

        Raises StoreError; the next step begins with what the store has.
        """
        try:
            at = self._at or self._begin(now)
            self._decide(at, now)
            return self._deliver(now)
        except StoreError:
            self._at = None
            raise

    def wait(self, seconds: float) -> None:
        """Return when an attempt has ended, or after `seconds`."""
        self._ended += self._attempts.finished(seconds)

    def status(self, now: int) -> dict[str, str | int | float]:
        """For the heartbeat."""
        if self._at is None:
            return {}
        lines, names = self._at.lines, list(self._receivers)
        states = [lines.line(name).breaker(now) for name in names]
        return {
            "receivers": len(names),
            "disabled": states.count("disabled"),
            "failing": sum(state in ("open", "half_open") for state in states),
            "owed": len(lines.owed),
            "tracked": len(self._at.router.state.tracked),
            "unsure": self.unsure,
        }

    def _begin(self, now: int) -> Working:
        version, parts = self._store.routing_state()
        digests = {name: digest(receiver.spec) for name, receiver in self._receivers.items()}
        lines = Lines(parts, digests)
        router = Router(
            self._plan,
            RouterState({n: v for n, v in parts.items() if n[:2] in ("t:", "g:") or n == "wide"}),
            now,
        )
        saved = parts.get(FEED)
        if saved is not None:
            position = msgspec.msgpack.decode(saved, type=feed.Position)
            self._at = Working(version, router, lines, position)
            return self._at
        # The first start on this store: everything that is not over is news. What happens meanwhile is read after it.
        position = feed.Position(acts=self._store.last_act())
        self._at = Working(version, router, lines, position)
        live = self._store.live_alerts()
        for start in range(0, len(live), feed.AT_ONCE):
            changes = list(feed.changes_of(self._store, live[start : start + feed.AT_ONCE]))
            self._owe(self._at, router.step(now, changes, self._store.silences()), now)
            self._save({})
        self._save({FEED: msgspec.msgpack.encode(position)})
        return self._at

    def _decide(self, at: Working, now: int) -> None:
        changes, position = feed.read(self._store, at.position, now)
        changes += self._about_lines(at, now)
        silences, asked = self._store.silences(), self._store.resends()
        unheard = at.lines.unheard(now, self._plan.fallback_after)
        intents = at.router.step(now, changes, silences, unheard)
        self._owe(at, intents, now)
        done = self._store.done_by_id([one.message_id for one in asked]) if asked else {}
        again = [done[one.message_id].intent for one in asked if one.message_id in done]
        again += [at.lines.owed[one.message_id].intent for one in asked if one.message_id in at.lines.owed]
        at.lines.owe(again, now, by_hand=True)
        self._at = at._replace(position=position)
        moved = {FEED: msgspec.msgpack.encode(position)} if position != at.position else {}
        self._save(moved)
        if intents or again:
            self._on_disk()
        ended = [silence.id for silence in silences if silence.ends_at < now - KEEP_ENDED_MS]
        if ended or asked:
            self._store.drop_asked(ended, [one.message_id for one in asked])

    def _owe(self, at: Working, intents: list[Intent], now: int) -> None:
        # A receiver is not told of its own trouble: it would hear of it only when that is over.
        at.lines.owe(
            [i for i in intents if {c.key for c in i.subjects} != {f"self:receiver:{i.receiver}"}], now
        )

    def _on_disk(self) -> None:
        try:
            self._store.wait_durable(2000)
        except StoreError:
            # A page that may be sent twice after a crash of the store is better than one that waits for its disk.
            self.unsure += 1

    def _about_lines(self, at: Working, now: int) -> list[Change]:
        """Changes of our own: receivers that got into trouble or out of it."""
        changes = []
        for name in self._receivers:
            line = at.lines.line(name)
            known = at.router.state.tracked.get(f"self:receiver:{name}")
            was = known is not None and known.change.state != "resolved"
            bad = bool(line.disabled) or (line.failures > 0 and now - line.opened_at >= TROUBLE_MS)
            if bad != was and (bad or not line.failures):
                changes.append(_of_line(name, line, bad, now))
        return changes

    def _save(self, parts: dict[str, bytes], deliveries: list[Delivery] | None = None) -> None:
        at = self._at
        assert at is not None
        put, drop = at.router.state.changes()
        more, gone, done = at.lines.changes()
        saved = Saved({**put, **more, **parts}, [*drop, *gone], done, deliveries or [])
        if not saved.nothing:
            self._at = at._replace(version=self._store.save_routing(at.version, saved))

    def _deliver(self, now: int) -> int | None:
        self._take(now)
        for _ in range(ROUNDS):
            self._start(now)
            self._ended += self._attempts.finished()
            if not self._take(now):
                break
        return self._next(now)

    def _start(self, now: int) -> None:
        """Start an attempt for each receiver that has none under way."""
        at = self._at
        assert at is not None
        buried: list[Delivery] = []
        for name in at.lines.receivers():
            if name in self._busy:
                continue
            receiver = self._receivers.get(name)
            if receiver is None or at.lines.line(name).disabled:
                detail = "disabled after 410" if receiver else "no such receiver any more"
                for owed in at.lines.owed_to(name):
                    at.lines.bury(owed, now)
                    buried.append(_delivery(receiver, owed, now, "dead", Answer(None, detail), owed.failed))
                continue
            due, _ = at.lines.next(name, now)
            if due is not None:
                message = Message(
                    intent=due.intent,
                    alerts=self._store.alerts_by_id([c.id for c in due.intent.subjects if c.kind == "alert"]),
                    console_url=self._console_url,
                )
                self._busy.add(name)
                self._attempts.start(
                    name,
                    due.intent.id,
                    now,
                    lambda r=receiver, m=message: r.send(m, now, self._wire),  # type: ignore[misc]
                )
        if buried:
            self._save({}, buried)

    def _take(self, now: int) -> bool:
        """Take in what came of attempts; False: nothing did. They stay until they are saved."""
        at, ended = self._at, list(self._ended)
        assert at is not None
        deliveries = []
        for attempt in ended:
            receiver, owed = self._receivers.get(attempt.receiver), at.lines.owed.get(attempt.message_id)
            if receiver is None or owed is None:
                continue
            outcome = at.lines.attempted(owed, receiver.verdict(attempt.answer), attempt.answer, now)
            number = owed.failed + (outcome == "delivered")
            deliveries.append(_delivery(receiver, owed, attempt.at, outcome, attempt.answer, number))
        self._save({}, deliveries)
        del self._ended[: len(ended)]
        self._busy.difference_update(attempt.receiver for attempt in ended)
        return bool(ended)

    def _next(self, now: int) -> int | None:
        at = self._at
        assert at is not None
        moments = [at.router.due(), at.lines.next_unheard(self._plan.fallback_after)]
        for name in at.lines.receivers():
            if name not in self._busy:
                due, later = at.lines.next(name, now)
                moments.append(now if due is not None else later)
        return min((max(moment, now) for moment in moments if moment is not None), default=None)


def _delivery(
    receiver: Receiver | None, owed: Owed, at: int, outcome: Outcome, answer: Answer, attempt: int
) -> Delivery:
    intent = owed.intent
    return Delivery(
        webhook_id=intent.id,
        alert_id=intent.subjects[0].id if intent.subjects else "",
        url=receiver.place if receiver else "",
        attempt=attempt,
        at=at,
        outcome=outcome,
        status=answer.status,
        detail=answer.detail,
        receiver=intent.receiver,
        reason=code(intent.reason),
        more=max(intent.total - 1, 0),
    )


def _of_line(name: str, line: Line, bad: bool, now: int) -> Change:
    why = ("has asked for no more (410)", "已拒收（410）") if line.disabled else ("does not answer", "无应答")
    if not bad:
        why = ("answers again", "已恢复")
    return Change(
        kind="self",
        id=f"receiver:{name}",
        severity="S2",
        at=now,
        state="open" if bad else "resolved",
        version=now,
        labels={"component": "receiver", "receiver": name},
        text_en=f"Receiver {name} {why[0]}.",
        text_zh=f"接收方 {name} {why[1]}。",
    )
