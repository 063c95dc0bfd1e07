"""The webhook sender: what the outbox owes to each receiver goes out at least once, under a stable id.

Each receiver has a line of its own: its position in the outbox and the messages in flight. The state is saved
after each attempt, before the next one; a sender that is killed between an answer and its saving sends that
message again under the same id, which the receiver recognises.

When a receiver does not answer, its line rests: one message probes it now and then and the others keep their
attempts. When it answers again, all goes out at once.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal
from urllib.parse import urlsplit

import httpx
import msgspec

from alerts.store import Delivery, Store
from alerts.webhook_message import body, headers, webhook_id
from alerts.webhook_plan import WebhookReceiver, asked_delay_ms, delay_ms, digest, signing_keys
from alerts.webhook_post import Answer, Resolve, addresses_of, new_client, post
from models.errors import StoreError

MAX_OWED = 200
"""Messages in flight for a receiver; the outbox keeps the rest."""
BURST = 5
"""Attempts for one receiver before the next has its turn, and before the clock is read again."""
LONGEST_REST_MS = 60_000
POLL_MS = 500


class Owed(msgspec.Struct):
    """A message in flight. failed: attempts so far. hurried: it was once brought forward after an outage."""

    webhook_id: str
    alert_id: str
    severity: str
    due: int
    failed: int = 0
    hurried: bool = False


class Line(msgspec.Struct):
    """One receiver's state. disabled: digest of the settings that were answered with 410, else empty."""

    position: str = ""
    owed: list[Owed] = []
    failures: int = 0
    rest_until: int = 0
    disabled: str = ""


class State(msgspec.Struct):
    """What survives a restart, by receiver."""

    lines: dict[str, Line] = {}


class WebhookSender:
    """Delivers to `receivers` what `store` owes them.

    clock: ms since the epoch. console_url: address of the console's queue page, for links. Raises
    SettingsError for a receiver without url or secret. A receiver that answers 410 is disabled until its
    settings change.
    """

    def __init__(
        self,
        store: Store,
        receivers: Sequence[WebhookReceiver],
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        client: httpx.Client | None = None,
        console_url: str = "",
        environ: Mapping[str, str] | None = None,
        resolve: Resolve = addresses_of,
    ) -> None:
        self._store = store
        self._receivers = {receiver.url: receiver for receiver in receivers}
        self._keys = {receiver.url: signing_keys(receiver, environ) for receiver in receivers}
        self._clock = clock
        self._client = client or new_client()
        self._console_url = console_url
        self._resolve = resolve
        self._state: State | None = None

    def step(self, now: int) -> int | None:
        """Make the attempts that are due at `now`; when the next one is due, None while nothing is owed."""
        if self._state is None:
            saved = self._store.sender_state()
            self._state = msgspec.json.decode(saved, type=State) if saved else State()
        dues = [due for url in self._receivers if (due := self._serve(url, now)) is not None]
        return min(dues, default=None)

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set. An unreachable store is waited for."""
        while not stop.is_set():
            now = self._clock()
            try:
                due = self.step(now)
                self._store.beat("sender", self._status(), now)
            except StoreError:
                # What was not saved is read again from the store and sent under the same ids.
                self._state, due = None, None
            pause = POLL_MS if due is None else min(max(due - self._clock(), 0), POLL_MS)
            stop.wait(pause / 1000)

    def _status(self) -> dict[str, str | int | float]:
        lines = [self._line(url) for url in self._receivers]
        return {
            "status": "live",
            "pid": os.getpid(),
            "receivers": len(lines),
            "disabled": sum(bool(line.disabled) for line in lines),
            "failing": sum(bool(line.failures) for line in lines),
            "owed": sum(len(line.owed) for line in lines),
        }

    def _line(self, url: str) -> Line:
        assert self._state is not None
        # Urls may carry tokens; the state does not need them.
        name = hashlib.sha256(url.encode()).hexdigest()[:16]
        return self._state.lines.setdefault(name, Line())

    def _save(self) -> None:
        self._store.save_sender_state(msgspec.json.encode(self._state))

    def _serve(self, url: str, now: int) -> int | None:
        receiver, line = self._receivers[url], self._line(url)
        if line.disabled == digest(receiver):
            return None
        line.disabled = ""
        self._refill(receiver, line, now)
        for _ in range(BURST):
            due = min(line.owed, key=lambda owed: owed.due, default=None)
            if due is None:
                return None
            if max(due.due, line.rest_until) > now:
                return max(due.due, line.rest_until)
            self._attempt(receiver, line, due, now)
            self._save()
            if line.disabled:
                return None
        return now

    def _refill(self, receiver: WebhookReceiver, line: Line, now: int) -> None:
        before = line.position
        while len(line.owed) < MAX_OWED:
            notices = self._store.outbox(line.position, MAX_OWED - len(line.owed))
            if not notices:
                break
            for notice in notices:
                if receiver.hears(notice.severity):
                    id_ = webhook_id(notice.alert_id, notice.severity, receiver.url)
                    line.owed.append(Owed(id_, notice.alert_id, notice.severity, due=now))
            line.position = notices[-1].position
        if line.position != before:
            self._save()

    def _attempt(self, receiver: WebhookReceiver, line: Line, owed: Owed, now: int) -> None:
        alert = self._store.alert(owed.alert_id)
        if alert is None:
            self._bury(receiver, line, owed, now, Answer(None, "the alert is no longer in the store"))
            return
        content = body(alert, owed.severity, self._console_url)
        signed = headers(self._keys[receiver.url], owed.webhook_id, now, content)
        answer = post(self._client, receiver, signed, content, self._resolve)
        if answer.status is not None and 200 <= answer.status < 300:
            self._log(receiver, owed, now, "delivered", answer)
            line.owed.remove(owed)
            self._awake(line, now)
        elif answer.status == 410:
            line.disabled = digest(receiver)
            owed.failed += 1
            for other in list(line.owed):
                self._bury(receiver, line, other, now, answer)
        else:
            self._put_off(receiver, line, owed, now, answer)

    def _awake(self, line: Line, now: int) -> None:
        if line.failures:
            for owed in line.owed:
                # Once only: a message that fails for its own sake must not be hurried through its attempts.
                if owed.failed and not owed.hurried:
                    owed.due, owed.hurried = now, True
        line.failures = line.rest_until = 0

    def _put_off(self, receiver: WebhookReceiver, line: Line, owed: Owed, now: int, answer: Answer) -> None:
        owed.failed += 1
        asked = asked_delay_ms(answer.retry_after, now)
        delay = delay_ms(owed.webhook_id, owed.failed)
        if answer.status is None or answer.status == 429 or answer.status >= 500:
            # The receiver is in trouble, not the message: let the others wait with their attempts unspent.
            line.failures += 1
            rest = min(delay_ms(owed.webhook_id, line.failures) or LONGEST_REST_MS, LONGEST_REST_MS)
            line.rest_until = now + max(rest, asked)
        if delay is None:
            self._bury(receiver, line, owed, now, answer)
            return
        owed.due = now + max(delay, asked)
        self._log(receiver, owed, now, "retry", answer)

    def _bury(self, receiver: WebhookReceiver, line: Line, owed: Owed, now: int, answer: Answer) -> None:
        line.owed.remove(owed)
        self._log(receiver, owed, now, "dead", answer)

    def _log(
        self,
        receiver: WebhookReceiver,
        owed: Owed,
        now: int,
        outcome: Literal["delivered", "retry", "dead"],
        answer: Answer,
    ) -> None:
        parts = urlsplit(receiver.url)
        self._store.log_delivery(
            Delivery(
                webhook_id=owed.webhook_id,
                alert_id=owed.alert_id,
                # Without the query, where some receivers keep a token.
                url=f"{parts.scheme}://{parts.netloc}{parts.path}",
                attempt=owed.failed + (outcome == "delivered"),
                at=now,
                outcome=outcome,
                status=answer.status,
                detail=answer.detail,
            )
        )
