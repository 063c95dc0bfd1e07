"""Turns a piece of a table into transactions, as a column mapping says.

Columns are converted as a whole; a cell that does not fit spoils its own row only. The structs are built and
checked by msgspec, so a mapped row meets the same limits as a decoded JSON line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import msgspec

from dataflow.sources.cells import attributes, labels, minor_units, moments, refuse_missing, texts
from dataflow.sources.mapping import Mapping
from models.errors import EventError
from models.events import Transaction


@dataclass(slots=True)
class Chunk:
    """Some rows of a table.

    first: number of the first row of data, from 0. numbers: what each row is called in messages (a line of a
    text file, a row of a Parquet file, from 1). raw: the bytes of a row. bad: rows known to be wrong and why.
    """

    first: int
    numbers: range | list[int]
    columns: dict[str, Any]
    raw: Callable[[int], bytes]
    bad: dict[int, str] = field(default_factory=dict)


def transactions(chunk: Chunk, mapping: Mapping) -> tuple[list[Transaction | EventError], list[bool | None]]:
    """The rows as transactions, or why not; and what their label column says (None: nothing)."""
    size, bad, columns = len(chunk.numbers), chunk.bad, chunk.columns
    if mapping.id.column:
        ids = texts(columns[mapping.id.column], mapping.id.prefix, mapping.id.column, bad)
        refuse_missing(ids, mapping.id.column, bad)
    else:
        ids = [f"{mapping.id.prefix}{row}" for row in range(chunk.first, chunk.first + size)]
    times = moments(columns[mapping.time.column], mapping.time, mapping.time.column, bad)
    received = times
    if mapping.time.received:
        received = moments(columns[mapping.time.received], mapping.time, mapping.time.received, bad)
    amounts = minor_units(columns[mapping.amount.column], mapping.amount, bad)
    values: dict[str, Iterable[Any]] = {
        "id": ids,
        "event_time": times,
        "received_at": received,
        "amount": amounts,
        "currency": repeat(mapping.amount.currency),
    }
    origin = {"id": mapping.id.column, "event_time": mapping.time.column, "amount": mapping.amount.column}
    origin["received_at"] = mapping.time.received or mapping.time.column
    for name, source in mapping.fields.items():
        if source.column is None:
            values[name] = repeat(f"{source.prefix}{source.value}")
        else:
            origin[name] = source.column
            values[name] = texts(columns[source.column], source.prefix, source.column, bad)
    if mapping.attributes:
        values["attributes"] = attributes(columns, mapping.attributes.columns, bad)
    frauds: list[bool | None] = [None] * size
    if mapping.label:
        frauds = labels(columns[mapping.label.column], mapping.label, bad)
    names = tuple(values)
    rows = [dict(zip(names, row, strict=True)) for row in zip(*values.values(), strict=False)]
    return _build(rows, origin, bad), frauds


def _build(
    rows: list[dict[str, Any]], origin: dict[str, str | None], bad: dict[int, str]
) -> list[Transaction | EventError]:
    if not bad:
        try:
            return list(msgspec.convert(rows, list[Transaction]))
        except msgspec.ValidationError:
            pass  # some row breaks a limit: take them one by one to find it
    events: list[Transaction | EventError] = []
    for number, row in enumerate(rows):
        reason = bad.get(number)
        if reason is None:
            try:
                events.append(msgspec.convert(row, Transaction))
                continue
            except msgspec.ValidationError as error:
                problem, _, path = str(error).partition(" - at `$.")
                name = path.rstrip("`")
                reason = f"column {origin.get(name) or name}: {problem}"
        events.append(EventError("malformed", reason))
    return events
