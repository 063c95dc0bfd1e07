"""Where the emergency plan of an installation stands."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from alerts.emergency.plan_book import Book

SHIPPED = Path(str(files("alerts") / "plans"))


class EmergencySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """plans: folder of plans with its `shared` folder; empty: the examples that ship."""

    plans: str = ""

    @property
    def folder(self) -> Path:
        """The folder, absolute."""
        return Path(self.plans).absolute() if self.plans else SHIPPED

    def book(self) -> Book:
        """The plan book. Raises PlanError."""
        # Settings are read by every command: what reads plans comes with the one that asks for them.
        from alerts.emergency.plan_book import load_book

        return load_book(self.folder)
