"""The book's features against an obvious definition, and (given the data) its published row."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from dataflow.evaluation import book, protocol
from dataflow.evaluation.protocol import Fold, Handbook, Scored
from dataflow.simulate import Simulator
from models.errors import MappingError, SettingsError
from models.events import Transaction

HANDBOOK = os.environ.get("HANDBOOK")


def simulated() -> Scored:
    """60 days of the simulator's payments with frauds drawn at random; some at the very same second."""
    events = Simulator(3, customers=8).events(60)
    payments = [e for e in events if isinstance(e, Transaction) and e.card and e.merchant]
    draw = np.random.default_rng(2)

    def codes(names: list[str]) -> np.ndarray:
        return np.unique(names, return_inverse=True)[1].astype(np.int64)

    time = np.array([p.event_time for p in payments], dtype=np.int64)
    time[1::7] = time[0::7][: len(time[1::7])]
    return Scored(
        time=time,
        score=np.zeros(len(payments)),
        fraud=draw.random(len(payments)) < 0.15,
        card=codes([p.card for p in payments]),
        # Few merchants, so that their windows fill.
        merchant=codes([p.merchant for p in payments]) % 5,
        amount=np.array([p.amount / 100 for p in payments]),
    )


def slow_features(data: Scored) -> np.ndarray:
    """The definition, payment by payment: earlier payments are those before it in order of time, ties as they came."""
    day = 86_400
    order = np.argsort(data.time, kind="stable").tolist()
    rows = [
        (int(data.time[i]) // 1000, data.card[i], data.merchant[i], data.amount[i], bool(data.fraud[i]))
        for i in order
    ]
    out = np.empty((len(rows), 15))
    for at, (now, card, merchant, amount, _) in enumerate(rows):
        weekday, hour = (now // day + 3) % 7, now % day // 3600
        row = [amount, weekday >= 5, hour <= 6]
        upto = rows[: at + 1]
        for days in (1, 7, 30):
            amounts = [a for t, c, _, a, _ in upto if c == card and t > now - days * day]
            row += [len(amounts), sum(amounts) / len(amounts)]
        for days in (1, 7, 30):
            known = [
                f for t, _, m, _, f in upto
                if m == merchant and now - (7 + days) * day < t <= now - 7 * day
            ]  # fmt: skip
            row += [len(known), sum(known) / len(known) if known else 0.0]
        out[order[at]] = row
    return out


def test_book_features_equal_the_slow_definition():
    data = simulated()
    assert len(data.time) > 300
    turned = np.random.default_rng(1).permutation(len(data.time))
    found, expected = book.book_features(data), slow_features(data)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert (found[:, book.NAMES.index("terminal_risk_30d")] > 0).sum() > 50
    # Without ties the order of the rows says nothing.
    apart = Scored(
        data.time + np.arange(len(data.time)) * 1000,
        data.score,
        data.fraud,
        data.card,
        data.amount,
        data.merchant,
    )
    mixed = Scored(
        *(c[turned] for c in (apart.time, apart.score, apart.fraud, apart.card, apart.amount, apart.merchant))
    )
    np.testing.assert_allclose(
        book.book_features(mixed), book.book_features(apart)[turned], rtol=1e-9, atol=1e-9
    )


def test_book_scores_come_from_the_training_rows_alone():
    data = simulated()
    n = len(data.time)
    recent, test = np.arange(n) < n // 2, np.arange(n) >= n // 2
    fold = Fold(recent, recent, test)
    done: list[float] = []
    score = book.book_scores(data, [fold], done.append)
    assert done == [1]
    assert not score[recent].any()
    assert ((score[test] > 0) & (score[test] < 1)).all()
    assert (book.book_scores(data, [fold], done.append) == score).all()
    # The last week's labels are in no window yet: turned round, they change no score.
    late = data.time > data.time.max() - 7 * protocol.DAY_MS
    other = Scored(data.time, data.score, data.fraud ^ late, data.card, data.amount, data.merchant)
    assert (book.book_scores(other, [fold], done.append) == score).all()


def test_what_the_book_cannot_learn_from_is_refused(monkeypatch):
    data = simulated()
    n = len(data.time)
    half = np.arange(n) < n // 2
    with pytest.raises(MappingError, match="merchant"):
        book.book_features(Scored(data.time, data.score, data.fraud, data.card, data.amount))
    with pytest.raises(MappingError, match="fold 0"):
        book.book_scores(data, [Fold(half, half & ~data.fraud, ~half)], lambda _: None)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(SettingsError, match=r"pip install 'tidegate\[baseline\]'"):
        book.check_installed()


@pytest.mark.slow
@pytest.mark.skipif(not HANDBOOK, reason="HANDBOOK is not set to the path of the handbook's raw.parquet")
def test_logistic_regression_reproduces_the_published_row():
    import pyarrow.parquet as parquet

    table = parquet.read_table(HANDBOOK).sort_by("TX_DATETIME")
    card, merchant = (table[name].to_numpy().astype(np.int64) for name in ("CUSTOMER_ID", "TERMINAL_ID"))
    data = Scored(
        time=table["TX_DATETIME"].to_numpy().astype("datetime64[ms]").astype(np.int64),
        score=np.zeros(len(card)),
        fraud=table["TX_FRAUD"].to_numpy().astype(np.bool_),
        card=card,
        merchant=merchant,
        amount=table["TX_AMOUNT"].to_numpy().astype(np.float64),
    )
    folds = Handbook().split(data)
    assert (int(folds[0].test.sum()), int(data.fraud[folds[0].test].sum())) == (58_264, 385)
    perfect = protocol.measure(data.scored(data.fraud.astype(np.float64)), folds)["mean"]
    assert perfect["card_precision_100"] == pytest.approx(0.419, abs=0.0005)
    mean = protocol.measure(data.scored(book.book_scores(data, folds, lambda _: None)), folds)["mean"]
    published = protocol.PUBLISHED_HANDBOOK["logistic regression"]
    for name, value in published.items():
        assert mean[name] == pytest.approx(value, abs=0.002), name
