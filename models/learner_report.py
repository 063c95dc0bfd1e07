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


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """The test of a challenger against the champion (models/champions.py), over blocks of settled examples.

    z: of the difference in log-loss, above 0 when the challenger is better; gain: share of the champion's log-loss that
    it saves. passed: checks passed in a row. waits: examples until it may be promoted at all (after a change, or after it
    was taken back). *_needed: what promotion takes. None: not defined yet.
    """

    name: str
    blocks: int
    blocks_needed: int
    frauds: int
    frauds_needed: int
    z: float | None
    z_needed: float
    gain: float | None
    gain_needed: float
    passed: int
    passes_needed: int
    waits: int


class CorridorStanding(msgspec.Struct, frozen=True, kw_only=True):
    """The champion in one corridor: shares of fraud expected and observed among settled payments.

    log_loss: of each candidate here, by name. ratio: observed / expected frauds, pulled towards 1 by a few frauds' worth
    of prior (1: calibrated; 2: twice as much fraud as the risk says); ratio_low, ratio_high: its 95 % interval; z: how
    many standard deviations frauds lie above what was expected. drifting: beyond chance, for all corridors together.
    """

    corridor: str
    settled: int
    frauds: int
    expected: float
    observed: float
    average_precision: float | None = None
    log_loss: dict[str, float] = {}
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    z: float | None = None
    drifting: bool = False


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


class CostPoint(msgspec.Struct, frozen=True, gc=False):
    """What alerting from `threshold` on would have cost over the window of settled payments.

    threshold: risk; 1.0: no alert at all. cost_per_day: US dollars. recall, precision: None where not defined.
    allowed: within the alert budget.
    """

    threshold: float
    cost_per_day: float
    alerts_per_day: float
    recall: float | None = None
    precision: float | None = None
    allowed: bool = True


class CostCurve(msgspec.Struct, frozen=True, kw_only=True):
    """Cost against threshold, fewest alerts first (models/costs.py); thinned, the best point always among them.

    best: the cheapest allowed point of the whole curve. payments, frauds: settled ones in the window, sampling undone;
    days: it spans. budget_share, budget_per_day: the alert budget, None where there is no limit. in_force: the lower
    edge of band `high`; chosen_by: `fixed` (settings) or `cost`.
    """

    points: list[CostPoint]
    best: CostPoint
    payments: float
    frauds: float
    days: float
    in_force: float
    chosen_by: str = "fixed"
    budget_share: float | None = None
    budget_per_day: float | None = None


class FeatureGroup(msgspec.Struct, frozen=True, gc=False):
    """A group of features and its part of the champion's risk: share of all absolute weight, in [0, 1]."""

    name: str
    share: float
    features: int


class Surge(msgspec.Struct, frozen=True, kw_only=True):
    """A source of labels, or an entity, that learning does not trust as usual.

    kind: source, actor or corridor; name: which. state: weighed_down or frozen; weight: what its labels count now, in
    [0, 1]. since: ms. labels, usual: per thousand examples, now and in its own past.
    """

    kind: str
    name: str
    state: str
    since: int
    weight: float
    labels: float
    usual: float
    reason_en: str
    reason_zh: str


class LearnerReport(msgspec.Struct, frozen=True, kw_only=True):
    """See the module's docstring. at: time of the stream, ms; champion: the candidate that serves; pinned: by whom.

    points: quality of what was served, over time. label_delay: quantiles (p10, p50, p90) in hours from payment to
    its label. learning: normal, weighed_down or frozen, the worst of `surges`; learning_since: ms, 0 from the start.
    costs: None until enough has settled. groups: largest share first, empty until something is learnt. vectors_waiting,
    vectors_gone: feature vectors that wait for an outcome, and outcomes whose vector had gone; None: not known.
    """

    at: int
    version: str
    examples: int
    frauds: int
    champion: str
    pinned: str | None = None
    standings: list[Standing] = []
    trials: list[Trial] = []
    corridors: list[CorridorStanding] = []
    calibration: list[CalibrationBin] = []
    points: list[QualityPoint] = []
    changes: list[Change] = []
    marks: list[Mark] = []
    label_delay: dict[str, float] = {}
    learning: str = "normal"
    learning_since: int = 0
    surges: list[Surge] = []
    costs: CostCurve | None = None
    groups: list[FeatureGroup] = []
    vectors_waiting: int | None = None
    vectors_gone: int | None = None
