"""The live sink: one atomic commit a batch, then the learner's examples; on disk before an epoch is acknowledged."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from alerts.redis_link import RedisLink
from alerts.redis_store import RedisStore
from dataflow.progress import Position, Progress, at_or_before
from dataflow.scoring import Written, now_ms
from dataflow.sinks.durable import Durable
from dataflow.sinks.examples import entries_for
from dataflow.sinks.latencies import Latencies
from models.errors import StoreError
from models.features import INDEX
from models.similar import packed

KEPT_EXAMPLES = 500_000
EPOCHS_KEPT = 4
BEAT_MS = 1000
_AMOUNT = INDEX["amount_usd"]
REWRITE_MS = 60_000
"""Least time between two rewrites of the server's log for the sake of deleted entries."""


class StoreSinkPartition(StatefulSinkPartition[Written, list[list[str]]]):
    """Writes to the store at `url`; says once a second how it is.

    unsafe: by epoch, oldest first, entries (keys of lane and id) that may hold clear personal data. They are
    deleted when no checkpoint lies before them any more: an engine that resumes must meet the very entries it
    met before.
    """

    def __init__(
        self, url: str, prefix: str, keep_decisions: int, restarts: int, unsafe: list[list[str]] | None = None,
        progress: Progress | None = None,
    ) -> None:  # fmt: skip
        # What a restarted server has forgotten was built on: the flow has to go back to its checkpoint.
        self._store = RedisStore(url, prefix, keep_decisions=keep_decisions, same_server=True)
        self._link = RedisLink(url, same_server=True)
        self._prefix, self._restarts = prefix, restarts
        self._latencies = Latencies()
        self._positions: deque[Position] = deque(maxlen=EPOCHS_KEPT)
        self._position: Position = ("", "")
        self._progress, self._packets = progress, 0
        self._durable = (
            None if progress is None else Durable(RedisStore(url, prefix, same_server=True), progress)
        )
        self._unsafe = [*(unsafe or []), []]
        self._under_way: Written | None = None
        self._rewritten = 0
        self._stale_log = False
        self._beaten, self._decided, self._rate_since = 0, 0, now_ms()
        self._model = ""

    def write_batch(self, values: list[Written]) -> None:
        """Commit each batch; what was written before a kill is skipped by its ordinals.

        When the flow is behind, the next batch is decided while the store still takes this one.
        """
        for written in values:
            self._finish()
            written.commit.taken = written.position[0]
            self._store.begin_commit(written.commit, written.decisions)
            self._under_way = written
            if not written.full:
                self._finish()

    def _finish(self) -> None:
        """What follows once the store has the batch under way, if there is one."""
        written, self._under_way = self._under_way, None
        if written is None:
            return
        self._store.end_commit()
        if written.examples or written.choices:
            self._send_examples(written)
            self._remember_frauds(written)
        if written.labelled:
            self._store.mark_learned([label.transaction_id for label in written.labelled])
            self._store.settle_rule_hits(written.labelled)
        if written.repeated:
            self._answer_again(written.repeated)
        self._store.keep_events(written.alerted)
        now = now_ms()
        if written.obeyed:
            self._store.note_effects(written.obeyed, now)
        self._latencies.add(now, written.entered)
        self._position, self._packets = written.position, written.packets
        lane = "control" if written.control else "in"
        self._unsafe[-1] += [f"{lane} {id_}" for id_ in written.unsafe]
        self._decided += len(written.commit.decisions)
        # Also when the clock was set back: it would be silent until the clock has caught up.
        if not 0 <= now - self._beaten < BEAT_MS:
            self._beat(written, now)

    def snapshot(self) -> list[list[str]]:
        """An epoch closes: what it wrote must be on disk before the flow may go on from there. Input that no restart
        comes back to is let go, unsafe entries first."""
        self._finish()
        self._settle()
        oldest = self._positions[0] if len(self._positions) == EPOCHS_KEPT else ("", "")
        if oldest[0]:
            with self._link.speaking() as client:
                client.xtrim(f"{self._prefix}in", minid=oldest[0], approximate=True, limit=0)
        self._positions.append(self._resumes_at())
        while len(self._unsafe) > EPOCHS_KEPT and all(_behind(entry, oldest) for entry in self._unsafe[0]):
            self._delete(self._unsafe.pop(0))
        kept = [list(epoch) for epoch in self._unsafe]
        self._unsafe.append([])
        self._forget()
        return kept

    def _settle(self) -> None:
        """Have everything on disk: waited for when nobody follows it beside the flow, and at the flow's end."""
        if self._durable is None:
            self._store.wait_durable()
        elif self._progress is not None and self._progress.ending:
            self._durable.wait(self._packets)
        else:
            self._durable.committed(self._packets)

    def _resumes_at(self) -> Position:
        """Where a flow that is killed now would go on."""
        if self._progress is None:
            return self._position
        reached = self._progress.reached
        return ("", "") if reached is None else reached.position

    def _delete(self, unsafe: list[str]) -> None:
        with self._link.speaking() as client:
            for name in ("in", "control"):
                ids = [entry.split()[1] for entry in unsafe if entry.split()[0] == name]
                if ids:
                    client.xdel(f"{self._prefix}{name}", *ids)
                    self._stale_log = True

    def close(self) -> None:
        """The flow ends: nobody would come back to the log later."""
        self._finish()
        self._rewritten = 0
        self._forget()
        if self._durable is not None:
            self._durable.stop()

    def _forget(self) -> None:
        """Have the server write its log anew when deleted entries stand in it; now and then, because it costs."""
        now = now_ms()
        if not self._stale_log or 0 <= now - self._rewritten < REWRITE_MS:
            return
        self._rewritten, self._stale_log = now, False
        try:
            with self._link.speaking() as client:
                client.bgrewriteaof()
        except StoreError:
            # A managed server may keep this command to itself; it rewrites its log on its own plan.
            return

    def _send_examples(self, written: Written) -> None:
        """Append to the learner's stream under explicit ids, so that a repeated batch is refused by the server."""
        with self._link.speaking() as client:
            pipe, key = client.pipeline(transaction=False), f"{self._prefix}examples"
            entries = entries_for(written.examples, written.first_example, written.choices)
            for (ordinal, number), fields in entries:
                # As plain words: redis-py's own call for it costs more than all the rest.
                words = [word for pair in fields.items() for word in pair]
                pipe.execute_command("XADD", key, "MAXLEN", "~", KEPT_EXAMPLES, f"{ordinal}-{number}", *words)
            for reply in pipe.execute(raise_on_error=False):
                if isinstance(reply, Exception) and "equal or smaller" not in str(reply):
                    raise reply

    def _remember_frauds(self, written: Written) -> None:
        """Keep confirmed frauds as evidence for other cases; a label taken back takes its payment out."""
        last = {example.key: example for example in written.examples}
        frauds = [(e.key, packed(e.vector), float(e.vector[_AMOUNT])) for e in last.values() if e.fraud]
        self._store.remember_frauds(frauds, [e.key for e in last.values() if not e.fraud])

    def _answer_again(self, repeated: list[bytes]) -> None:
        with self._link.speaking() as client:
            pipe = client.pipeline(transaction=False)
            for decision in repeated:
                pipe.xadd(f"{self._prefix}repeated", {"d": decision}, maxlen=10_000, approximate=True)
            pipe.execute()

    def _beat(self, written: Written, now: int) -> None:
        seconds = (now - self._rate_since) / 1000
        with self._link.speaking() as client:
            waiting = int(client.xlen(f"{self._prefix}in"))
        last = written.commit.decisions[-1] if written.commit.decisions else None
        if last is not None:
            self._model = _model_of(last)
        self._store.beat(
            "scorer",
            {
                "status": "live", "pid": os.getpid(), "restarts": self._restarts,
                "rate": round(self._decided / seconds, 1) if seconds > 0 else 0.0,
                "lag": round(max(now - max(written.entered, default=now), 0) / 1000, 3),
                **self._latencies.percentiles(now), "position": written.position[0],
                "stream_length": waiting, "model": self._model,
                "shed": written.shed.left or "nothing", "shed_decisions": written.shed_decisions,
            },
            now,
        )  # fmt: skip
        self._beaten, self._decided, self._rate_since = now, 0, now


class StoreSink(FixedPartitionedSink[Written, list[list[str]]]):
    """One partition over the store at `url`."""

    def __init__(
        self, url: str, keep_decisions: int, restarts: Callable[[], int], prefix: str = "tg:",
        progress: Progress | None = None,
    ) -> None:  # fmt: skip
        self._url, self._keep, self._restarts, self._prefix = url, keep_decisions, restarts, prefix
        self._progress = progress

    def list_parts(self) -> list[str]:
        """The one partition."""
        return ["store"]

    def build_part(
        self, step_id: str, for_part: str, resume_state: list[list[str]] | None
    ) -> StatefulSinkPartition[Written, list[list[str]]]:
        """Connect. What was written is known by the ordinals in the store, what to delete by the resume state."""
        return StoreSinkPartition(
            self._url, self._prefix, self._keep, self._restarts(), resume_state, self._progress
        )


def _behind(entry: str, position: Position) -> bool:
    """Whether an unsafe entry (lane and id) lies where no restart comes back to."""
    lane, id_ = entry.split()
    there = position[1 if lane == "control" else 0]
    return bool(there) and at_or_before(id_, there)


def _model_of(decision: bytes) -> str:
    start = decision.rfind(b'"versions":{"model":"')
    return decision[start + 21 : start + 37].decode() if start >= 0 else ""
