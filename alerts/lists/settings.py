"""How an installation takes part in exchanges of indicators."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from alerts.custody.private_files import read_private
from alerts.lists.exchange import Exchange, ExchangeSettings
from models.errors import SettingsError


class ListSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """exchanges: those we are a member of. block_from: shared indicators of less confidence are watched, not blocked."""

    exchanges: list[ExchangeSettings] = []
    block_from: Annotated[int, msgspec.Meta(ge=0, le=100)] = 80

    def exchange(self, name: str) -> Exchange:
        """One of them with its key. Raises SettingsError, CustodyError for the key file."""
        found = next((one for one in self.exchanges if one.name == name), None)
        if found is None:
            there = (
                ", ".join(one.name for one in self.exchanges) or "none; add one under [lists] of the settings"
            )
            raise SettingsError(f"there is no exchange {name!r}: {there}")
        return Exchange.of(found, read_private(Path(found.key_file)))

    def all(self) -> list[Exchange]:
        """All of them with their keys. Raises CustodyError."""
        return [self.exchange(one.name) for one in self.exchanges]
