"""`tidegate evaluate`: a labelled file through the engine, measured by a published protocol."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dataflow.commands import options, showing

if TYPE_CHECKING:
    from dataflow.baseline import VectorFile
    from dataflow.evaluate import Evaluation, Flags, Scored

FOLDS = 4

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
    parser.add_argument(
        "--baseline",
        choices=("published", "xgboost"),
        default="published",
        help="what to compare with: the book's best numbers (handbook), or XGBoost fitted offline on the same "
        "features in the same run",
    )
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="write evaluation.md and evaluation.html here"
    )
    options.add_config(parser)
    options.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Score, measure and print."""
    from dataflow import evaluate
    from dataflow.assemble import engine_of
    from dataflow.baseline import VectorFile
    from dataflow.scored import scored_stream
    from dataflow.sources.files import FileSource

    settings, mapping = options.settings_of(args), options.mapping_of(args)
    source = FileSource(args.data, mapping)
    engine = engine_of(settings, learn_inline=True, mapping=mapping, enforced=False)
    with VectorFile(len(engine.snapshot.features)) as vectors:
        if args.baseline == "xgboost":
            engine.watch = vectors.add
        with showing.progress_bar("score", source.total()) as bar:
            data, seconds = scored_stream(source, engine, bar)
        measured, rows = _measure(args.protocol, data)
        theirs = _baseline(args, data, vectors)
    report = evaluate.report(measured, theirs.metrics, round(seconds * 1e6 / len(data.time), 2))
    from dataflow.evaluate_detail import details

    result = {
        **report,
        "protocol": args.protocol,
        "baseline_of": theirs.name,
        "baseline_folds": theirs.folds,
        "transactions": len(data.time),
        "frauds": int(data.fraud.sum()),
        "not_scored": engine.counters.dead_lettered + engine.counters.undecodable,
        "seconds": round(seconds, 3),
        "peak_mb": showing.peak_mb(),
        "detail": details(data, rows),
    }
    if args.report is not None:
        from dataflow.evaluate_report import write_report

        curves = {"tidegate": (data, rows)}
        if theirs.scored is not None:
            curves[theirs.name] = (theirs.scored, rows)
        for path in write_report(args.report, result, curves):
            showing.say(f"wrote {path}")
    shown = result if args.json else {name: value for name, value in result.items() if name != "detail"}
    showing.show(shown, f"evaluate, protocol {args.protocol}", as_json=args.json)
    return 0


class Baseline(NamedTuple):
    """What is compared with: mean and folds of its measures, and its scores on the measured rows if it was run."""

    name: str
    metrics: dict[str, float | None]
    folds: list[dict[str, float | None]]
    scored: Scored | None


def _measure(protocol: str, data: Scored) -> tuple[Evaluation, Flags]:
    """The protocol's measures, and the rows they are taken on (of all folds together)."""
    from dataflow import evaluate

    if protocol == "holdout":
        return evaluate.holdout_protocol(data), evaluate.holdout_rows(data)
    rows = np.zeros(len(data.time), dtype=np.bool_)
    for fold in range(FOLDS):
        rows |= evaluate.handbook_test_rows(data, fold)
    return evaluate.handbook_protocol(data, FOLDS), rows


def _baseline(args: argparse.Namespace, data: Scored, vectors: VectorFile) -> Baseline:
    from dataflow import baseline, evaluate

    if args.baseline == "published":
        known = args.protocol == "handbook"
        return Baseline(
            "best published row" if known else "none",
            strongest(evaluate.PUBLISHED_HANDBOOK) if known else {}, [], None,
        )  # fmt: skip
    name = "XGBoost offline"
    if args.protocol == "holdout":
        first = evaluate.first_held_out(len(data.time), 0.8)
        scored = baseline.holdout_scores(data, vectors.table(), first)
        found = evaluate.holdout_protocol(scored)
        return Baseline(name, found["mean"], found["folds"], scored)
    with showing.progress_bar("fit the baseline", FOLDS) as bar:
        by_fold = baseline.handbook_scores(data, vectors.table(), FOLDS, bar)
    found = evaluate.handbook_protocol(by_fold)
    # Test weeks do not overlap, so one column can hold every fold's scores.
    scored = dataclasses.replace(data, score=np.sum([fold.score for fold in by_fold], axis=0))
    return Baseline(name, found["mean"], found["folds"], scored)


def strongest(published: Mapping[str, Mapping[str, float | None]]) -> dict[str, float | None]:
    """The best published value of each measure, whichever model it is of: who reaches it beats every row."""
    names = next(iter(published.values()))
    return {name: max(row[name] or 0.0 for row in published.values()) for name in names}
