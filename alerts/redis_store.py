"""The Store on Redis or Valkey. Keys are listed in redis_reading.py, what runs in the server is in lua/.

A commit is one script call, so that readers and a crash see all of a batch or nothing of it: the server runs
scripts one at a time and writes their effects to its log as one transaction. Batches are not cut into
several calls, which would give up exactly that; the script walks its arguments without unpacking them, so
that thousands of rows are no trouble (some 10 µs each, during which other clients wait).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from alerts import lifecycle
from alerts.alert import MAX_EVENTS_KEPT, MERGE_WINDOW_MS, Alert, AlertHit, Status, Verdict, alert_id
from alerts.audit_trail import RedisAudit
from alerts.fraud_cases import RedisCases
from alerts.memory_store import INDEXED_ENTITIES
from alerts.minutes import head_of
from alerts.overlap import remaining
from alerts.redis_reading import GENERATION, alert_from
from alerts.redis_scripts import Argument
from alerts.rule_report import RedisRules
from alerts.store import Commit, Conflict, Delivery
from models.decision import encode_decision
from models.errors import StoreError

DAY_S = 24 * 3600
# The server takes 1024 × 1024 arguments in a call.
MAX_ARGUMENTS = 1_000_000


class RedisStore(RedisCases, RedisAudit, RedisRules):
    """See alerts.store.Store for the meaning of each call; every failure is a StoreError.

    url, prefix, protocol: see RedisLink. keep_decisions: newest decisions kept for lookup and the gateway;
    keep_of_entity: newest decisions kept for each entity, for `entity_days` after its last one. Minutes are
    kept for `minute_days`. Alerts and their audit trails are never dropped.
    """

    def __init__(
        self,
        url: str,
        prefix: str = "tg:",
        protocol: Literal[2, 3] = 2,
        keep_decisions: int = 200_000,
        keep_of_entity: int = 100,
        keep_dead: int = 50_000,
        entity_days: int = 14,
        minute_days: int = 45,
    ) -> None:
        super().__init__(url, prefix, protocol)
        self._keep = keep_decisions
        self._keep_of_entity = keep_of_entity
        self._limits = {
            "keep": keep_decisions,
            "keep_of_entity": keep_of_entity,
            "keep_dead": keep_dead,
            "keep_outbox": 100_000,
            "keep_minutes": minute_days * 24 * 60,
            "entity_ttl": entity_days * DAY_S,
            "minute_ttl": minute_days * DAY_S,
            "generation": GENERATION,
            "merge_window": MERGE_WINDOW_MS,
            "max_events": MAX_EVENTS_KEPT,
        }

    # the scorer

    def commit(self, batch: Commit) -> None:
        for _ in range(10):
            cursors = self.cursors()
            new = remaining(batch, cursors)
            outcome = self._run("commit", self._arguments(new, cursors))
            if outcome[0] == b"done" or not (new.decisions or new.hits or new.dead):
                return
            if outcome[0] == b"torn":
                raise StoreError(
                    f"{self._link.where}: {outcome[1].decode()} is ahead of {self._key('cursors')}: "
                    "keys were deleted by hand; restore the store or empty it"
                )
        raise StoreError(f"{self._link.where}: the cursors keep moving: a second scorer writes; stop one")

    def _arguments(self, batch: Commit, cursors: dict[str, int]) -> list[Argument]:
        header = {
            **self._limits,
            "cursors": cursors,
            "first_decision": batch.first_decision_ordinal,
            "n_decisions": len(batch.decisions),
            "n_hits": len(batch.hits),
            "first_dead": batch.first_dead_ordinal,
            "n_dead": len(batch.dead),
            "counters": msgspec.json.encode(batch.counters).decode(),
            "events_in": batch.counters.events_in,
            "stream_time": batch.stream_time,
            "minutes": [
                (str(minute), [text for name, value in fields.items() for text in (name, repr(float(value)))])
                for minute, fields in batch.minutes.items()
            ],
            "rules": self.rule_part(batch.decisions),
        }
        arguments: list[Argument] = [msgspec.json.encode(header)]
        lists = [(kind, self._key(f"of:{kind}:")) for kind in INDEXED_ENTITIES]
        for decision in batch.decisions:
            head = head_of(decision)
            keys = [key + entity for kind, key in lists if isinstance(entity := head.context.get(kind), str)]
            arguments += (decision, head.id, len(keys), *keys)
        for hit in batch.hits:
            arguments += _hit_arguments(hit)
        arguments += [msgspec.json.encode(letter) for letter in batch.dead]
        if len(arguments) > MAX_ARGUMENTS:
            raise StoreError(
                f"{len(batch.decisions)} decisions are too many for one commit: use smaller batches"
            )
        return arguments

    def wait_durable(self, timeout_ms: int = 5000) -> None:
        """Return when everything written so far is on the server's disk; raises StoreError when it is not.

        The log is in order, so one more write on this connection stands for all writes before it, whichever
        connection they came by. Needs an append-only file and Redis 7.2 or Valkey.
        """
        on_disk, _ = self._many([("INCR", self._key("flushes")), ("WAITAOF", 1, 0, timeout_ms)])[1]
        if on_disk < 1:
            raise StoreError(
                f"{self._link.where}: not on disk within {timeout_ms} ms: check the server's disk and its "
                "appendfsync setting"
            )

    # people

    def claim(self, alert_id: str, actor: str, now: int, lease_ms: int) -> Alert | Conflict:
        return self._act("claim", alert_id, 0, actor, now, str(now + lease_ms))

    def resolve(
        self, alert_id: str, version: int, verdict: Verdict, actor: str, now: int
    ) -> Alert | Conflict:
        labels = self._labels(alert_id, version, lambda _: lifecycle.fraud_flag(verdict), actor, now)
        return self._act("resolve", alert_id, version, actor, now, verdict, labels=labels)

    def set_status(
        self, alert_id: str, version: int, status: Status, actor: str, now: int, reason: str = ""
    ) -> Alert | Conflict:
        if status == "resolved":
            raise StoreError("an alert is resolved with a verdict: call resolve, not set_status")
        return self._act("status", alert_id, version, actor, now, status, reason)

    def undo(self, alert_id: str, version: int, actor: str, now: int) -> Alert | Conflict:
        def opposite(alert: Alert) -> bool | None:
            fraud = lifecycle.fraud_flag(alert.verdict)
            return None if fraud is None else not fraud

        labels = self._labels(alert_id, version, opposite, actor, now)
        return self._act("undo", alert_id, version, actor, now, "", labels=labels)

    def _labels(
        self, alert_id: str, version: int, fraud_of: Callable[[Alert], bool | None], actor: str, now: int
    ) -> list[Argument]:
        """Transaction ids and labels for the script, which compares the version before it takes them."""
        alert = self.alert(alert_id)
        fraud = fraud_of(alert) if alert is not None and alert.version == version else None
        if alert is None or fraud is None:
            return []
        lines = lifecycle.labels_of(alert, fraud, actor, self.stream_time() or now)
        return [part for pair in zip(alert.event_ids, lines, strict=True) for part in pair]

    def _act(
        self,
        verb: str,
        alert_id: str,
        version: int,
        actor: str,
        now: int,
        argument: str,
        detail: str = "",
        labels: list[Argument] | None = None,
    ) -> Alert | Conflict:
        outcome, flat, events = self._run(
            "act", [verb, alert_id, version, actor, now, argument, detail, *(labels or [])]
        )
        if outcome == b"missing":
            raise StoreError(f"there is no alert {alert_id}: load the queue again")
        alert = alert_from(dict(zip(flat[::2], flat[1::2], strict=True)), events)
        return alert if outcome == b"ok" else Conflict(alert)

    def mark_learned(self, transaction_ids: list[str]) -> None:
        for start in range(0, len(transaction_ids), 500):
            self._run("learned", list(transaction_ids[start : start + 500]))

    # the webhook sender and other processes

    def save_sender_state(self, state: bytes) -> None:
        self._one("SET", self._key("sender"), state)

    def log_delivery(self, delivery: Delivery) -> None:
        line = msgspec.json.encode(delivery)
        self._one("XADD", self._key("deliveries"), "MAXLEN", "~", 10_000, "*", "d", line)

    def beat(self, process: str, status: dict[str, str | int | float], now: int) -> None:
        self._one("HSET", self._key("beats"), process, msgspec.json.encode({**status, "at": now}))


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
        repr(lifecycle.amount_of(hit)),
        repr(float(hit.decision.risk)),
        encode_decision(hit.decision),
    )
