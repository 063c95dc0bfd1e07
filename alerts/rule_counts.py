"""How the rules of a pack do: what a payment that a rule hit counts for, day by day, and the table made of that.

This is the only definition of those counts; both stores keep them as they are made here. A day is a UTC day of event
time. Its counts have the name `<measure>:<rule>`:

    hits, shadow          payments hit; of them, while the rule was on trial and changed nothing
    alone                 hit by no other rule in force: what would have passed without this one
    usd, fraud_usd        US dollars of the payments hit; of those that turned out fraud
    fraud, good           by their newest label
    judged_fraud, judged_good   of these, labelled by an analyst, who looks at good and bad payments alike
    waiting               without a label so far, and let through, so that one may still come

A chargeback comes only for fraud. So that a rule is not made to look precise by counting the frauds that are known
already against good payments that are not, `table` takes a day as a whole once the outcome window of its payments has
closed (what waits is good then), and before that only what an analyst judged. What was declined, by the issuer or by
us, has no outcome of its own: without a label it counts neither way.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from alerts.minutes import add_counts
from models.events import Label
from models.risk import DECLINES

DAY_MS = 86_400_000
MOST_PAIRS = 2000
"""Pairs of rules whose overlap is counted apart on a day; hits of further pairs count under OTHER_PAIRS."""
OTHER_PAIRS = "other"
_MOST_OVERLAPS = 3
_RULES_IN_JSON = b'"rules":['

Outcome = str
"""`f`raud or `g`ood by the newest label, a capital once an analyst has judged it; empty: no label."""


class RuleDay(msgspec.Struct):
    """Counts of one day. overlap: payments hit by both rules of `<rule>:<rule>`, in the order of their ids."""

    counts: dict[str, float] = {}
    overlap: dict[str, float] = {}


class HitPayment(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of a payment that rules hit until its label comes. passed: let through, by the issuer and by us."""

    day: int
    usd: float
    passed: bool
    rules: list[str]


class _Rule(msgspec.Struct, frozen=True, gc=False):
    id: str
    shadow: bool = False


class _Head(msgspec.Struct, frozen=True, gc=False):
    id: str
    event_time: int
    action: str
    rules: list[_Rule] = []
    context: dict[str, str | float | int | None] = {}


_heads = msgspec.json.Decoder(_Head)


def counted(decisions: Iterable[bytes]) -> tuple[dict[int, RuleDay], dict[str, HitPayment]]:
    """Counts by day, and the payments to keep by their event id, of encoded decisions in stream order."""
    days: dict[int, RuleDay] = {}
    kept: dict[str, HitPayment] = {}
    for line in decisions:
        # Most payments hit no rule. A quote inside a text is escaped, so this cannot be part of one.
        if _RULES_IN_JSON in line:
            head = _heads.decode(line)
            payment = _payment(head)
            day = days.setdefault(payment.day, RuleDay({}, {}))
            add_counts(day.counts, _hits_of(head, payment.usd))
            add_counts(day.counts, standing(payment, ""))
            ids = sorted(payment.rules)
            add_counts(day.overlap, {f"{a}:{b}": 1.0 for i, a in enumerate(ids) for b in ids[i + 1 :]})
            kept[head.id] = payment
    return days, kept


def _payment(head: _Head) -> HitPayment:
    usd = head.context.get("amount_usd")
    passed = head.action not in DECLINES and head.context.get("authorisation") != "declined"
    rules = [rule.id for rule in head.rules]
    day = head.event_time - head.event_time % DAY_MS
    return HitPayment(day, float(usd) if isinstance(usd, (int, float)) else 0.0, passed, rules)


def _hits_of(head: _Head, usd: float) -> dict[str, float]:
    live = {rule.id for rule in head.rules if not rule.shadow}
    counts: dict[str, float] = {}
    for rule in head.rules:
        counts |= {f"hits:{rule.id}": 1.0, f"usd:{rule.id}": usd}
        if rule.shadow:
            counts[f"shadow:{rule.id}"] = 1.0
        if not live - {rule.id}:
            counts[f"alone:{rule.id}"] = 1.0
    return counts


def standing(payment: HitPayment, outcome: Outcome) -> dict[str, float]:
    """What a payment counts for while this is its outcome."""
    names: dict[str, float]
    match outcome:
        case "f" | "F":
            names = {"fraud": 1.0, "fraud_usd": payment.usd}
        case "g" | "G":
            names = {"good": 1.0}
        case _:
            names = {"waiting": 1.0} if payment.passed else {}
    if outcome == "F":
        names["judged_fraud"] = 1.0
    elif outcome == "G":
        names["judged_good"] = 1.0
    return {f"{name}:{rule}": value for rule in payment.rules for name, value in names.items()}


def changed(payment: HitPayment, before: Outcome, after: Outcome) -> dict[str, float]:
    """What to add to the counts of its day when its outcome changes."""
    changes = standing(payment, after)
    for name, value in standing(payment, before).items():
        changes[name] = changes.get(name, 0.0) - value
    return {name: value for name, value in changes.items() if value}


def outcomes_of(labels: Iterable[Label]) -> dict[str, Outcome]:
    """The outcome that labels, in stream order, leave each payment with."""
    found: dict[str, Outcome] = {}
    for label in labels:
        outcome = "f" if label.fraud else "g"
        if label.source == "analyst":
            outcome = outcome.upper()
        found[label.transaction_id] = after(found.get(label.transaction_id, ""), outcome)
    return found


def after(before: Outcome, told: Outcome) -> Outcome:
    """The newest label tells the outcome; that an analyst has judged the payment stays true."""
    return told.upper() if before.isupper() else told


def add_overlap(day: RuleDay, pairs: dict[str, float], most: int) -> None:
    """Add overlaps; once `most` pairs are counted apart, new ones go together under OTHER_PAIRS."""
    for pair, value in pairs.items():
        name = pair if pair in day.overlap or len(day.overlap) < most else OTHER_PAIRS
        day.overlap[name] = day.overlap.get(name, 0.0) + value


class Overlap(msgspec.Struct, frozen=True):
    """share: of the first rule's hits, in [0, 1], the part that `rule` hit too."""

    rule: str
    share: float


class RuleRow(msgspec.Struct, frozen=True, kw_only=True):
    """A rule over a span of days. hits, shadow, alone: payments; usd, fraud_usd: US dollars, of hits and frauds.

    frauds, settled: payments hit whose outcome counts (see the module's docstring); overlaps: largest first.
    """

    rule: str
    hits: int
    shadow: int
    alone: int
    usd: float
    frauds: int
    settled: int
    fraud_usd: float
    overlaps: list[Overlap]

    @property
    def precision(self) -> float | None:
        """Share of settled hits that were fraud; None while none has settled."""
        return self.frauds / self.settled if self.settled else None


def table(days: dict[int, RuleDay], now: int, settle_after_ms: int) -> list[RuleRow]:
    """Rules by hits, most first. now: the stream's time, ms; settle_after_ms: how long an outcome window is open."""
    sums: dict[str, dict[str, float]] = {}
    shared: dict[str, dict[str, float]] = {}
    for start, day in days.items():
        closed = start + DAY_MS + settle_after_ms <= now
        for name, value in day.counts.items():
            measure, _, rule = name.partition(":")
            add_counts(sums.setdefault(rule, {}), {measure: value})
            counts = _COUNTS_CLOSED if closed else _COUNTS_OPEN
            if measure in counts:
                add_counts(sums[rule], {counts[measure]: value})
        for name, value in day.overlap.items():
            first, _, second = name.partition(":")
            if second:
                add_counts(shared.setdefault(first, {}), {second: value})
                add_counts(shared.setdefault(second, {}), {first: value})
    rows = [_row(rule, found, shared.get(rule, {})) for rule, found in sums.items()]
    return sorted((row for row in rows if row.hits), key=lambda row: (-row.hits, row.rule))


_COUNTS_CLOSED = {"fraud": "settled_fraud", "good": "settled_good", "waiting": "settled_good"}
_COUNTS_OPEN = {"judged_fraud": "settled_fraud", "judged_good": "settled_good"}


def _row(rule: str, sums: dict[str, float], shared: dict[str, float]) -> RuleRow:
    hits = sums.get("hits", 0.0)
    largest = sorted(shared.items(), key=lambda item: (-item[1], item[0]))[:_MOST_OVERLAPS]
    frauds = round(sums.get("settled_fraud", 0.0))
    return RuleRow(
        rule=rule, hits=round(hits), shadow=round(sums.get("shadow", 0.0)), alone=round(sums.get("alone", 0.0)),
        usd=sums.get("usd", 0.0), frauds=frauds, settled=frauds + round(sums.get("settled_good", 0.0)),
        fraud_usd=sums.get("fraud_usd", 0.0),
        overlaps=[Overlap(other, min(count / hits, 1.0)) for other, count in largest] if hits else [],
    )  # fmt: skip
