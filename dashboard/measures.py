"""From readings to the few numbers and series the pages show. Pure: lists and dicts in, values out."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from alerts.alert import Alert
from alerts.minutes import MINUTE_MS, RISK_BINS
from dashboard.data import DAY_MS, OPEN
from dashboard.readings import Beat, Pulse
from dashboard.settings import Acknowledge
from dashboard.theme import Mode
from models.decision import Decision, Reason

BEAT_STALE_MS = 15_000
REPLAY_BEHIND_MS = 3_600_000
STOPPING = ("HOLD", "DECLINE", "FREEZE")

Minutes = dict[int, dict[str, float]]


def mode_of(pulse: Pulse | None, error: str | None, wall: int) -> Mode:
    """The one word of the status line.

    down: the store does not answer. none: nothing processed yet. stale: the scorer has not said it is alive
    for 15 s. replay: it is alive but works on a time more than an hour away from the wall clock.
    """
    if error is not None or pulse is None:
        return "down"
    if pulse.stream_time == 0:
        return "none"
    at = beat_time(pulse.beats.get("scorer"))
    if at is None or wall - at > BEAT_STALE_MS:
        return "stale"
    return "replay" if abs(wall - pulse.stream_time) > REPLAY_BEHIND_MS else "live"


def beat_time(beat: Beat | None) -> int | None:
    """When the process last said it is alive."""
    return None if beat is None else whole(beat.get("at"))


def whole(value: object) -> int | None:
    """A number out of a beat, which may hold text."""
    found = number(value)
    return None if found is None else int(found)


def number(value: object) -> float | None:
    """A number out of a beat or a context; None where there is none."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


class Oldest(NamedTuple):
    """The waiting alert that is worst against its limit: ages in ms; share > 1: overdue."""

    alert: Alert
    waited: int
    share: float


def oldest(alerts: list[Alert], limits: Acknowledge, now: int) -> Oldest | None:
    """The untouched alert that has used most of its acknowledgement time."""
    waiting = [
        Oldest(a, now - a.opened_at, (now - a.opened_at) / (limits.minutes(a.severity) * 60_000))
        for a in alerts
        if a.status == "open"
    ]
    return max(waiting, key=lambda each: each.share, default=None)


def overdue(alert: Alert, limits: Acknowledge, now: int) -> bool:
    """True for an untouched alert beyond its acknowledgement time."""
    return alert.status == "open" and now - alert.opened_at > limits.minutes(alert.severity) * 60_000


def at_risk(alerts: list[Alert]) -> float:
    """USD in alerts that wait for a person and whose payment went through."""
    return sum(a.amount_usd for a in alerts if a.status in OPEN and a.decision.action not in STOPPING)


def stopped(alerts: list[Alert], now: int) -> float:
    """USD in alerts of the last 24 h whose payment was held, declined or frozen."""
    return sum(a.amount_usd for a in alerts if a.decision.action in STOPPING and now - a.last_time <= DAY_MS)


def precision(resolved: list[Alert], now: int) -> tuple[int, int]:
    """(frauds, verdicts) of the last 24 h; `unsure` is no verdict."""
    judged = [
        a.verdict
        for a in resolved
        if a.verdict in ("fraud", "legitimate") and now - (a.resolved_at or 0) <= DAY_MS
    ]
    return judged.count("fraud"), len(judged)


def binned(minutes: Minutes, step_minutes: int) -> Minutes:
    """Counters summed over steps of several minutes, in order of time."""
    step = step_minutes * MINUTE_MS
    sums: dict[int, dict[str, float]] = {}
    for minute in sorted(minutes):
        fields = sums.setdefault(minute - minute % step, defaultdict(float))
        for name, value in minutes[minute].items():
            fields[name] += value
    return {at: dict(fields) for at, fields in sums.items()}


def risk_quantile(fields: dict[str, float], q: float) -> float | None:
    """A quantile of the risk histogram, linear inside its 5 % bin; None without decisions."""
    counts = [fields.get(f"risk_{i:02d}", 0.0) for i in range(RISK_BINS)]
    total = sum(counts)
    if total <= 0:
        return None
    wanted, below = q * total, 0.0
    for i, count in enumerate(counts):
        if count and below + count >= wanted:
            return (i + (wanted - below) / count) / RISK_BINS
        below += count
    return 1.0


class Corridor(NamedTuple):
    """A corridor's payments and alert hits over the span shown."""

    name: str
    payments: int
    hits: int


def top_corridors(minutes: Minutes, limit: int) -> list[Corridor]:
    """Corridors with most alert hits."""
    payments: dict[str, float] = defaultdict(float)
    hits: dict[str, float] = defaultdict(float)
    for fields in minutes.values():
        for name, value in fields.items():
            kind, _, corridor = name.partition(":")
            if kind == "corridor":
                payments[corridor] += value
            elif kind == "corridor_alerts":
                hits[corridor] += value
    rows = [
        Corridor(name, round(payments[name]), round(count)) for name, count in hits.items() if count > 0.5
    ]
    return sorted(rows, key=lambda row: (-row.hits, row.name))[:limit]


class Entity(NamedTuple):
    """An entity that waiting alerts turn on."""

    kind: str
    name: str
    alerts: int
    payments: int
    priority: float


def top_entities(alerts: list[Alert], limit: int) -> list[Entity]:
    """Entities by the loss to expect from their waiting alerts."""
    found: dict[tuple[str, str], Entity] = {}
    for a in alerts:
        before = found.get((a.entity_kind, a.entity), Entity(a.entity_kind, a.entity, 0, 0, 0.0))
        found[a.entity_kind, a.entity] = before._replace(
            alerts=before.alerts + 1,
            payments=before.payments + a.count,
            priority=before.priority + a.priority,
        )
    return sorted(found.values(), key=lambda e: (-e.priority, e.name))[:limit]


def main_reasons(decision: Decision, limit: int) -> list[Reason]:
    """The model's reasons, greatest part of the score first."""
    reasons = [r for r in decision.reasons if r.kind == "feature"]
    return sorted(reasons, key=lambda r: (r.code == "other", -abs(r.share)))[:limit]


def leading_reason(decision: Decision) -> Reason | None:
    """The one to say in a sentence: the greatest that speaks for fraud, else the first of another kind."""
    model = [r for r in main_reasons(decision, 50) if r.share > 0]
    others = [r for r in decision.reasons if r.kind != "feature"]
    return next(iter([*model, *others]), None)
