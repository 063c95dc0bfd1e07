"""What a scenario is: a typology that plans campaigns of payments and behaviour events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from dataflow.simulation.craft import Craft, Draft, Fields, LabelKind
from dataflow.simulation.rhythm import DAY_MS, HOUR_MS

MINUTE_MS = 60_000
SPAN_DAYS = 14
"""No campaign lasts longer; a stream that starts in the middle looks back this far."""


class Scenario(ABC):
    """One typology.

    share: the fraction of all payments it makes up in the realistic mix. size: payments of a mean campaign.
    label: how its frauds usually become known.
    """

    name: ClassVar[str]
    typology: ClassVar[str]
    share: ClassVar[float]
    size: ClassVar[float]
    label: ClassVar[LabelKind] = "chargeback"

    @abstractmethod
    def plan(self, craft: Craft, start: int) -> list[Draft]:
        """The drafts of one campaign that begins within 24 hours of `start` and ends within SPAN_DAYS."""

    def fraud(self, craft: Craft, fields: Fields) -> Draft:
        """A payment that truly belongs to the campaign."""
        return craft.draft("transaction", fields, typology=self.typology, label=self.label)

    def act(self, craft: Craft, fields: Fields) -> Draft:
        """A behaviour event that truly belongs to the campaign."""
        return craft.draft("behaviour", fields, typology=self.typology, label=self.label)


__all__ = ["DAY_MS", "HOUR_MS", "MINUTE_MS", "SPAN_DAYS", "Scenario"]
