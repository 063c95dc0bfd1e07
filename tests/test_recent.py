"""Decisions that are given again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from models.recent import Recent


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 40))
def test_at_least_the_newest_are_kept_and_little_more(sizes: list[int], kept: int) -> None:
    recent: Recent[str] = Recent(kept)
    end = 0
    for size in sizes:
        recent.add(end, [f"d{number}" for number in range(end, end + size)])
        end += size
    found = {number: told for number in range(-1, end + 1) if (told := recent.get(number)) is not None}
    assert found == {number: f"d{number}" for number in found}
    assert set(range(max(end - kept, 0), end)) <= set(found) <= set(range(max(end - kept - 9, 0), end))
