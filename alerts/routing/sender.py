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
from alerts.receivers.lines import Lines, Outcome, Owed
from alerts.receivers.message import Message
from alerts.receivers.post import Answer
from alerts.receivers.receiver import Receiver, Wire
from alerts.receivers.specs import digest
from alerts.receivers.trouble import is_about_itself, troubles
from alerts.routing import feed, view
from alerts.routing.intent import Intent
from alerts.routing.keeping import Delivery, Saved
from alerts.routing.plan import Plan
from alerts.routing.reasons import code
from alerts.routing.router import Router
from alerts.routing.set_back import TOLERANCE_MS, taken_back
from alerts.routing.silencing import KEEP_ENDED_MS
from alerts.routing.state import RouterState
from alerts.routing.view import view_of
from alerts.store import Store
from models.errors import StoreError

ROUNDS = 5
"""Attempts for each receiver in one step, before the store and the clock are read again."""
HANGS_MS = 120_000
"""An attempt without an end for so long counts as failed. A receiver can let bytes drip for hours."""
FEED, CLOCK = "feed", "clock"


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
        self._busy: dict[str, tuple[int, str]] = {}
        """Receivers with an attempt under way: since when, and of which message."""
        self._ended: list[Attempt] = []
        self.unsure = self.forgotten = self.set_back = 0
        """Times that intents were not known to be on disk, the state could not be read, the clock was set back."""
        self._now = 0

    def follow(self, plan: Plan, receivers: Mapping[str, Receiver]) -> None:
        """Go on by another plan."""
        self._plan, self._receivers, self._at = plan, dict(receivers), None

    def step(self, now: int) -> int | None:
        """Do what is due at `now`; when there is something to do next, None: not before something changes.

        Raises StoreError; the next step begins with what the store has.
        """
        if self._now - now > TOLERANCE_MS:
            self._at = None
        self._now = now
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
            "forgotten": self.forgotten,
            "clock_set_back": self.set_back,
        }

    def _begin(self, now: int) -> Working:
        version, parts = self._store.routing_state()
        try:
            version, parts = self._set_right(version, parts, now)
            position, at = self._read(version, parts, now)
        except (msgspec.MsgspecError, KeyError):
            # Written by another version, or torn by hand. To page again what is open is better than to page nobody.
            self.forgotten += 1
            self._at = None
            version = self._store.save_routing(version, Saved(drop=list(parts)))
            position, at = self._read(version, {}, now)
        self._at = at
        shown = msgspec.msgpack.encode(view_of(self._plan))
        if parts.get(view.PART) != shown:
            self._save({view.PART: shown})
        if position is not None:
            return self._at
        # The first start on this store: everything that is not over is news. What happens meanwhile is read after it.
        self._at = at = self._at._replace(position=feed.Position(acts=self._store.last_act()))
        live = self._store.live_alerts()
        for start in range(0, len(live), feed.AT_ONCE):
            changes = list(feed.changes_of(self._store, live[start : start + feed.AT_ONCE]))
            self._owe(at, at.router.step(now, changes, self._store.silences()), now)
            self._save({})
        self._save({FEED: msgspec.msgpack.encode(self._at.position)})
        return self._at

    def _set_right(self, version: int, parts: dict[str, bytes], now: int) -> tuple[int, dict[str, bytes]]:
        """What was saved when the clock was ahead of now does not wait for it to be as late again."""
        ahead = msgspec.msgpack.decode(parts[CLOCK], type=int) - now if CLOCK in parts else 0
        if ahead <= TOLERANCE_MS:
            return version, parts
        self.set_back += 1
        changed = {**taken_back(parts, ahead, now), CLOCK: msgspec.msgpack.encode(now)}
        return self._store.save_routing(version, Saved(changed)), {**parts, **changed}

    def _read(self, version: int, parts: dict[str, bytes], now: int) -> tuple[feed.Position | None, Working]:
        digests = {name: digest(receiver.spec) for name, receiver in self._receivers.items()}
        kept = {name: part for name, part in parts.items() if name[:2] in ("t:", "g:") or name == "wide"}
        position = msgspec.msgpack.decode(parts[FEED], type=feed.Position) if FEED in parts else None
        router = Router(self._plan, RouterState(kept), now, feed.live_from(self._store))
        return position, Working(version, router, Lines(parts, digests), position or feed.Position())

    def _decide(self, at: Working, now: int) -> None:
        at.router.live_from = live_from = feed.live_from(self._store)
        changes, position = feed.read(self._store, at.position, now, live_from)
        changes += troubles(at.lines, at.router.state.tracked, self._receivers, now)
        silences, asked = self._store.silences(), self._store.resends()
        unheard = at.lines.unheard(now, self._plan.fallback_after)
        intents = at.router.step(now, changes, silences, unheard)
        self._owe(at, intents, now)
        done = self._store.done_by_id([one.message_id for one in asked]) if asked else {}
        again = [done[one.message_id].intent for one in asked if one.message_id in done]
        again += [at.lines.owed[one.message_id].intent for one in asked if one.message_id in at.lines.owed]
        at.lines.owe(again, now, by_hand=True)
        self._at = at._replace(position=position)
        self._save({FEED: msgspec.msgpack.encode(position)} if position != at.position else {})
        if intents or again:
            self._on_disk()
        ended = [silence.id for silence in silences if silence.ends_at < now - KEEP_ENDED_MS]
        if ended or asked:
            self._store.drop_asked(ended, [one.message_id for one in asked])

    def _owe(self, at: Working, intents: list[Intent], now: int) -> None:
        at.lines.owe(
            [one for one in intents if not is_about_itself(one.receiver, {c.key for c in one.subjects})], now
        )

    def _on_disk(self) -> None:
        try:
            self._store.wait_durable(2000)
        except StoreError:
            # A page that may be sent twice after a crash of the store is better than one that waits for its disk.
            self.unsure += 1

    def _save(self, parts: dict[str, bytes], deliveries: list[Delivery] | None = None) -> None:
        at = self._at
        assert at is not None
        put, drop = at.router.state.changes()
        more, gone, done = at.lines.changes()
        saved = Saved({**put, **more, **parts}, [*drop, *gone], done, deliveries or [])
        if not saved.nothing:
            saved.put[CLOCK] = msgspec.msgpack.encode(self._now)
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
                since, id_ = self._busy[name]
                if now - since >= HANGS_MS:
                    self._ended.append(
                        Attempt(name, id_, since, Answer(None, "no end of it within two minutes"))
                    )
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
                self._busy[name] = (now, due.intent.id)
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
            verdict = "refused" if attempt.answer.ours else receiver.verdict(attempt.answer)
            late = self._busy.get(attempt.receiver) != (attempt.at, attempt.message_id)
            if late and verdict != "delivered":
                continue
            outcome = at.lines.attempted(owed, verdict, attempt.answer, now)
            number = owed.failed + (outcome == "delivered")
            deliveries.append(_delivery(receiver, owed, attempt.at, outcome, attempt.answer, number))
        self._save({}, deliveries)
        del self._ended[: len(ended)]
        for attempt in ended:
            if self._busy.get(attempt.receiver) == (attempt.at, attempt.message_id):
                del self._busy[attempt.receiver]
        return bool(ended)

    def _next(self, now: int) -> int | None:
        at = self._at
        assert at is not None
        moments = [at.router.due(), at.lines.next_unheard(self._plan.fallback_after)]
        for name in at.lines.receivers():
            if name in self._busy:
                moments.append(self._busy[name][0] + HANGS_MS)
                continue
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
