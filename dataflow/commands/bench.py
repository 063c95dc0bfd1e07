"""`tidegate bench`: how fast this machine is."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from dataflow.commands import options, showing
from dataflow.settings import Settings
from models.errors import SettingsError

NAME = "bench"
HELP = (
    "measure on a simulated stream and a store of its own: throughput, latency, recovery, cost of each part"
)
KINDS = {
    "throughput": "the flow beside a pass-through that decides each payment the same",
    "latency": "from entry in the stream to a readable decision, at half of the most the flow takes",
    "recovery": "from a kill of the scorer to its first new decision",
    "growth": "time and memory from ten thousand customers up",
    "scale": "a cluster of two processes beside one process, over one recorded stream",
    "features": "microseconds of each feature",
    "rules": "of each rule",
    "models": "of each model",
    "all": "every one of these in turn, each for --seconds; --page writes what came out",
}
PARTS = ("features", "rules", "models")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    told = "; ".join(f"{kind}: {text}" for kind, text in KINDS.items())
    parser.add_argument("--what", default="throughput", metavar="WHAT", help=f"{told} (default throughput)")
    parser.add_argument(
        "--seconds",
        type=float,
        default=40.0,
        metavar="N",
        help="about how long it may take (default 40, least 5)",
    )
    parser.add_argument(
        "--rate", type=float, metavar="N", help="latency: events a second (default: half the most)"
    )
    parser.add_argument("--console", action="store_true", help="latency: run the console too")
    parser.add_argument(
        "--entities",
        type=int,
        default=60_000,
        metavar="N",
        help="recovery: entities, growth: customers in the state (default 60000)",
    )
    parser.add_argument(
        "--page",
        type=Path,
        metavar="FILE",
        help="all: write a page (Markdown) that shows the plots of --report",
    )
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="also write plots (HTML and PNG) into this folder"
    )
    options.add_config(parser)
    options.add_json(parser)
    parser.epilog = (
        "throughput: the Bytewax flow over an embedded store with recovery on, in turns with a floor: the same flow "
        "with an engine that decodes, decides each payment the same and writes it. Events of all kinds a second by "
        "the clock; cpu_us: CPU time an event of flow and store; stages_us: CPU time an event in the engine's loop, "
        "and of the door (protect), which works in a process of its own. latency: an open loop, each event counted "
        "from its place on the timetable; learner, sender and clerk run beside the scorer."
    )


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    if args.what not in KINDS:
        raise SettingsError(f"--what {args.what}: choose from {', '.join(KINDS)}")
    options.at_least("--seconds", args.seconds, 5)
    options.at_least("--rate", args.rate, 1)
    options.at_least("--entities", args.entities, 1000)
    if args.page is not None and args.what != "all":
        raise SettingsError("--page needs --what all: a page tells of every measurement")
    settings = options.settings_of(args)
    if args.what == "all":
        return _all(args, settings)
    showing.show(_measured(args.what, args, settings), f"bench, {args.what}", as_json=args.json)
    return 0


def _all(args: argparse.Namespace, settings: Settings) -> int:
    from dataflow.bench.page import page

    results = {}
    for what in KINDS:
        if what != "all":
            showing.say(f"measuring {what} …")
            results[what] = _measured(what, args, settings)
    if args.page is not None:
        args.page.parent.mkdir(parents=True, exist_ok=True)
        args.page.write_text(page(results, args), encoding="utf-8")
        showing.say(f"wrote {args.page}")
    showing.show(results, "bench", as_json=args.json)
    return 0


def _measured(what: str, args: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """One measurement, with its plots where they are wanted."""
    amount = ("entities", args.entities) if what in ("recovery", "growth") else ("seconds", args.seconds)
    with showing.progress_bar(*amount) as bar:
        result = _measure(what, args, settings, bar)
    if args.report is not None:
        from dataflow.bench.plots import write

        for path in write(what, result, args.report):
            showing.say(f"wrote {path}")
    return result


def _measure(
    what: str, args: argparse.Namespace, settings: Settings, bar: showing.Progress
) -> dict[str, Any]:
    if what == "latency":
        from dataflow.bench.latency import latency

        return latency(settings, args.seconds, bar, args.rate, args.console)
    if what == "recovery":
        from dataflow.bench.recovery import recovery

        return recovery(settings, bar, args.entities)
    if what == "growth":
        from dataflow.bench.growth import growth

        return growth(settings, bar, args.entities)
    if what == "scale":
        from dataflow.bench.scale import scale

        return scale(settings, args.seconds, bar)
    if what in PARTS:
        from dataflow.bench.parts import measured

        return measured(what, settings, args.seconds, bar)
    from dataflow.bench.throughput import throughput

    return throughput(settings, args.seconds, bar)
