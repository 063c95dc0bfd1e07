"""Signals of accounts and documents against the oracle of tests/oracle_relations.py, and what they mean."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.catalogue.signals import SIGNALS
from models.deciding import Judged
from models.engine import Engine
from models.engine_settings import CAPACITIES, EngineSettings
from models.events import Documents, Transaction
from models.features import BY_NAME, NAMES, RULE_KINDS
from models.freezing import freeze, thaw
from models.money import FxTable
from models.rules.pack import load_pack
from models.serving import Snapshot
from tests.oracle_features import DAY, HOUR, Value
from tests.oracle_relations import Relations
from tests.test_engine_oracle import entries_of, pack_of, same

START = 1_788_220_800_000
MINUTE = 60_000
FX = FxTable.default()
WIDE = EngineSettings(ledger_rows=4096, vector_rows=8192)
NARROW = msgspec.structs.replace(WIDE, capacities=dict.fromkeys(CAPACITIES, 3) | {"goods": 2})
QUICK = settings(
    max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def engine_with(chosen: EngineSettings) -> Engine:
    return Engine(chosen, pack_of("COUNT"), FX, Snapshot.untrained(NAMES))


def signals(engine: Engine, payments: Sequence[Transaction], batch: int) -> list[dict[str, Value]]:
    """What the rules of the engine see of each payment."""
    seen: list[dict[str, Value]] = []

    def watch(judged: Judged) -> None:
        for row in range(len(judged.made)):
            found = {signal.name: float(judged.columns[signal.name][row]) for signal in SIGNALS}
            seen.append({name: None if math.isnan(value) else value for name, value in found.items()})

    engine.beside = watch
    for start in range(0, len(payments), batch):
        engine.step(entries_of(payments[start : start + batch]))
    return seen


def pay(
    number: int, at: int, usd: float, payer: str | None, payee: str | None, **more: object
) -> Transaction:
    return Transaction(
        id=f"t{number}", event_time=START + at, received_at=START + max(at, 0) + number, amount=round(usd * 100),
        currency="USD", channel="transfer", payer=payer, payee=payee, **more,  # type: ignore[arg-type]
    )  # fmt: skip


_party = st.sampled_from([None, "p1", "p1", "p2"])
_documents = st.none() | st.builds(
    Documents, order_party=_party, payment_party=_party, waybill_party=_party,
    order_amount=st.sampled_from([None, 0, 5_000]), waybill_amount=st.sampled_from([None, 5_000, 700]),
    order_goods=st.sampled_from([None, "610910", "61099010", "8517"]),
    waybill_goods=st.sampled_from([None, "610910", "711319"]),
    quantity=st.sampled_from([None, 1.0, 3.0]), weight_grams=st.sampled_from([None, 250, 4_000]),
)  # fmt: skip
_name = st.sampled_from(["a", "b", "c", "d", "e", None])
_step = st.sampled_from([0, MINUTE, 20 * MINUTE, HOUR, 9 * HOUR, DAY, 3 * DAY])
_late = st.sampled_from([0, 0, 0, HOUR // 2, 2 * HOUR, DAY])
_usd = st.sampled_from([0.0, 50.0, 95.0, 99.0, 100.0, 100.5, 400.0, 1e10])
_plans = st.lists(
    st.tuples(
        _name, _name, _usd, _step, _late, st.sampled_from([None, "approved", "declined"]),
        st.sampled_from([None, None, "a", "f"]), st.sampled_from([None, None, "b"]), _documents,
    ),
    min_size=1, max_size=40,
)  # fmt: skip


@st.composite
def streams(draw: st.DrawFn) -> list[Transaction]:
    now, out = 0, []
    for n, (payer, payee, usd, step, late, answer, leaves, reaches, papers) in enumerate(draw(_plans)):
        now += step
        out.append(
            pay(n, now - late, usd, payer, payee, authorisation=answer, payer_account=leaves,
                payee_account=reaches, documents=papers)
        )  # fmt: skip
    return out


def agrees(payments: list[Transaction], chosen: EngineSettings, batch: int) -> None:
    oracle = Relations(chosen.capacities)
    engine = engine_with(chosen)
    for t, got in zip(payments, signals(engine, payments, batch), strict=True):
        want = oracle.signals(t, FX.dollars(t.amount, t.currency, t.event_time))
        assert set(got) == set(want)
        wrong = {name: (got[name], want[name]) for name in want if not same(got[name], want[name])}
        assert not wrong, f"{t.id}: (engine, oracle) {wrong}"
    assert engine.shards[0].relations.evicted == oracle.evicted


@QUICK
@given(streams(), st.sampled_from([WIDE, NARROW]), st.sampled_from([1, 5, 512]))
def test_signals_agree_with_the_oracle(
    payments: list[Transaction], chosen: EngineSettings, batch: int
) -> None:
    agrees(payments, chosen, batch)


@pytest.mark.parametrize("chosen", [WIDE, NARROW], ids=["wide", "narrow"])
def test_a_long_busy_stream_agrees_with_the_oracle(chosen: EngineSettings) -> None:
    """Many payments between few accounts, so that credits are pushed out and walks meet their bound."""
    draw, payments, now = np.random.default_rng(4), [], 0
    for n in range(1500):
        now += int(draw.exponential(15 * MINUTE))
        payer, payee = draw.choice(9, 2, replace=False)
        papers = Documents(
            order_goods=("610910", "851713")[int(draw.integers(2))], quantity=float(draw.integers(1, 4)),
            weight_grams=int(draw.integers(100, 5000)),
        )  # fmt: skip
        usd = float(draw.choice([98.0, 99.0, 100.0, 250.0]))
        payments.append(pay(n, now, usd, f"a{payer}", f"a{payee}", documents=papers if n % 3 == 0 else None))
    agrees(payments, chosen, 64)


def test_a_state_put_away_answers_alike() -> None:
    draw = np.random.default_rng(1)
    payments = [
        pay(n, n * 7 * MINUTE, 100.0 - n % 3, f"a{draw.integers(6)}", f"a{draw.integers(6)}",
            documents=Documents(order_goods="610910", quantity=1.0 + n % 2))
        for n in range(120)
    ]  # fmt: skip
    whole = signals(engine_with(WIDE), payments, 16)
    first, second = engine_with(WIDE), engine_with(WIDE)
    start = signals(first, payments[:60], 16)
    thaw(second, *freeze(first))
    assert start + signals(second, payments[60:], 16) == whole


def test_money_that_leaves_within_the_hour_is_a_pass() -> None:
    got = signals(
        engine_with(WIDE),
        [
            pay(0, 0, 300, "old", "mule"),
            pay(1, 8 * HOUR, 600, "x", "mule"),
            pay(2, 8 * HOUR + 10 * MINUTE, 400, "y", "mule"),
            pay(3, 8 * HOUR + 30 * MINUTE, 950, "mule", "out"),
            pay(4, 9 * DAY, 1000, "x", "mule"),
            pay(5, 9 * DAY + 5 * MINUTE, 500, "mule", "out"),
            pay(6, 9 * DAY + 6 * MINUTE, 480, "mule", "out", authorisation="declined"),
            pay(7, 9 * DAY + 7 * MINUTE, 480, "mule", "out"),
        ],
        3,
    )
    assert got[3]["account_passed_share_1h"] == 0.95
    assert got[3]["account_funded_share_1h"] == 1.0
    assert got[3]["account_dwell_seconds"] == pytest.approx((400 * 1200 + 550 * 1800) / 950)
    assert got[3]["account_passes_7d"] == 1.0
    assert got[3]["account_payers_1d"] == 3.0
    assert got[5]["account_passes_7d"] == 0.0, "half of it stayed, and the first pass is long ago"
    assert got[6]["account_passes_7d"] == got[7]["account_passes_7d"] == 1.0, "a declined debit takes nothing"


def test_value_that_comes_home_over_others_is_a_cycle() -> None:
    hops = [("a", "b", 1000.0), ("b", "c", 980.0), ("c", "d", 960.0), ("d", "a", 940.0)]
    payments = [pay(n, n * DAY, usd, payer, payee) for n, (payer, payee, usd) in enumerate(hops)]
    got = signals(engine_with(WIDE), payments, 512)
    assert [g["cycle_payments"] for g in got] == [0.0, 0.0, 0.0, 4.0]
    assert got[3]["cycle_returned_share"] == pytest.approx(0.94)
    assert got[3]["cycle_days"] == 3.0

    def last(*payments: Transaction) -> Value:
        return signals(engine_with(WIDE), payments, 512)[-1]["cycle_payments"]

    assert last(*payments[:3], pay(3, 3 * DAY, 890, "d", "a")) == 0.0, "a tenth is lost"
    assert last(*payments[:3], pay(3, 8 * DAY, 940, "d", "a")) == 0.0, "a week has passed"
    assert last(pay(0, 0, 100, "a", "b"), pay(1, HOUR, 100, "b", "a")) == 0.0, "paid back"
    assert last(*[pay(n, n, 100, "abcdef"[n], "bcdefa"[n]) for n in range(6)]) == 0.0, "too long"
    assert last(*[pay(n, n, 100, "abcde"[n], "bcdea"[n]) for n in range(5)]) == 5.0


def test_what_no_document_says_is_not_judged() -> None:
    (bare, one, both) = signals(
        engine_with(WIDE),
        [
            pay(0, 0, 10, "a", None),
            pay(1, 1, 10, "a", None, documents=Documents(order_party="p", order_goods="610910")),
            pay(2, 2, 10, "a", None, documents=Documents(
                order_party="p", payment_party="q", order_amount=1000, waybill_amount=250, order_goods="610910",
                waybill_goods="611030")),
        ],
        3,
    )  # fmt: skip
    assert {value for name, value in bare.items() if name != "days_watched"} == {None}
    assert {value for name, value in one.items() if name != "days_watched"} == {None}
    assert (both["documents_parties_differ"], both["documents_amounts_apart"]) == (1.0, 0.75)
    assert both["documents_goods_differ"] == 1.0
    assert both["price_deviation"] is None


def test_rules_can_speak_of_every_signal_and_models_of_none() -> None:
    for signal in SIGNALS:
        assert signal.name in RULE_KINDS
        assert signal.name not in BY_NAME
        assert signal.en
        assert signal.zh
        test = f"{signal.name}" if signal.unit == "flag" else f"{signal.name} >= 1"
        value = "true" if signal.unit == "flag" else "1"
        load_pack(
            f"""name = "one"
[[rule]]
id = "X"
title_en = "x"
title_zh = "x"
expression = "hold if {test}"
severity = "low"
typology = "T08"
source = {{ kind = "expert", reference = "test" }}
runbook = "none"
hits = [{{ {signal.name} = {value} }}]
misses = [{{}}]
""",
            features=RULE_KINDS,
        )
