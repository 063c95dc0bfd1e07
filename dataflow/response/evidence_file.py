"""`tidegate incident evidence` and `verify`: evidence of an incident out into a file, and whether it is as it was."""

from __future__ import annotations

import argparse
import base64
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from alerts.custody.audit_root import PURPOSE
from alerts.custody.private_files import write_private
from alerts.response.evidence import PURPOSE as EVIDENCE
from alerts.response.evidence import changes, sealed
from alerts.response.gathering import gathered
from alerts.response.incident import PlanUsed
from dataflow.commands import options, showing
from dataflow.worker import ring_of

if TYPE_CHECKING:
    from alerts.response.core import ResponseCore
    from dataflow.settings import Settings

_SETTINGS = ("engine", "flow", "four_eyes", "costs", "rules", "fx")


def write(args: argparse.Namespace, settings: Settings, core: ResponseCore, now: int) -> int:
    """Write the evidence of one incident, mode 0600."""
    actor, role = options.who_of(args, settings)
    lines = evidence_of(core, settings, args.id, actor, role, now)
    write_private(args.out, b"".join(line + b"\n" for line in lines))
    showing.show(
        {"incident": args.id, "file": str(args.out), "lines": len(lines)},
        "incident evidence",
        as_json=args.json,
    )
    return 0


def evidence_of(
    core: ResponseCore, settings: Settings, id_: str, actor: str, role: str, now: int
) -> list[bytes]:
    """The lines of the evidence file; that it was taken out stands in the audit chain. Raises RefusedError."""
    core.export_noted(id_, actor, role, now)
    configuration = dict(_configuration(settings)) | dict(_plan(settings, core.incident(id_).plan))
    parts = gathered(core, id_, configuration)
    return sealed(id_, parts, ring_of(settings).ed25519(PURPOSE), actor, now)


def verify(args: argparse.Namespace, settings: Settings, purpose: bytes = EVIDENCE) -> int:
    """Say everything that is not as it was sealed for this purpose; 1 if there is anything."""
    trusted = args.key or [
        base64.b64encode(ring_of(settings).ed25519(PURPOSE).public_key().public_bytes_raw()).decode()
    ]
    found = changes(args.file.read_bytes(), trusted, purpose)
    told = {"intact": not found, "file": str(args.file), "findings": msgspec.to_builtins(found)}
    showing.show(told, "verify", as_json=args.json)
    return 1 if found else 0


def _plan(settings: Settings, used: PlanUsed | None) -> Iterator[tuple[str, str]]:
    if used is not None:
        plan = settings.emergency.book().plan(used.id, used.version)
        yield f"plan {used.id} {used.version} {used.digest}", msgspec.json.encode(plan).decode()


def _configuration(settings: Settings) -> Iterator[tuple[str, str]]:
    """What shaped decisions and the response, as text. Addresses stay out: they may hold secrets."""
    named = {name: getattr(settings, name) for name in _SETTINGS}
    yield "settings.json", msgspec.json.encode(named).decode()
    rules = Path(settings.rules) if settings.rules else files("models.rules") / "packs" / "core.toml"
    yield "rules.toml", rules.read_text("utf-8")
    for name in ("detectors", "severity", "containment"):
        yield f"{name}.toml", (files("alerts.response") / f"{name}.toml").read_text("utf-8")
    yield "roles.toml", (files("alerts") / "data" / "roles.toml").read_text("utf-8")
