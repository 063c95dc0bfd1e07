"""What commands show: a progress bar on a terminal's stderr, and a result as one JSON line or as a table."""

from __future__ import annotations

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
    for name, value in _flat(result):
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
        elif isinstance(value, bool) or value is None:
            yield before + name, {True: "yes", False: "no", None: "-"}[value]
        elif isinstance(value, float):
            yield before + name, f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"
        elif isinstance(value, int):
            yield before + name, f"{value:,}"
        elif isinstance(value, list | tuple):
            for number, element in enumerate(value):
                yield from _flat({f"{name} {number}": element}, before)
        else:
            yield before + name, str(value)
