"""`tidegate ingest`: the door. Raw events in, protected events onto the input stream."""

from __future__ import annotations

import argparse
from pathlib import Path

from dataflow.commands import options, showing

NAME = "ingest"
HELP = "protect raw events (names, card numbers, addresses …) and append them to the input stream"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "file",
        nargs="?",
        default="-",
        metavar="FILE",
        help="JSONL (also .gz), or CSV and Parquet through --mapping; - or nothing: stdin",
    )
    options.add_mapping(parser)
    parser.add_argument(
        "--rate", type=float, metavar="N", help="events a second (default: as fast as it goes)"
    )
    parser.add_argument(
        "--protected", action="store_true", help="the events went through a door before: a recorded stream"
    )
    parser.add_argument(
        "--to",
        metavar="KAFKA",
        help="kafka://HOST:PORT/TOPIC: write protected events to this topic, keyed by customer, "
        "instead of the input stream",
    )
    options.add_config(parser)
    options.add_json(parser)
    parser.epilog = (
        "Safe to run again after a break: an event that has arrived already counts as a duplicate. "
        "What cannot be taken is sealed and goes to the stream tg:dead:door with its reason; the first ten are named "
        "on stderr, and the exit code is 1."
    )


def run(args: argparse.Namespace) -> int:
    """Send everything through the door and print what became of it."""
    from alerts.custody.data_keys import FILE_NAME, FileDataKeys
    from alerts.custody.envelope import Sealer
    from alerts.custody.keyring import KeyRing, keyring_path
    from alerts.custody.private_files import make_private_directory
    from dataflow.admission import Admission, now_ms, raw_items
    from dataflow.door import Door
    from dataflow.indicators import awaited_of
    from dataflow.store_access import address_of

    options.at_least("--rate", args.rate, 0.001)
    settings, mapping = options.settings_of(args), options.mapping_of(args)
    path = None if args.file == "-" else Path(args.file)
    items, total = raw_items(path, mapping)
    url = address_of(settings)
    make_private_directory(settings.directory)
    ring = KeyRing.load_or_create(keyring_path(settings.directory), now_ms())
    keys = FileDataKeys(settings.directory / FILE_NAME)
    door = Door(
        ring, keys, clock=now_ms, protected_input=args.protected, awaited=awaited_of(settings, url, now_ms)
    )
    elsewhere = None
    if args.to:
        from dataflow.kafka.admitting import EventsTopic
        from dataflow.kafka.settings import address_of as topic_of

        elsewhere = EventsTopic(settings.kafka, topic_of(args.to, "--to"), showing.say).send
    admission = Admission(
        url,
        door,
        Sealer(ring, keys, now_ms),
        backlog=settings.flow.backlog,
        say=showing.say,
        elsewhere=elsewhere,
    )
    with showing.progress_bar("events", total) as bar:
        result = admission.run(items, rate=args.rate, live=path is None, progress=bar)
    showing.show(result, "ingest", as_json=args.json)
    for place, reason, detail in admission.refused:
        showing.say(f"{place}: {reason}: {detail}")
    dead = result["dead_lettered"]
    if dead > len(admission.refused):
        showing.say(f"and {dead - len(admission.refused):,} more; all are sealed in tg:dead:door")
    return 1 if dead else 0
