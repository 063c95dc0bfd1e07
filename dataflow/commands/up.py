"""`tidegate up`: everything on one machine, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from alerts.custody.private_files import replace_private
from alerts.redis_store import RedisStore
from dataflow.cluster.keys import MOST_WORKERS
from dataflow.embedded import EmbeddedValkey
from dataflow.feeding import calendar
from dataflow.kafka.client import check_kafka
from dataflow.scoring import now_ms
from dataflow.sender import plan_of, receivers_of
from dataflow.serve.settings import check as check_serve
from dataflow.settings import Settings, load_settings, store_url
from dataflow.supervise import Child, Revived, Supervisor, python
from dataflow.worker import ring_of
from models.errors import SettingsError, StoreError
from models.money import DAY_MS

NAME = "up"
HELP = "start all on this machine: store, scorer, learner, senders, clerk, incident watch, jobs, simulator, console"


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "--config", type=Path, help="tidegate.toml (default: ./tidegate.toml if there is one)"
    )
    parser.add_argument(
        "--no-simulator", action="store_true", help="wait for your own events instead of simulated ones"
    )
    parser.add_argument(
        "--source", metavar="KAFKA", help="kafka://HOST:PORT/TOPIC: score this topic's events (no simulator)"
    )
    parser.add_argument("--rate", type=float, help="simulated events a second once live (default 20)")
    parser.add_argument("--port", type=int, help="port of the console (default 8501)")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes that share the scorer's work (default 1)"
    )


def run(args: argparse.Namespace) -> int:
    """Start, say where the console is, watch until Ctrl-C or SIGTERM, stop all."""
    from dataflow.cluster import live

    settings = _changed(load_settings(args.config), args)
    out = Console(stderr=False, highlight=False)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    _check_port(settings.console.address, settings.console.port, "--port")
    check_serve(settings.serve)
    check_kafka(settings.kafka)
    live.check(settings)
    simulate = not args.no_simulator and not settings.kafka.source
    hearing = receivers_of(plan_of(settings))
    if settings.serve.port:
        _check_port(settings.serve.address, settings.serve.port, "serve.port")
    ring_of(settings)
    directory = settings.directory
    logs = directory / "logs"
    logs.mkdir(mode=0o700, exist_ok=True)
    configured = store_url(settings)
    embedded = None if configured else EmbeddedValkey(directory / "store")
    supervisor = Supervisor()
    try:
        url = embedded.start() if embedded is not None else configured
        store = RedisStore(url)
        store.ping()
        out.print(f"store      {'embedded Valkey, ' if embedded else ''}{_public(url)}")
        resolved = directory / "settings.json"
        nowhere = msgspec.structs.replace(settings.store, url="")
        replace_private(resolved, msgspec.json.encode(msgspec.structs.replace(settings, store=nowhere)))
        _start(supervisor, settings, url, logs, resolved, simulate=simulate)
        address = f"http://{settings.console.address}:{settings.console.port}"
        out.print(f"console    {address}   (starting; logs in {logs})")
        if settings.serve.port:
            scheme = "https" if settings.serve.tls_certificate else "http"
            out.print(f"scoring    {scheme}://{settings.serve.address}:{settings.serve.port}/v1/transactions")
        if settings.observe.port:
            out.print(f"metrics    http://{settings.observe.address}:{settings.observe.port}/metrics")
        out.print(
            f"paging     {', '.join(hearing) or 'nobody: set routing or webhooks.receivers (docs/routing.md)'}"
        )
        if simulate:
            _warm_up(store, supervisor, out, stopping)
        elif settings.kafka.source:
            out.print(f"events     {settings.kafka.source}, and tg:in beside it")
        else:
            out.print("waiting for events: tidegate ingest FILE, or XADD tg:in * e EVENT")
        if not stopping.is_set():
            out.print(f"live       {address}   Ctrl-C stops everything")
        _watch(store, supervisor, embedded, out, stopping)
    finally:
        out.print("stopping …")
        supervisor.stop()
        if embedded is not None:
            embedded.stop()
    out.print("stopped")
    return 0


def _changed(settings: Settings, args: argparse.Namespace) -> Settings:
    if args.rate is not None:
        if not 0 < args.rate <= 10_000:
            raise SettingsError(f"--rate is {args.rate}: choose a number above 0 and up to 10000")
        settings = msgspec.structs.replace(
            settings, simulator=msgspec.structs.replace(settings.simulator, rate=args.rate)
        )
    if args.source is not None:
        settings = msgspec.structs.replace(
            settings, kafka=msgspec.structs.replace(settings.kafka, source=args.source)
        )
    if args.workers is not None:
        if not 1 <= args.workers <= MOST_WORKERS:
            raise SettingsError(f"--workers is {args.workers}: choose a number from 1 to {MOST_WORKERS}")
        settings = msgspec.structs.replace(
            settings, flow=msgspec.structs.replace(settings.flow, workers=args.workers)
        )
    if args.port is not None:
        settings = msgspec.structs.replace(
            settings, console=msgspec.structs.replace(settings.console, port=args.port)
        )
    return settings


def _check_port(address: str, port: int, setting: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise SettingsError(
                f"{address}:{port} is taken ({error.strerror}); choose another with {setting}"
            ) from None


def _start(
    supervisor: Supervisor, settings: Settings, url: str, logs: Path, resolved: Path, *, simulate: bool
) -> None:
    """Start the children; those that finish work first, the one that makes work last."""
    common = ("--resolved", str(resolved))
    # The url may hold a password, so it goes by the environment, never by the command line.
    where = {"REDIS_URL": url}
    serving = ("serve",) if settings.serve.port else ()
    for name in (
        "console",
        "observer",
        "jobs",
        "sender",
        "clerk",
        "incidents",
        "learner",
        "scorer",
        *serving,
    ):
        supervisor.add(
            Child(name, python("dataflow.cli", "worker", name, *common), logs / f"{name}.log", where)
        )
    if simulate:
        today = now_ms() // DAY_MS * DAY_MS
        start = calendar(url, today - settings.simulator.start_days_ago * DAY_MS)
        supervisor.add(
            Child("simulator", python("dataflow.cli", "worker", "simulator", *common, "--start", str(start)),
                  logs / "simulator.log", where)
        )  # fmt: skip


def _warm_up(store: RedisStore, supervisor: Supervisor, out: Console, stopping: threading.Event) -> None:
    """Show how the past days run through until the simulator is live."""
    columns = (SpinnerColumn(), TextColumn("warm-up"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"),
               TextColumn("{task.fields[note]}"), TimeElapsedColumn())  # fmt: skip
    with Progress(*columns, console=out, transient=False) as progress:
        task = progress.add_task("warm-up", total=1.0, note="")
        while not stopping.is_set():
            for line in supervisor.watch():
                progress.console.print(line)
            try:
                beat = store.beats().get("simulator", {})
                counters = store.counters()
                note = f"{counters.decided:,} decided, {counters.alerts:,} alert hits"
                progress.update(task, completed=float(beat.get("warm_up", 0.0)), note=note)
                store.beat("supervisor", supervisor.status(), now_ms())
                if beat.get("status") == "live":
                    break
            except StoreError:
                pass
            stopping.wait(0.3)


def _watch(
    store: RedisStore,
    supervisor: Supervisor,
    embedded: EmbeddedValkey | None,
    out: Console,
    stopping: threading.Event,
) -> None:
    beaten = 0.0
    revived = None if embedded is None else Revived(embedded)
    while not stopping.wait(0.2):
        said = None if revived is None else revived.watch(time.monotonic())
        for line in [*([said] if said else []), *supervisor.watch()]:
            out.print(line)
        if time.monotonic() - beaten > 1.0:
            beaten = time.monotonic()
            try:
                store.beat("supervisor", supervisor.status(), now_ms())
            except StoreError as error:
                print(error, file=sys.stderr)


def _public(url: str) -> str:
    return url.rpartition("@")[2] if "@" in url else url
