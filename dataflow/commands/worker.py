"""`tidegate worker NAME`: one of the processes `tidegate up` runs, for those who supervise them otherwise."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from dataflow.settings import Settings, load_settings, read_resolved, store_url
from models.errors import SettingsError, TidegateError

NAME = "worker"
HELP = (
    "run one process (scorer, learner, sender, clerk, incidents, observer, jobs, serve, console, simulator) "
    "under your own supervisor"
)

PROCESSES = (
    "scorer", "learner", "sender", "clerk", "incidents", "observer", "jobs", "serve", "console", "simulator"
)  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "process",
        choices=(*PROCESSES, "job"),
        help="which process (job: the one that `jobs` starts for each job)",
    )
    parser.add_argument(
        "--config", type=Path, help="tidegate.toml (default: ./tidegate.toml if there is one)"
    )
    parser.add_argument("--resolved", type=Path, help="settings as `tidegate up` resolved them (JSON)")
    parser.add_argument(
        "--start", type=int, default=0, help="simulator: beginning of its calendar, ms since the epoch"
    )


def run(args: argparse.Namespace) -> int:
    """Run until SIGTERM. What refuses to run is told in the log, as everything a process says."""
    from dataflow.observe.logs import configure as configure_logs
    from dataflow.observe.logs import log, logger
    from dataflow.parent import follow

    # Before all that takes time to load: the supervisor may be gone by then.
    follow()
    configure_logs(args.process)
    try:
        return _run(args)
    except TidegateError as error:
        log(logger(args.process), logging.ERROR, "refused", error)
        return 2


def _run(args: argparse.Namespace) -> int:
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
    elif args.process == "observer":
        worker.run_observer(settings, url)
    elif args.process == "serve":
        worker.run_serve(settings, url)
    elif args.process == "console":
        from dataflow.console import become_console

        become_console(settings, url)
    elif args.process == "jobs":
        _jobs(args, settings, url)
    elif args.process == "job":
        from dataflow.jobs.process import work
        from dataflow.parent import stop

        return work(settings, url, stop, sys.stdin.buffer)
    else:
        worker.run_simulator(settings, url, args.start)
    sys.stdout.flush()
    return 0


def _jobs(args: argparse.Namespace, settings: Settings, url: str) -> None:
    """Do what people ask for in the console, each job in a process of its own."""
    from alerts.redis_link import RedisLink
    from alerts.redis_store import RedisStore
    from dataflow.jobs.worker import JobWorker
    from dataflow.parent import stop
    from dataflow.supervise import python
    from dataflow.worker import ring_of

    ring_of(settings)
    named = [("--resolved", args.resolved), ("--config", args.config)]
    given = [word for name, path in named if path is not None for word in (name, str(path))]
    command = python("dataflow.cli", "worker", "job", *given)
    limit = settings.jobs.time_limit_s
    JobWorker(RedisStore(url), RedisLink(url), command, settings.recordings, limit).run(
        stop.is_set, stop.wait
    )
