"""What stands beside a decision."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from models.contexts import to_cents

AMOUNTS = st.one_of(
    st.floats(0.0, 1e15),
    st.integers(0, 10**9).map(lambda n: n / 1000),
    st.integers(0, 10**7).map(lambda n: (2 * n + 1) / 200),
)


@given(st.lists(AMOUNTS, max_size=50))
@example([0.285, 1.005, 1.115, 2.675, 0.125, 0.375, 1e-9, 0.005, 0.015, 123456789.005, 1e300])
def test_amounts_are_rounded_as_one_by_one(usd: list[float]) -> None:
    assert to_cents(np.array(usd)) == [round(amount, 2) for amount in usd]
