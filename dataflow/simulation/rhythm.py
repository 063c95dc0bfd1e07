"""When people pay: local hours, weekdays, paydays and sale days.

`day_weights` gives, for each country and habit segment, how busy each of the 24 hours after a moment is,
relative to a mean hour of a mean day; local time comes from zoneinfo, so summer time is in it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from dataflow.simulation.geography import COUNTRIES

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SEGMENTS = 3

_CURVES = np.array(
    [
        [
            1,
            0.6,
            0.4,
            0.3,
            0.3,
            0.6,
            1.5,
            3,
            4.5,
            5.5,
            6,
            6.5,
            7,
            6.5,
            5.5,
            5.5,
            5.5,
            6,
            6.5,
            6.5,
            6,
            5,
            3.5,
            2,
        ],
        [1.2, 0.5, 0.3, 0.2, 0.2, 0.4, 1, 2, 2.5, 3, 3, 3.5, 4.5, 4, 3, 3, 3.5, 4.5, 6.5, 9, 11, 10, 6.5, 3],
        [7, 5, 3, 1.5, 0.8, 0.4, 0.4, 0.6, 1, 1.5, 2, 2.5, 3, 3.5, 3.5, 4, 4, 4.5, 5, 6, 7, 8.5, 9.5, 9],
    ]
)
# Working day, evening and night people; each row is scaled to a mean of one.
CURVES = _CURVES / _CURVES.mean(axis=1, keepdims=True)
_WEEKDAYS = (0.94, 0.92, 0.94, 0.97, 1.04, 1.13, 1.06)

_DOUBLE_DAYS = {"CN": 3.2, "HK": 2.2, "SG": 2.0, "MY": 2.0, "ID": 2.2, "VN": 1.9, "TH": 2.0, "PH": 2.1}
_BLACK_FRIDAY = {
    "US": 2.6,
    "CA": 2.3,
    "GB": 2.2,
    "DE": 1.8,
    "FR": 1.6,
    "BR": 2.3,
    "MX": 1.7,
    "AU": 1.6,
    "AE": 1.5,
}


def sale_factor(country: str, day: date) -> float:
    """How much more is bought in `country` on the local date `day`: 1.0 on ordinary days."""
    if day.month == day.day and day.month in (9, 11, 12) and country in _DOUBLE_DAYS:
        full = _DOUBLE_DAYS[country]
        return full if day.month == 11 else 1.0 + (full - 1.0) * 0.4
    if (day.month, day.day) == (6, 18) and country == "CN":
        return 2.2
    thanksgiving = _nth_weekday(day.year, 11, 3, 4)
    if country in _BLACK_FRIDAY:
        after = (day - thanksgiving).days
        if after in (1, 4):  # Black Friday and Cyber Monday
            return _BLACK_FRIDAY[country] * (1.0 if after == 1 else 0.8)
    return 1.0


def payday_factor(day: date) -> float:
    """How much more is transferred around the end of the month, when wages arrive."""
    return 1.5 if day.day >= 26 or day.day <= 2 else 0.9


def _nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


_ZONES = tuple(ZoneInfo(country.zone) for country in COUNTRIES)


def day_weights(start: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Busyness of the 24 hours from `start` (ms): [country, segment, hour], and payday factors [country]."""
    weights = np.empty((len(COUNTRIES), SEGMENTS, 24))
    paydays = np.empty(len(COUNTRIES))
    moments = [datetime.fromtimestamp((start + hour * HOUR_MS) / 1000, UTC) for hour in range(24)]
    for index, country in enumerate(COUNTRIES):
        sales: dict[date, float] = {}
        for hour, moment in enumerate(moments):
            local = moment.astimezone(_ZONES[index])
            today = local.date()
            if today not in sales:
                sales[today] = sale_factor(country.code, today)
            weights[index, :, hour] = CURVES[:, local.hour] * (_WEEKDAYS[local.weekday()] * sales[today])
        paydays[index] = payday_factor(moments[12].astimezone(_ZONES[index]).date())
    return weights, paydays


def local_hour(country: int, moment: int) -> int:
    """Local hour of the day in a country (by index) at `moment` (ms)."""
    return datetime.fromtimestamp(moment / 1000, UTC).astimezone(_ZONES[country]).hour
