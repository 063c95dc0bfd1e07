"""Puts events on the input stream: one thread, and one call of the store for everything that has come meanwhile.

Under load a call carries hundreds of events; alone, an event goes at once.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from importlib.resources import files
from typing import Literal, NamedTuple

from alerts.redis_link import RedisLink
from models.errors import StoreError

MOST = 500
Taken = Literal["new", "same", "conflict"]


class Appended(NamedTuple):
    """outcome: `new`, `same` (came before with the same content) or `conflict`. positions: see outcomes.STREAMS."""

    outcome: Taken
    positions: tuple[str, ...]


class _Waiting(NamedTuple):
    event_id: str
    content: str
    line: bytes
    future: asyncio.Future[Appended]


class Appender:
    """Appends over `link` for futures of `loop`; an id is remembered for `remember_s` seconds."""

    def __init__(
        self, link: RedisLink, loop: asyncio.AbstractEventLoop, remember_s: int, prefix: str = "tg:"
    ) -> None:
        self._link, self._loop, self._remember_s, self._prefix = link, loop, remember_s, prefix
        self._script = link.client.register_script(
            files("dataflow.serve").joinpath("append.lua").read_text("utf-8")
        )
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="append", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Append what has come and end."""
        self._queue.put(None)
        self._thread.join()

    async def append(self, event_id: str, content: str, line: bytes) -> Appended:
        """Put one protected event on the stream. Raises StoreError: it may or may not be there; send it again."""
        future: asyncio.Future[Appended] = self._loop.create_future()
        self._queue.put(_Waiting(event_id, content, line, future))
        return await future

    async def forget(self, event_id: str) -> None:
        """Have this id judged by the engine again when it comes again: it has no decision that could be repeated."""

        def delete() -> None:
            with self._link.speaking() as client:
                client.delete(f"{self._prefix}served:{event_id}")

        try:
            await asyncio.to_thread(delete)
        except StoreError:
            return  # it is forgotten by itself after `remember_s`

    def _run(self) -> None:
        ended = False
        while not ended:
            taken = [self._queue.get()]
            while len(taken) < MOST and not self._queue.empty():
                taken.append(self._queue.get())
            events = [one for one in taken if one is not None]
            ended = len(events) < len(taken)
            if events:
                self._send(events)

    def _send(self, events: list[_Waiting]) -> None:
        arguments: list[str | bytes | int] = [self._remember_s]
        for event in events:
            arguments += (event.event_id, event.content, event.line)
        try:
            with self._link.speaking():
                outcomes, *positions = self._script(keys=[self._prefix], args=arguments)
        except StoreError as error:
            self._loop.call_soon_threadsafe(_fail, events, error)
            return
        places = tuple(position.decode() for position in positions)
        answers = [Appended(outcome.decode(), places) for outcome in outcomes]
        self._loop.call_soon_threadsafe(_answer, events, answers)


def _answer(events: list[_Waiting], answers: list[Appended]) -> None:
    for event, answer in zip(events, answers, strict=True):
        if not event.future.done():
            event.future.set_result(answer)


def _fail(events: list[_Waiting], error: StoreError) -> None:
    for event in events:
        if not event.future.done():
            event.future.set_exception(error)
