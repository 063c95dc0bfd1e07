"""Detectors of fraud that surges: guessed cards, taken-over accounts, one partner, one corridor. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from alerts.alert import Alert
from alerts.minutes import MINUTE_MS
from alerts.response.detection import Detection, DetectorSettings, Rise, reach
from alerts.response.signals import Signals, of_typologies
from alerts.response.surprise import decades

GAP_MS = 3 * MINUTE_MS


def rises(rise: Rise, count: float, expected: float) -> bool:
    """True when a count is too high to be chance."""
    usual = max(expected, rise.floor)
    return count >= rise.least and count >= rise.ratio * usual and decades(count, usual) >= rise.decades


def surges(signals: Signals, settings: DetectorSettings) -> list[Detection]:
    """Every surge of fraud that is going on now."""
    return [
        *card_testing(signals, settings.card_testing),
        *account_takeover(signals, settings.account_takeover),
        *places(signals, settings.partner_compromise, settings.corridor_surge),
    ]


def card_testing(signals: Signals, rise: Rise) -> list[Detection]:
    """Refused guesses on one BIN, one merchant or, spread over both, on the whole service."""
    found = signals.counted(rise.window, "probe:")
    by: dict[str, dict[str, float]] = {"bin": defaultdict(float), "merchant": defaultdict(float)}
    usual: dict[str, dict[str, float]] = {"bin": defaultdict(float), "merchant": defaultdict(float)}
    for counts, source in ((by, found), (usual, _usual(signals, "probe:", rise.window))):
        for name, count in source.items():
            bin_, _, merchant = name.partition("|")
            counts["bin"][bin_] += count
            counts["merchant"][merchant] += count
    total, out = sum(found.values()), list[tuple[str, str, float, float]]()
    for key in ("bin", "merchant"):
        for value, count in sorted(by[key].items(), key=lambda item: (-item[1], item[0]))[:5]:
            if value and rises(rise, count, usual[key][value]):
                out.append((key, value, count, usual[key][value]))
        if out:
            break
    if not out and rises(rise, total, sum(usual["bin"].values())):
        out.append(("", "", total, sum(usual["bin"].values())))
    alerts = of_typologies(signals.alerts, ("T01",), signals.at - 2 * rise.window * MINUTE_MS)
    return [_card_testing(signals, rise, alerts, *one) for one in out]


def _card_testing(
    signals: Signals, rise: Rise, alerts: Sequence[Alert], key: str, value: str, count: float, usual: float
) -> Detection:
    mine = [a for a in alerts if not key or a.decision.context.get(key) == value]
    ids, impacts, loss = reach(mine)

    def bad(name: str) -> bool:
        bin_, _, merchant = name.removeprefix("probe:").partition("|")
        return name.startswith("probe:") and (not key or {"bin": bin_, "merchant": merchant}[key] == value)

    where = f"{key} {value}" if key else "the whole service"
    return Detection(
        kind="card_testing", scope={key: value} if key else {}, at=signals.at, first_bad_at=began(signals, bad),
        alert_ids=ids, impacts=impacts, loss=loss,
        facts={"guesses": count, "usual": round(usual, 3), "minutes": rise.window},
        text_en=f"{count:.0f} guessed card numbers in {rise.window} min on {where}, usual are {usual:.1f}",
        text_zh=f"{rise.window} 分钟内在 {where if key else '全部业务'} 出现 {count:.0f} 次卡号试探，平时 {usual:.1f} 次",
    )  # fmt: skip


def account_takeover(signals: Signals, rise: Rise) -> list[Detection]:
    """Several accounts robbed within the window, each an alert of its own."""
    since = signals.at - rise.window * MINUTE_MS
    alerts = [a for a in of_typologies(signals.alerts, rise.typologies, since) if a.first_time >= since]
    victims = {(a.entity_kind, a.entity) for a in alerts}
    usual = sum(
        count
        for name, count in _usual(signals, "hit:", rise.window).items()
        if name.partition("|")[0] in rise.typologies
    )
    if not rises(rise, len(victims), usual):
        return []
    ids, impacts, loss = reach(alerts)
    partners = Counter(str(a.decision.context.get("partner") or "") for a in alerts)
    partner, most = partners.most_common(1)[0]
    scope = {"partner": partner} if partner and most >= 0.8 * len(alerts) and len(partners) > 1 else {}
    return [
        Detection(
            kind="account_takeover", scope=scope, at=signals.at, alert_ids=ids, impacts=impacts, loss=loss,
            first_bad_at=min(a.first_time for a in alerts),
            facts={"accounts": len(victims), "usual": round(usual, 3), "minutes": rise.window},
            text_en=f"{len(victims)} accounts look taken over within {rise.window} min, usual are {usual:.1f}",
            text_zh=f"{rise.window} 分钟内 {len(victims)} 个账户疑似被盗用，平时 {usual:.1f} 个",
        )
    ]  # fmt: skip


def places(signals: Signals, of_partner: Rise, of_corridor: Rise) -> list[Detection]:
    """Partners and corridors whose alerts surge; of two names for the same alerts the narrower one stays."""
    partners = _place(signals, of_partner, "partner", 1)
    corridors = _place(signals, of_corridor, "corridor", 2)
    both: dict[tuple[str, str], float] = defaultdict(float)
    for name, count in signals.counted(max(of_partner.window, of_corridor.window), "hit:").items():
        typology, partner, corridor = (*name.split("|", 2), "", "")[:3]
        if typology not in of_partner.not_typologies:
            both[partner, corridor] += count
    out = []
    for partner, detection in partners.items():
        mine = sum(count for (p, _), count in both.items() if p == partner)
        for corridor in corridors:
            shared = both[partner, corridor]
            whole = sum(count for (_, c), count in both.items() if c == corridor)
            if shared >= of_corridor.share * mine and shared < of_partner.share * whole:
                break
        else:
            out.append(detection)
    kept = {d.scope["partner"] for d in out}
    for corridor, detection in corridors.items():
        whole = sum(count for (_, c), count in both.items() if c == corridor)
        if not any(both[partner, corridor] >= of_partner.share * whole for partner in kept):
            out.append(detection)
    return out


def _place(signals: Signals, rise: Rise, key: str, at: int) -> dict[str, Detection]:
    counts: dict[str, float] = defaultdict(float)
    usual: dict[str, float] = defaultdict(float)
    for into, source in (
        (counts, signals.counted(rise.window, "hit:")),
        (usual, _usual(signals, "hit:", rise.window)),
    ):
        for name, count in source.items():
            parts = name.split("|", 2)
            if len(parts) == 3 and parts[at] and parts[0] not in rise.not_typologies:
                into[parts[at]] += count
    decided, total = signals.counted(rise.window, f"{key}:"), sum(counts.values())
    everything = sum(decided.values())
    out = {}
    for place, count in counts.items():
        others = everything - decided.get(place, 0.0)
        rate = (total - count) / others if others > 0 else 0.0
        expected = max(usual[place], rate * decided.get(place, 0.0))
        if not rises(rise, count, expected):
            continue
        since = signals.at - rise.window * MINUTE_MS
        alerts = [
            a
            for a in signals.alerts
            if a.last_time >= since
            and a.decision.context.get(key) == place
            and a.typology not in rise.not_typologies
        ]
        if len({(a.entity_kind, a.entity) for a in alerts}) < rise.entities:
            continue
        out[place] = _detected(signals, rise, key, place, count, expected, alerts)
    return out


def _detected(
    signals: Signals, rise: Rise, key: str, place: str, count: float, expected: float, alerts: Sequence[Alert]
) -> Detection:
    ids, impacts, loss = reach(alerts)
    kind = "partner_compromise" if key == "partner" else "corridor_surge"
    zh = "合作方" if key == "partner" else "通道"
    return Detection(
        kind=kind, scope={key: place}, at=signals.at, alert_ids=ids, impacts=impacts, loss=loss,
        first_bad_at=min((a.first_time for a in alerts), default=signals.at),
        facts={"alerts": count, "usual": round(expected, 3), "minutes": rise.window},
        text_en=f"{count:.0f} payments with alerts in {rise.window} min on {key} {place}, usual are {expected:.1f}",
        text_zh=f"{zh} {place} 在 {rise.window} 分钟内有 {count:.0f} 笔告警交易，平时 {expected:.1f} 笔",
    )  # fmt: skip


def _usual(signals: Signals, prefix: str, minutes: int) -> dict[str, float]:
    return {
        name[len(prefix) :]: mean * minutes for name, mean in signals.usual.items() if name.startswith(prefix)
    }


def began(signals: Signals, bad: Callable[[str], bool]) -> int:
    """Start (ms) of the run of minutes with bad names that goes on now; gaps of up to three minutes belong to it."""
    start = signals.at
    for minute in sorted(signals.recent, reverse=True):
        if start - minute > GAP_MS + MINUTE_MS:
            break
        if any(map(bad, signals.recent[minute])):
            start = minute
    return start
