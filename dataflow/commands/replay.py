"""`tidegate replay`: recorded streams through the engine in a plain loop, with a digest over decisions."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from dataflow.collecting import seldom_collected
from dataflow.commands import options, showing
from models.errors import SettingsError, SnapshotError

if TYPE_CHECKING:
    from dataflow.settings import Settings
    from dataflow.sources.mapping import Mapping
    from models.decision import Decision
    from models.engine import Output

NAME = "replay"
HELP = "run recorded streams through the engine and print a summary with the digest of all decisions"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="JSONL as it is; CSV and Parquet through --mapping",
    )
    options.add_mapping(parser)
    parser.add_argument("--limit", type=int, metavar="N", help="stop after N transactions")
    parser.add_argument("--out", type=Path, metavar="F", help="write a JSON line for each decision to F")
    parser.add_argument("--with-features", action="store_true", help="lines of --out hold the features too")
    parser.add_argument(
        "--batch", type=int, metavar="N", default=2048, help="events taken at once (default 2048)"
    )
    parser.add_argument(
        "--no-learning",
        action="store_true",
        help="do not learn from labels; a stream that brings its own models never learns",
    )
    parser.add_argument("--explain-all", action="store_true", help="reasons also for band low (slower)")
    parser.add_argument("--rules", metavar="F", help="rule pack to use instead of the one in the settings")
    parser.add_argument(
        "--artefacts",
        type=Path,
        metavar="DIR",
        help="model snapshots that the stream's Control events name: files called by their version",
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        default=1,
        help="share the work among N processes, with the same digest (default 1)",
    )
    options.add_config(parser)
    options.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Replay and print the summary."""
    import msgspec

    from dataflow.assemble import engine_of
    from dataflow.replay import replay
    from dataflow.sources.files import FileSource

    options.at_least("--limit", args.limit, 1)
    options.at_least("--batch", args.batch, 1)
    options.at_least("--workers", args.workers, 1)
    if args.with_features and not args.out:
        raise SettingsError("--with-features describes lines of --out: name a file with --out")
    settings, mapping = options.settings_of(args), options.mapping_of(args)
    if args.rules:
        settings = msgspec.structs.replace(settings, rules=args.rules)
    totals = [FileSource(path, mapping, limit=args.limit).total() for path in args.files]
    learning = not args.no_learning and not any(map(brings_models, args.files if mapping is None else []))
    if not learning and not args.no_learning:
        showing.say("the stream brings its own models: learning is off")
    if args.workers > 1:
        summary = by_cluster(args, settings, mapping, learning)
        showing.show({**summary, "learning": learning, "workers": args.workers}, "replay", as_json=args.json)
        return 0
    engine = engine_of(
        settings, learn_inline=learning, mapping=mapping, explain_all=args.explain_all,
        with_features=args.with_features,
    )  # fmt: skip
    if args.artefacts:
        engine.artefacts = artefacts_in(args.artefacts)
    total = None if None in totals else sum(number or 0 for number in totals)
    with ExitStack() as stack:
        bar = stack.enter_context(showing.progress_bar("replay", total))
        out = stack.enter_context(args.out.open("wb")) if args.out else None
        write = None if out is None else partial(write_output, out)
        stack.enter_context(seldom_collected())
        summary = replay(
            args.files, engine, mapping, limit=args.limit, batch=args.batch, on_output=write, progress=bar
        )
    showing.show({**summary, "learning": learning, "peak_mb": showing.peak_mb()}, "replay", as_json=args.json)
    return 0


def by_cluster(
    args: argparse.Namespace, settings: Settings, mapping: Mapping | None, learning: bool
) -> dict[str, Any]:
    """Replay by several processes."""
    import msgspec

    from dataflow.assemble import engine_settings
    from dataflow.cluster.keys import MOST_WORKERS
    from dataflow.cluster.replaying import replay_by_cluster

    if args.workers > MOST_WORKERS:
        raise SettingsError(f"--workers {args.workers}: at most {MOST_WORKERS}")
    if args.limit is not None:
        raise SettingsError("--workers takes whole files: leave --limit out, or cut the file")
    engine = engine_settings(
        settings, mapping, explain_all=args.explain_all, with_features=args.with_features
    )
    with ExitStack() as stack:
        out = stack.enter_context(args.out.open("wb")) if args.out else None
        return replay_by_cluster(
            args.files, msgspec.structs.replace(settings, engine=engine), args.workers, mapping, batch=args.batch,
            learn=learning, artefacts=args.artefacts,
            on_decisions=None if out is None else partial(write_decisions, out),
        )  # fmt: skip


def write_decisions(out: IO[bytes], decisions: list[Decision]) -> None:
    """Append a line for each decision: id, risk, band, action, ids of rules that count, maybe features."""
    import msgspec

    lines = []
    for decision in decisions:
        line = {
            "id": decision.id,
            "risk": decision.risk,
            "band": decision.band,
            "action": decision.action,
            "rules": [hit.id for hit in decision.rules if not hit.shadow],
        }
        if decision.features is not None:
            line["features"] = decision.features
        lines.append(msgspec.json.encode(line) + b"\n")
    out.write(b"".join(lines))


def write_output(out: IO[bytes], output: Output) -> None:
    """`write_decisions` of a step's."""
    write_decisions(out, output.decisions)


def brings_models(path: Path) -> bool:
    """True when a JSONL stream holds a Control event with a model: it replays with learning off.

    The whole file is looked through first (about 1 s a million lines), because the engine must know before
    the first event: what it learnt until it met the first model would be in the decisions before.
    """
    import msgspec

    from dataflow.sources.lines import read_lines

    class Head(msgspec.Struct):
        type: str = ""
        kind: str = ""

    decoder = msgspec.json.Decoder(Head)
    for line in read_lines(path):
        if b'"model"' in line.data:
            try:
                head = decoder.decode(line.data)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            if (head.type, head.kind) == ("control", "model"):
                return True
    return False


def artefacts_in(folder: Path) -> dict[str, bytes]:
    """Model snapshots by version. Raises SnapshotError for a file that is not the snapshot its name says."""
    from models.snapshot import version_of

    found = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    for name, data in found.items():
        if version_of(data) != name:
            raise SnapshotError(f"{folder / name}: not the model snapshot {name}; copy it again or remove it")
    return found
