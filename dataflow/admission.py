"""Sends raw items through the door onto the input stream `tg:in`, refused ones to `tg:dead:door`.

Batches are pipelined. A feeder that is faster than the scorer waits, so that the store does not fill up.
"""

from __future__ import annotations

import re
import select
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from alerts.custody.envelope import Sealer, dead_letter_context
from alerts.redis_link import RedisLink
from alerts.redis_store import RedisStore
from dataflow.door import Door
from dataflow.sources.files import FileSource, RawItem
from dataflow.sources.lines import lines_of
from dataflow.sources.mapping import Mapping
from dataflow.store_access import waiting
from models.decision import DeadLetter
from models.errors import EventError, MappingError, StoreError
from models.events import MAX_LINE_BYTES, encode

BATCH = 500
KEPT_DEAD = 50_000
SHOWN = 10
# A bad cell is quoted in its reason, and at the door it may hold anything.
_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
ALIVE_MS = 15_000
"""A scorer whose last beat is older than this does not read: waiting for it would be for ever."""


def now_ms() -> int:
    """The wall clock, the door's own."""
    return time.time_ns() // 1_000_000


def raw_items(path: Path | None, mapping: Mapping | None) -> tuple[Iterator[RawItem], float | None]:
    """The entries of a file, of stdin without one, and about how many. Raises MappingError, SourceError."""
    if path is not None:
        source = FileSource(path, mapping)
        return (item for batch in source for item in batch), source.total()
    if mapping is not None:
        raise MappingError(f"mapping {mapping.name} is for .csv and .parquet files; stdin takes JSONL")
    return _stdin(), None


def _stdin() -> Iterator[RawItem]:
    for line in lines_of(sys.stdin.buffer):
        error = None
        if line.size > len(line.data):
            error = EventError("oversize", f"line of {line.size} bytes, at most {MAX_LINE_BYTES} are taken")
        yield RawItem(f"stdin:{line.number}", line.data, None, error)


class Admission:
    """The way of items through `door` into the store at `url`. sealer: for rows that never became events.

    backlog: entries that may wait unread before this waits for a living scorer. say: told about waiting. elsewhere: takes
    the protected lines instead of the input stream; dead letters go to the store all the same.
    """

    def __init__(
        self,
        url: str,
        door: Door,
        sealer: Sealer,
        *,
        backlog: int,
        say: Callable[[str], None],
        elsewhere: Callable[[list[bytes]], None] | None = None,
        prefix: str = "tg:",
    ) -> None:
        self._elsewhere = elsewhere
        self._link, self._store, self._prefix = RedisLink(url), RedisStore(url, prefix), prefix
        self._door, self._sealer, self._backlog, self._say = door, sealer, backlog, say
        self._lines = self._protected = self._looked = 0
        self._reasons: Counter[str] = Counter()
        self.refused: list[tuple[str, str, str]] = []
        """Place, reason and detail of the first SHOWN that became dead letters; no value is repeated in them."""

    def run(
        self,
        items: Iterator[RawItem],
        *,
        rate: float | None = None,
        live: bool = False,
        progress: Callable[[float], None],
    ) -> dict[str, Any]:
        """Send all items; the summary. live: hand on what is there whenever stdin has nothing more at once.

        Raises StoreError; what was sent before has arrived.
        """
        self._store.ping()
        most = BATCH if rate is None else max(1, min(BATCH, int(rate / 10)))
        started = time.monotonic()
        held: list[bytes | DeadLetter] = []
        for item in items:
            held.append(self._through(item))
            if len(held) >= most or (live and not _more()):
                self._send(held)
                held = []
                progress(self._lines)
                if rate is not None:
                    time.sleep(max(0.0, started + self._lines / rate - time.monotonic()))
        self._send(held)
        seconds = time.monotonic() - started
        return {
            "lines": self._lines,
            "protected": self._protected,
            "dead_lettered": self._reasons.total(),
            "by_reason": dict(sorted(self._reasons.items())),
            "on_disk": self._on_disk(),
            "seconds": round(seconds, 3),
            "events_per_second": round(self._lines / seconds, 1) if seconds else 0.0,
        }

    def _through(self, item: RawItem) -> bytes | DeadLetter:
        self._lines += 1
        if item.error is None:
            line = item.line if item.event is None else encode(item.event)
            result = self._door.protect_line(line or b"", item.place)
        else:
            kept = (item.line or b"")[:MAX_LINE_BYTES]
            result = DeadLetter(
                reason=item.error.reason,
                detail=_QUOTED.sub("…", item.error.detail),
                place=item.place,
                undecodable=True,
                data=self._sealer.seal_bytes(kept, dead_letter_context(item.place)),
            )
        if isinstance(result, DeadLetter):
            self._reasons[result.reason] += 1
            if len(self.refused) < SHOWN:
                self.refused.append((result.place, result.reason, result.detail))
        else:
            self._protected += 1
        return result

    def _send(self, entries: list[bytes | DeadLetter]) -> None:
        if not entries:
            return
        if self._elsewhere is not None:
            # Dead letters first: after a break they come once more rather than not at all.
            self._append([entry for entry in entries if isinstance(entry, DeadLetter)])
            self._elsewhere([entry for entry in entries if not isinstance(entry, DeadLetter)])
            return
        self._append(entries)
        # Asking costs round trips, and a bound of many thousands needs no closer look than this.
        if self._lines - self._looked >= 10 * BATCH:
            self._looked = self._lines
            self._wait()

    def _append(self, entries: Sequence[bytes | DeadLetter]) -> None:
        with self._link.speaking() as client:
            pipe = client.pipeline(transaction=False)
            for entry in entries:
                if isinstance(entry, DeadLetter):
                    letter = {"d": msgspec.json.encode(entry)}
                    pipe.xadd(f"{self._prefix}dead:door", letter, maxlen=KEPT_DEAD, approximate=True)
                else:
                    pipe.xadd(f"{self._prefix}in", {"e": entry})
            pipe.execute()

    def _wait(self) -> None:
        said = False
        while True:
            with self._link.speaking() as client:
                unread = waiting(client, self._store.counters(), self._prefix)
            beaten = self._store.beats().get("scorer", {}).get("at", 0)
            if unread <= self._backlog or now_ms() - int(beaten) > ALIVE_MS:
                return
            if not said:
                self._say(f"{unread} entries wait to be scored: slowing down to the scorer's pace")
                said = True
            time.sleep(0.1)

    def _on_disk(self) -> bool:
        """Whether the store says that everything is on its disk."""
        try:
            self._store.wait_durable()
        except StoreError as error:
            self._say(f"sent, but the store did not confirm that it is on disk: {error}")
            return False
        return True


def _more() -> bool:
    return bool(select.select([sys.stdin], [], [], 0)[0])
