"""One event of a request: through the door, onto the stream, and for a transaction its decision or the fallback."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Literal

import msgspec

from alerts.redis_store import RedisStore
from dataflow.door import Door
from dataflow.serve.append import Appended, Appender
from dataflow.serve.health import Health, retry_after
from dataflow.serve.measures import ServeMeasures
from dataflow.serve.outcomes import Head, Outcomes
from dataflow.serve.problems import ProblemError, of_event, problem
from dataflow.serve.settings import ServeSettings
from models.decision import Action, Band, DeadLetter
from models.errors import CustodyError, EventError, StoreError
from models.events import FUTURE_TOLERANCE_MS

LOOK_UP_S = 0.1
Fallback = Literal["deadline", "scorer_silent", "store_slow"]


class Answer(msgspec.Struct, kw_only=True):
    """What is to be done with a transaction.

    fallback: there was no decision within the deadline, and `reason` says why; action and band are the configured ones,
    risk and decision are null, and the decision can be looked up later. repeated: the event had come before.
    decision: all of it, with reasons and versions.
    """

    id: str
    action: Action
    band: Band
    risk: float | None
    fallback: bool
    reason: Fallback | None = None
    repeated: bool = False
    decision: Any = None


class Accepted(msgspec.Struct):
    """An event that needs no answer is on the stream. repeated: it was there already."""

    id: str
    repeated: bool


class _Probe(msgspec.Struct):
    type: str | msgspec.UnsetType = msgspec.UNSET
    received_at: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Protected(msgspec.Struct):
    """What the server needs of a protected line."""

    id: str
    event_time: int
    received_at: int
    content: str


_probe = msgspec.json.Decoder(_Probe)
_protected = msgspec.json.Decoder(Protected)
_head = msgspec.json.Decoder(Head)
_letter = msgspec.json.Decoder(DeadLetter)


class Answering:
    """The way of events through the server. Everything runs in one event loop: a door is used by one thread."""

    def __init__(
        self, settings: ServeSettings, backlog: int, door: Door, store: RedisStore, appender: Appender,
        outcomes: Outcomes, health: Health, measures: ServeMeasures,
    ) -> None:  # fmt: skip
        self._settings, self._backlog, self._door, self._store = settings, backlog, door, store
        self._appender, self._outcomes, self._health, self._measures = appender, outcomes, health, measures

    async def score(self, line: bytes, until: float, within: str = "$") -> Answer:
        """The decision on one transaction, or the fallback at `until` (the loop's clock). Raises ProblemError."""
        try:
            answer = await self._score(line, until, within)
        except ProblemError as refused:
            outcome = {409: "conflict", 429: "busy", 503: "unavailable"}.get(
                refused.problem.status, "refused"
            )
            self._measures.answers.labels(outcome).inc()
            raise
        outcome = "fallback" if answer.fallback else "repeated" if answer.repeated else "decided"
        self._measures.answers.labels(outcome).inc()
        if answer.reason is not None:
            self._measures.fallbacks.labels(answer.reason).inc()
        return answer

    async def take(self, line: bytes, kinds: frozenset[str], until: float, within: str = "$") -> Accepted:
        """Put an event on the stream that nobody waits for. Raises ProblemError."""
        event, protected = self.protect(line, kinds, None, within)
        self._refuse_when_busy(event.id)
        try:
            async with asyncio.timeout_at(until):
                appended = await self._append(event, protected)
        except TimeoutError:
            raise problem(
                "unavailable",
                "the store did not answer in time; send it again",
                event_id=event.id,
                retry_after=1,
            ) from None
        return Accepted(event.id, appended.outcome == "same")

    def protect(
        self, line: bytes, kinds: frozenset[str], default: str | None, within: str
    ) -> tuple[Protected, bytes]:
        """Through the door. kinds: `type`s this route takes; default: the one that is meant where none is given."""
        try:
            protected = self._door.protect(_of_kind(line, kinds, default))
            event = _protected.decode(protected)
            ahead = event.event_time - event.received_at
            if ahead > FUTURE_TOLERANCE_MS:
                raise EventError(
                    "future_event", f"{ahead / 1000:.0f} s after the server's clock - at `$.event_time`"
                )
        except EventError as error:
            self._measures.refused.labels(error.reason).inc()
            raise of_event(error, within) from None
        except CustodyError as error:
            raise problem("unavailable", str(error), retry_after=5) from None
        return event, protected

    async def _score(self, line: bytes, until: float, within: str) -> Answer:
        event, protected = self.protect(line, _TRANSACTION, "transaction", within)
        self._refuse_when_busy(event.id)
        future = self._outcomes.expect(event.id)
        repeated, reason = False, "store_slow"
        try:
            async with asyncio.timeout_at(until):
                appended = await self._append(event, protected)
                self._outcomes.follow(appended.positions)
                repeated, reason = appended.outcome == "same", "deadline"
                # Decided before anybody followed, perhaps: then nobody will say so again.
                known = await asyncio.to_thread(self._store.decision, event.id) if repeated else None
                if known is not None:
                    return _decided(known, repeated=True)
                outcome = await future
        except StoreError as error:
            raise problem("unavailable", str(error), event_id=event.id, retry_after=1) from None
        except TimeoutError:
            return await self._late(event.id, reason, repeated)
        finally:
            self._outcomes.forget(event.id, future)
        if outcome.kind == "dead":
            raise await self._dead(event.id, outcome.data, within)
        return _decided(outcome.data, repeated or outcome.kind == "repeated")

    async def _append(self, event: Protected, protected: bytes) -> Appended:
        try:
            appended = await self._appender.append(event.id, event.content, protected)
        except StoreError as error:
            raise problem("unavailable", str(error), event_id=event.id, retry_after=1) from None
        if appended.outcome == "conflict":
            raise problem(
                "conflict", "this id came before with other content; the first one stands", place="$.id",
                reason="conflicting_duplicate", event_id=event.id,
            )  # fmt: skip
        return appended

    async def _late(self, event_id: str, reason: str, repeated: bool) -> Answer:
        """No outcome by the deadline. A repeated event that the engine has long forgotten still has its decision."""
        if reason != "store_slow":
            try:
                async with asyncio.timeout(LOOK_UP_S):
                    known = await asyncio.to_thread(self._store.decision, event_id)
            except (TimeoutError, StoreError):
                known = None
            if known is not None:
                return _decided(known, repeated=True)
            if not self._health.seen.scoring:
                reason = "scorer_silent"
            elif repeated:
                # It may have become a dead letter when nobody looked: next time the engine says so again.
                await self._appender.forget(event_id)
        settings = self._settings
        why: Fallback = msgspec.convert(reason, Fallback)
        return Answer(
            id=event_id, action=settings.fallback_action, band=settings.fallback_band, risk=None, fallback=True,
            reason=why, repeated=repeated,
        )  # fmt: skip

    async def _dead(self, event_id: str, data: bytes, within: str) -> ProblemError:
        letter = _letter.decode(data)
        self._measures.refused.labels(letter.reason).inc()
        if letter.reason != "conflicting_duplicate":
            await self._appender.forget(event_id)
        return of_event(EventError(letter.reason, letter.detail), within, event_id)

    def _refuse_when_busy(self, event_id: str) -> None:
        seen = self._health.seen
        waiting = self._outcomes.waiting
        if waiting >= self._settings.in_flight or seen.backlog + waiting > self._backlog:
            raise problem(
                "too_busy", f"{seen.backlog} events wait to be scored and {waiting} callers for their decision",
                event_id=event_id, retry_after=retry_after(seen, self._backlog),
            )  # fmt: skip


def _decided(data: bytes, repeated: bool) -> Answer:
    head = _head.decode(data)
    return Answer(
        id=head.id, action=head.action, band=head.band, risk=head.risk, fallback=False, repeated=repeated,
        decision=msgspec.Raw(data),
    )  # fmt: skip


_TRANSACTION = frozenset({"transaction"})


def _of_kind(line: bytes, kinds: frozenset[str], default: str | None) -> bytes:
    """The line with its `type`. Raises EventError for another type, and for a time that only the server sets."""
    try:
        probe = _probe.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return line  # the door says what is wrong with it, and where
    if probe.received_at is not msgspec.UNSET:
        raise EventError("protected_field", "only the server sets this time - at `$.received_at`")
    if probe.type is msgspec.UNSET and default is not None:
        rest = line.lstrip()[1:].lstrip()
        comma = b"" if rest.startswith(b"}") else b","
        return b'{"type":' + json.dumps(default).encode() + comma + rest
    if probe.type is not msgspec.UNSET and probe.type not in kinds:
        raise EventError("wrong_type", f"this path takes {' or '.join(sorted(kinds))} - at `$.type`")
    return line
