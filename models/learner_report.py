"""What the learner tells people about itself: how good each model is, who serves, what drifts.

Made by the learner process, kept in the store beside the snapshot, shown on the Models page. Everything in it is
measured on settled examples with the scores they had before they were learnt (prequential).
"""

from __future__ import annotations

import msgspec

from models.prequential import QualityPoint


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate's measures over the window of settled examples, sampling undone. None: not defined yet.

    name: a candidate of models/champions.py. settled, frauds: payments that the settled examples stand for. log_loss
    in nats a payment; recall: share of the frauds among the alert budget's highest scores.
    """

    name: str
    settled: int
    frauds: int
    log_loss: float | None = None
    roc_auc: float | None = None
    average_precision: float | None = None
    recall: float | None = None
    calibration_error: float | None = None


class CorridorStanding(msgspec.Struct, frozen=True, kw_only=True):
    """The champion in one corridor: shares of fraud expected and observed among settled payments.

    log_loss: of each candidate here, by name.
    """

    corridor: str
    settled: int
    frauds: int
    expected: float
    observed: float
    average_precision: float | None = None
    log_loss: dict[str, float] = {}


class CalibrationBin(msgspec.Struct, frozen=True):
    """Payments of about the same risk: mean risk, share that was fraud, payments (sampling undone)."""

    expected: float
    observed: float
    payments: float


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """The serving model changed. kind: promoted, rolled_back, pinned or released; at: time of the stream, ms."""

    at: int
    kind: str
    before: str
    after: str
    actor: str
    reason: str


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Something a person should know. kind: score, feature, label_rate, calibration (drift) or poisoning."""

    at: int
    kind: str
    name: str
    text_en: str
    text_zh: str


class LearnerReport(msgspec.Struct, frozen=True, kw_only=True):
    """See the module's docstring. at: time of the stream, ms; champion: the candidate that serves; pinned: by whom.

    points: quality of what was served, over time. label_delay: quantiles (p10, p50, p90) in hours from payment to
    its label. vectors_gone: labels whose vector had gone.
    """

    at: int
    version: str
    examples: int
    frauds: int
    champion: str
    pinned: str | None = None
    standings: list[Standing] = []
    corridors: list[CorridorStanding] = []
    calibration: list[CalibrationBin] = []
    points: list[QualityPoint] = []
    changes: list[Change] = []
    marks: list[Mark] = []
    label_delay: dict[str, float] = {}
