"""Counts of the rules in the store: by day, with the payments they hit kept until a label tells their outcome.

`commit` counts what is new in a batch, in the same atomic step, so that a replay counts nothing twice. A label sets
the outcome of a payment and moves its counts from the one before: to tell the same again changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from alerts.minutes import add_counts
from alerts.redis_scripts import RedisScripts
from alerts.rule_counts import (
    MOST_PAIRS,
    HitPayment,
    Outcome,
    RuleDay,
    add_overlap,
    after,
    changed,
    counted,
    outcomes_of,
)
from models.errors import StoreError
from models.events import Label

KEEP_DAYS = 400
KEEP_PAYMENTS = 200_000
"""Payments hit by rules that may still be labelled, newest decided ones; a label that comes later counts nothing."""


class MemoryRules:
    """See alerts.store.Store."""

    def __init__(self) -> None:
        super().__init__()
        self._rule_days: dict[int, RuleDay] = {}
        self._hit_payments: dict[str, tuple[HitPayment, Outcome]] = {}
        self._keep_hit_payments = KEEP_PAYMENTS

    def count_rules(self, decisions: Sequence[bytes]) -> None:
        """The part of `commit`: decisions that are new to the store."""
        days, kept = counted(decisions)
        for start, day in days.items():
            own = self._rule_days.setdefault(start, RuleDay({}, {}))
            add_counts(own.counts, day.counts)
            add_overlap(own, day.overlap, MOST_PAIRS)
        for old in sorted(self._rule_days)[:-KEEP_DAYS]:
            del self._rule_days[old]
        self._hit_payments |= {id_: (payment, "") for id_, payment in kept.items()}
        while len(self._hit_payments) > self._keep_hit_payments:
            del self._hit_payments[next(iter(self._hit_payments))]

    def settle_rule_hits(self, labels: Sequence[Label]) -> None:
        for id_, told in outcomes_of(labels).items():
            if id_ not in self._hit_payments:
                continue
            payment, before = self._hit_payments[id_]
            self._hit_payments[id_] = (payment, after(before, told))
            if payment.day in self._rule_days:
                add_counts(self._rule_days[payment.day].counts, changed(payment, before, after(before, told)))

    def rule_days(self, since: int, until: int) -> dict[int, RuleDay]:
        return {
            start: RuleDay(dict(day.counts), dict(day.overlap))
            for start, day in sorted(self._rule_days.items())
            if since <= start < until
        }


class RedisRules(RedisScripts):
    """The same in the store.

    Keys: `rules` (sorted set of days), `rules:<day>` and `rules:<day>:overlap` (counts), `hit_payments` (hash: event id →
    payment), `hit_payments:order` (list), `hit_payments:outcome` (hash: event id → outcome).
    """

    _keep_hit_payments = KEEP_PAYMENTS

    def rule_part(self, decisions: Sequence[bytes]) -> dict[str, Any]:
        """The part of a commit that lua/rule_hits.lua writes."""
        days, kept = counted(decisions)
        return {
            "keep_days": KEEP_DAYS, "keep_payments": self._keep_hit_payments, "most_pairs": MOST_PAIRS,
            "days": [(str(start), _flat(day.counts), _flat(day.overlap)) for start, day in days.items()],
            "payments": [(id_, msgspec.json.encode(payment).decode()) for id_, payment in kept.items()],
        }  # fmt: skip

    def settle_rule_hits(self, labels: Sequence[Label]) -> None:
        outcomes = outcomes_of(labels)
        if not outcomes:
            return
        for _ in range(10):
            changes = self._outcome_changes(outcomes)
            if not changes or self._run("rule_outcomes", [msgspec.json.encode(changes)])[0] == b"done":
                return
        raise StoreError(
            f"{self._link.where}: outcomes of rule hits keep changing: a second scorer writes; stop one"
        )

    def _outcome_changes(self, outcomes: dict[str, Outcome]) -> list[tuple[Any, ...]]:
        """(event id, outcome before, after, day, counts to add) of the payments that are kept and change."""
        ids = list(outcomes)
        kept, told = self._many(
            [
                ("HMGET", self._key("hit_payments"), *ids),
                ("HMGET", self._key("hit_payments:outcome"), *ids),
            ]
        )
        changes = []
        for id_, line, known in zip(ids, kept, told, strict=True):
            before = (known or b"").decode()
            new = after(before, outcomes[id_])
            if line is not None and before != new:
                payment = msgspec.json.decode(line, type=HitPayment)
                changes.append((id_, before, new, str(payment.day), _flat(changed(payment, before, new))))
        return changes

    def rule_days(self, since: int, until: int) -> dict[int, RuleDay]:
        starts = [
            start.decode() for start in self._one("ZRANGEBYSCORE", self._key("rules"), since, f"({until}")
        ]
        keys = [self._key(f"rules:{start}") for start in starts]
        found = self._many([c for key in keys for c in (("HGETALL", key), ("HGETALL", f"{key}:overlap"))])
        return {
            int(start): RuleDay(_numbers(counts), _numbers(overlap))
            for start, counts, overlap in zip(starts, found[::2], found[1::2], strict=True)
        }


def _flat(counts: dict[str, float]) -> list[str]:
    return [text for name, value in counts.items() for text in (name, repr(value))]


def _numbers(fields: dict[bytes, bytes]) -> dict[str, float]:
    return {name.decode(): float(value) for name, value in fields.items()}
