"""What a containment would have stopped among the decisions of the last hours: the good payments, the money, the frauds.

Nobody knows yet which of them were good, so risk counts: a payment of risk 0.1 is 0.9 good payments and 0.1 frauds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from models.containment import matches
from models.decision import ACTIONS, Action

_RANK = {action: rank for rank, action in enumerate(ACTIONS)}
_STOPS = _RANK["HOLD"]
HOUR_MS = 3_600_000


class _Seen(msgspec.Struct, gc=False):
    event_time: int
    risk: float
    action: Action
    band: str
    rules: list[dict[str, object]] = []
    context: dict[str, str | float | int | None] = {}


_decoder = msgspec.json.Decoder(_Seen)


class BlastRadius(msgspec.Struct, frozen=True, kw_only=True):
    """hours: span of the decisions looked at, decisions: how many. covered: in scope.

    stopped: would newly be held, declined or frozen; challenged: would newly have to step up. good, frauds: of the
    stopped ones, by their risk; good_usd, fraud_usd: their money. good_share: good payments stopped of all decisions.
    released: payments that would no longer be stopped (rules alone). corridors: share of each one's payments stopped or
    challenged, largest first.
    """

    hours: float
    decisions: int
    covered: int
    stopped: int
    challenged: int
    released: int
    good: float
    good_usd: float
    frauds: float
    fraud_usd: float
    good_share: float
    corridors: list[tuple[str, float]] = []


class Effect(msgspec.Struct, frozen=True):
    """What is tried: on which payments, which action at least; above_usd and rules_only as in models.containment."""

    scope: dict[str, str]
    action: Action
    above_usd: float | None = None
    rules_only: bool = False


def blast_radius(decisions: Iterable[bytes], effect: Effect, since: int) -> BlastRadius:
    """The radius over encoded decisions, newest first, down to event time `since` (ms)."""
    looked = covered = stopped = challenged = released = 0
    good = frauds = good_usd = fraud_usd = 0.0
    first = last = 0
    corridors: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for line in decisions:
        seen = _decoder.decode(line)
        if seen.event_time < since:
            continue
        looked += 1
        last = max(last, seen.event_time)
        first = min(first or seen.event_time, seen.event_time)
        usd = float(seen.context.get("amount_usd") or 0.0)
        corridor = str(seen.context.get("corridor") or "")
        corridors[corridor][0] += 1
        if not matches(effect.scope, seen.context.get) or (
            effect.above_usd is not None and usd <= effect.above_usd
        ):
            continue
        covered += 1
        before, after = _RANK[seen.action], _after(seen, effect)
        if after < before:
            released += before >= _STOPS > after
            continue
        if after == before:
            continue
        corridors[corridor][1] += 1
        if after < _STOPS:
            challenged += 1
        elif before < _STOPS:
            stopped += 1
            good, frauds = good + 1.0 - seen.risk, frauds + seen.risk
            good_usd, fraud_usd = good_usd + usd * (1.0 - seen.risk), fraud_usd + usd * seen.risk
    shares = [(name, round(hit / total, 4)) for name, (total, hit) in corridors.items() if hit]
    return BlastRadius(
        hours=round((last - first) / HOUR_MS, 2), decisions=looked, covered=covered, stopped=stopped,
        challenged=challenged, released=released, good=round(good, 1), good_usd=round(good_usd, 2),
        frauds=round(frauds, 1), fraud_usd=round(fraud_usd, 2),
        good_share=round(good / looked, 6) if looked else 0.0,
        corridors=sorted(shares, key=lambda pair: (-pair[1], pair[0]))[:20],
    )  # fmt: skip


def _after(seen: _Seen, effect: Effect) -> int:
    if not effect.rules_only:
        return max(_RANK[seen.action], _RANK[effect.action])
    by_rules = [_RANK.get(str(rule.get("action")), 0) for rule in seen.rules if not rule.get("shadow")]
    return max(by_rules, default=0)
