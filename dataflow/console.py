"""The console as one of the processes: what it is told, and how a worker becomes it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from alerts.custody.private_files import make_private_directory
from dataflow.settings import Settings
from dataflow.supervise import python


def become_console(settings: Settings, url: str) -> None:
    """Replace this process with the console over the store at `url`."""
    make_private_directory(settings.directory)
    told = settings.directory / "console.json"
    console_settings(settings, told)
    address = ("--port", str(settings.console.port), "--address", settings.console.address)
    command = python("dashboard.serve", *address)
    # The url may hold a password, so it goes by the environment, never by the command line.
    os.execve(command[0], command, {**os.environ, "REDIS_URL": url, "TIDEGATE_CONSOLE": str(told)})  # noqa: S606


def _lists(settings: Settings) -> dict[str, Any]:
    """Exchanges with the places of their keys, which the console reads itself: absolute, wherever it is started."""
    told: dict[str, Any] = msgspec.to_builtins(settings.lists)
    for one in told["exchanges"]:
        one["key_file"] = str(Path(one["key_file"]).absolute())
    return told


def console_settings(settings: Settings, path: Path) -> None:
    """Write the resolved settings the console reads: no secret in them, the store's url comes by REDIS_URL."""
    edges = settings.engine.thresholds
    resolved = {
        "actor": settings.console.actor, "language": settings.console.language,
        "role": settings.console.role, "four_eyes": msgspec.to_builtins(settings.four_eyes),
        "thresholds": {"medium": edges.medium, "high": edges.high, "critical": edges.critical},
        "rules": str(Path(settings.rules).absolute()) if settings.rules else None,
        "settle_after_ms": settings.engine.settle_after_ms, "plans": str(settings.emergency.folder),
        "notices": msgspec.to_builtins(settings.notices), "lists": _lists(settings),
    }  # fmt: skip
    path.write_bytes(msgspec.json.encode(resolved))
