"""A believable report of the learner, and what beside it the Models page shows. Derived from the time given alone."""

from __future__ import annotations

from alerts.store import Store
from models.learner_report import (
    CalibrationBin,
    Change,
    CorridorStanding,
    CostCurve,
    CostPoint,
    FeatureGroup,
    LearnerReport,
    Mark,
    Standing,
    Surge,
    Trial,
)
from models.prequential import QualityPoint

DAY = 86_400_000
SURGE = Surge(
    kind="actor", name="<i>eve", state="weighed_down", since=1, weight=0.25, labels=40.0, usual=2.0,
    reason_en="40 labels in 500 examples, usually 2; learning from it weighs them down",
    reason_zh="每 500 个样本有 40 个标签，通常为 2 个；对其学习降低其权重",
)  # fmt: skip


def report(now: int, *, pinned: str | None = None, surging: bool = True) -> LearnerReport:
    """Everything a report can hold."""
    losses = {"stack": 0.026, "logistic": 0.029, "forest": 0.062, "boosted": 0.025, "base": 0.073}
    trial = {
        "blocks_needed": 20,
        "frauds_needed": 100,
        "z_needed": 3.0,
        "gain_needed": 0.01,
        "passes_needed": 3,
    }
    curve = [
        CostPoint(t, 9000 * (1 - t) + 60 * n, 12.0 * n, min(0.2 * n, 1.0), 1 / n if n else None, n < 5)
        for n, t in enumerate((1.0, 0.9, 0.7, 0.35, 0.2, 0.1, 0.05))
    ]
    return LearnerReport(
        at=now, version="m-000042", examples=12_000, frauds=1464, champion="stack", pinned=pinned,
        standings=[
            Standing(name=name, settled=88_813, frauds=1243, log_loss=loss, roc_auc=0.97 - loss / 10,
                     average_precision=0.78 - loss, recall=0.34, calibration_error=loss / 8)
            for name, loss in losses.items()
        ],
        trials=[
            Trial(name="logistic", blocks=20, frauds=500, z=-4.8, gain=-0.131, passed=0, waits=0, **trial),
            Trial(name="boosted", blocks=20, frauds=500, z=3.4, gain=0.04, passed=2, waits=0, **trial),
            Trial(name="forest", blocks=4, frauds=31, z=None, gain=None, passed=0, waits=0, **trial),
        ],
        corridors=[
            CorridorStanding(corridor=f"GB>CN:GBP:{channel}", settled=900, frauds=frauds, expected=0.02,
                             observed=frauds / 900, average_precision=0.6, log_loss=losses, ratio=frauds / 18,
                             ratio_low=0.8, ratio_high=3.5, z=4.0, drifting=frauds > 30)
            for channel, frauds in (("cnp", 41), ("wallet", 17), ("transfer", 0))
        ],
        calibration=[CalibrationBin(10.0**-n, 0.8 * 10.0**-n if n < 4 else 0.0, 10.0 ** (n + 1)) for n in range(5)],
        points=[
            QualityPoint(now - (20 - n) * DAY, 9000, 110, 0.96, 0.6 + n / 100, 0.004, 0.5, 0.6, 0.3 + n / 200)
            for n in range(20)
        ],
        marks=[
            Mark(at=now - 3 * DAY, kind="score", name="score", text_en="scores rose <b>", text_zh="评分上升 <b>"),
            Mark(at=now - 2 * DAY, kind="poisoning", name="actor:eve", text_en="labels surge", text_zh="标签激增"),
        ],
        label_delay={"p10": 6.0, "p50": 31.0, "p90": 195.0},
        learning="weighed_down" if surging else "normal", learning_since=now - DAY,
        surges=[SURGE] if surging else [],
        costs=CostCurve(points=curve, best=curve[4], payments=97_756.0, frauds=1356.0, days=21.0, in_force=0.35,
                        budget_share=0.005),
        groups=[FeatureGroup("velocity", 0.22, 19), FeatureGroup("novelty", 0.15, 11)],
        vectors_waiting=52_869, vectors_gone=3,
    )  # fmt: skip


def fill_models(store: Store, now: int, *, pinned: str | None = None, surging: bool = True) -> None:
    """The report and one change of the champion."""
    store.put_learner_report(report(now, pinned=pinned, surging=surging))
    change = Change(
        at=now - 4 * DAY,
        kind="promoted",
        before="logistic",
        after="stack",
        actor="tidegate",
        reason="z 3.9 <u>",
    )
    store.note_model_change("c1", change)
