"""What one entry of the feature catalogue says."""

from __future__ import annotations

from typing import Literal, NamedTuple

from models.formulas import Formula

Unit = Literal[
    "usd", "count", "seconds", "days", "ratio", "share", "deviations", "km/h", "flag", "nats", "hour"
]


class Feature(NamedTuple):
    """One entry.

    usual: (name of the feature to compare with, divisor), shown as "usual" in reasons. cap: largest value models
    see; rules and reasons see the value itself. Quantities that grow with the age of the system need one: a
    model learns from payments whose outcome window has closed, and must not meet values no example could have.
    """

    name: str
    entity: str
    unit: Unit
    en: str
    zh: str
    formula: Formula
    usual: tuple[str, float] | None = None
    cap: float | None = None


F = Feature
