"""`tidegate soak`: whether memory stays bounded over a long stream."""

from __future__ import annotations

import argparse

from dataflow.commands import options, showing

NAME = "soak"
HELP = "run a long simulated stream through the loop with its learner and show what memory does"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--events",
        type=int,
        default=2_000_000,
        metavar="N",
        help="how many events (default 2000000, least 1000)",
    )
    options.add_config(parser)
    options.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from dataflow.soak import soak

    options.at_least("--events", args.events, 1000)
    settings = options.settings_of(args)
    with showing.progress_bar("events", args.events) as bar:
        result = soak(settings, args.events, bar)
    showing.show(result, "soak, memory of the loop", as_json=args.json)
    return 0
