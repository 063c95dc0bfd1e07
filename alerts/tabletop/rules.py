"""training.toml: from which score on one has passed, and for how long that counts."""

from __future__ import annotations

import calendar
import datetime as dt
import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated

import msgspec

from models.errors import SettingsError

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class TrainingRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """See training.toml."""

    version: str
    pass_mark: Share
    late_factor: Share
    valid_months: Annotated[int, msgspec.Meta(ge=1, le=60)]
    warn_days: Annotated[int, msgspec.Meta(ge=0, le=366)]
    lapses_after_min: Annotated[int, msgspec.Meta(ge=10, le=10_080)]

    def expires_on(self, passed_at: int) -> str:
        """The day (UTC) until which a training passed at `passed_at` (ms) counts: the same day, months later.

        Where that month has no such day, its last one.
        """
        day = day_of(passed_at)
        years, month = divmod(day.month - 1 + self.valid_months, 12)
        year, month = day.year + years, month + 1
        return dt.date(year, month, min(day.day, calendar.monthrange(year, month)[1])).isoformat()


def day_of(at: int) -> dt.date:
    """The day of a moment (ms), UTC."""
    return dt.datetime.fromtimestamp(at / 1000, dt.UTC).date()


@cache
def training_rules() -> TrainingRules:
    """The rules that ship. Raises SettingsError."""
    try:
        text = (files("alerts.tabletop") / "training.toml").read_text("utf-8")
        return msgspec.convert(tomllib.loads(text), TrainingRules)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(f"training.toml: {error}") from None
