"""`tidegate backtest`: a recorded stream decided twice, as it is and as proposed, before the proposal goes live."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataflow.commands import options, showing
from models.errors import SourceError

if TYPE_CHECKING:
    from dataflow.backtest.proposal import Proposal
    from dataflow.settings import Settings
    from models.decision import DeadLetter
    from models.engine import Engine, Output

NAME = "backtest"
HELP = "replay recorded streams with other rules, thresholds or another model and show what would change"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="JSONL as it is; CSV and Parquet through --mapping",
    )
    options.add_mapping(parser)
    add("--rules", type=Path, metavar="F", help="the proposed rule pack (TOML)")
    add(
        "--thresholds",
        metavar="EDGES",
        help="the proposed band edges: medium=0.05,high=0.3,critical=0.7 (any of them), or a TOML file",
    )
    add(
        "--model",
        type=Path,
        metavar="F",
        help="the proposed model: a snapshot, signed by this installation or plain",
    )
    add(
        "--truth",
        action="store_true",
        help="simulated streams: take outcomes from FILE.truth instead of labels",
    )
    add("--limit", type=int, metavar="N", help="stop after N transactions")
    add("--batch", type=int, metavar="N", default=2048, help="events taken at once (default 2048)")
    add(
        "--no-learning",
        action="store_true",
        help="do not learn from labels; a stream that brings its own models never learns",
    )
    add("--artefacts", type=Path, metavar="DIR", help="model snapshots that the stream's Control events name")
    add("--top", type=int, metavar="N", default=20, help="changed payments to name each way (default 20)")
    add("--report", type=Path, metavar="DIR", help="write backtest.md and backtest.html here")
    add("--per-rule", action="store_true", help="print only the table of rules, in Markdown")
    options.add_config(parser)
    options.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Replay, compare and print."""
    from dataflow.backtest.report import write_report
    from dataflow.backtest.result import result_of
    from dataflow.backtest.run import Backtest
    from dataflow.sources.files import FileSource

    for name, number, least in (
        ("--limit", args.limit, 1),
        ("--batch", args.batch, 1),
        ("--top", args.top, 0),
    ):
        options.at_least(name, number, least)
    settings, mapping = options.settings_of(args), options.mapping_of(args)
    totals = [FileSource(path, mapping, limit=args.limit).total() for path in args.files]
    engine = _engine(args, settings)
    backtest = Backtest(engine, _proposal(args, settings, engine))
    if args.report is not None:
        args.report.mkdir(parents=True, exist_ok=True)
    if args.truth:
        # Before the long part: a missing file is known at once.
        backtest.outcomes(args.files)
    refused: list[DeadLetter] = []

    def keep_first(output: Output) -> None:
        if not refused:
            refused.extend(output.dead[:1])

    total = None if None in totals else sum(number or 0 for number in totals)
    with ExitStack() as stack:
        bar = stack.enter_context(showing.progress_bar("back-test", total))
        backtest.run(
            args.files, mapping, limit=args.limit, batch=args.batch, on_output=keep_first, progress=bar
        )
    if not len(backtest.payments):
        first = f"; the first entry refused: {refused[0].place}: {refused[0].detail}" if refused else ""
        raise SourceError(f"{', '.join(map(str, args.files))}: no payment to decide{first}")
    known = backtest.outcomes(args.files if args.truth else ())
    result = {
        **result_of(backtest, known, settings.costs.matrix, args.top),
        "learning": engine.learner is not None,
        "peak_mb": showing.peak_mb(),
    }
    if args.report is not None:
        for path in write_report(args.report, result):
            showing.say(f"wrote {path}")
    _show(result, args)
    return 0


def _engine(args: argparse.Namespace, settings: Settings) -> Engine:
    from dataflow.assemble import engine_of
    from dataflow.commands.replay import artefacts_in, brings_models

    mapping = options.mapping_of(args)
    learning = not args.no_learning and not any(map(brings_models, args.files if mapping is None else []))
    if not learning and not args.no_learning:
        showing.say("the stream brings its own models: learning is off")
    engine = engine_of(settings, learn_inline=learning, mapping=mapping)
    if args.artefacts:
        engine.artefacts = artefacts_in(args.artefacts)
    return engine


def _proposal(args: argparse.Namespace, settings: Settings, engine: Engine) -> Proposal | None:
    """What is proposed; None where nothing is."""
    from dataflow.backtest.given import snapshot_of, thresholds_of
    from dataflow.backtest.proposal import Proposal
    from models.features import RULE_KINDS
    from models.rules.pack import load_pack

    if args.rules is None and args.thresholds is None and args.model is None:
        return None
    return Proposal(
        engine,
        pack=None if args.rules is None else load_pack(args.rules, features=RULE_KINDS),
        thresholds=None if args.thresholds is None else thresholds_of(args.thresholds, engine.thresholds),
        snapshot=None if args.model is None else snapshot_of(args.model, settings.directory),
    )


def _show(result: Mapping[str, Any], args: argparse.Namespace) -> None:
    from dataflow.backtest.report import about, rule_table, terminal_tables
    from dataflow.evaluation.report import markdown_table

    if args.per_rule:
        print(markdown_table(rule_table(result)), file=sys.stderr if args.json else sys.stdout)
    if args.json:
        showing.show(result, "", as_json=True)
    elif not args.per_rule:
        showing.show_tables(about(result), terminal_tables(result))
