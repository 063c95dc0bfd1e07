"""Learning from settled labels with River; what serving reads is a snapshot (models/serving.py).

Negatives are under-sampled by the engine: it calls `learn` for every fraud and for a hash-chosen share
`negative_rate` of the good payments. That makes learning cheap and ranks better; the calibration undoes it,
so that risk is a probability. Nothing here reads a clock or an unseeded random number: equal calls, equal
snapshots. Which model serves is decided on scores given before the label was known (models/champions.py).
"""

from __future__ import annotations

import hashlib
import math
import pickle
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from river import __version__ as river_version  # type: ignore[attr-defined]

from models import snapshot
from models.anomaly import GoodHalfSpace
from models.blend import CalibrationRing
from models.boosting import RefittedBoosting
from models.champions import AUTOMATIC, CHECK, COLUMNS, KNOWN_GOOD, Champions
from models.costs import CostSettings
from models.errors import SnapshotError
from models.forest import BoundedForest
from models.learner_report import Change, LearnerReport
from models.logistic import OnlineLogistic
from models.oversight import HeldBack, Oversight
from models.reporting import Points, report_of
from models.risk import Thresholds
from models.scaling import RunningScale
from models.serving import Snapshot
from models.settled import NOWHERE, Origin

Float = npt.NDArray[np.float64]
LEARNERS: list[type[OnlineLogistic | BoundedForest | RefittedBoosting | GoodHalfSpace]] = [
    OnlineLogistic,
    BoundedForest,
    RefittedBoosting,
    GoodHalfSpace,
]
"""Every model that learns, in the order of `snapshot.MODELS`. Each has River's verbs, `inputs` and
`compiled`."""

FIRST_VIEW, REFRESH = 100, 500
"""Examples after which the calibration looks through a newly compiled view of the models: the first, and each
one after it."""
_MAGIC = b"TGLEARN4"


class OnlineLearner:
    """Logistic regression, forest, boosted trees and half-space trees, with the calibration that joins them.

    features: names in column order. negative_rate: the share of good payments the engine passes on. examples,
    frauds: learnt so far. costs, thresholds: of the settings; by_cost: snapshots carry the alert threshold of least
    cost. About 0.5 ms an example with 131 features.
    """

    def __init__(
        self, features: tuple[str, ...], seed: int = 7, negative_rate: float = 0.1, costs: CostSettings | None = None,
        thresholds: Thresholds | None = None, by_cost: bool = False,
    ) -> None:  # fmt: skip
        if not 0.0 < negative_rate <= 1.0:
            raise ValueError(f"negative_rate is {negative_rate}: give a share in (0, 1]")
        self.features = features
        self.negative_rate = negative_rate
        self.examples = 0
        self.frauds = 0
        self._scale = RunningScale(len(features))
        self._logistic = OnlineLogistic(len(features), seed)
        self._forest = BoundedForest(len(features), seed)
        self._boosted = RefittedBoosting(len(features), seed)
        self._half_space = GoodHalfSpace(len(features), seed)
        self._ring = CalibrationRing()
        self.champions = Champions()
        self.oversight = Oversight(
            features, negative_rate, costs or CostSettings(), thresholds or Thresholds(), by_cost
        )
        self._points = Points()
        self._view: Snapshot | None = None
        self._calibrated = False
        # The view of the last check that found the champion healthy, and the one the check after it confirmed.
        self._pending: Snapshot | None = None
        self._known_good: Snapshot | None = None

    def learn(
        self, x: Float, fraud: bool, weight: float = 1.0, key: int = -1, origin: Origin = NOWHERE
    ) -> bool:
        """Learn one settled example: x float64 [F], NaN where missing. False when its label is not trusted and it is not.

        weight: 1/p of an example that was kept with probability p for other reasons than the sampling of
        negatives. key ≥ 0 names the transaction: when it comes again its label is corrected where examples are kept,
        and weighed against where they are not. origin: where the payment comes from, and whether its label corrects one.
        """
        x = np.ascontiguousarray(x, dtype=np.float64)
        if x.shape != (len(self.features),):
            raise ValueError(f"the row has shape {x.shape}, the learner {len(self.features)} features")
        fraud = bool(
            fraud
        )  # River keys its counts by the label: numpy's bool would be another one when pickled
        # Scored by models that have not seen it, as in service: what calibration must be fitted on.
        raw = None if self._view is None else self._view.raw(x[None, :])
        said = self._said(x, raw) if raw is not None and self._calibrated else None
        risk = math.nan if said is None else said[COLUMNS.index(self.champions.champion)]
        example = HeldBack(x, fraud, weight, key, origin)
        if origin.corrects and self.oversight.takes_back(example):
            return False
        if not self.oversight.admits(example, risk):
            return False
        stands_for = example.stands_for(self.negative_rate)
        if raw is not None:
            self._ring.add(raw[0], fraud, stands_for, key, origin)
        if said is not None:
            self.champions.add(said, fraud, stands_for, key, origin)
        self._take(example, risk)
        return True

    def _take(self, example: HeldBack, risk: float) -> None:
        x, fraud, weight, key, origin = example
        stands_for = example.stands_for(self.negative_rate)
        self._scale.update(x)
        row = self._scale.apply(x)
        self.oversight.learnt(row, risk, fraud, stands_for, key, origin)
        for model in (self._logistic, self._half_space):
            model.learn_one(model.inputs(row), fraud, weight)
        given = self._forest.inputs(row)  # the boosted trees read the same
        self._forest.learn_one(given, fraud, weight)
        # A label put right in place weighs what a payment that was not sampled weighs among those that were.
        certain = origin.corrects and not fraud
        self._boosted.learn_one(given, fraud, weight * self.negative_rate if certain else weight, key)
        self.examples += 1
        self.frauds += fraud
        if self.examples == FIRST_VIEW or self.examples % REFRESH == 0:
            self._calibrated = self._ring.ready()
            self._view = Snapshot.from_bytes(self._compiled())
            if self.oversight.drift.choosing and (parts := self.feature_parts()) is not None:
                self.oversight.drift.choose(parts)
        if self.examples % CHECK == 0:
            self._check(origin.known_at)

    def _said(self, x: Float, raw: Float) -> list[float]:
        """What everything that may serve says of an example, in the order of champions.COLUMNS."""
        assert self._view is not None
        kept = self._known_good
        good = math.nan if kept is None else float(kept.score(x[None, :]).risk[0])
        return [*self._view.candidates(raw)[0].tolist(), good]

    def _check(self, at: int) -> None:
        self.champions.check(at)
        self.oversight.check(self.champions, at)
        self._points.note(self.champions, at, self.oversight.threshold.in_force)
        if self.champions.champion == KNOWN_GOOD:
            return
        if not self.champions.healthy:
            self._pending = None
            return
        if self._pending is not None:
            self._known_good = self._pending
        self._pending = self._view

    def choose(self, name: str, actor: str, reason: str, at: int) -> Change:
        """Pin a candidate by an operator's wish, or end the pin (name: AUTOMATIC). at: time of the stream, ms.

        Takes effect with the next snapshot. Raises SnapshotError for what is not there.
        """
        if name == AUTOMATIC:
            return self.champions.release(actor, reason, at)
        if name == KNOWN_GOOD and self._known_good is None:
            raise SnapshotError("no snapshot has been confirmed as good yet: pin another candidate")
        return self.champions.pin(name, actor, reason, at)

    def trust(self, name: str, actor: str, reason: str, at: int) -> Change:
        """Learn from a source (`actor:alice`) as usual again, by an operator's word, and what was held back of it last.

        Raises SnapshotError when learning from it is normal.
        """
        before, _ = self.oversight.labels.state
        self.oversight.labels.trust(name, at, actor)
        for held in self.oversight.released(name):
            self._take(held, math.nan)
        after, _ = self.oversight.labels.state
        return self.champions.note(
            Change(at=at, kind="trusted", before=before, after=after, actor=actor, reason=f"{name}: {reason}")
        )

    def feature_parts(self) -> Float | None:
        """Mean absolute part of each feature in the log-odds of the newest rows [F]; None while nothing is compiled."""
        rows = self.oversight.recent
        if self._view is None or not len(rows):
            return None
        parts: Float = np.abs(self._view.shares(rows)[1][:, : len(self.features)]).mean(axis=0)
        return parts

    def report(self, version: str, at: int) -> LearnerReport:
        """How the candidates stand. version: of the snapshot that serves; at: time of the stream, ms."""
        return report_of(
            self.champions, self._points, self.oversight, version=version, examples=self.examples, frauds=self.frauds,
            at=at, rate=self.negative_rate,
        )  # fmt: skip

    def snapshot(self) -> bytes:
        """The models as they are, compiled for serving; untrained while they cannot be calibrated yet."""
        if self.champions.champion == KNOWN_GOOD and self._known_good is not None:
            return self._with_threshold(self._known_good)
        if not self._ring.ready():
            return Snapshot.untrained(self.features).data
        return self._compiled()

    def _with_threshold(self, kept: Snapshot) -> bytes:
        """A snapshot of the past with the alert threshold of now, which was computed from the risk it serves."""
        high = self.oversight.threshold.high
        if kept.high == high:
            return kept.data
        return snapshot.encode(msgspec.structs.replace(snapshot.decode(kept.data), high=high))

    def _compiled(self) -> bytes:
        champion = self.champions.champion
        body = snapshot.SnapshotBody(
            # What is compiled while the last known good snapshot serves is a view only.
            champion=snapshot.STACK if champion == KNOWN_GOOD else champion,
            features=self.features,
            examples=self.examples,
            frauds=self.frauds,
            negative_rate=self.negative_rate,
            river=river_version,
            mean=self._scale.mean.copy(),
            spread=self._scale.spread(),
            linear=self._logistic.compiled(),
            forest=self._forest.compiled(),
            boosted=self._boosted.compiled(),
            half_space=self._half_space.compiled(),
            calibration=self._ring.fit(self.negative_rate),
            high=self.oversight.threshold.high,
        )
        return snapshot.encode(body)

    def to_state(self) -> bytes:
        """Everything needed to go on learning. It is a pickle: sign it, and load only what was signed."""
        body = pickle.dumps(self.__dict__, protocol=5)
        release = river_version.encode()
        return b"".join((_MAGIC, bytes([len(release)]), release, hashlib.sha256(body).digest(), body))

    @classmethod
    def from_state(cls, data: bytes) -> OnlineLearner:
        """The learner as it was; it goes on exactly as if it had never stopped.

        The signature must have been checked before. Raises SnapshotError for a torn state and for one that
        another version of River wrote (its objects may not mean the same).
        """
        start = len(_MAGIC) + 1
        if len(data) < start or not data.startswith(_MAGIC):
            raise SnapshotError(
                f"{len(data)} bytes are no learner state of format {_MAGIC.decode()}: saved by another version? learn "
                "again from the recorded stream"
            )
        end = start + data[start - 1]
        release = data[start:end].decode("ascii", "replace")
        if release != river_version:
            raise SnapshotError(
                f"the learner state was written by River {release}, here is {river_version}: "
                "install that version, or learn again from the recorded stream"
            )
        digest, body = data[end : end + 32], data[end + 32 :]
        if hashlib.sha256(body).digest() != digest:
            raise SnapshotError(
                "the learner state is torn: its checksum differs; take the checkpoint before it"
            )
        learner = cls.__new__(cls)
        state: dict[str, Any] = pickle.loads(body)  # noqa: S301  signed by the caller
        learner.__dict__.update(state)
        return learner
