"""What commands show: a progress bar on a terminal's stderr, and a result as one JSON line or as a table."""

from __future__ import annotations

import re
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from dataflow.evaluation.report import Table as ReportTable

Progress = Callable[[float], None]
_MOMENT = re.compile(r"(?:^|_)(?:at|until|time|since|due|of|seen)(?: \d+)?$")
_NAME = re.compile(r"(?:^|_)(?:id|pid|port|seed|version|epoch|year)s?(?: \d+)?$")
_FIRST_MS, _LAST_MS = 946_684_800_000, 4_102_444_800_000
"""The years 2000 to 2100: what a number in milliseconds must lie in to be a moment and not a length of time."""


@contextmanager
def progress_bar(what: str, total: float | None) -> Iterator[Progress]:
    """A bar on stderr; call what is yielded with the amount done so far. Nothing is drawn without a terminal.

    total: about how much there is to do, None if that is not known.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done if total is None else min(done, total))


def show(result: Mapping[str, Any], title: str, *, as_json: bool) -> None:
    """Print a result: one JSON line, or a table for people."""
    if as_json:
        print(msgspec.json.encode(result).decode(), flush=True)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(overflow="fold")
    table.add_column(justify="right", overflow="fold")
    rows = list(_flat(result))
    if not rows:
        print(f"{title}: nothing to show")
        return
    for name, value in rows:
        table.add_row(name, value)
    Console(file=sys.stdout).print(table)


def show_tables(words: str, tables: Iterable[ReportTable]) -> None:
    """Print the tables of a report for people, below what it says in words."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    print(words)
    console = Console(file=sys.stdout)
    for table in tables:
        shown = Table(title=table.title, title_justify="left")
        for at, name in enumerate(table.header):
            shown.add_column(name, justify="right" if table.numeric(at) else "left", overflow="fold")
        for row in table.rows:
            shown.add_row(*map(escape, row))
        with console.capture() as drawn:
            console.print()
            console.print(shown)
            if table.text:
                console.print(table.text, markup=False, highlight=False)
        # Written by ourselves: rich would end the process with code 1 when the reader has gone.
        sys.stdout.write(drawn.get())


def moment(at: int) -> str:
    """A moment (ms since the epoch) for people, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(at / 1000))


def say(text: str) -> None:
    """A line for people, on stderr."""
    print(text, file=sys.stderr, flush=True)


def peak_mb() -> float:
    """The most memory this process has held, in MB (10^6 bytes)."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return round(most * (1 if sys.platform == "darwin" else 1024) / 1e6, 1)


def _flat(result: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in result.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name} ")
        elif value is None or value == "":
            continue  # what is not known or not there takes no row
        elif isinstance(value, bool):
            yield before + name, "yes" if value else "no"
        elif isinstance(value, float):
            yield before + name, f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"
        elif isinstance(value, int):
            yield before + name, _whole(name, value)
        elif isinstance(value, list | tuple):
            for number, element in enumerate(value):
                yield from _flat({f"{name} {number}": element}, before)
        else:
            yield before + name, str(value)


def _whole(name: str, value: int) -> str:
    """A whole number: a moment (ms) as one, what names something as it is, a count with separators."""
    if _MOMENT.search(name) and _FIRST_MS <= value <= _LAST_MS:
        return moment(value)
    return str(value) if _NAME.search(name) else f"{value:,}"
