"""Detectors of what breaks around Tidegate: a sender that leaks, a partner that refuses all, a store that is lost."""

from __future__ import annotations

from alerts.minutes import MINUTE_MS
from alerts.response.detection import Detection, DetectorSettings, Lost, Refusals, Threshold
from alerts.response.failures import WatchState
from alerts.response.incident import Impacts
from alerts.response.signals import Signals
from alerts.response.surges import began
from alerts.response.surprise import decades


def breakdowns(signals: Signals, settings: DetectorSettings, state: WatchState) -> list[Detection]:
    """Everything that is broken now; `state` remembers since when the store is away."""
    out = store_loss(signals, settings.store_loss, state)
    if signals.reachable:
        out += data_leak(signals, settings.data_leak)
        out += payment_outage(signals, settings.payment_outage)
    return out


def data_leak(signals: Signals, threshold: Threshold) -> list[Detection]:
    """Clear personal data on the stream, past the door that seals it: one record is one too many."""
    found = int(signals.counted(threshold.window, "dead:").get("clear_data", 0.0))
    if found < threshold.least:
        return []
    return [
        Detection(
            kind="data_leak", scope={}, at=signals.at, first_bad_at=began(signals, lambda n: n == "dead:clear_data"),
            impacts=Impacts(records=found), facts={"records": found, "minutes": threshold.window},
            text_en=f"{found} records with clear personal data reached the stream in {threshold.window} min",
            text_zh=f"{threshold.window} 分钟内有 {found} 条含明文个人信息的记录进入数据流",
        )
    ]  # fmt: skip


def payment_outage(signals: Signals, refusals: Refusals) -> list[Detection]:
    """Partners that refuse most of their payments, far more than they usually do."""
    found: dict[str, Detection] = {}
    for window in refusals.windows:
        seen, declined = signals.counted(window, "partner:"), signals.counted(window, "declined:")
        for partner, count in sorted(declined.items()):
            usual_all = signals.usual.get(f"partner:{partner}", 0.0)
            rate = signals.usual.get(f"declined:{partner}", 0.0) / usual_all if usual_all else 0.0
            expected = max(rate, refusals.floor) * seen[partner]
            if (
                count >= refusals.least and count >= refusals.share * seen[partner]
                and decades(count, expected) >= refusals.decades
            ):  # fmt: skip
                found[partner] = _outage(signals, partner, count, count / seen[partner], rate)
    return list(found.values())


def _outage(signals: Signals, partner: str, count: float, share: float, usual: float) -> Detection:
    since = began(signals, lambda name: name == f"declined:{partner}")
    return Detection(
        kind="payment_outage", scope={"partner": partner}, at=signals.at, first_bad_at=since,
        impacts=Impacts(
            payments_failed=int(count), outage_min=round((signals.at - since) / MINUTE_MS, 2)
        ),
        facts={"declined": count, "share": round(share, 3), "usual": round(usual, 3)},
        text_en=f"{partner} refuses {share:.0%} of its payments, usual are {usual:.0%}",
        text_zh=f"{partner} 拒绝了 {share:.0%} 的交易，平时为 {usual:.0%}",
    )  # fmt: skip


def store_loss(signals: Signals, lost: Lost, state: WatchState) -> list[Detection]:
    """A store that was away for longer than a hiccup, told as soon as there is a store again to tell it to."""
    if not signals.reachable:
        state.lost_at = state.lost_at or signals.now
        return []
    since, state.lost_at = state.lost_at, 0
    away = signals.now - since
    if not since or away < lost.least_s * 1000:
        return []
    return [
        Detection(
            kind="store_loss", scope={}, at=signals.at, first_bad_at=signals.at,
            impacts=Impacts(outage_min=round(away / MINUTE_MS, 2)), facts={"away_s": round(away / 1000, 1)},
            text_en=f"the store could not be reached for {away / 1000:.0f} s",
            text_zh=f"存储有 {away / 1000:.0f} 秒无法访问",
        )
    ]  # fmt: skip
