"""Counts of rules in every store against a count by hand, whatever is repeated; the table made of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import msgspec
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts import rule_report
from alerts.memory_store import MemoryStore
from alerts.redis_store import RedisStore
from alerts.rule_counts import DAY_MS, RuleDay, RuleRow, add_overlap, table
from alerts.store import Commit
from dataflow.embedded import embedded
from models.decision import Action, Counters, Decision, RuleHit, Versions, encode_decision
from models.events import Label

T0 = 19_700 * DAY_MS
RULES = ("R1", "R2", "R3", "try.4")
SHADOW = "try.4"
AnyStore = MemoryStore | RedisStore
Make = Callable[[], AnyStore]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as address:
        yield address


@pytest.fixture(params=["memory", "resp2", "resp3"])
def make(request: pytest.FixtureRequest, url: str) -> Make:
    redis.Redis.from_url(url).flushall()
    if request.param == "memory":
        return MemoryStore
    return lambda: RedisStore(url, protocol=int(request.param[-1]))  # type: ignore[arg-type]


def decided(
    n: int, rules: tuple[str, ...], day: int = 0, action: Action = "HOLD", declined: bool = False
) -> Decision:
    context: dict[str, str | float | int | None] = {"amount_usd": 10.25 + n, "card": f"card-{n}"}
    if declined:
        context["authorisation"] = "declined"
    return Decision(
        id=f"tx-{n}", event_time=T0 + day * DAY_MS + n, risk=0.2, band="medium", action=action, context=context,
        versions=Versions("m", "r", "l", "f"),
        rules=[RuleHit(id=r, version="1", action="HOLD", severity="medium", typology="T01", shadow=r == SHADOW)
               for r in rules],
    )  # fmt: skip


def told(n: int, fraud: bool, source: str = "chargeback", at: int = 0) -> Label:
    return Label(
        id=f"lb-{n}-{at}", event_time=T0, received_at=T0, transaction_id=f"tx-{n}", fraud=fraud,
        source=source,  # type: ignore[arg-type]
    )  # fmt: skip


def commit(store: AnyStore, first: int, decisions: list[Decision]) -> None:
    store.commit(
        Commit(
            first_decision_ordinal=first, decisions=[encode_decision(d) for d in decisions], hits=[],
            first_dead_ordinal=1, dead=[], counters=Counters(), minutes={}, stream_time=T0,
        )
    )  # fmt: skip


def days(store: AnyStore) -> dict[int, RuleDay]:
    """What the store counts, without noughts and rounding."""
    return {
        start: RuleDay(
            {name: round(value, 6) for name, value in day.counts.items() if abs(value) > 1e-6},
            {name: round(value, 6) for name, value in day.overlap.items()},
        )
        for start, day in store.rule_days(0, 2 * T0).items()
    }


def by_hand(
    decisions: list[Decision], labels: list[Label], now: int, settle_after: int
) -> dict[str, tuple[int, int, int, int, int]]:
    """Hits, shadow, alone, frauds and settled of each rule, counted payment by payment."""
    found: dict[str, list[int]] = {}
    for d in decisions:
        own = [label for label in labels if label.transaction_id == d.id]
        judged = any(label.source == "analyst" for label in own)
        closed = d.event_time // DAY_MS * DAY_MS + DAY_MS + settle_after <= now
        passed = d.action not in ("DECLINE", "FREEZE") and d.context.get("authorisation") != "declined"
        counts = (closed or judged) if own else closed and passed
        fraud = bool(own) and own[-1].fraud
        for hit in d.rules:
            others = [o for o in d.rules if o.id != hit.id and not o.shadow]
            row = found.setdefault(hit.id, [0] * 5)
            for place, more in enumerate((1, hit.shadow, not others, counts and fraud, counts)):
                row[place] += int(more)
    return {rule: tuple(row) for rule, row in found.items()}  # type: ignore[misc]


payments = st.lists(
    st.tuples(
        st.lists(st.sampled_from(RULES), unique=True, max_size=4).map(tuple),
        st.integers(0, 3),
        st.sampled_from(("APPROVE", "STEP_UP", "HOLD", "DECLINE", "FREEZE")),
        st.booleans(),
    ),
    min_size=1,
    max_size=14,
)
labels_of = st.lists(
    st.tuples(st.integers(0, 14), st.booleans(), st.sampled_from(("chargeback", "analyst", "dispute"))), max_size=14
)  # fmt: skip


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=payments, verdicts=labels_of, cuts=st.sets(st.integers(1, 13), max_size=3), back=st.integers(0, 8),
    again=st.integers(0, 14), closed=st.integers(0, 5),
)  # fmt: skip
def test_counts_are_those_by_hand_whatever_is_repeated(
    make: Make, url: str, rows: list[tuple[tuple[str, ...], int, Action, bool]],
    verdicts: list[tuple[int, bool, str]], cuts: set[int], back: int, again: int, closed: int,
) -> None:  # fmt: skip
    redis.Redis.from_url(url).flushall()
    store = make()
    decisions = [decided(n, *row) for n, row in enumerate(rows)]
    labels = [told(n, fraud, source, at) for at, (n, fraud, source) in enumerate(verdicts)]
    edges = sorted({0, len(decisions), *(cut for cut in cuts if cut < len(decisions))})
    for start, end in itertools.pairwise(edges):
        start = max(start - back, 0)
        commit(store, start + 1, decisions[start:end])
    store.settle_rule_hits(labels)
    # After a kill the scorer takes the last labels again, one by one.
    for label in labels[-again:] if again else []:
        store.settle_rule_hits([label])
    settle_after, now = 2 * DAY_MS, T0 + (closed + 1) * DAY_MS
    rows_ = {row.rule: row for row in table(store.rule_days(0, 2 * T0), now, settle_after)}
    told_ = {r: (row.hits, row.shadow, row.alone, row.frauds, row.settled) for r, row in rows_.items()}
    assert told_ == by_hand(decisions, labels, now, settle_after)
    for a, row in rows_.items():
        own = [d for d in decisions if a in {hit.id for hit in d.rules}]
        assert row.usd == pytest.approx(sum(float(d.context["amount_usd"] or 0) for d in own))
        for overlap in row.overlaps:
            both = sum(overlap.rule in {hit.id for hit in d.rules} for d in own)
            assert overlap.share == pytest.approx(both / len(own))


def test_every_store_counts_the_same(url: str) -> None:
    redis.Redis.from_url(url).flushall()
    stores: list[AnyStore] = [MemoryStore(), RedisStore(url)]
    for store in stores:
        commit(store, 1, [decided(n, RULES[: n % 5], day=n % 3) for n in range(20)])
        store.settle_rule_hits([told(3, True), told(4, False, "analyst"), told(99, True)])
    assert days(stores[0]) == days(stores[1])
    assert stores[1].rule_days(T0 + DAY_MS, T0 + 2 * DAY_MS).keys() == {T0 + DAY_MS}


def test_what_is_kept_is_bounded(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_report, "MOST_PAIRS", 2)
    monkeypatch.setattr(rule_report, "KEEP_DAYS", 3)
    store = make()
    store._keep_hit_payments = 2
    commit(store, 1, [decided(n, RULES[:3], day=n) for n in range(6)])
    assert list(store.rule_days(0, 2 * T0)) == [T0 + n * DAY_MS for n in (3, 4, 5)]
    assert days(store)[T0 + 5 * DAY_MS].overlap == {"R1:R2": 1.0, "R1:R3": 1.0, "other": 1.0}
    store.settle_rule_hits([told(n, True) for n in range(6)])
    counts = {start: day.counts.get("fraud:R1", 0.0) for start, day in days(store).items()}
    assert list(counts.values()) == [0.0, 1.0, 1.0], "a label later than the room allows counts nothing"


def test_a_chargeback_on_an_open_day_waits_and_a_verdict_counts_at_once() -> None:
    store = MemoryStore()
    commit(store, 1, [decided(n, ("R1",)) for n in range(4)])

    def row(now: int) -> RuleRow:
        (only,) = table(store.rule_days(0, 2 * T0), now, 10 * DAY_MS)
        return only

    assert row(T0).precision is None
    store.settle_rule_hits([told(0, True)])
    assert row(T0).precision is None, "known frauds against unknown good payments would flatter the rule"
    store.settle_rule_hits([told(1, False, "analyst")])
    assert row(T0).precision == 0.0
    store.settle_rule_hits([told(1, True, "chargeback", at=1)])
    assert row(T0).precision == 1.0, "the newest label tells the outcome of what an analyst looked at"
    late = row(T0 + 11 * DAY_MS)
    assert (late.frauds, late.settled, late.fraud_usd) == (2, 4, 10.25 + 11.25)


def test_overlaps_beyond_the_bound_go_together() -> None:
    day = RuleDay({}, {})
    add_overlap(day, {"a:b": 1.0, "a:c": 2.0, "b:c": 3.0, "a:b:": 0.5}, most=2)
    assert day.overlap == {"a:b": 1.0, "a:c": 2.0, "other": 3.5}
    assert table({0: msgspec.structs.replace(day, counts={"hits:a": 4.0})}, 0, 0)[0].overlaps[0].share == 0.5
