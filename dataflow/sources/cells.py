"""Columns of a table as lists of Python values.

A column is an Arrow array. A cell that does not fit is entered in `bad` (row → what is wrong) and stands for
nothing in the result, so one bad cell spoils its own row only.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dataflow.sources.mapping import AmountColumn, LabelColumn, TimeColumn
from models.money import exponent

Floats = npt.NDArray[np.float64]

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+|nan)([eE][+-]?\d+)?\s*", re.ASCII | re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND = dt.timedelta(milliseconds=1)
# Largest magnitude that is passed on as an integer: beyond any limit, still within 64 bits.
_HUGE = 4e18


def texts(column: Any, prefix: str, name: str, bad: dict[int, str]) -> list[str | None]:
    """A column as texts with a prefix, None where it is empty; whole numbers without a decimal point."""
    kind = column.type
    if pa.types.is_integer(kind) and not column.null_count:
        return [f"{prefix}{value}" for value in column.to_numpy(zero_copy_only=False).tolist()]
    if pa.types.is_boolean(kind):
        return [None if value is None else f"{prefix}{str(value).lower()}" for value in column.to_pylist()]
    if pa.types.is_floating(kind):
        # A table that once had an empty cell holds whole numbers as floats.
        cells = [
            int(value) if value is not None and value % 1 == 0 else value for value in column.to_pylist()
        ]
        return [None if value is None or math.isnan(value) else f"{prefix}{value}" for value in cells]
    found = _strings(column, name, bad)
    if _CONTROL.search("".join([value for value in found if value])):
        for row, value in enumerate(found):
            if value and _CONTROL.search(value):
                bad.setdefault(row, f"column {name}: control character in text")
    return [f"{prefix}{value}" if value else None for value in found]


def moments(column: Any, time: TimeColumn, name: str, bad: dict[int, str]) -> list[int]:
    """A column as milliseconds since 1970; 0 in rows that are marked bad."""
    kind = column.type
    if pa.types.is_temporal(kind):
        stamps = pc.cast(column, pa.timestamp("ms", getattr(kind, "tz", None)), safe=False)
        found = pc.cast(pc.cast(stamps, pa.int64()), pa.float64()).to_numpy(zero_copy_only=False)
    elif time.unit == "datetime":
        found = _read_datetimes(_strings(column, name, bad), name, bad)
    else:
        scale = 1000.0 if time.unit == "seconds" else 1.0
        found = np.rint(numbers(column, name, bad) * scale) + time.start_ms
    return _whole(found, name, bad)


def minor_units(column: Any, amount: AmountColumn, bad: dict[int, str]) -> list[int]:
    """A column of amounts as integer minor units; 0 in rows that are marked bad."""
    scaled = numbers(column, amount.column, bad) * (
        10.0 ** exponent(amount.currency) if amount.unit == "major" else 1.0
    )
    whole = np.rint(scaled)
    if not amount.round:
        # A double holds the decimal fraction up to a relative 1e-16; 1e-9 of the amount is far above that.
        with np.errstate(invalid="ignore"):
            uneven = np.abs(scaled - whole) > 1e-6 + 1e-9 * np.abs(scaled)
        for row in np.flatnonzero(uneven).tolist():
            bad.setdefault(
                row,
                f"column {amount.column}: finer than the minor unit of {amount.currency}; "
                "set amount.round = true to round",
            )
    return _whole(whole, amount.column, bad)


def labels(column: Any, label: LabelColumn, bad: dict[int, str]) -> list[bool | None]:
    """What the label column says of each row: True fraud, False legitimate, None nothing yet."""
    known: dict[str | None, bool | None] = {None: None}
    known.update(dict.fromkeys(label.legitimate, False))
    known.update(dict.fromkeys(label.fraud, True))
    words = texts(column, "", label.column, bad)
    try:
        return [known[word] for word in words]
    except KeyError:
        for row, word in enumerate(words):
            if word not in known:
                bad.setdefault(
                    row, f"column {label.column}: {word!r} is in neither label.fraud nor label.legitimate"
                )
        return [known.get(word) for word in words]


def numbers(column: Any, name: str, bad: dict[int, str]) -> Floats:
    """A column as float64, NaN where it is empty or not a finite number (the latter is marked bad)."""
    kind = column.type
    if (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
    ):
        found: Floats = np.array(pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    else:
        found = _read_numbers(column, name, bad)
    for row in np.flatnonzero(np.isinf(found)).tolist():
        bad.setdefault(row, f"column {name}: not a finite number")
    return found


def _read_numbers(column: Any, name: str, bad: dict[int, str]) -> Floats:
    cells = _strings(column, name, bad)
    try:
        filled = pa.array([cell or None for cell in cells], pa.string())
        return np.array(pc.cast(filled, pa.float64()).to_numpy(zero_copy_only=False))
    except pa.ArrowInvalid:
        pass  # some cell is no number: read them one by one to find it
    found = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if not cell:
            continue
        if _NUMBER.fullmatch(cell):
            found[row] = float(cell)
        else:
            bad.setdefault(row, f"column {name}: not a number: {cell[:40]!r}")
    return found


def _read_datetimes(cells: list[str | None], name: str, bad: dict[int, str]) -> Floats:
    found = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if not cell:
            continue
        try:
            moment = dt.datetime.fromisoformat(cell.strip())
        except ValueError:
            bad.setdefault(row, f"column {name}: not an ISO 8601 date and time: {cell[:40]!r}")
            continue
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        found[row] = (zoned - _EPOCH) // _MILLISECOND
    return found


def _whole(found: Floats, name: str, bad: dict[int, str]) -> list[int]:
    missing = np.isnan(found)
    if missing.any():
        for row in np.flatnonzero(missing).tolist():
            bad.setdefault(row, f"column {name}: empty, and every row needs it")
        found = np.where(missing, 0.0, found)
    whole: list[int] = np.clip(found, -_HUGE, _HUGE).astype(np.int64).tolist()
    return whole


def attributes(columns: dict[str, Any], names: list[str], bad: dict[int, str]) -> list[dict[str, float]]:
    """Named numbers of each row; an empty cell is left out."""
    table = [numbers(columns[name], name, bad) for name in names]
    rows = [dict(zip(names, row, strict=True)) for row in zip(*[c.tolist() for c in table], strict=True)]
    for row in np.flatnonzero(np.isnan(table).any(axis=0)).tolist():
        rows[row] = {name: value for name, value in rows[row].items() if not math.isnan(value)}
    return rows


def _strings(column: Any, name: str, bad: dict[int, str]) -> list[str | None]:
    kind = column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        column = column.dictionary_decode() if pa.types.is_dictionary(kind) else column
        column = column if pa.types.is_string(column.type) else pc.cast(column, pa.string(), safe=False)
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        found: list[str | None] = []
        for row, raw in enumerate(pc.cast(column, pa.binary(), safe=False).to_pylist()):
            try:
                found.append(None if raw is None else raw.decode())
            except UnicodeDecodeError:
                bad.setdefault(row, f"column {name}: not UTF-8 text")
                found.append(None)
        return found


def refuse_missing(found: list[str | None], name: str, bad: dict[int, str]) -> None:
    """Mark the rows without a value."""
    if None in found:
        for row, value in enumerate(found):
            if value is None:
                bad.setdefault(row, f"column {name}: empty, and every row needs it")
