"""News about receivers themselves: one that is in trouble for a while, or wants no more, is what the others hear of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from alerts.receivers.lines import Line, Lines
from alerts.routing.change import Change
from alerts.routing.state import Tracked

TROUBLE_MS = 120_000
"""How long a receiver is in trouble before the others hear of it."""
REFUSALS = 3
"""So many refusals in a row, with nothing taken in between, are not about a message any more."""


def troubles(
    lines: Lines, tracked: Mapping[str, Tracked], receivers: Iterable[str], now: int
) -> list[Change]:
    """Receivers that got into trouble or out of it since the router was told last."""
    changes = []
    for name in receivers:
        line, known = lines.line(name), tracked.get(f"self:receiver:{name}")
        was = known is not None and known.change.state != "resolved"
        silent = line.failures > 0 and now - line.opened_at >= TROUBLE_MS
        refuses = line.refusals >= REFUSALS and now - line.refused_at >= TROUBLE_MS
        bad = bool(line.disabled) or silent or refuses
        if bad != was and (bad or not (line.failures or line.refusals)):
            changes.append(_change(name, line, bad, now))
    return changes


def is_about_itself(receiver: str, keys: set[str]) -> bool:
    """Whether a message to a receiver is about its own trouble: it would hear of it only when that is over."""
    return keys == {f"self:receiver:{receiver}"}


def _change(name: str, line: Line, bad: bool, now: int) -> Change:
    if line.disabled:
        why = ("has asked for no more (410)", "已拒收（410）")
    elif line.failures:
        why = ("does not answer", "无应答")
    else:
        why = ("refuses all messages", "拒绝所有消息") if bad else ("answers again", "已恢复")
    return Change(
        kind="self",
        id=f"receiver:{name}",
        severity="S2",
        at=now,
        state="open" if bad else "resolved",
        version=now,
        labels={"component": "receiver", "receiver": name},
        text_en=f"Receiver {name} {why[0]}.",
        text_zh=f"接收方 {name} {why[1]}。",
    )
