"""The live source: the input stream and the control lane in Redis Streams, merged in a journalled order.

Entries of `tg:in` hold one protected event in field `e`. Control events come by `tg:control`, a lane of its own that
is looked at before every batch, so containment overtakes a backlog. Where a Control was merged is written to
`tg:journal` before it is applied; after a restart the journal puts it in the same place again, and the decisions
are the same. One that comes while the flow is away is merged behind all input whose decisions are in the store already
(`taken` in `tg:cursors`): they were made without it. Positions are the last entry ids taken, and reading is exclusive of
them.

While events come, polling never blocks. Once the stream has been quiet for QUIET polls, the source sleeps in the server
(XREAD BLOCK on both lanes, a fraction of a second at most), which wakes it at the first entry: an idle flow costs next
to nothing, and the first event after a pause waits no longer than one in a busy stream.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from alerts.redis_link import RedisLink
from dataflow.progress import Progress, number
from dataflow.sources.files import RawItem
from models.errors import SettingsError

INPUT, CONTROL, JOURNAL = "in", "control", "journal"
IDLE = dt.timedelta(milliseconds=2)
QUIET = 25
"""Empty polls in a row, some 50 ms, before the source sleeps in the server. What came before has long passed through
the flow by then: a source that blocks while work is under way would hold it up."""
SLEEP_MS = 100
"""Longest sleep: how long a stop, an epoch's end or the other workers of a cluster may have to wait for this one."""
PULSE_S = 0.5
"""Seconds after which a packet without entries goes out when nothing else does. Bytewax takes snapshots only of
steps that something passed through: without a pulse a quiet stream has no beat, and no entry is ever let go."""
START = "0-0"
FIRST = 512
"""Most entries of the first batch of a backlog. Each batch may be twice as large as the one before while that was full: a
sudden wave of payments that take long, or a containment in the control lane, waits for no more than a small one."""


class Packet(NamedTuple):
    """One batch on its way through the flow. position: what to resume after. entered: enqueue times (ms).

    elsewhere: the entries are kept by another system than the store, and not ours to delete. full: as many entries as are
    taken at once, so that more may be waiting.
    """

    items: list[RawItem]
    position: tuple[str, str]
    entered: list[int]
    control: bool = False
    elsewhere: bool = False
    full: bool = False


class StreamPartition(StatefulSourcePartition[Packet, tuple[str, str]]):
    """Reads both lanes; `stopping` ends the flow cleanly after the batch at hand."""

    def __init__(
        self,
        link: RedisLink,
        prefix: str,
        batch: int,
        position: tuple[str, str],
        stopping: Callable[[], bool],
        sleep_ms: int = SLEEP_MS,
        progress: Progress | None = None,
    ) -> None:
        self._link, self._prefix, self._batch, self._stopping = link, prefix, batch, stopping
        self._began, self._progress = position, progress
        self._input, self._control = position
        self._journal: deque[tuple[str, str]] = deque()
        self._taken = START
        self._quiet, self._last, self._sleep_ms, self._slept = 0, 0.0, sleep_ms, False
        self._most = min(batch, FIRST)
        with link.speaking() as client:
            self._taken = (client.hget(self._key("cursors"), "taken") or START.encode()).decode()
            for _, fields in client.xrange(self._key(JOURNAL)):
                control, after = fields[b"c"].decode(), fields[b"a"].decode()
                # It may stand there twice: a client repeats a write whose answer it has not got.
                known = self._journal[-1][0] if self._journal else self._control
                if number(control) > number(known):
                    self._journal.append((control, after))

    def next_batch(self) -> list[Packet]:
        """A control packet, an input packet, a pulse, or nothing."""
        if self._stopping():
            raise StopIteration
        with self._link.speaking() as client:
            self._slept = self._quiet >= QUIET and self._sleep_ms > 0 and not self._journal
            if self._slept:
                self._sleep(client)
            packets = self._repeat(client) if self._journal else self._again(client) or self._live(client)
        self._quiet = 0 if packets else self._quiet + 1
        now = time.monotonic()
        if packets or now - self._last < PULSE_S:
            self._last = now if packets else self._last
            return packets
        self._last = now
        return [Packet([], self._position(), [])]

    def next_awake(self) -> dt.datetime | None:
        """At once after a batch; a little later when nothing came, so that waiting costs next to nothing.

        At once after a sleep too: Bytewax counts from before the call, and would wait for as long as it slept again.
        """
        return dt.datetime.now(dt.UTC) + IDLE if self._quiet and not self._slept else None

    def snapshot(self) -> tuple[str, str]:
        """Position to resume after: what was taken, or as far as the flow may go back to."""
        if self._progress is None:
            return self._position()
        reached = self._progress.reached
        return self._began if reached is None else reached.position

    def _position(self) -> tuple[str, str]:
        return self._input, self._control

    def _sleep(self, client: Any) -> None:
        """Wait in the server until one of the lanes has an entry; what it is, the next read says."""
        lanes = {self._key(INPUT): self._input, self._key(CONTROL): self._control}
        client.xread(lanes, count=1, block=self._sleep_ms)

    def _live(self, client: Any) -> list[Packet]:
        packets = []
        # Both lanes in one round trip; the control lane is read first.
        pipe = client.pipeline(transaction=False)
        # Replies as they come: redis-py would make a dictionary of each entry.
        pipe.response_callbacks = {}
        for lane, position in ((CONTROL, self._control), (INPUT, self._input)):
            pipe.xrange(self._key(lane), f"({position}", "+", count=self._most)
        controls, entries = map(_raw_entries, pipe.execute())
        full = len(entries) == self._most
        self._most = min(2 * self._most if full else FIRST, self._batch)
        if controls:
            with client.pipeline(transaction=True) as pipe:
                for id_, _ in controls:
                    pipe.xadd(
                        self._key(JOURNAL), {"c": id_, "a": self._input}, maxlen=100_000, approximate=True
                    )
                pipe.execute()
            self._control = controls[-1][0]
            packets.append(self._packet(controls, control=True))
        if entries:
            self._input = entries[-1][0]
            packets.append(self._packet(entries, full=full))
        return packets

    def _until(self, client: Any, end: str) -> list[Packet]:
        """Input up to `end`, nothing once it is reached."""
        if number(end) <= number(self._input):
            return []
        entries = entries_of(client.xrange(self._key(INPUT), f"({self._input}", end, count=self._batch))
        if not entries:
            return []
        self._input = entries[-1][0]
        return [self._packet(entries)]

    def _again(self, client: Any) -> list[Packet]:
        """Input that was decided before a restart: no Control that came later may stand before it."""
        if self._taken == START:
            return []
        if packets := self._until(client, self._taken):
            return packets
        self._taken = START
        return []

    def _repeat(self, client: Any) -> list[Packet]:
        """What was journalled before a restart, in the same order."""
        control, after = self._journal[0]
        if packets := self._until(client, after):
            return packets
        self._journal.popleft()
        found = entries_of(client.xrange(self._key(CONTROL), control, control))
        self._control = control
        return [self._packet(found, control=True)] if found else []

    def _packet(self, entries: list[tuple[str, bytes]], control: bool = False, full: bool = False) -> Packet:
        items = [RawItem(id_, line, None, None) for id_, line in entries]
        entered = [number(id_)[0] for id_, _ in (entries[0], entries[-1])]
        return Packet(items, self._position(), entered, control, full=full)

    def _key(self, name: str) -> str:
        return f"{self._prefix}{name}"


class StreamSource(FixedPartitionedSource[Packet, tuple[str, str]]):
    """One partition over the store at `url`. sleep_ms: see SLEEP_MS; 0 never sleeps in the server. progress: how far
    the flow may go back to; None: to the end of any epoch.
    """

    def __init__(
        self,
        url: str,
        batch: int,
        stopping: Callable[[], bool],
        prefix: str = "tg:",
        sleep_ms: int = SLEEP_MS,
        progress: Progress | None = None,
    ) -> None:
        self._url, self._batch, self._stopping, self._prefix = url, batch, stopping, prefix
        self._sleep_ms, self._progress = sleep_ms, progress

    def list_parts(self) -> list[str]:
        """The one partition."""
        return [INPUT]

    def build_part(
        self, step_id: str, for_part: str, resume_state: tuple[str, str] | None
    ) -> StatefulSourcePartition[Packet, tuple[str, str]]:
        """Resume after `resume_state`, or from the beginning of the stream. Raises SettingsError."""
        if isinstance(resume_state, bytes):
            raise SettingsError(
                "this data directory was last used with a Kafka topic, whose records would be missed: set kafka.source "
                "(or `tidegate up --source kafka://…`) again"
            )
        link = RedisLink(self._url, same_server=True)
        return StreamPartition(
            link, self._prefix, self._batch, resume_state or (START, START), self._stopping, self._sleep_ms,
            self._progress,
        )  # fmt: skip


def entries_of(reply: list[tuple[bytes, dict[bytes, bytes]]]) -> list[tuple[str, bytes]]:
    """(id, event line); an entry without the field `e` becomes an empty line, which the engine refuses by name."""
    return [(id_.decode(), fields.get(b"e", b"")) for id_, fields in reply]


def _raw_entries(reply: list[tuple[bytes, list[bytes]]]) -> list[tuple[str, bytes]]:
    """The same of a reply as the server gives it: names and values one after another."""
    return [
        (
            id_.decode(),
            fields[1] if fields[0] == b"e" else dict(zip(*[iter(fields)] * 2, strict=True)).get(b"e", b""),
        )
        for id_, fields in reply
    ]
