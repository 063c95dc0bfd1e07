"""`tidegate bench`: how fast this machine is."""

from __future__ import annotations

import argparse
from typing import Any

from dataflow.commands import options, showing
from dataflow.settings import Settings
from models.errors import SettingsError

NAME = "bench"
HELP = "measure on a simulated stream and a store of its own: throughput of the flow beside its floor"
KINDS = {
    "throughput": "the flow beside a pass-through that decides each payment the same",
}
ABSENT = {
    "scale": "several workers on one stream are not there yet, so there is nothing to compare",
}


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
    options.add_config(parser)
    options.add_json(parser)
    parser.epilog = (
        "throughput: the Bytewax flow over an embedded store with recovery on, in turns with a floor: the same flow "
        "with an engine that decodes, decides each payment the same and writes it. Events of all kinds a second by "
        "the clock; cpu_us: CPU time an event of flow and store; stages_us: CPU time an event in the engine's loop, "
        "and of the door (protect), which works in a process of its own."
    )


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    if args.what in ABSENT:
        raise SettingsError(f"--what {args.what}: {ABSENT[args.what]}")
    if args.what not in KINDS:
        raise SettingsError(f"--what {args.what}: choose from {', '.join(KINDS)}")
    options.at_least("--seconds", args.seconds, 5)
    settings = options.settings_of(args)
    with showing.progress_bar("seconds", args.seconds) as bar:
        result = _measure(args, settings, bar)
    showing.show(result, f"bench, {args.what}", as_json=args.json)
    return 0


def _measure(args: argparse.Namespace, settings: Settings, bar: showing.Progress) -> dict[str, Any]:
    from dataflow.bench.throughput import throughput

    return throughput(settings, args.seconds, bar)
