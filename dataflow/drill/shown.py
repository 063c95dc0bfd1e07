"""`tidegate drill history` and `due`: what was played and how it went, and when each drill is due."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import msgspec

from alerts.drills.book import drill_book, due_drills
from alerts.drills.history import last_runs, runs, trends
from dataflow.commands import showing
from dataflow.store_access import opened

if TYPE_CHECKING:
    from dataflow.settings import Settings


def shown(args: argparse.Namespace, settings: Settings) -> int:
    """Print one of them."""
    with opened(settings) as store:
        found = runs(store, args.drill or "")
    if args.what == "due":
        due = due_drills(drill_book(), last_runs(found), time.time_ns() // 1_000_000)
        if args.json:
            showing.show({"due": msgspec.to_builtins(due)}, "", as_json=True)
            return 0
        for one in due:
            last = "never played" if one.last is None else f"last played {_day(one.last)}"
            print(f"{'LATE ' if one.late else ''}{one.due} {one.drill}, {last}")
        return 0
    if args.json:
        told = {"runs": msgspec.to_builtins(found), "trend": msgspec.to_builtins(trends(found))}
        showing.show(told, "", as_json=True)
        return 0
    for run in found:
        missed = "" if run.card.passed else ": " + "; ".join(run.card.missed)
        state = "passed" if run.card.passed else "MISSED"
        print(f"{_day(run.at)} {run.drill} seed {run.seed} {state}{missed} ({run.id})")
    for name, trend in trends(found).items():
        times = ", ".join(
            f"{metric} {_number(value)} (before {_number(trend.before[metric])})"
            for metric, value in trend.last.items()
        )
        print(f"{name}: {trend.passed} of {trend.runs} passed; {times}")
    if not found:
        print("no drill was played yet")
    return 0


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _day(at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(at / 1000))
