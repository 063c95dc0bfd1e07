"""Money: ISO 4217 minor units and conversion into US dollars with a table that has a date.

Fails closed: a currency that is not in the table, or a rate older than the table allows at the time of the event,
is an error, never a guess. Amounts in US dollars need no rate.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import tomllib
from collections.abc import Sequence
from importlib import resources
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from models.errors import MoneyError
from models.events import Currency
from models.memo import Memo

DAY_MS = 86_400_000
MAX_USD = 1e10
"""Largest single amount taken, in US dollars: no payment system moves more, and sums stay within 64 bits."""

# Currencies whose minor unit is not 1/100 (ISO 4217).
_EXPONENTS = {
    "BHD": 3, "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "IQD": 3, "ISK": 0, "JOD": 3, "JPY": 0, "KMF": 0, "KRW": 0,
    "KWD": 3, "LYD": 3, "OMR": 3, "PYG": 0, "RWF": 0, "TND": 3, "UGX": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0,
    "XPF": 0,
}  # fmt: skip


def exponent(currency: str) -> int:
    """Decimal places of a currency's minor unit: 2 for most, 0 for JPY, 3 for KWD."""
    return _EXPONENTS.get(currency, 2)


class _Rates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    as_of: dt.date
    per_usd: dict[Currency, float]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: str
    source: str
    max_age_days: float
    table: list[_Rates]
    verified: bool = False


class FxTable:
    """Rates by date. `version` is a name and a content hash; it travels in every decision."""

    def __init__(self, file: _File) -> None:
        if not file.table:
            raise MoneyError(
                "fx table: `table` is empty - give at least one [[table]] with as_of and per_usd"
            )
        for rates in file.table:
            for currency, rate in rates.per_usd.items():
                if not (0.0 < rate < 1e9):
                    raise MoneyError(f"fx table {rates.as_of}: rate of {currency} is {rate}, not above 0")
        self._tables = sorted(file.table, key=lambda rates: rates.as_of)
        self._starts = [_millis(rates.as_of) for rates in self._tables]
        self._max_age = file.max_age_days * DAY_MS
        self._file = file
        digest = hashlib.sha256(msgspec.json.encode(file, order="sorted")).hexdigest()
        self.version = f"{file.version}+{digest[:8]}"
        self._lookup = Memo(self._found, 100_000)

    @classmethod
    def from_toml(cls, text: str, place: str = "fx table") -> FxTable:
        """Read a table as in models/data/fx.toml; raises MoneyError with the place."""
        try:
            return cls(msgspec.convert(tomllib.loads(text), _File))
        except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            raise MoneyError(f"{place}: {error}") from None

    @classmethod
    def from_json(cls, data: bytes | msgspec.Raw) -> FxTable:
        """Read the payload of a Control event of kind `fx`."""
        try:
            return cls(msgspec.json.decode(data, type=_File))
        except msgspec.DecodeError as error:
            raise MoneyError(f"fx control event: {error}") from None

    @classmethod
    def default(cls) -> FxTable:
        """The table that ships with the project."""
        return cls.from_toml(
            resources.files("models").joinpath("data/fx.toml").read_text(), "models/data/fx.toml"
        )

    def to_json(self) -> bytes:
        """The payload of a Control event that carries this table."""
        return msgspec.json.encode(self._file)

    def dollars_per_minor(self, currency: str, event_time: int) -> float:
        """US dollars for one minor unit at `event_time`; raises MoneyError."""
        found = self._lookup[currency, event_time // DAY_MS]
        if isinstance(found, str):
            raise MoneyError(found)
        return found

    def dollars(self, minor: int, currency: str, event_time: int) -> float:
        """Amount in US dollars; raises MoneyError."""
        return minor * self.dollars_per_minor(currency, event_time)

    def column(
        self, minor: Sequence[int], currencies: Sequence[str], times: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.float64], dict[int, str]]:
        """Amounts in US dollars for a batch, and why for each row that has none (its amount is NaN)."""
        asked = zip(currencies, (times // DAY_MS).tolist(), strict=True)
        found = list(map(self._lookup.__getitem__, asked))
        errors: dict[int, str] = {}
        if str in set(map(type, found)):
            errors = {row: rate for row, rate in enumerate(found) if isinstance(rate, str)}
        rates = [math.nan if isinstance(rate, str) else rate for rate in found] if errors else found
        return np.array(minor, dtype=np.float64) * np.array(rates, dtype=np.float64), errors

    def _found(self, asked: tuple[str, int]) -> float | str:
        currency, day = asked
        return self._find(currency, day * DAY_MS)

    def _find(self, currency: str, time: int) -> float | str:
        scale: float = 10.0 ** -exponent(currency)
        if currency == "USD":
            return scale
        known = False
        for start, rates in zip(reversed(self._starts), reversed(self._tables), strict=True):
            rate = rates.per_usd.get(currency)
            if rate is None:
                continue
            known = True
            if start <= time:
                age = time - start
                if age > self._max_age:
                    return f"rate of {currency} of {rates.as_of} is {age / DAY_MS:.0f} days old (stale_rate)"
                return scale / rate
        if known:
            return f"no rate of {currency} before the event's date (stale_rate)"
        return f"currency {currency!r} is not in the fx table (unknown_currency)"


def reason_of(message: str) -> str:
    """The dead-letter reason in a message of FxTable.column."""
    return "stale_rate" if message.endswith("(stale_rate)") else "unknown_currency"


def _millis(day: dt.date) -> int:
    return int(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp() * 1000)


def fx_payload(
    version: str, source: str, max_age_days: float, tables: dict[str, dict[str, float]]
) -> dict[str, Any]:
    """The JSON object of an `fx` Control: `tables` maps an ISO date to units per US dollar."""
    rows = [{"as_of": day, "per_usd": rates} for day, rates in tables.items()]
    return {"version": version, "source": source, "max_age_days": max_age_days, "table": rows}
