"""`tidegate`: the command line.

Each command is a module of dataflow/commands with `NAME`, `HELP` (empty: not shown), `configure(parser)` and
`run(args) -> exit code`. Modules import what they work with inside `run`, and only the module of the command
that was asked for is imported, so that help is quick and a replay never loads the console.

Exit codes: 0 done, 1 the thing looked at is not in order, 2 a mistake in what was asked or given, 3 no store
can be reached, 130 interrupted, 141 the reader of the output went away.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module, metadata
from typing import Any

from models.errors import RoleError, TidegateError

ABOUT = "Watches cross-border payments as they flow and shuts the gate when a surge of fraud comes."
COMMANDS = [
    "up",
    "worker",
    "simulate",
    "ingest",
    "serve",
    "replay",
    "evaluate",
    "backtest",
    "bench",
    "soak",
    "chaos",
    "rules",
    "models",
    "alert",
    "incident",
    "contain",
    "drill",
    "route",
    "silence",
    "snooze",
    "audit",
    "plan",
    "notice",
    "lists",
    "status",
]
"""Modules of dataflow/commands, in the order of the help; a module is called as its command."""


def parser_of(names: Sequence[str] = tuple(COMMANDS)) -> argparse.ArgumentParser:
    """The parser with these commands."""
    parser = argparse.ArgumentParser(
        prog="tidegate",
        description=ABOUT,
        epilog="`tidegate COMMAND --help` explains a command.",
    )
    parser.add_argument("--version", action="version", version=f"tidegate {version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, title="commands")
    for name in names:
        module: Any = import_module(f"dataflow.commands.{name}")
        shown = {"help": module.HELP} if module.HELP else {}
        command = commands.add_parser(module.NAME, description=module.HELP or None, **shown)
        module.configure(command)
        command.set_defaults(run=module.run)
    return parser


def version() -> str:
    """The installed version."""
    try:
        return metadata.version("tidegate")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Mistakes are one line on stderr, never a traceback."""
    given = list(sys.argv[1:] if argv is None else argv)
    asked = [name for name in COMMANDS if given[:1] == [name]]
    try:
        args = parser_of(asked or COMMANDS).parse_args(given)
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except TidegateError as error:
        remedy = "; --role ROLE says in which you act (default: console.role)"
        return _refuse(f"{error}{remedy if isinstance(error, RoleError) and hasattr(args, 'role') else ''}")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Python flushes stdout once more when it ends: there is nobody to read it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        return _refuse(
            f"{error.filename or 'system'}: {error.strerror or error}; check the path and its rights"
        )


def _refuse(message: str) -> int:
    print(f"tidegate: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
