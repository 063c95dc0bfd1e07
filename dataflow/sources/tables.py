"""CSV and Parquet files in pieces of bounded size, ready for a column mapping."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from dataflow.sources.lines import Line, read_lines
from dataflow.sources.mapping import Mapping
from dataflow.sources.rows import Chunk
from models.errors import MappingError, SourceError

_ROWS = 4096
_CSV_ROWS = 1024


def parquet_rows(path: Path) -> int:
    """Number of rows, from the file's footer."""
    try:
        with pq.ParquetFile(path) as file:
            return int(file.metadata.num_rows)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from None


def read_parquet(path: Path, mapping: Mapping) -> Iterator[Chunk]:
    """The mapped columns of a Parquet file, in pieces. Raises SourceError, MappingError."""
    try:
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
            check_columns(path, mapping, file.schema_arrow.names)
            first = 0
            for batch in file.iter_batches(batch_size=_ROWS, columns=list(mapping.columns())):
                columns = dict(zip(batch.schema.names, batch.columns, strict=True))
                numbers = range(first + 1, first + batch.num_rows + 1)
                yield Chunk(first, numbers, columns, partial(_as_json, batch))
                first += batch.num_rows
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from None


def read_csv(path: Path, mapping: Mapping) -> Iterator[Chunk]:
    """The mapped columns of a CSV file as texts. Raises SourceError, MappingError.

    One row a line: a quoted field cannot hold a line break, so that a stray quote spoils one row and not the
    rest of the file. The first line names the columns.
    """
    lines = read_lines(path)
    header = next(lines, None)
    names, problem = _split(header, mapping.delimiter) if header else ([], "the file is empty")
    if problem:
        raise MappingError(f"{path}: no header line that names the columns ({problem}); add one")
    check_columns(path, mapping, names)
    wanted = list(mapping.columns())
    places = [names.index(name) for name in wanted]
    first, piece = 0, list[Line]()
    for line in lines:
        piece.append(line)
        if len(piece) == _CSV_ROWS:
            yield _chunk(piece, first, wanted, places, len(names), mapping.delimiter)
            first, piece = first + len(piece), []
    if piece:
        yield _chunk(piece, first, wanted, places, len(names), mapping.delimiter)


def check_columns(path: Path, mapping: Mapping, present: list[str]) -> None:
    """Raise MappingError when the file lacks a column, or has it twice."""
    for column, key in mapping.columns().items():
        if column not in present:
            raise MappingError(
                f"{path}: no column {column!r}, which {key} of mapping {mapping.name} names; "
                f"the file has {', '.join(present[:40])}: change {key} or the file"
            )
        if present.count(column) > 1:
            raise MappingError(
                f"{path}: column {column!r} ({key} of mapping {mapping.name}) is there twice; rename one"
            )


def _chunk(
    piece: list[Line], first: int, wanted: list[str], places: list[int], width: int, delimiter: str
) -> Chunk:
    bad: dict[int, str] = {}
    empty = [""] * width
    rows: list[list[str]] = []
    for number, line in enumerate(piece):
        cells, problem = _split(line, delimiter)
        if not problem and len(cells) != width:
            problem = f"{len(cells)} cells, and the header names {width} columns"
        if problem:
            bad[number] = problem
        rows.append(empty if problem else cells)
    columns = list(zip(*rows, strict=True))
    arrays: dict[str, Any] = {
        name: pa.array(columns[place], pa.string()) for name, place in zip(wanted, places, strict=True)
    }
    return Chunk(first, [line.number for line in piece], arrays, lambda row: piece[row].data, bad)


def _split(line: Line, delimiter: str) -> tuple[list[str], str]:
    """The cells of a line, or what is wrong with it."""
    if line.size > len(line.data):
        return [], f"line of {line.size} bytes, at most {len(line.data)} are taken"
    try:
        text = line.data.decode()
    except UnicodeDecodeError as error:
        return [], f"not UTF-8 text (byte {error.start + 1} of the line)"
    if '"' not in text:
        return text.split(delimiter), ""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True)), ""
    except csv.Error as error:
        return [], f"quotes that do not match ({error})"


def _as_json(batch: Any, row: int) -> bytes:
    return msgspec.json.encode(batch.slice(row, 1).to_pylist()[0], enc_hook=str)


def _unreadable(path: Path, error: Exception) -> SourceError:
    return SourceError(f"{path}: cannot be read ({error}); check the path and that the file is whole")
