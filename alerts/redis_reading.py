"""The reading half of RedisStore: keys, decoding, lookups. It changes nothing in the store.

Keys, all below one prefix (`tg:`):

    in                      input stream, field `e` = encoded event
    decisions, dead         streams, entry id `<ordinal>-0`, field `d` = JSON
    index:<kind>:<n>        hashes of events or entities by ordinal (decision_index.py)
    alert:<id>[:events], alerts:<status>:<priority|newest>, alerts:open:<severity>,
    alerts:of:<kind>:<entity>, fingerprints (fingerprint → open alert), labelled:<transaction>
    alerts:due, alerts:bell, snoozes, audit… (due_list.py, rule_snoozes.py, audit_trail.py)
    routing…, silences, resends, changes, deliveries (routing/)
    minutes, minute:<ms>    index and chart counters of a minute
    cursors, counters, beats

Scripts compute key names from the prefix, so a Redis Cluster is not supported; replication and Sentinel are.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal, get_args

import msgspec

from alerts.alert import Alert, Severity, Status
from alerts.redis_link import RedisLink
from alerts.store import Sort
from models.decision import Counters, DeadLetter, Decision

PIPELINE = 1000


class RedisReading:
    """See alerts.store.Store for the meaning of each call."""

    def __init__(
        self, url: str, prefix: str = "tg:", protocol: Literal[2, 3] = 2, same_server: bool = False
    ) -> None:
        self._link = RedisLink(url, protocol, same_server=same_server)
        self._prefix = prefix
        self._keep = 200_000

    def _key(self, name: str) -> str:
        return self._prefix + name

    def ping(self) -> float:
        began = time.perf_counter()
        with self._link.speaking() as client:
            client.ping()
        return (time.perf_counter() - began) * 1000

    def _many(self, commands: Sequence[tuple[str | bytes | int, ...]]) -> list[Any]:
        """Answers to many commands, sent in pipelines of at most PIPELINE."""
        answers: list[Any] = []
        with self._link.speaking() as client:
            for start in range(0, len(commands), PIPELINE):
                pipeline = client.pipeline(transaction=False)
                for command in commands[start : start + PIPELINE]:
                    pipeline.execute_command(*command)
                answers += pipeline.execute()
        return answers

    def _one(self, *command: str | bytes | int) -> Any:
        return self._many([command])[0]

    def cursors(self) -> dict[str, int]:
        names = ("decisions", "hits", "dead")
        values = self._one("HMGET", self._key("cursors"), *names)
        return {name: int(value or 0) for name, value in zip(names, values, strict=True)}

    def counters(self) -> Counters:
        text = self._one("GET", self._key("counters"))
        return msgspec.json.decode(text, type=Counters) if text else Counters()

    def stream_time(self) -> int:
        return int(self._one("HGET", self._key("cursors"), "stream_time") or 0)

    def _decisions_at(self, ordinals: list[int]) -> list[bytes | None]:
        """The decision with each of these ordinals; None where it is no longer kept."""
        stream = self._key("decisions")
        ids = [f"{ordinal}-0" for ordinal in ordinals]
        entries = self._many([("XRANGE", stream, entry, entry) for entry in ids])
        return [found[0][1][b"d"] if found else None for found in entries]

    def recent_decisions(self, limit: int) -> list[bytes]:
        return self._newest("decisions", limit)

    def _newest(self, stream: str, limit: int) -> list[bytes]:
        if limit < 1:
            return []
        entries = self._one("XREVRANGE", self._key(stream), "+", "-", "COUNT", limit)
        return [fields[b"d"] for _, fields in entries]

    def minutes(self, since: int, until: int) -> dict[int, dict[str, float]]:
        index = self._key("minutes")
        found = self._one("ZRANGEBYSCORE", index, since, f"({until}")
        hashes = self._many([("HGETALL", self._key("minute:") + minute.decode()) for minute in found])
        return {
            int(minute): {name.decode(): float(value) for name, value in fields.items()}
            for minute, fields in zip(found, hashes, strict=True)
            if fields
        }

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        return [msgspec.json.decode(line, type=DeadLetter) for line in self._newest("dead", limit)]

    def alert(self, alert_id: str) -> Alert | None:
        return next(iter(self._load([alert_id])), None)

    def _load(self, ids: list[str]) -> list[Alert]:
        keys = [self._key(f"alert:{alert_id}") for alert_id in ids]
        answers = self._many(
            [c for key in keys for c in (("HGETALL", key), ("LRANGE", f"{key}:events", 0, -1))]
        )
        pairs = zip(answers[::2], answers[1::2], strict=True)
        return [alert_from(fields, events) for fields, events in pairs if fields]

    def alerts(self, statuses: tuple[Status, ...], sort: Sort, limit: int) -> list[Alert]:
        indexes = [self._key(f"alerts:{status}:{sort}") for status in dict.fromkeys(statuses)]
        found = self._many([("ZREVRANGE", index, 0, max(limit - 1, 0)) for index in indexes])
        alerts = self._load([alert_id.decode() for ids in found for alert_id in ids])
        # An alert may have moved on between the two reads.
        wanted = [alert for alert in alerts if alert.status in statuses]
        return sorted(wanted, key=lambda a: (_rank(a, sort), a.id), reverse=True)[:limit]

    def alert_counts(self) -> dict[str, int]:
        statuses, severities = get_args(Status), get_args(Severity)
        counts = self._many(
            [("ZCARD", self._key(f"alerts:{status}:newest")) for status in statuses]
            + [("SCARD", self._key(f"alerts:open:{severity}")) for severity in severities]
        )
        return dict(zip([*statuses, *(f"open:{s}" for s in severities)], counts, strict=True))

    def alerts_of(self, entity_kind: str, entity: str, limit: int) -> list[Alert]:
        ids = self._one("ZREVRANGE", self._key(f"alerts:of:{entity_kind}:{entity}"), 0, max(limit - 1, 0))
        return self._load([alert_id.decode() for alert_id in ids[:limit]])

    def beats(self) -> dict[str, dict[str, str | int | float]]:
        found = self._one("HGETALL", self._key("beats"))
        return {name.decode(): msgspec.json.decode(status) for name, status in found.items()}


_WHOLE = (
    "version", "count", "first_time", "last_time", "opened_at", "claimed_until", "resolved_at", "waiting_since",
    "severity_since", "acknowledged_at", "snoozed_until", "proposed_at",
)  # fmt: skip
_STEPPED = (
    "version", "status", "verdict", "claimed_by", "claimed_until", "resolved_at", "resolved_by", "waiting_since",
    "severity_since", "acknowledged_by", "acknowledged_at", "assigned_to", "assigned_by", "snoozed_until", "snoozed_by",
    "snooze_reason", "proposed_verdict", "proposed_by", "proposed_at", "confirmed_by",
)  # fmt: skip


def _rank(alert: Alert, sort: Sort) -> float:
    return alert.priority if sort == "priority" else alert.last_time


def alert_from(fields: dict[bytes, bytes], events: list[bytes]) -> Alert:
    """The alert kept in a hash and a list."""
    text = {name.decode(): value.decode() for name, value in fields.items() if name != b"decision"}
    values: dict[str, Any] = {name: text[name] for name in Alert.__struct_fields__ if name in text}
    values.update({name: int(text[name]) for name in _WHOLE if name in text})
    values.update({name: float(text[name]) for name in ("priority", "amount_usd")})
    values["learned"] = "learned" in text
    values["event_ids"] = [event.decode() for event in events]
    values["decision"] = msgspec.json.decode(fields[b"decision"], type=Decision)
    return Alert(**values)


def fields_of(alert: Alert) -> dict[str, str]:
    """What people's steps may change of an alert, as it is kept in its hash; what is None is not kept."""
    kept = {name: getattr(alert, name) for name in _STEPPED}
    return {name: str(value) for name, value in kept.items() if value is not None}
