"""Why a notification went out, or did not: a value that is kept for each subject and receiver.

The first group are reasons to notify, the second reasons to stay quiet. Each has a sentence in both languages
for the page that answers "why did (not) this page me?".
"""

from __future__ import annotations

from typing import Literal

import msgspec


class _Why(msgspec.Struct, frozen=True, tag_field="why"):
    pass


class FirstNotification(_Why, frozen=True, tag="first_notification"):
    """The group is new to the receiver."""


class NewAlerts(_Why, frozen=True, tag="new_alerts"):
    """The group was known to the receiver, this subject was not."""


class Worsened(_Why, frozen=True, tag="worsened"):
    """It was paged before with a lesser severity."""

    before: str
    after: str


class RepeatElapsed(_Why, frozen=True, tag="repeat_elapsed"):
    """Nobody acknowledged it for the repeat interval, for the `number`-th time."""

    number: int


class Escalated(_Why, frozen=True, tag="escalated"):
    """Nobody acknowledged it in the time the chain allows. level: 1 for the first step."""

    chain: str
    level: int


class AcknowledgedNotice(_Why, frozen=True, tag="acknowledged_notice"):
    """It was acknowledged, and the receiver asked to hear of that."""


class Resolved(_Why, frozen=True, tag="resolved"):
    """It was resolved, and the receiver asked to hear of that."""


class StormSummary(_Why, frozen=True, tag="storm_summary"):
    """The receiver's rate was used up: it is one of those a summary counts. instead_of: the reason it had."""

    instead_of: str


class Fallback(_Why, frozen=True, tag="fallback"):
    """Sent to the fallback receiver."""

    because: Literal["nobody_to_tell", "every_receiver_failed"]


class WaitingForGroup(_Why, frozen=True, tag="waiting_for_group"):
    """It goes out with its group. until: ms since the epoch."""

    until: int


class Silenced(_Why, frozen=True, tag="silenced"):
    """A silence matches it. until: its end, ms since the epoch."""

    silence: str
    until: int


class History(_Why, frozen=True, tag="history"):
    """It came up while past days were read in (the simulator's warm-up)."""


class Inhibited(_Why, frozen=True, tag="inhibited"):
    """It belongs to an incident that is not resolved and is heard of itself."""

    incident: str


class Acknowledged(_Why, frozen=True, tag="acknowledged"):
    """Somebody acknowledged or snoozed it: quiet until it worsens or is resolved."""

    state: str


class ResolvedBefore(_Why, frozen=True, tag="resolved_before"):
    """It was resolved before it was due to be paged, or the receiver does not ask for resolved notices."""


class AlreadyTold(_Why, frozen=True, tag="already_told"):
    """The receiver has heard of it for the same reason, by another route."""


class RouteTellsNobody(_Why, frozen=True, tag="route_tells_nobody"):
    """The route that takes it says so: `notify = []`."""

    route: str


class NobodyToTell(_Why, frozen=True, tag="nobody_to_tell"):
    """No route has a receiver for it, nobody is on call, and there is no fallback."""


Sending = (
    FirstNotification
    | NewAlerts
    | Worsened
    | RepeatElapsed
    | Escalated
    | AcknowledgedNotice
    | Resolved
    | StormSummary
    | Fallback
)
Quiet = (
    WaitingForGroup
    | Silenced
    | History
    | Inhibited
    | Acknowledged
    | ResolvedBefore
    | AlreadyTold
    | RouteTellsNobody
    | NobodyToTell
)
Reason = Sending | Quiet

_TEXTS: dict[type[_Why], tuple[str, str]] = {
    FirstNotification: ("first notification of its group", "该组的首次通知"),
    NewAlerts: ("new in a group the receiver knew", "已知分组中的新告警"),
    Worsened: ("got worse: {before} to {after}", "级别上升：{before} 至 {after}"),
    RepeatElapsed: ("still not acknowledged, repeat {number}", "仍未确认，第 {number} 次重复"),
    Escalated: ("not acknowledged in time: {chain}, step {level}", "未按时确认：{chain}，第 {level} 级升级"),
    AcknowledgedNotice: ("was acknowledged", "已被确认"),
    Resolved: ("was resolved", "已解决"),
    StormSummary: ("counted in a summary, the rate was used up ({instead_of})", "超出速率，已计入汇总（{instead_of}）"),
    Fallback: ("sent to the fallback receiver ({because})", "已发往后备接收方（{because}）"),
    WaitingForGroup: ("waits for its group", "等待同组合并"),
    Silenced: ("silenced by {silence}", "被静默 {silence} 屏蔽"),
    History: ("history: read in during the warm-up", "预热期读入的历史，不通知"),
    Inhibited: ("quiet as part of incident {incident}", "属于事件 {incident}，保持静默"),
    Acknowledged: ("quiet because it is {state}", "{state}，不再通知"),
    ResolvedBefore: ("resolved before it was due", "通知前已解决"),
    AlreadyTold: ("the receiver was told by another route", "接收方已由其他路由得知"),
    RouteTellsNobody: ("its route tells nobody: {route}", "所属路由不通知任何人：{route}"),
    NobodyToTell: ("no receiver: none routed to, nobody on call, no fallback", "无接收方：无路由、无人值班、无后备"),
}  # fmt: skip


NAMES: dict[str, tuple[str, str]] = {
    "first_notification": ("first notification", "首次通知"),
    "new_alerts": ("new alerts in a known group", "已知分组中的新告警"),
    "worsened": ("got worse", "级别上升"),
    "repeat_elapsed": ("repeat", "重复提醒"),
    "escalated": ("escalated", "逐级升级"),
    "acknowledged_notice": ("acknowledged", "确认通知"),
    "resolved": ("resolved", "解决通知"),
    "storm_summary": ("storm summary", "风暴汇总"),
    "fallback": ("fallback", "后备通知"),
    "waiting_for_group": ("waits for its group", "等待同组合并"),
    "silenced": ("silenced", "被静默"),
    "history": ("read in as history", "预热历史"),
    "inhibited": ("part of an incident", "属于事件"),
    "acknowledged": ("acknowledged", "已确认"),
    "resolved_before": ("resolved before", "通知前已解决"),
    "already_told": ("told by another route", "其他路由已通知"),
    "route_tells_nobody": ("route tells nobody", "路由不通知任何人"),
    "nobody_to_tell": ("nobody to tell", "无人可通知"),
    "every_receiver_failed": ("every receiver failed", "所有接收方均失败"),
    "snoozed": ("snoozed", "已搁置"),
}
"""Short names of the codes, and of what reasons speak of: (English, Chinese)."""


def code(reason: Reason) -> str:
    """The reason's stable name: `first_notification`, `silenced`, …"""
    return str(type(reason).__struct_config__.tag)


def sentence(reason: Reason, language: str = "en") -> str:
    """The reason for people, in `en` or `zh`."""
    text = _TEXTS[type(reason)][language == "zh"]
    facts = msgspec.structs.asdict(reason)
    for name in _NAMED & facts.keys():
        facts[name] = named(str(facts[name]), language)
    return text.format(**facts)


def named(code_: str, language: str = "en") -> str:
    """The short name of a code in `en` or `zh`; one that has none stays as it is."""
    return NAMES[code_][language == "zh"] if code_ in NAMES else code_


_NAMED = {"because", "instead_of", "state"}
