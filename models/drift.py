"""Drift: has what the models see, say or are told changed beyond chance, and by enough to matter?

ADWIN (Bifet and Gavaldà, "Learning from Time-Changing Data with Adaptive Windowing", SDM 2007) keeps as long a window as
has one mean, and cuts it where two parts differ. It says whether a change is more than chance, not whether it matters: on
a long stream the smallest trend is. A mark therefore also takes a change of EFFECT standard deviations from a reference
that follows slowly, so that what drifts over months is not told every week. The confidence is divided by the number of
detectors (Bonferroni), because they all look at the same stream.

Watched, on settled examples as the learner meets them, so that nothing depends on a clock: the served score, the share of
frauds, the log-loss beside what the score itself expects (calibration), and the WATCHED features with most part of the
score. It fails where a change hides in a feature that is not among them, and where labels never come.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from river import drift

from models.learner_report import Mark

Float = npt.NDArray[np.float64]
WATCHED = 12
"""Features watched: the ones with the largest part of the score."""
CYCLES = ("hour_local", "is_night", "is_weekend")
"""Features that go round with the day and the week: they are never as they were an hour ago."""
FALSE_ALARM = 0.002
"""ADWIN's confidence for all detectors together; each has its share of it."""
EFFECT = 0.25
"""Least change of the mean that is told, in standard deviations."""
FIRST = 5000
"""Examples before anything is watched: models and windows that fill up change by nature."""
REFERENCE = 1000
"""Values a detector takes before it may speak."""
JUDGED = 400
"""Values after a change that tell how large it is."""
FORGETS = 20_000.0
"""Examples over which the reference follows, and after which what stays is usual."""
CHOSEN_EVERY = 5000
"""Examples after which the watched features are chosen anew."""
_LOGIT, _LOSS = 12.0, (-1.0, 5.0)


_ADWIN: Any = drift.ADWIN  # River's classes carry no types


class Detector:
    """One watched quantity with values in [0, 1]."""

    def __init__(self, kind: str, name: str, confidence: float, effect: float = EFFECT) -> None:
        self.kind, self.name, self._effect = kind, name, effect
        self._adwin = _ADWIN(delta=confidence)
        self._mean, self._variance = 0.0, 0.0
        self._count, self._changed, self._away = 0, False, 0

    def update(self, value: float) -> tuple[float, float, int] | None:
        """Take a value; (usual mean, mean now, values now) when it has changed, the change in units of 1."""
        self._adwin.update(value)
        self._count += 1
        width, found = int(self._adwin.width), None
        if self._adwin.drift_detected:
            # River empties the window with the next value: how large the change is, only the values after it tell.
            self._changed = True
        elif (self._changed or self._away) and width >= JUDGED and self._count > REFERENCE:
            now = float(self._adwin.estimation)
            moved = abs(now - self._mean) / max(self.spread, 1e-3)
            if self._away and moved < self._effect / 2.0:
                self._away = 0
            elif self._away > FORGETS:
                self._mean, self._away = now, 0
            elif not self._away and moved >= self._effect:
                found, self._away = (self._mean, now, width), 1
            self._changed = False
        if self._away:
            # What is usual stands still meanwhile: what lasts is usual in the end, what passes is not.
            self._away += 1
            return found
        step = 1.0 / min(float(self._count), FORGETS)
        before = value - self._mean
        self._mean += step * before
        self._variance += step * (before * (value - self._mean) - self._variance)
        return found

    @property
    def spread(self) -> float:
        """Standard deviation of the values so far."""
        return math.sqrt(self._variance)


class DriftWatch:
    """Every detector of one learner. Can be pickled; memory is that of at most 3 + WATCHED detectors.

    features: names by column. negative_rate: share of the good payments among the examples.
    """

    def __init__(self, features: tuple[str, ...], negative_rate: float) -> None:
        self._names, self._rate = features, negative_rate
        self._seen = 0
        confidence = FALSE_ALARM / (3 + WATCHED)
        self._confidence = confidence
        self._score = Detector("score", "risk", confidence)
        self._labels = Detector("label_rate", "fraud", confidence, 0.15)
        self._calibration = Detector("calibration", "log_loss", confidence, 0.1)
        self._features: dict[int, Detector] = {}

    @property
    def choosing(self) -> bool:
        """True when `choose` is due."""
        return self._seen >= FIRST and (not self._features or self._seen % CHOSEN_EVERY == 0)

    def choose(self, parts: Sequence[float] | Float) -> None:
        """Watch the features with the largest parts [F]; one that is watched already goes on as it was."""
        order = [
            j for j in np.argsort(-np.asarray(parts), kind="stable").tolist() if self._names[j] not in CYCLES
        ]
        self._features = {
            column: self._features.get(column) or Detector("feature", self._names[column], self._confidence)
            for column in order[:WATCHED]
        }

    def add(self, at: int, risk: float, fraud: bool, squashed: Float) -> list[Mark]:
        """Take an example with the risk it was served before it was learnt; what has changed with it.

        squashed [F]: its features on the running scale, in (0, 1). at: time of the stream, ms.
        """
        self._seen += 1
        if self._seen < FIRST or math.isnan(risk):
            return []
        # Among examples a fraud is more likely than among payments: most good ones were left out.
        sampled = risk / (risk + (1.0 - risk) * self._rate)
        sampled = min(max(sampled, 1e-9), 1.0 - 1e-9)
        odds = math.log(sampled) - math.log1p(-sampled)
        loss = -math.log(sampled) if fraud else -math.log1p(-sampled)
        expected = -sampled * math.log(sampled) - (1.0 - sampled) * math.log1p(-sampled)
        low, high = _LOSS
        found = [
            (self._score, self._score.update(_unit(odds, -_LOGIT, _LOGIT))),
            (self._labels, self._labels.update(float(fraud))),
            (self._calibration, self._calibration.update(_unit(loss - expected, low, high))),
        ]
        found += [(d, d.update(float(squashed[column]))) for column, d in self._features.items()]
        return [_mark(at, detector, *change) for detector, change in found if change is not None]


def _unit(value: float, low: float, high: float) -> float:
    return (min(max(value, low), high) - low) / (high - low)


def _mark(at: int, detector: Detector, usual: float, now: float, width: int) -> Mark:
    moved = (now - usual) / max(detector.spread, 1e-3)
    share = (f"{100 * usual:.1f} %", f"{100 * now:.1f} %")
    en, zh = {
        "score": (
            f"risk scores are {'higher' if moved > 0 else 'lower'} than usual",
            f"风险分数比平常偏{'高' if moved > 0 else '低'}",
        ),
        "label_rate": (
            f"{share[1]} of the learnt examples are frauds, usually {share[0]}",
            f"已学习样本中欺诈占 {share[1]}，通常为 {share[0]}",
        ),
        "calibration": (
            f"outcomes agree {'less' if moved > 0 else 'better'} with the stated risk than usual",
            f"实际结果与所给风险的吻合程度比平常{'差' if moved > 0 else '好'}",
        ),
    }.get(
        detector.kind,
        (
            f"{detector.name} is {'higher' if moved > 0 else 'lower'} than usual",
            f"特征 {detector.name} 比平常偏{'高' if moved > 0 else '低'}",
        ),
    )
    return Mark(
        at=at, kind=detector.kind, name=detector.name,
        text_en=f"{en} ({moved:+.2f} standard deviations over the newest {width} examples)",
        text_zh=f"{zh}（最近 {width} 个样本，{moved:+.2f} 个标准差）",
    )  # fmt: skip
