"""`tidegate worker NAME`: one of the processes `tidegate up` runs, for those who supervise them otherwise."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dataflow.settings import load_settings, read_resolved, store_url
from models.errors import SettingsError

NAME = "worker"
HELP = "run one process (scorer, learner, sender, clerk, incidents, serve, simulator) under a supervisor of your own"


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "process",
        choices=("scorer", "learner", "sender", "clerk", "incidents", "serve", "simulator"),
        help="which process",
    )
    parser.add_argument(
        "--config", type=Path, help="tidegate.toml (default: ./tidegate.toml if there is one)"
    )
    parser.add_argument("--resolved", type=Path, help="settings as `tidegate up` resolved them (JSON)")
    parser.add_argument(
        "--start", type=int, default=0, help="simulator: beginning of its calendar, ms since the epoch"
    )


def run(args: argparse.Namespace) -> int:
    """Run until SIGTERM."""
    from dataflow import worker

    settings = read_resolved(args.resolved) if args.resolved else load_settings(args.config)
    url = store_url(settings)
    if not url:
        raise SettingsError(
            "no store: set REDIS_URL or store.url (the embedded store belongs to `tidegate up`)"
        )
    worker.prepare()
    if args.process == "scorer":
        worker.run_scorer(settings, url)
    elif args.process == "learner":
        worker.run_learner(settings, url)
    elif args.process == "sender":
        worker.run_sender(settings, url)
    elif args.process == "clerk":
        worker.run_clerk(url)
    elif args.process == "incidents":
        worker.run_incidents(settings, url)
    elif args.process == "serve":
        worker.run_serve(settings, url)
    else:
        worker.run_simulator(settings, url, args.start)
    sys.stdout.flush()
    return 0
