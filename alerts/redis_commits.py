"""What the scorer writes, on Redis or Valkey: one script call a batch.

Readers and a crash see all of a batch or nothing of it: the server runs scripts one at a time and writes their effects to
its log as one transaction. Batches are not cut into several calls, which would give up exactly that; the script takes its
arguments piece by piece, so that thousands of rows are no trouble (some 10 µs each, during which other clients wait).

A batch may be sent without waiting for the answer: the server works on it while the scorer decides the next one. Its
ordinals make that safe. An answer that is lost, or not the expected one, is followed by an ordinary commit, which asks
how far the store has got.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from alerts.alert import AlertHit, alert_id
from alerts.decision_index import RedisHistory, indexed
from alerts.merging import amount_of
from alerts.minutes import Headed, head_of
from alerts.overlap import remaining
from alerts.redis_scripts import Argument
from alerts.rule_report import RedisRules
from alerts.store import Commit
from models.decision import encode_decision
from models.errors import StoreError

# The server takes 1024 × 1024 arguments in a call.
MAX_ARGUMENTS = 1_000_000


class _Sent(NamedTuple):
    connection: Any
    batch: Commit
    heads: Sequence[Headed] | None
    cursors: dict[str, int]


class RedisCommits(RedisRules, RedisHistory):
    """See alerts.store.Store for the meaning of `commit`. One writer at a time, as there is one scorer."""

    _limits: dict[str, Any]
    _known: dict[str, int] | None = None
    _sent: _Sent | None = None

    def commit(self, batch: Commit, heads: Sequence[Headed] | None = None) -> None:
        known, self._known = self._known, None
        for _ in range(10):
            # The script compares them, so that asking before each batch would only cost a round trip.
            cursors = known or self.cursors()
            known = None
            new = remaining(batch, cursors)
            told = heads[len(heads) - len(new.decisions) :] if heads is not None else None
            outcome = self._run("commit", self._arguments(new, cursors, told))
            if outcome[0] == b"done":
                self._known = _after(cursors, new)
                return
            if not (new.decisions or new.hits or new.dead):
                return
            if outcome[0] == b"torn":
                raise StoreError(
                    f"{self._link.where}: {outcome[1].decode()} is ahead of {self._key('cursors')}: "
                    "keys were deleted by hand; restore the store or empty it"
                )
        raise StoreError(f"{self._link.where}: the cursors keep moving: a second scorer writes; stop one")

    def begin_commit(self, batch: Commit, heads: Sequence[Headed] | None = None) -> None:
        """Send a batch; `end_commit` waits for the answer, and comes before anything else is committed."""
        cursors, self._known = self._known, None
        if cursors is None or remaining(batch, cursors) is not batch:
            self.commit(batch, heads)
            return
        try:
            connection = self._send("commit", self._arguments(batch, cursors, heads))
        except StoreError:
            self.commit(batch, heads)
            return
        self._sent = _Sent(connection, batch, heads, cursors)

    def end_commit(self) -> None:
        """Return when the store has the batch that was begun; at once when none is under way."""
        sent, self._sent = self._sent, None
        if sent is None:
            return
        try:
            done: bool = self._answer(sent.connection)[0] == b"done"
        except StoreError:
            done = False
        if done:
            self._known = _after(sent.cursors, sent.batch)
        else:
            self.commit(sent.batch, sent.heads)

    def _arguments(
        self, batch: Commit, cursors: dict[str, int], heads: Sequence[Headed] | None
    ) -> list[Argument]:
        if heads is None:
            heads = [head_of(decision) for decision in batch.decisions]
        index = indexed(heads, batch.first_decision_ordinal)
        header = {
            **self._limits,
            "now": batch.now or batch.stream_time,
            "cursors": cursors,
            "first_decision": batch.first_decision_ordinal,
            "n_decisions": len(batch.decisions),
            "n_index": len(index),
            "n_hits": len(batch.hits),
            "first_dead": batch.first_dead_ordinal,
            "n_dead": len(batch.dead),
            "counters": msgspec.json.encode(batch.counters).decode(),
            "events_in": batch.counters.events_in,
            "stream_time": batch.stream_time,
            "taken": batch.taken,
            "minutes": [
                (str(minute), list(fields), list(fields.values()))
                for minute, fields in batch.minutes.items()
                if fields
            ],
            "rules": self.rule_part(batch.decisions),
        }
        arguments: list[Argument] = [msgspec.json.encode(header), *batch.decisions]
        for piece in index:
            arguments += piece
        for hit in batch.hits:
            arguments += _hit_arguments(hit)
        arguments += [msgspec.json.encode(letter) for letter in batch.dead]
        if len(arguments) > MAX_ARGUMENTS:
            raise StoreError(
                f"{len(batch.decisions)} decisions are too many for one commit: use smaller batches"
            )
        return arguments


def _after(cursors: dict[str, int], batch: Commit) -> dict[str, int]:
    """The cursors once the batch, all of it new, is written."""
    added = {"decisions": len(batch.decisions), "hits": len(batch.hits), "dead": len(batch.dead)}
    return {name: cursors[name] + added[name] for name in cursors}


def _hit_arguments(hit: AlertHit) -> tuple[Argument, ...]:
    """The strings lua/commit.lua reads for a hit, in its order."""
    return (
        hit.ordinal,
        hit.fingerprint,
        alert_id(hit.fingerprint, hit.event_id),
        hit.event_id,
        hit.event_time,
        hit.severity,
        repr(float(hit.priority)),
        hit.typology,
        hit.entity_kind,
        hit.entity,
        repr(amount_of(hit)),
        repr(float(hit.decision.risk)),
        encode_decision(hit.decision),
        "\x1f".join(hit.causes),
    )
