"""`tidegate rules`: check rule packs, list the rules in force."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dataflow.commands import options, showing

NAME = "rules"
HELP = "check rule packs and list the rules in force"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")
    text = "read, check and compile packs and run their examples (exit 1: one is refused)"
    check = verbs.add_parser("check", help=text, description=text)
    check.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a rule pack (TOML)")
    text = "list the rules of the pack the settings name"
    listing = verbs.add_parser("list", help=text, description=text)
    options.add_config(listing)
    for verb in (check, listing):
        options.add_json(verb)


def run(args: argparse.Namespace) -> int:
    """Check or list."""
    return _check(args) if args.verb == "check" else _list(args)


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
