"""`tidegate evaluate`: a labelled file through the engine, measured by a published protocol."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from dataflow.commands import options, showing

NAME = "evaluate"
HELP = (
    "run a labelled file through the engine, learning as labels arrive, and measure by a published protocol"
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="labelled transactions")
    options.add_mapping(parser)
    parser.add_argument(
        "--protocol",
        choices=("handbook", "holdout"),
        required=True,
        help="handbook: four weekly folds, as in the Fraud Detection Handbook; holdout: the last fifth",
    )
    options.add_config(parser)
    options.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Score, measure and print."""
    from dataflow import evaluate
    from dataflow.assemble import engine_of
    from dataflow.scored import scored_stream
    from dataflow.sources.files import FileSource

    settings, mapping = options.settings_of(args), options.mapping_of(args)
    source = FileSource(args.data, mapping)
    engine = engine_of(settings, learn_inline=True, mapping=mapping, enforced=False)
    with showing.progress_bar("score", source.total()) as bar:
        data, seconds = scored_stream(source, engine, bar)
    if args.protocol == "handbook":
        found = evaluate.handbook_protocol(data)
        baseline = strongest(evaluate.PUBLISHED_HANDBOOK)
    else:
        found, baseline = evaluate.holdout_protocol(data), {}
    rows = len(data.time)
    report = evaluate.report(found, baseline, round(seconds * 1e6 / rows, 2))
    extra = {
        "protocol": args.protocol,
        "transactions": rows,
        "frauds": int(data.fraud.sum()),
        "not_scored": engine.counters.dead_lettered + engine.counters.undecodable,
        "seconds": round(seconds, 3),
        "peak_mb": showing.peak_mb(),
    }
    showing.show({**report, **extra}, f"evaluate, protocol {args.protocol}", as_json=args.json)
    return 0


def strongest(published: Mapping[str, Mapping[str, float | None]]) -> dict[str, float | None]:
    """The best published value of each measure, whichever model it is of: who reaches it beats every row."""
    names = next(iter(published.values()))
    return {name: max(row[name] or 0.0 for row in published.values()) for name in names}
