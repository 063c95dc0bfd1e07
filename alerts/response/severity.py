"""How bad an incident is: urgency × the worst of five impacts, from a data file (severity.toml)."""

from __future__ import annotations

import datetime as dt
import tomllib
from functools import cache
from importlib.resources import files

import msgspec

from alerts.alert import Severity
from alerts.response.incident import URGENCIES, Impacts, Loss, Urgency
from models.errors import SettingsError
from models.money import FxTable

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
COLUMNS = ("minor", "moderate", "major", "severe")


class ImpactEdges(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lower edges of the columns of one impact."""

    name: str
    edges: list[float]
    source: str
    confidence: str
    verified: bool


class UrgencyEdges(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lower edges of urgency medium, high and critical."""

    loss_usd_per_hour: list[float]
    source: str
    confidence: str
    verified: bool


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a severity asks of people, in minutes; team: roles that are paged at once."""

    acknowledge: int
    contain: int
    sitrep: int
    team: list[str]


class SeverityTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """severity.toml, checked."""

    version: str
    effective_from: dt.date
    impact: list[ImpactEdges]
    matrix: dict[Urgency, list[Severity]]
    urgency: UrgencyEdges
    targets: dict[Severity, Target]

    def __post_init__(self) -> None:
        wrong = [i.name for i in self.impact if len(i.edges) != 4 or sorted(i.edges) != i.edges]
        if {i.name for i in self.impact} != {
            "customers",
            "records",
            "loss_cny",
            "outage_min",
            "payments_failed",
        }:
            raise ValueError("impact: give customers, records, loss_cny, outage_min and payments_failed")
        if wrong or len(self.urgency.loss_usd_per_hour) != 3:
            raise ValueError(f"edges of {wrong or 'urgency'} must be four (urgency: three) rising numbers")
        if set(self.matrix) != set(URGENCIES) or any(len(row) != 4 for row in self.matrix.values()):
            raise ValueError("matrix: give four severities to each of low, medium, high, critical")
        if set(self.targets) != {"S1", "S2", "S3", "S4"}:
            raise ValueError("targets: give S1 to S4")

    def column(self, impacts: Impacts, cny_per_usd: float) -> int:
        """The worst column any impact reaches; what is not assessed reaches none. 0 minor … 3 severe."""
        known = {
            "customers": impacts.customers, "records": impacts.records, "outage_min": impacts.outage_min,
            "payments_failed": impacts.payments_failed,
            "loss_cny": None if impacts.loss_usd is None else impacts.loss_usd * cny_per_usd,
        }  # fmt: skip
        worst = 0
        for row in self.impact:
            value = known[row.name]
            if value is not None:
                worst = max(worst, sum(value >= edge for edge in row.edges) - 1)
        return worst

    def severity(self, urgency: Urgency, impacts: Impacts, cny_per_usd: float) -> Severity:
        """Severity of an incident."""
        return self.matrix[urgency][self.column(impacts, cny_per_usd)]

    def urgency_of(self, least: Urgency, loss: Loss, since: int, now: int) -> Urgency:
        """The higher of `least` and what the loss an hour asks for, over the time from `since` to `now` (ms).

        Less than a quarter of an hour counts as one, so that a single large payment is no flood.
        """
        hours = max(now - since, HOUR_MS / 4) / HOUR_MS
        rank = sum(loss.usd / hours >= edge for edge in self.urgency.loss_usd_per_hour)
        return URGENCIES[max(rank, URGENCIES.index(least))]


@cache
def severity_table() -> SeverityTable:
    """The table that ships."""
    text = (files("alerts.response") / "severity.toml").read_text("utf-8")
    try:
        return msgspec.convert(tomllib.loads(text), SeverityTable)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(f"severity.toml: {error}") from None


@cache
def cny_per_usd() -> float:
    """The rate that turns estimates of loss into the currency of the table: the newest of the FX table that ships."""
    tables = msgspec.json.decode(FxTable.default().to_json())["table"]
    return float(max(tables, key=lambda rates: rates["as_of"])["per_usd"]["CNY"])
