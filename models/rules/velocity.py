"""What a velocity asks the windows for, in a form that is equal for equal meaning."""

from __future__ import annotations

import re
import zoneinfo
from dataclasses import dataclass
from typing import Literal, cast

from models.columns import DISTINCT_COLUMNS, ENTITIES, ROW_COLUMNS
from models.rules.canonical import canonical, to_text
from models.rules.origin import Origin, did_you_mean
from models.rules.syntax import Expr, Text, Velocity

AGGREGATES = ("count", "sum", "mean", "distinct")
DAY_MS = 86_400_000
MAX_WINDOW_MS = 400 * DAY_MS
_UNITS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": DAY_MS}
_ROLLING = re.compile(r"([0-9]{1,9})([smhd])")
# The longest a civil period can be (a day of 25 hours when clocks go back).
_LONGEST = {"day": 25 * 3_600_000, "month": 31 * DAY_MS + 3_600_000, "year": 366 * DAY_MS}

Calendar = Literal["", "day", "month", "year"]


@dataclass(frozen=True)
class VelocitySpec:
    """One windowed aggregate an entity table has to keep.

    agg: count, sum, mean or distinct. field: the column summed, averaged or counted; None for count.
    window_ms: rolling window (t − w, t] in milliseconds, the current transaction included; for a calendar
    window the longest that civil period can be. calendar: "" rolling, else the civil period in `tz`, an IANA
    zone. where: only transactions it is true for count (canonical tree over ROW_COLUMNS); None: all.
    """

    agg: str
    field: str | None
    entity: str
    window_ms: int
    calendar: Calendar = ""
    tz: str = ""
    where: Expr | None = None

    @property
    def column(self) -> str:
        """Canonical text, the key of its values: `velocity(count,card,600000,declined)`."""
        parts = [self.agg]
        if self.field is not None:
            parts.append(self.field)
        parts.append(self.entity)
        parts.append(f"calendar {self.calendar},{self.tz}" if self.calendar else str(self.window_ms))
        if self.where is not None:
            parts.append(to_text(self.where))
        return f"velocity({','.join(parts)})"


def spec_of(node: Velocity, origin: Origin | None = None) -> VelocitySpec:
    """What `node` asks for. Raises RuleError when an aggregate, column, entity or window does not exist.

    `where` is taken as it is; check.py judges its types.
    """
    place = origin or Origin("<rule>", to_text(node))
    agg, field, entity = node.agg.name, node.column, node.by.name
    if agg not in AGGREGATES:
        hint = did_you_mean(agg, AGGREGATES)
        raise place.error(node.agg.at, f"velocity computes {', '.join(AGGREGATES)}, not {agg!r}{hint}")
    if agg == "count":
        if field is not None:
            raise place.error(field.at, "count takes no column; did you mean distinct?")
    elif field is None:
        raise place.error(node.agg.at, f"{agg} needs a column, as in velocity({agg}, {_example(agg)}, …)")
    elif agg == "distinct" and field.name not in DISTINCT_COLUMNS:
        hint = did_you_mean(field.name, DISTINCT_COLUMNS)
        known = ", ".join(DISTINCT_COLUMNS)
        raise place.error(field.at, f"distinct cannot count {field.name!r}{hint} (it counts {known})")
    elif agg != "distinct" and ROW_COLUMNS.get(field.name) != "number":
        numbers = [name for name, kind in ROW_COLUMNS.items() if kind == "number"]
        hint = did_you_mean(field.name, numbers)
        raise place.error(field.at, f"{agg} needs a number of the transaction, {field.name!r} is none{hint}")
    if entity not in ENTITIES:
        hint = did_you_mean(entity, ENTITIES) or f"; there are {', '.join(ENTITIES)}"
        raise place.error(node.by.at, f"unknown entity {entity!r}{hint}")
    window_ms, calendar, tz = _window(node.window, node.tz, place)
    where = canonical(node.where) if node.where is not None else None
    return VelocitySpec(agg, field.name if field else None, entity, window_ms, calendar, tz, where)


def _example(agg: str) -> str:
    return "card" if agg == "distinct" else "amount_usd"


def _window(window: Text, tz: Text | None, place: Origin) -> tuple[int, Calendar, str]:
    words = window.value.split(" ")
    if len(words) == 2 and words[0] == "calendar" and words[1] in _LONGEST:
        if tz is None:
            raise place.error(window.at, 'a calendar window needs its time zone, as in tz="Asia/Shanghai"')
        return _LONGEST[words[1]], cast(Calendar, words[1]), _zone(tz, place)
    if tz is not None:
        raise place.error(tz.at, "tz= belongs to calendar windows; a rolling window has no time zone")
    rolling = _ROLLING.fullmatch(window.value)
    if rolling is None:
        raise place.error(
            window.at,
            f'cannot read the window {window.value!r}; write "90s", "10m", "24h", "7d" or "calendar day", '
            '"calendar month", "calendar year"',
        )
    length = int(rolling[1]) * _UNITS[rolling[2]]
    if not 0 < length <= MAX_WINDOW_MS:
        raise place.error(window.at, f"a window is longer than nothing and at most 400d, not {window.value}")
    return length, "", ""


def _zone(tz: Text, place: Origin) -> str:
    try:
        zoneinfo.ZoneInfo(tz.value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        hint = did_you_mean(tz.value, zoneinfo.available_timezones())
        raise place.error(tz.at, f"unknown time zone {tz.value!r}{hint}") from None
    return tz.value
