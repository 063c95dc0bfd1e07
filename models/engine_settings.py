"""What shapes the engine's answers; part of what a replay must repeat."""

from __future__ import annotations

from typing import Literal

import msgspec

from models.features import names_with
from models.risk import Thresholds

DAY_MS = 86_400_000
MOST_ATTRIBUTES = 256
CAPACITIES = {
    "card": 2_000_000, "customer": 2_000_000, "device": 500_000, "ip": 500_000, "merchant": 200_000,
    "payee": 500_000, "bin": 50_000, "partner": 1_000, "corridor": 20_000,
    "account": 500_000, "goods": 50_000,
}  # fmt: skip


class EngineSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """See the module's docstring.

    settle_after_ms: a transaction without a label counts as legitimate after this. negative_rate: share of
    settled negatives that are learnt. publish_every: learnt examples between two model snapshots. capacities:
    most entities kept, by entity. explain_all: reasons also for band low. enforced: our declines are carried out, so
    what we decline has no outcome; False for recorded history, where everything took its course. exploration: share
    of payments, chosen by hash, that the models alone would decline and that get the action of band high instead, so
    that something is learnt of them; each counts 1/exploration times. evidence: decisions with reasons also
    carry their features and what the amount alone would have changed. attributes: names of transactions' attributes
    that the models get beside the features; a transaction without one has it missing. alert_threshold: the lower edge of
    band high is `fixed` (thresholds) or the one of least `cost` that travels in the model snapshot ([costs]).
    """

    settle_after_ms: int = 10 * DAY_MS
    negative_rate: float = 0.1
    publish_every: int = 1000
    ledger_rows: int = 2**22
    vector_rows: int = 2**18
    capacities: dict[str, int] = msgspec.field(default_factory=lambda: dict(CAPACITIES))
    thresholds: Thresholds = Thresholds()
    explain_all: bool = False
    with_features: bool = False
    evidence: bool = False
    enforced: bool = True
    exploration: float = 0.0
    attributes: tuple[str, ...] = ()
    alert_threshold: Literal["fixed", "cost"] = "fixed"

    def __post_init__(self) -> None:
        if not 0.0 < self.negative_rate <= 1.0:
            raise ValueError(f"negative_rate is {self.negative_rate}: give a share in (0, 1]")
        if not 0.0 <= self.exploration <= 1.0:
            raise ValueError(f"exploration is {self.exploration}: give a share in [0, 1]")
        if (other := set(self.capacities) ^ set(CAPACITIES)) or min(self.capacities.values()) < 1:
            wrong = ", ".join(sorted(other)) or "one of them is below 1"
            raise ValueError(f"capacities: give a number to each of {', '.join(CAPACITIES)} ({wrong})")
        if len(set(self.attributes)) != len(self.attributes) or len(self.attributes) > MOST_ATTRIBUTES:
            raise ValueError(f"attributes: give at most {MOST_ATTRIBUTES} names, each once")

    @property
    def features(self) -> tuple[str, ...]:
        """Names of everything the models get, in order."""
        return names_with(self.attributes)
