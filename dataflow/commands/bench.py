"""`tidegate bench`: how fast this machine is."""

from __future__ import annotations

import argparse

from dataflow.commands import options, showing
from models.errors import SettingsError

NAME = "bench"
HELP = "measure throughput: the engine's loop on a simulated stream in memory, and CPU time by stage"
KINDS = ("throughput",)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--what", default="throughput", metavar="WHAT", help="throughput (the only one so far)"
    )
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
        "This measures the loop, without Bytewax, store and recovery. floor: decode, a constant decision, "
        "encode. full: decode, the whole engine with a trained model, encode. Per second counts events of "
        "all kinds in CPU time of this process; ratio = full / floor; stages_us are microseconds of CPU time "
        "an event, of the door (protect) too, which works in a process of its own and is not part of full."
    )


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from dataflow.bench import throughput

    if args.what not in KINDS:
        raise SettingsError(f"--what {args.what}: not there yet; choose from {', '.join(KINDS)}")
    options.at_least("--seconds", args.seconds, 5)
    settings = options.settings_of(args)
    with showing.progress_bar("seconds", args.seconds) as bar:
        result = throughput(settings, args.seconds, bar)
    showing.show(result, "bench, throughput of the loop", as_json=args.json)
    return 0
