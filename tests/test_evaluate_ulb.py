"""River's documented results on the ULB data, by our sources and our measures: a check of the harness itself.

River's guide "Working with imbalanced data" gives the area under the curve of three pipelines over the whole stream.
Runs where the environment variable ULB names the file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from river import imblearn, linear_model, metrics, optim, preprocessing

from dataflow.sources.files import FileSource
from dataflow.sources.mapping import load_mapping
from models import quality
from models.events import Label, Transaction

DATA = os.environ.get("ULB")
pytestmark = pytest.mark.skipif(DATA is None, reason="ULB names no file")
MIX = {0: 0.8, 1: 0.2}


def plain() -> Any:
    return linear_model.LogisticRegression()


def under_sampled() -> Any:
    return imblearn.RandomUnderSampler(
        classifier=linear_model.LogisticRegression(), desired_dist=MIX, seed=42
    )


def under_sampled_and_weighted() -> Any:
    weighted = linear_model.LogisticRegression(loss=optim.losses.Log(weight_pos=5))
    return imblearn.RandomUnderSampler(classifier=weighted, desired_dist=MIX, seed=42)


@pytest.fixture(scope="module")
def rows() -> list[tuple[dict[str, float], bool]]:
    """Time, V1 … V28 and the amount, as River's data set has them."""
    frauds: set[str] = set()
    payments: list[Transaction] = []
    for items in FileSource(Path(str(DATA)), load_mapping("ulb")):
        for item in items:
            if isinstance(item.event, Label) and item.event.fraud:
                frauds.add(item.event.transaction_id)
            elif isinstance(item.event, Transaction):
                payments.append(item.event)
    start = payments[0].event_time
    return [
        (
            {"Time": (t.event_time - start) / 1000.0, **(t.attributes or {}), "Amount": t.amount / 100.0},
            t.id in frauds,
        )
        for t in payments
    ]


@pytest.mark.parametrize(
    ("model", "documented"), [(plain, 0.891), (under_sampled, 0.949), (under_sampled_and_weighted, 0.968)]
)
def test_the_documented_area_under_the_curve_comes_out(
    model: Any, documented: float, rows: list[tuple[dict[str, float], bool]]
) -> None:
    pipeline = preprocessing.StandardScaler() | model()
    binned = metrics.ROCAUC()
    score = np.empty(len(rows))
    for at, (x, fraud) in enumerate(rows):
        found = pipeline.predict_proba_one(x)
        binned.update(fraud, found)
        score[at] = found.get(True, 0.0)
        pipeline.learn_one(x, fraud)
    assert binned.get() == pytest.approx(documented, abs=0.003)
    # River puts scores into ten bins, which hides order among low ones: the exact area is at least as large.
    exact = quality.roc_auc(np.array([fraud for _, fraud in rows]), score)
    assert exact > documented - 0.003
