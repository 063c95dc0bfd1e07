"""`tidegate rules`: check rule packs, list rules, put a pack in force while the stream runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dataflow.commands import options, showing

if TYPE_CHECKING:
    from models.events import Control

NAME = "rules"
HELP = "check rule packs, list rules, put a pack in force in the running stream"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")
    text = "read, check and compile packs and run their examples (exit 1: one is refused)"
    check = verbs.add_parser("check", help=text, description=text)
    check.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a rule pack (TOML)")
    text = "list the rules of the pack the settings name"
    listing = verbs.add_parser("list", help=text, description=text)
    options.add_config(listing)
    text = "check a pack and put it in force in the running stream, from its next event on"
    load = verbs.add_parser("load", help=text, description=text)
    load.add_argument("file", type=Path, metavar="FILE", help="a rule pack (TOML)")
    options.add_config(load)
    for verb in (check, listing, load):
        options.add_json(verb)


def run(args: argparse.Namespace) -> int:
    """Check, list or load."""
    return {"check": _check, "list": _list, "load": _load}[args.verb](args)


def _check(args: argparse.Namespace) -> int:
    import msgspec

    from models.rules.report import check_files

    lines = check_files(args.files)
    passed = [line.startswith("ok ") for line in lines]
    for line, good in zip(lines, passed, strict=True):
        print(line, file=sys.stderr if args.json or not good else sys.stdout)
    if args.json:
        files = [
            {"file": str(path), "ok": good, "message": line}
            for path, good, line in zip(args.files, passed, lines, strict=True)
        ]
        print(msgspec.json.encode({"ok": all(passed), "files": files}).decode())
    return 0 if all(passed) else 1


def _load(args: argparse.Namespace) -> int:
    import time

    from alerts.custody.audit import AuditEntry
    from alerts.redis_store import RedisStore
    from dataflow.store_access import address_of
    from models.rules.pack import load_pack
    from models.rules.report import check_files

    settings = options.settings_of(args)
    (verdict,) = check_files([args.file])
    if not verdict.startswith("ok "):
        print(verdict, file=sys.stderr)
        return 1
    text = args.file.read_text(encoding="utf-8")
    pack = load_pack(text, name=args.file.name)
    store = RedisStore(address_of(settings))
    event = _control(text, args.file.name, pack.version, settings.console.actor, store.stream_time())
    now, actor = time.time_ns() // 1_000_000, settings.console.actor
    record = AuditEntry(
        actor, settings.console.role, "loaded", "rules", pack.version, now, event.reason or ""
    )
    entry = store.send_control(event, record)
    store.wait_durable()
    showing.show(
        {"pack": pack.name, "version": pack.version, "entry": entry}, "rules load", as_json=args.json
    )
    return 0


def _control(text: str, name: str, version: str, actor: str, stream_time: int) -> Control:
    import time

    import msgspec

    from models.events import Control

    at = stream_time or time.time_ns() // 1_000_000
    return Control(
        id=f"rules-{version}-{time.time_ns() // 1_000_000}", event_time=at, received_at=at, kind="rules",
        version=version, actor=actor, reason=f"rules load {name}",
        payload=msgspec.Raw(msgspec.json.encode({"text": text, "name": name})),
    )  # fmt: skip


def _list(args: argparse.Namespace) -> int:
    from dataflow.assemble import pack_of

    pack = pack_of(options.settings_of(args))
    rows = [
        {
            "id": rule.id,
            "action": rule.action,
            "severity": rule.severity,
            "typology": rule.typology,
            "shadow": rule.shadow,
            "title": rule.title_en,
            "rule": rule.text,
        }
        for rule in pack.rules
    ]
    if args.json:
        showing.show({"pack": pack.name, "version": pack.version, "rules": rows}, "rules", as_json=True)
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{pack.name}, version {pack.version}", title_justify="left")
    for name in ("id", "action", "severity", "typology", "title"):
        table.add_column(name)
    for row in rows:
        shadow = " (shadow)" if row["shadow"] else ""
        table.add_row(
            str(row["id"]),
            f"{row['action']}{shadow}",
            *(str(row[n]) for n in ("severity", "typology", "title")),
        )
    console = Console()
    with console.capture() as drawn:
        console.print(table)
    # Written by ourselves: rich would end the process with code 1 when the reader has gone.
    sys.stdout.write(drawn.get())
    return 0
