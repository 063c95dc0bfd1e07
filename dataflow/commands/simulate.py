"""`tidegate simulate`: write a recorded stream with its ground truth and manifest."""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from dataflow.commands import options, showing
from models.errors import SettingsError

if TYPE_CHECKING:
    from dataflow.simulate import Simulator

NAME = "simulate"
HELP = "write a seeded stream of simulated payments, with injected fraud and late labels"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--seed", type=int, required=True, metavar="N", help="same seed, same stream")
    parser.add_argument("--days", type=float, required=True, metavar="D", help="days to simulate, parts too")
    parser.add_argument(
        "--customers",
        type=int,
        default=2000,
        metavar="N",
        help="payers; each pays about once a day (default 2000)",
    )
    parser.add_argument(
        "--scenario",
        nargs="+",
        action="extend",
        metavar="NAME",
        help="inject these only (default: a realistic mix; `quiet`: nothing); an unknown name lists them",
    )
    parser.add_argument(
        "--start",
        type=dt.date.fromisoformat,
        default=None,
        metavar="DATE",
        help="first day of the calendar, as in 2026-01-01 (default 2026-09-01)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="FILE.jsonl or FILE.jsonl.gz")
    parser.add_argument(
        "--raw",
        action="store_true",
        help="write what senders hand to the door, with clear (synthetic) personal data, for "
        "`tidegate ingest`; no truth and manifest",
    )
    options.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Write the stream and print its manifest."""
    import msgspec

    from dataflow.simulate import DEFAULT_START, Simulator
    from dataflow.simulation.manifest import write_stream

    if not 0 < args.days <= 36_500:
        raise SettingsError(f"--days is {args.days}: give a number above 0 and up to 36500")
    scenarios = tuple(args.scenario) if args.scenario else None
    start = DEFAULT_START
    if args.start is not None:
        start = int(dt.datetime.combine(args.start, dt.time(), dt.UTC).timestamp() * 1000)
    simulator = Simulator(args.seed, customers=args.customers, scenarios=scenarios, start=start)
    with showing.progress_bar("days simulated", args.days) as bar:
        if args.raw:
            result = write_raw(args.out, simulator, args.days, bar)
        else:
            result = msgspec.to_builtins(write_stream(args.out, simulator, args.days, bar))
    showing.show(result, f"{args.out}", as_json=args.json)
    return 0


def write_raw(path: Path, simulator: Simulator, days: float, progress: showing.Progress) -> dict[str, object]:
    """Write the door's input lines; what was written as a dict."""
    import hashlib

    if path.suffix != ".jsonl":
        raise SettingsError(f"{path}: a raw stream is written as .jsonl, choose this ending")
    lines, digest = 0, hashlib.sha256()
    with path.open("wb") as out:
        for event in simulator.events(days):
            if lines % 1024 == 0:
                progress((event.received_at - simulator.start) / 86_400_000)
            line = simulator.raw(event) + b"\n"
            out.write(line)
            digest.update(line)
            lines += 1
    return {
        "seed": simulator.seed,
        "customers": simulator.customers,
        "days": days,
        "lines": lines,
        "sha256": digest.hexdigest(),
    }
