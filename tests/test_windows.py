"""Windows against the obvious definition: keep every event, look at all of them, each time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.distinct import DistinctWindows
from models.entities import EntityTable
from models.hashing import hash_texts
from models.windows import SumWindows

SPAN, SLACK = 50, 20
Answers = list[float | None]

rows_in_any_order = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 200), st.integers(-3, 9), st.integers(1, 6)),
    min_size=1,
    max_size=120,
)


def batches(n: int, size: int) -> list[slice]:
    return [slice(a, min(a + size, n)) for a in range(0, n, size)]


def told(answers: np.ndarray) -> Answers:
    return [None if np.isnan(answer) else answer for answer in answers.tolist()]


def run(
    rows: list[tuple[int, int, int, int]], batch: int, capacity: int = 3
) -> tuple[Answers, Answers, Answers]:
    """Sums, distinct counts and gaps through the kernels, in batches of the given size; every third value only adds."""
    table, sums, distinct = EntityTable(capacity), SumWindows((0,), SPAN, SLACK), DistinctWindows(SPAN, SLACK)
    keys = hash_texts([f"e{row[0]}" for row in rows])
    times = np.array([row[1] for row in rows], dtype=np.int64)
    values = np.array([[row[2]] for row in rows], dtype=np.int64)
    others = np.array([row[3] for row in rows], dtype=np.uint64)
    asks = others % 3 != 0
    out: tuple[Answers, Answers, Answers] = ([], [], [])
    for part in batches(len(rows), batch):
        slots, fresh = table.assign(keys[part], np.ones(len(keys[part]), dtype=np.bool_))
        at = slots, fresh, times[part]
        m = int(asks[part].sum())
        out[0].extend(told(sums.advance(*at, values[part], asks[part], table.size)[0, :m]))
        counts, gaps = distinct.advance(*at, times[part], others[part], asks[part], table.size)[:, :m]
        out[1].extend(told(counts))
        out[2].extend(told(gaps))
    return out


def obvious(rows: list[tuple[int, int, int, int]], capacity: int = 3) -> tuple[Answers, Answers, Answers]:
    """The same by keeping everything: an entity unseen for longest is forgotten when a fourth one comes."""
    kept: dict[int, list[tuple[int, int, int]]] = {}
    order: list[int] = []
    out: tuple[Answers, Answers, Answers] = ([], [], [])
    for entity, time, value, other in rows:
        if entity in order:
            order.remove(entity)
        elif len(order) == capacity:
            del kept[order.pop(0)]
        order.append(entity)
        past = kept.setdefault(entity, [])
        clock = max([t for t, _, _ in past] + [time])
        remembered = [t for t, _, o in past if o == other and t > clock - SPAN - SLACK]
        past.append((time, value, other))
        taken = [(t, v, o) for t, v, o in past]
        if other % 3 == 0:
            continue
        in_time = time >= clock - SLACK
        out[0].append(sum(v for t, v, _ in taken if time - SPAN < t <= time) if in_time else None)
        last_seen: dict[int, int] = {}
        for t, _, o in taken:
            last_seen[o] = max(t, last_seen.get(o, t))
        out[1].append(sum(t > time - SPAN for t in last_seen.values()) if in_time else None)
        if time <= clock - SPAN - SLACK:
            out[2].append(None)
        else:
            out[2].append(max(time - max(remembered), 0) if remembered else -1)
    return out


@settings(max_examples=300, deadline=None)
@given(rows_in_any_order, st.sampled_from([1, 7, 64]))
def test_kernels_agree_with_keeping_everything(rows: list[tuple[int, int, int, int]], batch: int) -> None:
    got, want = run(rows, batch), obvious(rows)
    assert got[0] == want[0]
    assert got[1] == want[1]
    assert got[2] == want[2]


@pytest.mark.parametrize("batch", [1, 64])
def test_long_stream_frees_what_it_forgets(batch: int) -> None:
    table, sums = EntityTable(8), SumWindows((0, 1), SPAN, SLACK)
    rng = np.random.default_rng(3)
    keys = hash_texts([f"e{k}" for k in rng.integers(0, 20, 4000)])
    times = np.sort(rng.integers(0, 20_000, 4000))
    for part in batches(4000, batch):
        slots, fresh = table.assign(keys[part], np.ones(len(keys[part]), dtype=np.bool_))
        ones = np.ones((len(slots), 2), dtype=np.int64)
        sums.advance(slots, fresh, times[part], ones, np.zeros(len(slots), dtype=np.bool_), table.size)
    assert sums.pool[1] < 200, "nodes of expired buckets are used again"


def test_checkpoint_continues_exactly() -> None:
    rng = np.random.default_rng(5)
    keys = hash_texts([f"e{k}" for k in rng.integers(0, 6, 600)])
    times = rng.integers(0, 900, 600)
    others = rng.integers(1, 9, 600).astype(np.uint64)

    def state() -> tuple[EntityTable, SumWindows, DistinctWindows]:
        return EntityTable(4), SumWindows((0,), SPAN, SLACK), DistinctWindows(SPAN, SLACK)

    def step(parts: tuple[EntityTable, SumWindows, DistinctWindows], rows: slice) -> list[Answers]:
        table, sums, distinct = parts
        slots, fresh = table.assign(keys[rows], np.ones(len(keys[rows]), dtype=np.bool_))
        ones = np.ones((len(slots), 1), dtype=np.int64)
        at, asks = (slots, fresh, times[rows]), np.ones(len(slots), dtype=np.bool_)
        (a,) = sums.advance(*at, ones, asks, table.size)
        b, c = distinct.advance(*at, times[rows], others[rows], asks, table.size)
        return [told(a), told(b), told(c)]

    whole, first, second = state(), state(), state()
    expected = step(whole, slice(0, 600))
    begun = step(first, slice(0, 250))
    for old, new in zip(first, second, strict=True):
        new.restore({name: array.copy() for name, array in old.arrays().items()})  # type: ignore[attr-defined]
    ended = step(second, slice(250, 600))
    assert [a + b for a, b in zip(begun, ended, strict=True)] == expected
