"""Files as sources of events: JSONL as it is, CSV and Parquet through a column mapping.

Items come in stream order. Of a mapped file with a label column, each fraud also gives a Label. It is handed
out when it becomes known: before the first transaction that is received then or later, the rest at the end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec

from dataflow.sources.lines import estimate_lines, read_lines
from dataflow.sources.mapping import LabelColumn, Mapping
from dataflow.sources.rows import transactions
from dataflow.sources.tables import parquet_rows, read_csv, read_parquet
from models.errors import EventError, MappingError
from models.events import AnyEvent, Label, Transaction

BATCH = 1024


class RawItem(NamedTuple):
    """What a source hands out, one event or what could not become one.

    place: `file:line` (Parquet: `file:row`, from 1). One of three cases: `line` alone, bytes to be decoded;
    `event` alone; `error`, with the bytes of the line or row in `line` for the dead letter.
    """

    place: str
    line: bytes | None
    event: AnyEvent | None
    error: EventError | None


class _Kind(msgspec.Struct):
    type: str = ""


_kind = msgspec.json.Decoder(_Kind)


class FileSource:
    """Iterates over lists of at most 1024 items.

    mapping: None for JSONL, needed for CSV and Parquet. limit: stop after this many transactions of the file;
    the labels of those that were handed out still come. start: number of items to leave out because they were
    taken before a restart; `limit` counts from the beginning of the file all the same, so that a resumed run
    and an uninterrupted one are equal.

    Raises MappingError (the mapping does not fit) and SourceError (the file cannot be read); a bad row is an
    item.
    """

    def __init__(
        self, path: str | Path, mapping: Mapping | None = None, *, limit: int | None = None, start: int = 0
    ) -> None:
        self.path, self.mapping, self.limit, self.start = Path(path), mapping, limit, start
        self.format = self.path.suffix.lower().lstrip(".")
        if self.format in ("csv", "parquet"):
            if mapping is None:
                raise MappingError(
                    f"{path}: a .{self.format} file needs a column mapping; name one with --mapping"
                )
        elif mapping is not None:
            raise MappingError(
                f"{path}: mapping {mapping.name} is for .csv and .parquet files; leave it out for JSONL"
            )

    def __iter__(self) -> Iterator[list[RawItem]]:
        items = islice(self._items(), self.start, None)
        while batch := list(islice(items, BATCH)):
            yield batch

    def total(self) -> int | None:
        """About how many rows or lines there are, for a progress bar; None when it cannot be told."""
        if self.format == "parquet":
            rows: int | None = parquet_rows(self.path)
        else:
            rows = estimate_lines(self.path)
            if rows is not None and self.format == "csv":
                rows = max(0, rows - 1)
        return rows if rows is None or self.limit is None else min(rows, self.limit)

    def _items(self) -> Iterator[RawItem]:
        if self.limit is not None and self.limit <= 0:
            return iter(())
        return self._lines() if self.mapping is None else self._mapped(self.mapping)

    def _lines(self) -> Iterator[RawItem]:
        name, limit, taken = self.path.name, self.limit, 0
        for number, data, size in read_lines(self.path):
            place = f"{name}:{number}"
            if size > len(data):
                error = EventError("oversize", f"line of {size} bytes, at most {len(data)} are taken")
                yield RawItem(place, data, None, error)
                continue
            yield RawItem(place, data, None, None)
            if limit is not None:
                taken += _is_transaction(data)
                if taken == limit:
                    return

    def _mapped(self, mapping: Mapping) -> Iterator[RawItem]:
        name, limit, taken = self.path.name, self.limit, 0
        label, in_order, newest = mapping.label, mapping.time.order == "sorted", 0
        due: list[tuple[int, int, str, Label]] = []
        for chunk in (read_parquet if self.format == "parquet" else read_csv)(self.path, mapping):
            events, frauds = transactions(chunk, mapping)
            for row, (number, event, fraud) in enumerate(zip(chunk.numbers, events, frauds, strict=True)):
                place = f"{name}:{number}"
                if isinstance(event, EventError):
                    yield RawItem(place, chunk.raw(row), None, event)
                    continue
                now = event.received_at
                if now > newest:
                    newest = now
                elif now < newest and in_order:
                    detail = "earlier than a row before it; sort the file or set time.order to 'any'"
                    yield RawItem(place, chunk.raw(row), None, EventError("out_of_order", detail))
                    continue
                while due and due[0][0] <= now:
                    _, _, where, known = heappop(due)
                    yield RawItem(where, None, known, None)
                yield RawItem(place, None, event, None)
                if fraud and label is not None:
                    known = _label(event, label)
                    heappush(due, (known.received_at, number, place, known))
                taken += 1
                if taken == limit:
                    break
            if taken == limit:
                break
        while due:
            _, _, where, known = heappop(due)
            yield RawItem(where, None, known, None)


def _label(event: Transaction, label: LabelColumn) -> Label:
    """The label of a fraud at the time it becomes known, never before the transaction itself arrived."""
    time = max(event.event_time + label.delay_ms, event.received_at)
    own = f"L-{event.id}"
    if len(own) > 128:  # the longest id an event may have
        own = f"L-{hashlib.sha256(event.id.encode()).hexdigest()}"
    return Label(
        id=own, event_time=time, received_at=time, transaction_id=event.id, fraud=True, source=label.source
    )


def _is_transaction(data: bytes) -> bool:
    try:
        return _kind.decode(data).type == "transaction"
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
