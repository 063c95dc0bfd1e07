"""Options that several commands share, and what they stand for."""

from __future__ import annotations

import argparse
import datetime as dt
import time
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import SettingsError

if TYPE_CHECKING:
    from dataflow.settings import Settings
    from dataflow.sources.mapping import Mapping


LONGEST_NAME = 128


def add_config(parser: argparse.ArgumentParser) -> None:
    """`--config F`."""
    text = "settings file (default: tidegate.toml here if there is one, else built-in settings)"
    parser.add_argument("--config", type=Path, metavar="F", help=text)


def add_json(parser: argparse.ArgumentParser) -> None:
    """`--json`."""
    text = "print the result as one JSON object, the last line of stdout; everything else goes to stderr"
    parser.add_argument("--json", action="store_true", help=text)


def add_mapping(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """`--mapping NAME_OR_FILE`."""
    text = "column mapping of CSV and Parquet files: a shipped one (handbook, ulb) or a TOML file"
    parser.add_argument("--mapping", metavar="NAME_OR_FILE", required=required, help=text)


def add_who(parser: argparse.ArgumentParser) -> None:
    """`--actor NAME` and `--role ROLE`: who acts."""
    parser.add_argument("--actor", metavar="NAME", help="who acts (default: console.actor of the settings)")
    parser.add_argument(
        "--role", metavar="ROLE", help="in which role (default: console.role of the settings)"
    )


def who_of(args: argparse.Namespace, settings: Settings) -> tuple[str, str]:
    """Actor and role. Raises SettingsError."""
    from alerts.rights import ROLES

    actor, role = (args.actor or settings.console.actor).strip(), args.role or settings.console.role
    if not actor or len(actor) > LONGEST_NAME:
        raise SettingsError(f"--actor is a name of 1 to {LONGEST_NAME} characters")
    if role not in ROLES:
        raise SettingsError(f"--role {role!r}: choose from {', '.join(ROLES)}")
    return actor, role


def settings_of(args: argparse.Namespace) -> Settings:
    """The settings `--config` names. Raises SettingsError."""
    from dataflow.settings import load_settings

    return load_settings(args.config)


def mapping_of(args: argparse.Namespace) -> Mapping | None:
    """The mapping `--mapping` names, None without one. Raises MappingError."""
    from dataflow.sources.mapping import load_mapping

    return load_mapping(args.mapping) if args.mapping else None


def moment_of(text: str | None) -> int:
    """The moment (ms) that `--at` names, now without it. Raises SettingsError."""
    if text is None:
        return time.time_ns() // 1_000_000
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"--at is {text!r}: give a time as in 2026-11-25T09:30+08:00") from None
    if moment.tzinfo is None:
        raise SettingsError(f"--at is {text!r}: add the zone, as in {text}+08:00")
    return int(moment.timestamp() * 1000)


def at_least(name: str, value: float | None, least: float) -> None:
    """Raise SettingsError when an option's number is too small; None passes."""
    if value is not None and not value >= least:
        raise SettingsError(f"{name} is {value}: give {least} or more")
