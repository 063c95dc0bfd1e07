"""Detectors of what fails in Tidegate itself: models, lists, entries nobody can read, processes that are away."""

from __future__ import annotations

import msgspec

from alerts.minutes import MINUTE_MS
from alerts.response.detection import Burn, Detection, DetectorSettings, Flood, ListOutage, ModelCollapse
from alerts.response.incident import Impacts
from alerts.response.signals import Signals
from models.champions import KNOWN_GOOD
from models.snapshot import BASE

HOUR_MS = 3_600_000
SAMPLE_MS = 10_000
LONGEST_STEP_MS = 60_000
"""Time between two looks that still counts as watched."""


class Sample(msgspec.Struct, frozen=True):
    """Counters at a moment of the people's clock."""

    now: int
    events_in: int
    dead_letters: int


class WatchState(msgspec.Struct):
    """What detectors remember between looks.

    bad: by process and minute, ms in which it was away. lost_at: since when the store cannot be reached, 0: it can.
    """

    samples: list[Sample] = []
    bad: dict[str, dict[int, int]] = {}
    looked_at: int = 0
    lost_at: int = 0


def failures(signals: Signals, settings: DetectorSettings, state: WatchState) -> list[Detection]:
    """Everything that fails now; `state` is brought up to date."""
    out = _availability(signals, settings.availability_burn, state)
    if signals.reachable:
        out += _flood(signals, settings.dead_letter_flood, state)
        out += _model(signals, settings.model_collapse)
        out += _lists(signals, settings.list_outage)
    return out


def _availability(signals: Signals, burn: Burn, state: WatchState) -> list[Detection]:
    since = signals.now - state.looked_at
    watched = since if 0 < since <= LONGEST_STEP_MS else 0
    state.looked_at = signals.now
    minute = signals.now - signals.now % MINUTE_MS
    oldest = minute - max(rule.long for rule in burn.rule) * MINUTE_MS
    out = []
    for name, objective in burn.objective.items():
        beat = signals.beats.get(name)
        away = not signals.reachable
        if beat is not None:
            away = away or signals.now - int(beat.get("at", 0)) > burn.stale_s * 1000
        elif name not in state.bad:
            continue  # never seen: it does not run here
        bad = state.bad.setdefault(name, {})
        if away and watched:
            bad[minute] = bad.get(minute, 0) + watched
        for old in [m for m in bad if m < oldest]:
            del bad[old]
        for rule in burn.rule:
            rates = [_burnt(bad, minute, window) / (1.0 - objective) for window in (rule.long, rule.short)]
            if min(rates) >= rule.burn:
                minutes = sum(bad.values()) / MINUTE_MS
                out.append(
                    Detection(
                        kind="availability_burn", scope={"component": name}, at=signals.at, urgency=rule.urgency,
                        first_bad_at=None, impacts=Impacts(outage_min=round(minutes, 2)),
                        facts={"burn": round(min(rates), 1), "limit": rule.burn, "away_minutes": round(minutes, 2)},
                        text_en=f"{name} burns its error budget {min(rates):.1f} times too fast (limit {rule.burn:g})",
                        text_zh=f"{name} 的错误预算消耗速度为 {min(rates):.1f} 倍（上限 {rule.burn:g} 倍）",
                    )
                )  # fmt: skip
                break
    return out


def _burnt(bad: dict[int, int], minute: int, window: int) -> float:
    """Share of the window (minutes) in which the process was away; what was not watched counts as good."""
    start = minute - (window - 1) * MINUTE_MS
    return sum(ms for at, ms in bad.items() if at >= start) / (window * MINUTE_MS)


def _flood(signals: Signals, flood: Flood, state: WatchState) -> list[Detection]:
    counters = signals.counters
    samples = state.samples
    if not samples or signals.now - samples[-1].now >= SAMPLE_MS:
        samples.append(Sample(signals.now, counters.events_in, counters.dead_letters))
    while len(samples) > 1 and samples[1].now <= signals.now - flood.window * MINUTE_MS:
        samples.pop(0)
    first = samples[0]
    dead, events = counters.dead_letters - first.dead_letters, counters.events_in - first.events_in
    if dead < flood.least or dead < flood.share * max(events, 1):
        return []
    share = dead / max(events, 1)
    return [
        Detection(
            kind="dead_letter_flood", scope={}, at=signals.at, impacts=Impacts(payments_failed=dead),
            facts={"dead_letters": dead, "share": round(share, 4), "minutes": flood.window},
            text_en=f"{dead} entries could not be taken in {flood.window} min, {share:.1%} of all",
            text_zh=f"{flood.window} 分钟内有 {dead} 条记录无法处理，占 {share:.1%}",
        )
    ]  # fmt: skip


def _model(signals: Signals, settings: ModelCollapse) -> list[Detection]:
    said: list[tuple[str, str, int]] = []
    report = signals.learner
    if report is not None:
        since = report.at - int(settings.recent_hours * HOUR_MS)
        said += [
            (mark.text_en, mark.text_zh, mark.at)
            for mark in report.marks
            if mark.kind in ("score", "poisoning") and mark.at >= since
        ]
        said += [
            (
                f"{c.before} was taken out of service for {c.after}",
                f"{c.before} 停用，改由 {c.after} 服务",
                c.at,
            )
            for c in report.changes
            if c.kind == "rolled_back" and c.after in (BASE, KNOWN_GOOD) and c.at >= since
        ]
        last = report.points[-1] if report.points else None
        if (
            last is not None and last.settled >= settings.settled_least and last.roc_auc is not None
            and last.roc_auc < settings.auc_below and last.time >= since
        ):  # fmt: skip
            said.append(
                (f"ROC-AUC fell to {last.roc_auc:.2f}", f"ROC-AUC 降至 {last.roc_auc:.2f}", last.time)
            )
    hits = sum(signals.counted(settings.window, "hit:MODEL|").values())
    decided = signals.counted(settings.window).get("decided", 0.0)
    usual = sum(v for k, v in signals.usual.items() if k.startswith("hit:MODEL|"))
    rate = usual / signals.usual["decided"] if signals.usual.get("decided") else 0.0
    share = hits / decided if decided else 0.0
    if decided >= settings.least and share >= settings.share and share >= settings.ratio * max(rate, 0.001):
        said.append(
            (
                f"models call {share:.0%} of all payments fraud, usual are {rate:.2%}",
                f"模型将 {share:.0%} 的交易判为欺诈，平时为 {rate:.2%}",
                signals.at,
            )
        )
    if not said:
        return []
    return [
        Detection(
            kind="model_collapse", scope={}, at=signals.at, first_bad_at=min(at for _, _, at in said),
            facts={"champion": report.champion if report else "", "signs": len(said)},
            text_en="; ".join(en for en, _, _ in said[:3]), text_zh="；".join(zh for _, zh, _ in said[:3]),
        )
    ]  # fmt: skip


def _lists(signals: Signals, settings: ListOutage) -> list[Detection]:
    out = []
    for one in signals.lists:
        over = signals.at - one.as_of - one.max_age
        if over > settings.grace * MINUTE_MS:
            hours = (signals.at - one.as_of) / HOUR_MS
            out.append(
                Detection(
                    kind="list_outage", scope={"list": one.name}, at=signals.at,
                    first_bad_at=one.as_of + one.max_age, facts={"age_hours": round(hours, 1)},
                    text_en=f"list {one.name} is {hours:.0f} hours old, at most {one.max_age / HOUR_MS:.0f} are allowed",
                    text_zh=f"名单 {one.name} 已 {hours:.0f} 小时未更新，最多 {one.max_age / HOUR_MS:.0f} 小时",
                )
            )  # fmt: skip
    return out
