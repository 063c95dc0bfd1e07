"""`tidegate evaluate`: a labelled file through the engine, measured by a protocol, beside baselines."""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataflow.commands import options, showing
from models.errors import SettingsError

if TYPE_CHECKING:
    from dataflow.evaluation.ablation import Ablation
    from dataflow.evaluation.comparison import Model
    from dataflow.evaluation.protocol import Float, Fold, Handbook, Holdout, Metrics, Scored
    from dataflow.evaluation.vector_file import VectorFile
    from models.decision import DeadLetter
    from models.engine import Engine

NAME = "evaluate"
HELP = (
    "run a labelled file through the engine, learning as labels arrive, and measure how well it tells fraud"
)
RUN = {"xgboost": "XGBoost offline", "book-logistic": "the book's logistic regression"}
"""Baselines that are run, with the names they are shown by."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="FILE", help="labelled transactions")
    options.add_mapping(parser)
    add(
        "--protocol",
        choices=("handbook", "holdout"),
        default="holdout",
        help="handbook: weekly folds, as in the Fraud Detection Handbook; holdout (default): the last fifth by time",
    )
    add(
        "--start",
        metavar="DATE",
        help="handbook: first training day of fold 0 (default 2018-07-25, the book's)",
    )
    add("--folds", type=int, metavar="N", help="handbook: number of weekly folds (default 4, the book's)")
    add(
        "--learn-share",
        type=float,
        metavar="P",
        help="holdout: share of the payments before the first one that is measured (default 0.8)",
    )
    add(
        "--baseline",
        action="append",
        choices=("published", *RUN),
        help="what to compare with, several times if wanted: published (the book's best values; what handbook does "
        "without this option), xgboost (fitted offline for each fold on the features of the same run), book-logistic "
        "(the book's 15 features and logistic regression; needs scikit-learn)",
    )
    add("--ablation", action="store_true", help="measure again without each group of features")
    add(
        "--ablation-model",
        choices=("xgboost", "ours"),
        default="xgboost",
        help="xgboost (default): refitted on the features of the same run; ours: the stream again for each group, "
        "which takes ten times as long as the run itself",
    )
    add(
        "--rounds",
        type=int,
        metavar="N",
        default=200,
        help="bootstrap samples of the intervals (default 200)",
    )
    add("--report", type=Path, metavar="DIR", help="write evaluation.md and evaluation.html here")  # fmt: skip
    options.add_config(parser)
    options.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Score, measure and print."""
    from dataflow.assemble import engine_settings
    from dataflow.evaluation import comparison
    from dataflow.evaluation.doubts import doubts
    from dataflow.evaluation.vector_file import VectorFile

    options.at_least("--rounds", args.rounds, 1)
    costs = options.settings_of(args).costs.matrix
    protocol, asked = _protocol(args), _baselines(args)
    _refuse_late_surprises(args, asked)
    with ExitStack() as stack:
        vectors = None
        if "xgboost" in asked or args.ablation:
            names = engine_settings(options.settings_of(args), options.mapping_of(args)).features
            vectors = stack.enter_context(VectorFile(len(names)))
        refused: list[DeadLetter] = []
        engine, data, seconds = _scored(args, "score", vectors=vectors, refused=refused)
        told = doubts(engine, data.time, refused)
        for doubt in told:
            showing.say(f"note: {doubt}")
        folds = protocol.split(data)
        ours = comparison.run_model(comparison.OURS, data, folds, args.rounds)
        theirs = [
            comparison.run_model(RUN[name], data.scored(score), folds, args.rounds)
            for name, score in _baseline_scores(asked, data, folds, vectors)
        ]
        table = _ablation(args, ours, folds, vectors) if args.ablation and vectors is not None else None
    beside = [comparison.beside(ours, model, folds, costs) for model in theirs]
    if "published" in asked:
        beside.insert(asked.index("published"), comparison.beside_published(ours))
    result = {
        **comparison.report(
            ours, beside, folds, costs=costs,
            microseconds_per_transaction=round(seconds * 1e6 / len(data.time), 2),
        ),
        "protocol": args.protocol,
        "transactions": len(data.time),
        "frauds": int(data.fraud.sum()),
        "not_scored": engine.counters.dead_lettered + engine.counters.undecodable,
        "doubts": told,
        "seconds": round(seconds, 3),
        "peak_mb": showing.peak_mb(),
    }  # fmt: skip
    if table is not None:
        result["ablation"] = table
    if args.report is not None:
        from dataflow.evaluation.report import write_report

        for path in write_report(args.report, result, [ours, *theirs], folds):
            showing.say(f"wrote {path}")
    _show(result, as_json=args.json)
    return 0


def _protocol(args: argparse.Namespace) -> Handbook | Holdout:
    from dataflow.evaluation.protocol import HANDBOOK_START_MS, Handbook, Holdout

    if args.protocol == "holdout":
        if args.start is not None or args.folds is not None:
            raise SettingsError("--start and --folds are for --protocol handbook: leave them out for holdout")
        share = 0.8 if args.learn_share is None else args.learn_share
        if not 0.0 < share < 1.0:
            raise SettingsError(f"--learn-share is {share}: give a share between 0 and 1")
        return Holdout(share)
    if args.learn_share is not None:
        raise SettingsError("--learn-share is for --protocol holdout: leave it out for handbook")
    options.at_least("--folds", args.folds, 1)
    if args.start is None:
        start = HANDBOOK_START_MS
    else:
        try:
            day = dt.date.fromisoformat(args.start)
        except ValueError:
            raise SettingsError(f"--start is {args.start!r}: give a day such as 2018-07-25") from None
        start = int(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp()) * 1000
    return Handbook(args.folds or 4, start)


def _baselines(args: argparse.Namespace) -> list[str]:
    """The baselines asked for; nothing can be compared with the book's values but the book's protocol and start."""
    books = args.protocol == "handbook" and args.start is None and args.folds in (None, 4)
    if args.baseline is None:
        return ["published"] if books else []
    asked = list(dict.fromkeys(args.baseline))
    if "published" in asked and not books:
        raise SettingsError(
            "--baseline published holds for --protocol handbook with its own --start and --folds only: "
            "take xgboost or book-logistic"
        )
    return asked


def _refuse_late_surprises(args: argparse.Namespace, asked: Sequence[str]) -> None:
    """What would fail after minutes of scoring fails now."""
    from dataflow.evaluation import book, boosted

    if "book-logistic" in asked:
        book.check_installed()
    if "xgboost" in asked or args.ablation:
        boosted.check_installed()
    if args.report is not None:
        args.report.mkdir(parents=True, exist_ok=True)


def _scored(
    args: argparse.Namespace,
    what: str,
    *,
    vectors: VectorFile | None = None,
    blind: Sequence[int] = (),
    refused: list[DeadLetter] | None = None,
) -> tuple[Engine, Scored, float]:
    """The file through a fresh engine. blind: features the models get as missing."""
    from dataflow.assemble import engine_of
    from dataflow.scored import scored_stream
    from dataflow.sources.files import FileSource

    settings, mapping = options.settings_of(args), options.mapping_of(args)
    source = FileSource(args.data, mapping)
    engine = engine_of(settings, learn_inline=True, mapping=mapping, enforced=False)
    engine.blind = blind
    if vectors is not None:
        engine.watch = vectors.add
    with showing.progress_bar(what, source.total()) as bar:
        data, seconds = scored_stream(source, engine, bar, refused)
    return engine, data, seconds


def _baseline_scores(
    asked: Sequence[str], data: Scored, folds: Sequence[Fold], vectors: VectorFile | None
) -> list[tuple[str, Float]]:
    """The scores of each baseline that is run, in the order asked for."""
    from dataflow.evaluation.book import book_scores
    from dataflow.evaluation.boosted import boosted_scores

    found = []
    for name in asked:
        with showing.progress_bar(f"fit {name}", len(folds)) as bar:
            if name == "xgboost" and vectors is not None:
                found.append((name, boosted_scores(data, folds, vectors, bar)))
            elif name == "book-logistic":
                found.append((name, book_scores(data, folds, bar)))
    return found


def _ablation(args: argparse.Namespace, ours: Model, folds: Sequence[Fold], vectors: VectorFile) -> Ablation:
    from dataflow.evaluation.ablation import ablation, boosted_without
    from dataflow.evaluation.groups import columns_by_group
    from dataflow.evaluation.protocol import measure
    from models.features import CATALOGUE

    groups = columns_by_group(CATALOGUE, vectors.features)

    def our_own(columns: Sequence[int]) -> Metrics:
        if not columns:
            return ours.found["mean"]
        _, data, _ = _scored(args, f"without {len(columns)} features", blind=columns)
        return measure(data, folds)["mean"]

    without = our_own if args.ablation_model == "ours" else boosted_without(ours.data, folds, vectors)
    if args.ablation_model == "ours":
        return ablation("ours", groups, vectors.telling, without, lambda _: None)
    with showing.progress_bar("ablation", len(groups) + 1) as bar:
        return ablation("xgboost", groups, vectors.telling, without, bar)


def _show(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        showing.show(result, "", as_json=True)
        return
    from dataflow.evaluation.report import about, tables

    showing.show_tables(about(result), tables(result))
