"""Puts the learner's report together: standings, corridors, calibration, quality over time and changes."""

from __future__ import annotations

from collections import deque

import numpy as np

from models.champions import COLUMNS, Champions
from models.learner_report import LearnerReport
from models.oversight import Oversight
from models.prequential import QualityPoint
from models.standings import calibration_bins, corridor_standings, label_delay, quality_point, standing

_POINTS, _SHOWN = 500, 50


class Points:
    """Quality of what was served, one point a check; the newest ones."""

    def __init__(self) -> None:
        self.kept: deque[QualityPoint] = deque(maxlen=_POINTS)

    def note(self, champions: Champions, at: int, flagged: float) -> None:
        """Measure the champion on the window as it stands; nothing where it did not speak all the time.

        flagged: risk from which a payment counts as flagged.
        """
        settled, column = champions.window.read(), COLUMNS.index(champions.champion)
        if len(settled.weight) and np.isfinite(settled.risks[:, column]).all():
            self.kept.append(quality_point(at, settled, column, flagged))


def report_of(
    champions: Champions, points: Points, oversight: Oversight, *, version: str, examples: int, frauds: int, at: int,
    rate: float,
) -> LearnerReport:  # fmt: skip
    """See LearnerReport. Candidates that never spoke in the window are left out. rate: share of good payments learnt."""
    settled, column = champions.window.read(), COLUMNS.index(champions.champion)
    pin = champions.pinned
    standings = [standing(name, settled, at_) for at_, name in enumerate(COLUMNS)]
    every = sorted([*champions.marks, *oversight.marks, *oversight.labels.marks], key=lambda mark: mark.at)
    state, since = oversight.labels.state
    return LearnerReport(
        at=at, version=version, examples=examples, frauds=frauds, champion=champions.champion,
        pinned=None if pin is None else f"{pin.actor}: {pin.reason}",
        standings=[found for found in standings if found.settled],
        trials=[trial for name in COLUMNS if (trial := champions.trial(name)) is not None],
        corridors=corridor_standings(settled, COLUMNS, column, rate, drifting=oversight.corridors.drifting),
        calibration=calibration_bins(settled, column),
        points=list(points.kept),
        changes=list(champions.changes)[-_SHOWN:],
        marks=every[-_SHOWN:],
        label_delay=label_delay(settled),
        learning=state,
        learning_since=since,
        surges=oversight.labels.surges,
        costs=oversight.threshold.curve(),
    )  # fmt: skip
