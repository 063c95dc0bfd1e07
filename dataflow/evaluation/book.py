"""The handbook's own baseline: its 15 features and its logistic regression, refitted for each fold.

Le Borgne, Siblini, Lebichot and Bontempi, "Reproducible Machine Learning for Credit Card Fraud Detection - Practical
Handbook" (2022): features from chapter 3 (baseline feature transformation), model and folds from chapter 5. It needs
no engine: what it reproduces is the published row, and with it this protocol's code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from dataflow.evaluation.optional import needed
from dataflow.evaluation.protocol import DELAY_DAYS, Float, Fold, Ints, Scored
from models.errors import MappingError

DAY_S = 86_400
WINDOWS_DAYS = (1, 7, 30)
NAMES = (
    "amount", "is_weekend", "is_night",
    *(f"card_{what}_{days}d" for days in WINDOWS_DAYS for what in ("count", "mean_amount")),
    *(f"terminal_{what}_{days}d" for days in WINDOWS_DAYS for what in ("count", "risk")),
)  # fmt: skip
"""The book's features in its order; its terminal is our merchant."""
_ENTITY_ROOM = 1 << 40
"""Seconds are below this, so that entity and time fit into one sortable number."""


def check_installed() -> None:
    """SettingsError without scikit-learn."""
    needed("sklearn", "install scikit-learn, for example with `pip install 'tidegate[baseline]'`")


def book_scores(data: Scored, folds: Sequence[Fold], progress: Callable[[float], None]) -> Float:
    """Probability of fraud for each fold's test rows, 0 elsewhere: scaled logistic regression on the recent rows.

    Raises MappingError where the data lacks card, merchant or amount, or a fold has one class only to learn from.
    """
    check_installed()
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features = book_features(data)
    score = np.zeros(len(data.time))
    for number, fold in enumerate(folds):
        if not 0 < int(data.fraud[fold.recent].sum()) < int(fold.recent.sum()):
            raise MappingError(
                f"fold {number}: its training days do not hold both frauds and good payments: the book's logistic "
                "regression has nothing to tell apart; give other data or do without --baseline book-logistic"
            )
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=0))
        model.fit(features[fold.recent], data.fraud[fold.recent])
        score[fold.test] = model.predict_proba(features[fold.test])[:, 1]
        progress(number + 1)
    return score


def book_features(data: Scored) -> Float:
    """[n, 15], one row a payment in the order of the data; columns as in NAMES.

    A window of w days before the time t is (t − w, t] and holds the payment itself and what came before it. Terminal
    windows end 7 days earlier, because no label is known before. Raises MappingError where a column is missing.
    """
    if data.card is None or data.merchant is None or data.amount is None:
        raise MappingError(
            "the book's features need card, merchant and amount of each payment: map them, or take another --baseline"
        )
    order = np.argsort(data.time, kind="stable")
    seconds = data.time[order] // 1000
    amount, fraud = data.amount[order], data.fraud[order].astype(np.float64)
    # 1970-01-01 was a Thursday, Monday is 0.
    weekday, hour = (seconds // DAY_S + 3) % 7, seconds % DAY_S // 3600
    columns = [amount, (weekday >= 5).astype(np.float64), (hour <= 6).astype(np.float64)]
    of_card = _windows(data.card[order], seconds)
    for days in WINDOWS_DAYS:
        total, count = of_card(amount, days)
        columns += [count, total / count]
    of_terminal = _windows(data.merchant[order], seconds)
    late, late_count = of_terminal(fraud, DELAY_DAYS)
    for days in WINDOWS_DAYS:
        found, count = of_terminal(fraud, DELAY_DAYS + days)
        settled = count - late_count
        columns += [settled, np.where(settled > 0, (found - late) / np.maximum(settled, 1), 0.0)]
    out = np.empty((len(order), len(columns)))
    out[order] = np.column_stack(columns)
    return out


def _windows(entity: Ints, seconds: Ints) -> Callable[[Float, int], tuple[Float, Float]]:
    """Sum and number of an entity's rows in the days up to each row; rows are in time order."""
    _, codes = np.unique(entity, return_inverse=True)
    key = codes.astype(np.int64) * _ENTITY_ROOM + seconds
    order = np.argsort(key, kind="stable")
    sorted_key = key[order]
    place: npt.NDArray[np.int64] = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))

    def window(values: Float, days: int) -> tuple[Float, Float]:
        total = np.concatenate([[0.0], np.cumsum(values[order])])
        first = np.searchsorted(sorted_key, key - days * DAY_S, side="right")
        return total[place + 1] - total[first], (place + 1 - first).astype(np.float64)

    return window
