"""The simulated world: repeatable, ordered and plausible."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import os
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from dataflow.simulate import DEFAULT_START, Simulator
from dataflow.simulation import geography as geo
from dataflow.simulation.craft import Craft
from dataflow.simulation.rhythm import DAY_MS, sale_factor
from dataflow.simulation.scenarios import BACKGROUND, SCENARIOS, SPAN_DAYS
from dataflow.simulation.world import World, card_number, rng
from models.errors import SettingsError
from models.events import Label, Transaction, decode, encode
from models.money import FxTable
from tests.recording import Recording


@pytest.fixture(scope="module")
def mix() -> Recording:
    """Four weeks of the realistic mix."""
    return Recording(11, 28, customers=3000)


def digest(events: object) -> str:
    hashed = hashlib.sha256()
    for event in events:  # type: ignore[attr-defined]
        hashed.update(encode(event) + b"\n")
    return hashed.hexdigest()


# Repeatable


def test_the_same_seed_gives_the_same_bytes_in_any_process() -> None:
    code = (
        "import hashlib; from dataflow.simulate import Simulator; from models.events import encode;"
        "print(hashlib.sha256(b'\\n'.join(map(encode, Simulator(3, customers=200).events(4)))).hexdigest())"
    )
    seen = set()
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent.parent,
        )
        seen.add(done.stdout)
    assert len(seen) == 1
    assert digest(Simulator(3, customers=200).events(4)) != digest(Simulator(4, customers=200).events(4))


def test_what_is_read_does_not_depend_on_how_far_it_is_read() -> None:
    simulator = Simulator(8, customers=300)
    short, long = list(simulator.events(2.5)), list(simulator.events(6))
    assert short == long[: len(short)]
    assert all(e.received_at < DEFAULT_START + 2.5 * DAY_MS for e in short)
    assert long[len(short)].received_at >= DEFAULT_START + 2.5 * DAY_MS
    assert list(itertools.islice(simulator.stream(), len(long))) == long


def test_a_stream_can_be_taken_up_in_the_middle() -> None:
    simulator = Simulator(8, customers=120, rate_scale=2.0)
    whole = [e for e in simulator.events(95) if e.received_at >= DEFAULT_START + 92 * DAY_MS]
    taken_up = list(itertools.islice(simulator.events_from(92), len(whole)))
    assert taken_up == whole
    assert any(isinstance(e, Label) for e in whole), "late labels of days before the start belong to it"


def test_golden_stream() -> None:
    """The stream of a seed is a contract with recorded streams: a change here changes their digests."""
    assert digest(Simulator(1, customers=50).events(3)) == (
        "cff3a5f0d21e342de981e5b41baf3dc6f88852078408c2580d1689ed8107f5ff"
    )


# Ordered and well-formed


def test_events_arrive_in_order_once_and_decode(mix: Recording) -> None:
    arrivals = [e.received_at for e in mix.events]
    assert arrivals == sorted(arrivals)
    assert len({e.id for e in mix.events}) == len(mix.events)
    for event in mix.events[::7]:
        assert decode(encode(event)) == event
    assert all(e.event_time <= e.received_at for e in mix.events)


def test_every_scenario_plans_within_its_bounds() -> None:
    world = World(2, 1500)
    for scenario in (*SCENARIOS, BACKGROUND):
        payments = []
        for day in range(12):
            drafts = scenario.plan(Craft(world, rng(2, scenario.name, day), day), DEFAULT_START)
            assert all(0 <= d.received_at - DEFAULT_START < SPAN_DAYS * DAY_MS for d in drafts), scenario.name
            payments.append(sum(d.kind == "transaction" and d.typology is not None for d in drafts))
        assert sum(payments) > 0, scenario.name


def test_most_frauds_are_labelled_in_the_end_and_late() -> None:
    stream = Recording(21, 75, customers=500, rate_scale=1.0)
    known = {label.transaction_id: label for label in stream.labels}
    old = [e for e in stream.payments if e.id in stream.truth and e.received_at < DEFAULT_START + 30 * DAY_MS]
    assert 0.85 <= np.mean([e.id in known for e in old]) <= 0.99
    days = [
        (label.received_at - payment.received_at) / DAY_MS
        for payment in stream.payments
        if (label := known.get(payment.id)) is not None and label.source == "chargeback"
    ]
    assert 4 <= np.median(days) <= 9
    assert max(days) > 12


# Plausible


def test_the_mix_is_one_a_payment_person_would_believe(mix: Recording) -> None:
    channels = Counter(e.channel for e in mix.payments)
    total = len(mix.payments)
    assert 0.45 < channels["cnp"] / total < 0.75
    assert all(0.05 < channels[name] / total < 0.3 for name in ("qr", "wallet", "transfer"))
    abroad = np.mean([e.payer_country != e.payee_country for e in mix.payments])
    assert 0.6 < abroad < 0.95
    frauds = sum(e.id in mix.truth for e in mix.payments)
    assert 0.003 <= frauds / total <= 0.015
    kinds = Counter(e.kind for e in mix.acts)
    assert set(kinds) == {
        "login",
        "login_failed",
        "device_change",
        "credential_change",
        "contact_change",
        "payee_added",
        "refund",
    }
    assert 0.01 < kinds["login_failed"] / kinds["login"] < 0.2


def test_transfers_and_purchases_carry_what_belongs_to_them(mix: Recording) -> None:
    for payment in mix.payments:
        if payment.channel == "transfer":
            assert None not in (payment.payee, payment.payee_country, payment.purpose, payment.uetr)
            assert payment.card is payment.merchant is payment.mcc is None
        else:
            assert None not in (payment.merchant, payment.mcc, payment.payee_country)
            assert payment.payee is None
            assert (payment.card is None) == (payment.bin is None) == (payment.last4 is None)
        assert (payment.decline_code is not None) == (payment.authorisation == "declined")


def test_tickets_are_plausible_in_every_currency(mix: Recording) -> None:
    rates = geo.UNITS_PER_USD
    by_currency: dict[str, list[float]] = defaultdict(list)
    for payment in mix.payments:
        usd = payment.amount / geo.MINOR_UNITS[payment.currency] / rates[payment.currency]
        by_currency[payment.currency].append(usd)
        assert usd < 100_000
    assert len(by_currency) == len(rates)
    for currency, sums in by_currency.items():
        assert 8 < np.median(sums) < 250, currency


def test_rates_agree_with_the_engines_table() -> None:
    table = FxTable.default()
    for currency, units in geo.UNITS_PER_USD.items():
        minor = round(1000 * units * geo.MINOR_UNITS[currency])
        assert table.dollars(minor, currency, DEFAULT_START) == pytest.approx(1000.0, rel=1e-4)


def test_partners_differ_in_declines_as_planned(mix: Recording) -> None:
    rates = {}
    for partner in geo.PARTNERS:
        own = [e for e in mix.payments if e.partner == partner.id and e.id not in mix.truth]
        rates[partner.id] = np.mean([e.authorisation == "declined" for e in own])
        assert partner.declines * 0.6 < rates[partner.id] < partner.declines * 1.7
    assert max(rates.values()) > 2.5 * min(rates.values())
    codes = Counter(e.decline_code for e in mix.payments if e.decline_code and e.id not in mix.truth)
    assert codes.most_common(1)[0][0] == "insufficient_funds"
    assert set(codes) == set(geo.DECLINE_CODES)


@pytest.mark.parametrize("code", ["CN", "US", "BR", "GB"])
def test_people_pay_by_day_in_their_own_time(mix: Recording, code: str) -> None:
    zone = ZoneInfo(geo.COUNTRIES[geo.INDEX[code]].zone)
    own = [e for e in mix.payments if e.payer_country == code and e.id not in mix.truth]
    hours = Counter(dt.datetime.fromtimestamp(e.event_time / 1000, zone).hour for e in own)
    night = sum(hours[h] for h in range(2, 6)) / 4
    evening = sum(hours[h] for h in range(18, 22)) / 4
    assert evening > 5 * night
    assert hours.most_common(1)[0][0] in range(10, 23)


def test_customers_keep_their_habits(mix: Recording) -> None:
    places: dict[str, list[Transaction]] = defaultdict(list)
    for payment in mix.payments:
        if payment.payer and payment.id not in mix.truth:
            places[payment.payer].append(payment)
    regulars = [payments for payments in places.values() if len(payments) >= 20]
    assert len(regulars) > 100
    assert np.mean([len({e.card for e in p if e.card}) <= 2 for p in regulars]) > 0.98
    assert np.mean([len({e.device for e in p}) <= 5 for p in regulars]) > 0.95
    assert np.median([len({e.ip for e in p}) for p in regulars]) < 15
    favourite = [max(Counter(e.merchant for e in p).values()) / len(p) for p in regulars]
    assert np.median(favourite) > 0.15


def test_sale_days() -> None:
    assert sale_factor("CN", dt.date(2026, 11, 11)) > 3
    assert sale_factor("US", dt.date(2026, 11, 27)) > 2
    assert sale_factor("US", dt.date(2026, 11, 26)) == sale_factor("DE", dt.date(2026, 3, 3)) == 1.0
    start = int(dt.datetime(2026, 11, 9, tzinfo=dt.UTC).timestamp() * 1000)
    bought = Counter(
        dt.datetime.fromtimestamp(e.event_time / 1000, ZoneInfo("Asia/Shanghai")).day
        for e in Simulator(2, customers=1500, start=start).events(4)
        if isinstance(e, Transaction) and e.payer_country == "CN"
    )
    assert bought[11] > 2 * bought[10]


def test_card_numbers_are_test_numbers_with_a_right_check_digit() -> None:
    for iin in range(5):
        number = card_number(123, iin)
        digits = [int(d) for d in reversed(number)]
        doubled = sum(sum(divmod(2 * d, 10)) for d in digits[1::2])
        assert (sum(digits[::2]) + doubled) % 10 == 0
        assert len(number) == 16


def test_no_single_sign_gives_fraud_away(mix: Recording) -> None:
    """Honest people are abroad, use new devices and pay at night, too: precision of each sign stays low."""
    frauds = {e.id for e in mix.payments if e.id in mix.truth}
    signs = {
        "bought as a guest": [e for e in mix.payments if e.payer is None],
        "nothing charged": [e for e in mix.payments if e.amount == 0],
        "foreign address": [e for e in mix.payments if e.ip_country != e.payer_country],
        "declined": [e for e in mix.payments if e.authorisation == "declined"],
        "card from abroad": [e for e in mix.payments if e.issuer_country not in (None, e.payer_country)],
        "shipped abroad": [e for e in mix.payments if e.ship_country not in (None, e.payer_country)],
    }
    for name, found in signs.items():
        assert np.mean([e.id in frauds for e in found]) < 0.25, name


def test_a_quiet_stream_has_nothing_injected() -> None:
    stream = Recording(11, 10, customers=2000, scenarios=("quiet",))
    assert {truth.scenario for truth in stream.told} <= {BACKGROUND.name}
    assert sum(e.id in stream.truth for e in stream.payments) < 0.001 * len(stream.payments)
    assert {"login", "login_failed"} <= {e.kind for e in stream.acts}


@pytest.mark.parametrize(
    "parameters",
    [
        {"scenarios": ("card_tasting",)},
        {"scenarios": ("quiet", "mule")},
        {"customers": 0},
        {"rate_scale": 0.0},
    ],
)
def test_wrong_parameters_are_refused_with_the_choice(parameters: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=r"choose|stands alone"):
        Simulator(1, **parameters)  # type: ignore[arg-type]


def test_ids_tell_nothing(mix: Recording) -> None:
    frauds = [int(e.id.rpartition("n")[2]) for e in mix.payments if e.id in mix.truth]
    everything = [int(e.id.rpartition("n")[2]) for e in mix.payments]
    assert abs(np.mean(frauds) / np.mean(everything) - 1) < 0.25
    assert len({len(e.id.rpartition("-")[0].split("-")) for e in (*mix.payments, *mix.acts)}) == 1
