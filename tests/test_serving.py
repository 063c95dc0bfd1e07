"""Serving: batch-independent bits, reasons that add up, and snapshots that cannot lead a walk astray."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models import snapshot
from models.errors import SnapshotError
from models.serving import ANOMALY, BASE_RATE, MODELS, Snapshot
from tests.test_learners import FEATURES, stream, trained

values = st.one_of(
    st.floats(-5, 5),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.0, -0.0, 1e300, -1e300]),
)
some_row = arrays.arrays(np.float64, 8, elements=values)
some_rows = arrays.arrays(np.float64, st.tuples(st.integers(1, 40), st.just(8)), elements=values)


@pytest.fixture(scope="module")
def served() -> Snapshot:
    return Snapshot.from_bytes(trained()[0])


def same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    return one.tobytes() == other.tobytes()


@pytest.mark.parametrize("size", [1, 7, 64])
def test_batch_size_does_not_change_a_bit(served, size):
    rows, _ = stream(512, seed=11)
    whole = served.score(rows)
    parts = [served.score(rows[start : start + size]) for start in range(0, 512, size)]
    assert same_bits(whole.risk, np.concatenate([part.risk for part in parts]))
    for name in MODELS:
        assert same_bits(whole.by_model[name], np.concatenate([part.by_model[name] for part in parts]))


@given(rows=some_rows, cuts=st.lists(st.integers(0, 40), max_size=5))
def test_any_split_gives_the_same_bits(served, rows, cuts):
    whole = served.score(rows).risk
    parts = [
        served.score(part).risk for part in np.split(rows, sorted({cut for cut in cuts if cut <= len(rows)}))
    ]
    assert same_bits(whole, np.concatenate(parts))


@given(rows=some_rows)
def test_every_row_gets_a_probability_within_the_limits(served, rows):
    scores = served.score(rows)
    for column in (scores.risk, *scores.by_model.values()):
        assert ((column >= 1e-6) & (column <= 1 - 1e-6)).all()


@settings(max_examples=300)
@given(row=some_row)
def test_contributions_add_up_to_the_risk(served, row):
    base, shares = served.contributions(row)
    risk = float(served.score(row[None, :]).risk[0])
    assert base + sum(share for _, share in shares) == pytest.approx(np.log(risk) - np.log1p(-risk), abs=1e-6)
    assert base == served.contributions(np.zeros(8))[0]
    sizes = [abs(share) for _, share in shares]
    assert sizes == sorted(sizes, reverse=True)
    indexes = [index for index, _ in shares]
    assert len(set(indexes)) == len(indexes)
    assert set(indexes) <= {ANOMALY, *range(8)}


def test_contributions_add_up_where_scores_are_cut(served):
    body = snapshot.decode(served.data)
    steep = msgspec.structs.replace(body.linear, weights=np.full(24, 40.0))
    cut = Snapshot.from_bytes(snapshot.encode(msgspec.structs.replace(body, linear=steep)))
    for row in (np.full(8, 50.0), np.full(8, -50.0)):
        risk = float(cut.score(row[None, :]).risk[0])
        base, shares = cut.contributions(row)
        assert base + sum(share for _, share in shares) == pytest.approx(np.log(risk / (1 - risk)), abs=1e-6)
    final = msgspec.structs.replace(body.calibration, final_slope=50.0, final_offset=150.0)
    steep_end = Snapshot.from_bytes(snapshot.encode(msgspec.structs.replace(body, calibration=final)))
    rows, _ = stream(100, seed=4)
    risk = steep_end.score(rows).risk
    assert risk.max() == 1 - 1e-6
    assert risk.min() == 1e-6
    for row in rows[:20]:
        logit = np.log(steep_end.score(row[None, :]).risk[0]) - np.log1p(
            -steep_end.score(row[None, :]).risk[0]
        )
        base, shares = steep_end.contributions(row)
        assert base + sum(share for _, share in shares) == pytest.approx(logit, abs=1e-6)


def test_linear_shares_are_exact():
    """With the blend all on the logistic regression, a share is what removing its feature takes away."""
    body = snapshot.decode(trained()[0])
    alone = msgspec.structs.replace(
        body.calibration, weight=(1.0, 0.0, 0.0, 0.0), slope=(1.0,) * 4, offset=(0.0,) * 4,
        final_slope=1.0, final_offset=0.0,
    )  # fmt: skip
    served = Snapshot.from_bytes(snapshot.encode(msgspec.structs.replace(body, calibration=alone)))
    rows, _ = stream(50, seed=5)
    for row in np.nan_to_num(rows):
        shares = dict(served.contributions(row)[1])
        weights = body.linear.weights
        z = np.clip((row - body.mean[:8]) / body.spread[:8], -10, 10)
        logs = np.clip((np.sign(row) * np.log1p(np.abs(row)) - body.mean[8:]) / body.spread[8:], -10, 10)
        for j in range(8):
            assert shares.get(j, 0.0) == pytest.approx(weights[j] * z[j] + weights[8 + j] * logs[j], abs=1e-9)


def test_what_makes_a_payment_risky_leads_the_reasons(served):
    row = np.zeros(8)
    row[0] = 2.5
    base, shares = served.contributions(row)
    assert shares[0][0] == 0
    assert shares[0][1] > 0.5
    missing = np.full(8, np.nan)
    assert np.isfinite([share for _, share in served.contributions(missing)[1]]).all()
    assert np.isfinite(base)


def test_untrained_gives_one_small_risk_and_no_reasons():
    fresh = Snapshot.untrained(FEATURES)
    rows, _ = stream(20)
    scores = fresh.score(rows)
    assert scores.risk == pytest.approx(np.full(20, BASE_RATE), rel=1e-9)
    assert set(scores.by_model) == set(MODELS)
    base, shares = fresh.contributions(rows[0])
    assert shares == []
    assert base == pytest.approx(np.log(BASE_RATE / (1 - BASE_RATE)))


def test_version_is_the_hash_of_the_content():
    data = trained()[0]
    served = Snapshot.from_bytes(data)
    assert len(served.version) == 16
    assert int(served.version, 16) >= 0
    assert snapshot.encode(snapshot.decode(data)) == data
    other = msgspec.structs.replace(snapshot.decode(data), examples=1)
    assert Snapshot.from_bytes(snapshot.encode(other)).version != served.version


@given(st.data())
def test_a_torn_snapshot_is_refused(data):
    whole = trained()[0]
    if data.draw(st.booleans(), "cut"):
        torn = whole[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        at = data.draw(st.integers(0, len(whole) - 1))
        torn = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    with pytest.raises(SnapshotError):
        Snapshot.from_bytes(torn)


def broken(body: snapshot.SnapshotBody) -> dict[str, snapshot.SnapshotBody]:
    """Bodies with a right checksum that a walk must never see."""
    replace, forest, half = msgspec.structs.replace, body.forest, body.half_space
    boosted = body.boosted
    inner = int(np.flatnonzero(forest.feature >= 0)[0])
    step = int(np.flatnonzero(boosted.feature >= 0)[0])

    def with_value(column: np.ndarray, at: int, value: float) -> np.ndarray:
        changed = column.copy()
        changed[at] = value
        return changed

    nan_end = replace(body.calibration, final_slope=float("nan"))
    return {
        "loop": replace(body, forest=replace(forest, left=with_value(forest.left, inner, 0))),
        "child": replace(body, forest=replace(forest, right=with_value(forest.right, inner, 10**6))),
        "feature": replace(body, forest=replace(forest, feature=with_value(forest.feature, inner, 8))),
        "root": replace(body, forest=replace(forest, roots=with_value(forest.roots, 0, -2))),
        "boosted": replace(body, boosted=replace(boosted, left=with_value(boosted.left, step, 0))),
        "models": replace(body, calibration=replace(body.calibration, floor=(0.0,))),
        "short": replace(body, forest=replace(forest, value=forest.value[:-1])),
        "weights": replace(body, linear=replace(body.linear, weights=body.linear.weights[:-1])),
        "features": replace(body, features=body.features[:-1]),
        "nan": replace(body, mean=with_value(body.mean, 0, float("nan"))),
        "nan_end": replace(body, calibration=nan_end),
        "mass": replace(body, half_space=replace(half, mass=half.mass[:-1])),
        "space": replace(body, half_space=replace(half, feature=with_value(half.feature, 3, -1))),
        "threshold": replace(body, half_space=replace(half, threshold=half.threshold[:-1])),
    }


def test_inconsistent_arrays_are_refused_before_any_walk():
    for name, body in broken(snapshot.decode(trained()[0])).items():
        data = snapshot.encode(body)
        with pytest.raises(SnapshotError, match="inconsistent"):
            assert Snapshot.from_bytes(data).version == name, f"{name} was taken"


def test_rows_of_another_catalogue_are_refused(served):
    with pytest.raises(SnapshotError, match="8 features"):
        served.score(np.zeros((2, 9)))
    assert len(served.score(np.empty((0, 8))).risk) == 0
