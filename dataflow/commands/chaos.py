"""`tidegate chaos`: whether anything is lost or done twice when processes are killed with -9 again and again."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from dataflow.commands import options, showing
from models.errors import SettingsError

NAME = "chaos"
HELP = "kill scorer, learner, sender and store with -9 at random moments and compare with an undisturbed run"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--rounds",
        type=int,
        default=200,
        metavar="N",
        help="rounds, of one to three kills each (default 200)",
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="of events, victims and moments (default 1)"
    )
    parser.add_argument(
        "--kafka", action="store_true", help="events come by a Kafka topic (a stand-in for brokers)"
    )
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes that share the scorer's work"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work in this new folder and leave it there")
    options.add_config(parser)
    options.add_json(parser)
    parser.epilog = (
        "Each round sends events, some of them twice or broken, and ends in a check: every event decided once and as "
        "by one engine that nothing disturbed, alerts and dead letters the same, counters the same and balanced, "
        "models published as one learner would, every alert paged under one id with a right signature. "
        "The exit code is 1 when something is not; then the folder with store and logs is kept, and --seed with "
        "--rounds plays the same rounds again."
    )


def run(args: argparse.Namespace) -> int:
    """Play the rounds and print."""
    import msgspec

    from dataflow.chaos.run import chaos
    from dataflow.cluster.keys import MOST_WORKERS

    options.at_least("--rounds", args.rounds, 1)
    options.at_least("--seed", args.seed, 0)
    if not 1 <= args.workers <= MOST_WORKERS:
        raise SettingsError(f"--workers is {args.workers}: choose a number from 1 to {MOST_WORKERS}")
    if args.kafka and args.workers > 1:
        raise SettingsError("--kafka reads with one process: leave --workers out")
    settings = options.settings_of(args)
    flow = msgspec.structs.replace(settings.flow, workers=args.workers)
    settings = msgspec.structs.replace(settings, flow=flow)
    folder = _folder(args.keep)
    with showing.progress_bar("rounds", args.rounds) as bar:
        result = chaos(
            settings, args.rounds, args.seed, folder, kafka=args.kafka, progress=bar, say=showing.say
        )
    if result["violations"]:
        showing.say(f"store, logs and checkpoints are left in {folder}")
    elif args.keep is None:
        _remove(folder)
    showing.show(result, "chaos", as_json=args.json)
    return 1 if result["violations"] else 0


def _folder(keep: Path | None) -> Path:
    if keep is None:
        # Short, because a unix socket's path may not be long.
        return Path(tempfile.mkdtemp(prefix="tg-chaos-"))
    if keep.exists() and any(keep.iterdir()):
        raise SettingsError(f"--keep {keep}: it is not empty; name a new folder")
    keep.mkdir(parents=True, exist_ok=True, mode=0o700)
    return keep.absolute()


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
