"""One line a receiver: what is owed to it, when the next attempt is due, and its circuit breaker. Pure.

When a receiver does not answer, its line rests: now and then one message probes it (half-open), each time another one,
since it may be the message that it cannot stand; and no message is given up for that within a day. What a receiver
refuses is tried again by the schedule of alerts/receivers/retry.py. When it answers again, all goes out at once, the
worst first; that something is over is said after all pages of its thread, which would open it again. 410 disables the
line until the receiver's settings change. A page that no receiver took in time is due to the fallback.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import msgspec

from alerts.receivers.retry import LONGEST_MS, asked_delay_ms, delay_ms
from alerts.routing.intent import Done, Intent
from alerts.routing.reasons import Fallback

if TYPE_CHECKING:
    from alerts.receivers.post import Answer
    from alerts.receivers.receiver import Verdict

LONGEST_REST_MS = 60_000
Breaker = Literal["closed", "open", "half_open", "disabled"]
Outcome = Literal["delivered", "retry", "dead"]


class Owed(msgspec.Struct):
    """A message in flight. since: when it came to be owed. failed: attempts so far; refused: those that failed for the
    message's own sake. by_hand: somebody asked for it again.
    """

    intent: Intent
    since: int
    due: int
    failed: int = 0
    refused: int = 0
    by_hand: bool = False


class Line(msgspec.Struct):
    """A receiver's trouble. disabled: digest of the settings that were answered with 410, else empty.

    opened_at: when the breaker opened. refusals, refused_at: how many messages in a row it refused, since when.
    owed: messages in flight. delivered_at: when it last took one, 0: never.
    """

    failures: int = 0
    rest_until: int = 0
    disabled: str = ""
    opened_at: int = 0
    refusals: int = 0
    refused_at: int = 0
    owed: int = 0
    delivered_at: int = 0

    def breaker(self, now: int) -> Breaker:
        """closed: in order. open: it rests. half_open: the next message tries. disabled: see the class."""
        if self.disabled:
            return "disabled"
        if not self.failures:
            return "closed"
        return "open" if now < self.rest_until else "half_open"


class Page(msgspec.Struct):
    """The messages of one decision to page: `open` ones are in flight, and nobody took any yet."""

    at: int
    open: list[str]
    intent: Intent


class Lines:
    """The lines of all receivers, and what changed in them.

    fields: as `changes` gave them, by name: `o:` and a message's id, `l:` and a receiver, `p:` and a page.
    digests: of the receivers' present settings, by name.
    """

    def __init__(self, fields: dict[str, bytes], digests: dict[str, str]) -> None:
        def named(kind: str) -> dict[str, bytes]:
            return {name[2:]: value for name, value in fields.items() if name.startswith(kind)}

        self.owed = {id_: msgspec.msgpack.decode(value, type=Owed) for id_, value in named("o:").items()}
        self.lines = {name: msgspec.msgpack.decode(value, type=Line) for name, value in named("l:").items()}
        pages = {name: msgspec.msgpack.decode(value, type=Page) for name, value in named("p:").items()}
        self.pages = dict(sorted(pages.items(), key=lambda pair: pair[1].at))
        self._failed = [name for name, page in self.pages.items() if not page.open]
        self._touched: set[str] = set()
        self._done: dict[str, Done] = {}
        self._digests = digests
        for name, line in self.lines.items():
            if line.disabled and line.disabled != digests.get(name):
                line.disabled = ""
                self._touched.add(f"l:{name}")
        self._of: dict[str, set[str]] = {}
        self._waiting: dict[str, list[tuple[int, str]]] = {}
        self._ready: dict[str, list[tuple[bool, str, int, str]]] = {}
        self._paging: dict[tuple[str, str], set[str]] = {}
        for id_, owed in self.owed.items():
            self._queued(id_, owed)

    def line(self, receiver: str) -> Line:
        """The receiver's line."""
        return self.lines.setdefault(receiver, Line())

    def receivers(self) -> list[str]:
        """Receivers that something is owed to, in a fixed order."""
        return sorted(name for name, ids in self._of.items() if ids)

    def owed_to(self, receiver: str) -> list[Owed]:
        """All that is owed to a receiver, in no order."""
        return [self.owed[id_] for id_ in self._of.get(receiver, ())]

    def owe(self, intents: Iterable[Intent], now: int, by_hand: bool = False) -> None:
        """Take messages in. One that is in flight already is not taken twice; asked for by hand, it is due now."""
        for intent in intents:
            known = self.owed.get(intent.id)
            if known is not None:
                if by_hand:
                    known.due = now
                    self._put(intent.id, known)
                continue
            self._put(intent.id, Owed(intent, now, now, by_hand=by_hand))
            # The fallback is the last resort: its own failure has nowhere to go.
            if intent.says == "open" and not by_hand and not isinstance(intent.reason, Fallback):
                page = self.pages.setdefault(intent.page, Page(intent.at, [], intent))
                page.open.append(intent.id)
                self._touched.add(f"p:{intent.page}")

    def next(self, receiver: str, now: int) -> tuple[Owed | None, int | None]:
        """The message to attempt at `now`, or when there will be one; (None, None): nothing is owed."""
        waiting, ready = self._waiting.get(receiver, []), self._ready.setdefault(receiver, [])
        while waiting and waiting[0][0] <= now:
            due, id_ = heapq.heappop(waiting)
            owed = self.owed.get(id_)
            if owed is not None and owed.due == due:
                intent = owed.intent
                heapq.heappush(ready, (intent.says != "open", intent.worst, intent.at, id_))
        while ready and ((owed := self.owed.get(ready[0][3])) is None or self._late(owed) > now):
            heapq.heappop(ready)
        line = self.line(receiver)
        if not ready:
            return (None, max(waiting[0][0], line.rest_until)) if waiting else (None, None)
        if line.rest_until > now:
            return None, line.rest_until
        return self._probe(ready, now) if line.failures else self.owed[ready[0][3]], None

    def _probe(self, ready: list[tuple[bool, str, int, str]], now: int) -> Owed:
        """Of what is ready the one that was tried least."""
        there = [
            ((over, owed.failed, worst, at, id_), owed)
            for over, worst, at, id_ in ready
            if (owed := self.owed.get(id_)) is not None and self._late(owed) <= now
        ]
        return min(there, key=lambda pair: pair[0])[1]

    def attempted(self, owed: Owed, verdict: Verdict, answer: Answer, now: int) -> Outcome:
        """Take the answer of an attempt in; what became of the message."""
        name = owed.intent.receiver
        line = self.line(name)
        if verdict == "delivered":
            self._finish(owed, "delivered", now)
            line.failures = line.rest_until = line.opened_at = line.refusals = line.refused_at = 0
            line.delivered_at = now
            self._touched.add(f"l:{name}")
            return "delivered"
        owed.failed += 1
        if verdict in ("refused", "hopeless"):
            line.refusals, line.refused_at = line.refusals + 1, line.refused_at or now
            self._touched.add(f"l:{name}")
        if verdict == "gone":
            line.disabled = self._digests.get(name, "gone")
            self._touched.add(f"l:{name}")
        if verdict in ("gone", "hopeless"):
            self._finish(owed, "dead", now)
            return "dead"
        asked = asked_delay_ms(answer.retry_after, now)
        if verdict == "busy":
            # The receiver is in trouble, not the message: it keeps its attempts.
            self._touched.add(f"l:{name}")
            line.opened_at = line.opened_at or now
            line.failures += 1
            rest = min(delay_ms(owed.intent.id, line.failures) or LONGEST_REST_MS, LONGEST_REST_MS)
            line.rest_until = owed.due = now + max(rest, asked)
            over = now - owed.since >= LONGEST_MS
            if line.failures == 1 and owed.failed > 1:
                # Others were taken since it failed: the trouble comes with this message.
                delay = delay_ms(owed.intent.id, owed.failed)
                owed.due, over = max(owed.due, now + (delay or 0)), over or delay is None
        else:
            owed.refused += 1
            delay = delay_ms(owed.intent.id, owed.refused)
            owed.due = now + max(delay or 0, asked)
            over = delay is None
        if over:
            self._finish(owed, "dead", now)
            return "dead"
        self._put(owed.intent.id, owed)
        return "retry"

    def bury(self, owed: Owed, now: int) -> None:
        """Give a message up without an attempt."""
        self._finish(owed, "dead", now)

    def unheard(self, now: int, after: int) -> list[Intent]:
        """Pages that nobody took: every receiver failed, or `after` ms went by. They are told once."""
        names = [name for name in self._failed if name in self.pages]
        # Oldest first, as they came: the first one that still has time ends the look.
        for name, page in self.pages.items():
            if now < page.at + after:
                break
            names.append(name)
        self._failed.clear()
        self._touched.update(f"p:{name}" for name in names)
        return [self.pages.pop(name).intent for name in dict.fromkeys(names)]

    def next_unheard(self, after: int) -> int | None:
        """When `unheard` may have something to say next."""
        if self._failed:
            return 0
        return next((page.at + after for page in self.pages.values()), None)

    def changes(self) -> tuple[dict[str, bytes], list[str], dict[str, Done]]:
        """What to write, what to delete, and what is done, since the last call."""
        put, drop = {}, []
        for receiver, ids in self._of.items():
            line = self.line(receiver)
            if line.owed != len(ids):
                line.owed = len(ids)
                self._touched.add(f"l:{receiver}")
        for name in self._touched:
            kind, key = name[0], name[2:]
            part: msgspec.Struct | None
            part = (
                self.owed.get(key)
                if kind == "o"
                else self.lines.get(key)
                if kind == "l"
                else self.pages.get(key)
            )
            if part is None:
                drop.append(name)
            else:
                put[name] = msgspec.msgpack.encode(part)
        done = dict(self._done)
        self._touched.clear()
        self._done.clear()
        return put, drop, done

    def _put(self, id_: str, owed: Owed) -> None:
        self.owed[id_] = owed
        self._queued(id_, owed)
        self._touched.add(f"o:{id_}")

    def _late(self, owed: Owed) -> int:
        """When it is due; behind the pages of its thread, if it says that they are over."""
        intent = owed.intent
        pages = () if intent.says == "open" else self._paging.get((intent.receiver, intent.thread), ())
        latest = max((self.owed[id_].due for id_ in pages), default=-1)
        if latest >= owed.due:
            owed.due = latest + 1
            self._put(intent.id, owed)
        return owed.due

    def _queued(self, id_: str, owed: Owed) -> None:
        if owed.intent.says == "open" and owed.intent.thread:
            self._paging.setdefault((owed.intent.receiver, owed.intent.thread), set()).add(id_)
        self._of.setdefault(owed.intent.receiver, set()).add(id_)
        heapq.heappush(self._waiting.setdefault(owed.intent.receiver, []), (owed.due, id_))

    def _finish(self, owed: Owed, outcome: Literal["delivered", "dead"], now: int) -> None:
        intent = owed.intent
        del self.owed[intent.id]
        self._of[intent.receiver].discard(intent.id)
        pages = self._paging.get((intent.receiver, intent.thread), set())
        pages.discard(intent.id)
        if not pages:
            self._paging.pop((intent.receiver, intent.thread), None)
        self._touched.add(f"o:{intent.id}")
        self._done[intent.id] = Done(intent, outcome, now, owed.failed + (outcome == "delivered"))
        page = self.pages.get(intent.page)
        if page is None or intent.id not in page.open:
            return
        self._touched.add(f"p:{intent.page}")
        if outcome == "delivered":
            del self.pages[intent.page]
        else:
            page.open.remove(intent.id)
            if not page.open:
                self._failed.append(intent.page)
