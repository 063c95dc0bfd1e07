"""The simulated world: repeatable, ordered, plausible, and guilty of what it says it did."""

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

import msgspec
import numpy as np
import pytest

from alerts.custody.data_keys import MemoryDataKeys
from alerts.custody.keyring import KeyRing
from dataflow.door import Door
from dataflow.simulate import DEFAULT_START, Simulator, Truth
from dataflow.simulation import geography as geo
from dataflow.simulation.craft import Craft
from dataflow.simulation.hostile import JUDGED_LATER, MALFORMED, hostile_lines, hostile_stream
from dataflow.simulation.labels import FRIENDLY, LONGEST_DELAY_MS
from dataflow.simulation.manifest import read_lines, read_manifest, truth_path, write_stream
from dataflow.simulation.rhythm import DAY_MS, sale_factor
from dataflow.simulation.scenarios import BACKGROUND, NAMES, SCENARIOS, SPAN_DAYS, Scenario
from dataflow.simulation.world import World, card_number, rng
from models.errors import EventError, SettingsError
from models.events import AnyEvent, Behaviour, Label, Transaction, decode, encode
from models.money import FxTable

MINUTE_MS = 60_000


class Recording:
    """A stream read to the end, with its ground truth."""

    def __init__(self, seed: int, days: float, **parameters: object) -> None:
        simulator = Simulator(seed, **parameters)  # type: ignore[arg-type]
        told: list[Truth] = []
        simulator.truth = told.append
        self.events: list[AnyEvent] = list(simulator.events(days))
        self.truth = {truth.id: truth for truth in told}
        self.told = told
        self.payments = [e for e in self.events if isinstance(e, Transaction)]
        self.acts = [e for e in self.events if isinstance(e, Behaviour)]
        self.labels = [e for e in self.events if isinstance(e, Label)]

    def of(self, typology: str) -> list[Transaction]:
        return [e for e in self.payments if e.id in self.truth and self.truth[e.id].typology == typology]

    def campaigns(self, typology: str) -> list[list[Transaction]]:
        found: dict[str, list[Transaction]] = defaultdict(list)
        for payment in self.of(typology):
            found[self.truth[payment.id].campaign].append(payment)
        return list(found.values())


@pytest.fixture(scope="module")
def mix() -> Recording:
    """Four weeks of the realistic mix."""
    return Recording(11, 28, customers=3000)


@pytest.fixture(scope="module")
def named() -> Recording:
    """Two weeks in which every scenario was asked for by name."""
    names = tuple(name for name in NAMES if name != "quiet")
    return Recording(5, 15, customers=10_000, scenarios=names)


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
        "b7768fa9593ea0ab015b7d76a2206e88c4da71e2f00b314332cf8e4eaa07face"
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


def test_labels_come_after_their_transaction_and_mostly_for_frauds(named: Recording) -> None:
    payments = {e.id: e for e in named.payments}
    false = 0
    for label in named.labels:
        payment = payments[label.transaction_id]
        assert label.fraud
        assert 0 < label.received_at - payment.received_at <= LONGEST_DELAY_MS
        assert label.event_time > payment.received_at
        false += payment.id not in named.truth
    assert false <= max(5, 3 * FRIENDLY * len(payments))


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


# Guilty as charged


def test_every_named_scenario_is_there(named: Recording) -> None:
    told = {truth.scenario for truth in named.told}
    assert told == {scenario.name for scenario in SCENARIOS} | {BACKGROUND.name}
    for scenario in SCENARIOS:
        assert {t.typology for t in named.told if t.scenario == scenario.name} == {scenario.typology}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_named_scenario_comes_alone(scenario: Scenario) -> None:
    stream = Recording(3, 3, customers=400, scenarios=(scenario.name,))
    assert {truth.scenario for truth in stream.told} <= {scenario.name, BACKGROUND.name}
    assert any(truth.scenario == scenario.name for truth in stream.told)


def test_card_testing_is_a_refused_burst_on_one_bin(named: Recording) -> None:
    for campaign in named.campaigns("T01"):
        small = [
            e for e in campaign if e.amount / geo.MINOR_UNITS[e.currency] / geo.UNITS_PER_USD[e.currency] < 15
        ]
        if len(small) < 30:
            continue  # cut by the end of the stream
        assert len({e.bin for e in small}) == 1
        assert len({e.card for e in small}) > 0.9 * len(small)
        assert len({e.device for e in small}) <= 8
        assert np.mean([e.authorisation == "declined" for e in small]) > 0.6
        reasons = Counter(e.decline_code for e in small)
        assert reasons["invalid_account"] + reasons["invalid_credential"] > 0.4 * len(small)
        assert small[-1].event_time - small[0].event_time < DAY_MS // 6


def test_takeover_follows_changes_from_a_strange_place(named: Recording) -> None:
    changed = defaultdict(list)
    for act in named.acts:
        if act.kind in ("device_change", "credential_change", "contact_change", "login"):
            changed[act.payer].append(act)
    hits = []
    for payment in named.of("T02"):
        hits.append(any(0 < payment.event_time - act.event_time < DAY_MS for act in changed[payment.payer]))
    assert np.mean(hits) > 0.95
    strange = [e.ip_country != e.payer_country for e in named.of("T02")]
    assert 0.4 < np.mean(strange) < 0.95, "telling, but not a giveaway"


def test_triangulation_uses_many_cards_and_addresses_on_one_account(named: Recording) -> None:
    full = [c for c in named.campaigns("T03") if len(c) >= 8]
    assert full
    for campaign in full:
        assert len({e.payer for e in campaign}) == 1
        assert len({e.card for e in campaign}) >= 5
        assert len({e.ship_token for e in campaign}) >= 5


def test_refund_abusers_get_much_more_back_than_others(named: Recording) -> None:
    abusers = {e.payer for e in named.of("T04")}
    back = Counter(act.payer for act in named.acts if act.kind == "refund")
    bought = Counter(e.payer for e in named.payments if e.channel == "cnp")
    rate = sum(back[a] for a in abusers) / sum(bought[a] for a in abusers)
    others = sum(n for p, n in back.items() if p not in abusers) / sum(bought.values())
    assert rate > 8 * others


def test_mules_take_in_from_many_and_send_on_nearly_all(named: Recording) -> None:
    full = [c for c in named.campaigns("T06") if len(c) >= 11]
    assert full
    for campaign in full:
        received = Counter(e.payee for e in campaign)
        mule, incoming = received.most_common(1)[0]
        out = [e for e in campaign if e.payer == mule]
        assert incoming >= 8
        assert 2 <= len(out) <= 4

        def usd(payments: list[Transaction]) -> float:
            paid = [e for e in payments if e.authorisation == "approved"]
            return sum(e.amount / geo.MINOR_UNITS[e.currency] / geo.UNITS_PER_USD[e.currency] for e in paid)

        into = usd([e for e in campaign if e.payee == mule])
        assert 0.75 < usd(out) / into < 1.1
        assert all(o.event_time > min(e.event_time for e in campaign) for o in out)


def test_structuring_stays_under_a_line_to_one_payee(named: Recording) -> None:
    under = total = 0
    for campaign in named.campaigns("T07"):
        assert len({e.payee for e in campaign}) == 1
        for e in campaign:
            usd = e.amount / geo.MINOR_UNITS[e.currency] / geo.UNITS_PER_USD[e.currency]
            total += 1
            under += any(0.85 * line <= usd < line for line in (1000, 3000, 10_000))
    assert 0.65 < under / total < 1.0
    assert max(len({e.payer for e in campaign}) for campaign in named.campaigns("T07")) >= 5


def test_impossible_travel_crosses_continents_in_minutes(named: Recording) -> None:
    region = {country.code: country.region for country in geo.COUNTRIES}
    by_card = defaultdict(list)
    for payment in named.payments:
        by_card[payment.card].append(payment)
    for payment in named.of("T10"):
        assert payment.ip_country is not None
        near = [
            e for e in by_card[payment.card] if 0 < payment.event_time - e.event_time < 5 * 60 * MINUTE_MS
        ]
        assert any(region[e.ip_country or ""] != region[payment.ip_country] for e in near)


def test_bust_out_multiplies_a_merchants_sales(named: Recording) -> None:
    full = [c for c in named.campaigns("T14") if len(c) >= 35]
    assert full
    for campaign in full:
        shops = {e.merchant for e in campaign}
        assert len(shops) == 1
        frauds = {e.id for e in campaign}
        sold = [e for e in named.payments if e.merchant in shops and e.id not in frauds]
        span = max(1.0, (campaign[-1].event_time - campaign[0].event_time) / DAY_MS)
        assert len(campaign) / span > 2 * len(sold) / 15


def test_stuffing_fails_from_few_places_on_many_accounts(named: Recording) -> None:
    tries = defaultdict(list)
    for act in named.acts:
        truth = named.truth.get(act.id)
        if truth is not None and truth.typology == "T16":
            tries[truth.campaign].append(act)
    full = [acts for acts in tries.values() if len(acts) >= 50]
    assert full
    for acts in full:
        assert len({a.ip for a in acts}) <= 3
        assert len({a.payer for a in acts}) > 0.8 * len(acts)
        assert np.mean([a.kind == "login_failed" for a in acts]) > 0.85


def test_scams_go_to_a_payee_just_added_from_the_own_device(named: Recording) -> None:
    added = {(a.payer, a.payee): a for a in named.acts if a.kind == "payee_added"}
    own = defaultdict(set)
    for payment in named.payments:
        if payment.id not in named.truth:
            own[payment.payer].add(payment.device)
    scams = named.of("T17")
    assert all(added[(e.payer, e.payee)].event_time < e.event_time for e in scams)
    known = [e.device in own[e.payer] for e in scams if own[e.payer]]
    assert np.mean(known) > 0.6


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


# Written and sent


@pytest.mark.parametrize("name", ["stream.jsonl", "stream.jsonl.gz"])
def test_written_streams_match_their_manifest(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    simulator = Simulator(6, customers=300, scenarios=("mule", "structuring"))
    manifest = write_stream(path, simulator, 3)
    assert read_manifest(path) == manifest
    lines = list(read_lines(path))
    assert hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest() == manifest.sha256
    events = [decode(line) for line in lines]
    assert events == list(simulator.events(3))
    assert sum(manifest.events.values()) == len(events)
    truths = [msgspec.json.decode(line, type=Truth) for line in truth_path(path).read_bytes().splitlines()]
    assert {t.id for t in truths} <= {e.id for e in events}
    assert Counter(t.typology for t in truths if t.kind == "transaction") == manifest.frauds
    before = path.read_bytes()
    assert write_stream(path, Simulator(6, customers=300, scenarios=("mule", "structuring")), 3) == manifest
    assert path.read_bytes() == before


def test_a_stream_is_not_written_under_another_ending(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\.jsonl"):
        write_stream(tmp_path / "stream.csv", Simulator(1, customers=10), 1)
    with pytest.raises(SettingsError, match="no manifest"):
        read_manifest(tmp_path / "stream.jsonl")


def test_raw_lines_pass_the_door_and_keep_who_is_who() -> None:
    """All of them are taken, and the door's tokens tell the same cards, payers and addresses apart."""
    simulator = Simulator(9, customers=250)
    clock = iter(range(DEFAULT_START + 90 * DAY_MS, DEFAULT_START + 91 * DAY_MS))
    door = Door(KeyRing.for_tests(), MemoryDataKeys(), clock=lambda: next(clock))
    pairs: dict[str, set[tuple[object, object]]] = defaultdict(set)
    for event, line in zip(simulator.events(4), simulator.raw_lines(4), strict=True):
        taken = door.protect_line(line, "test:1")
        assert isinstance(taken, bytes), taken
        assert b"SYNTH-" not in taken
        protected = decode(taken)
        for name in ("payer", "payee", "card", "ip", "ship_token"):
            pairs[name].add((getattr(event, name, None), getattr(protected, name, None)))
        if isinstance(event, Transaction):
            assert isinstance(protected, Transaction)
            assert (event.bin, event.last4, event.amount) == (
                protected.bin,
                protected.last4,
                protected.amount,
            )
    for name, found in pairs.items():
        assert len({a for a, _ in found}) == len({b for _, b in found}) == len(found), name


# Hostile


@pytest.fixture(scope="module")
def clean() -> list[bytes]:
    return [encode(e) for e in Simulator(3, customers=700).events(4)]


def test_there_are_many_kinds_of_malformed_lines_and_none_is_taken(clean: list[bytes]) -> None:
    assert len(MALFORMED) >= 25
    line = next(line for line in clean if line.startswith(b'{"type":"transaction"'))
    for kind, spoil in MALFORMED.items():
        spoiled = spoil(line)
        assert spoiled != line
        assert b"\n" not in spoiled, kind
        assert spoil(line) == spoiled
        if kind in JUDGED_LATER:
            decode(spoiled)
            continue
        with pytest.raises(EventError) as refused:
            decode(spoiled)
        assert refused.value.detail, kind


def test_hostile_streams_keep_every_clean_line_and_say_what_they_did(clean: list[bytes]) -> None:
    hostile = list(hostile_lines(clean, 5, with_oversize=True))
    assert [h.line for h in hostile] == list(hostile_stream(clean, 5, with_oversize=True))
    assert [h.line for h in hostile] != list(hostile_stream(clean, 6, with_oversize=True))
    originals = [h.line for h in hostile if h.kind in ("clean", "late")]
    assert sorted(originals) == sorted(clean)
    assert originals != clean
    kinds = Counter(h.kind for h in hostile)
    assert set(MALFORMED) | {"clean", "late", "duplicate", "conflicting_duplicate", "oversize"} == set(kinds)
    assert max(len(h.line) for h in hostile) > 1_000_000
    assert max(len(h.line) for h in hostile_lines(clean, 5)) < 100_000


def test_repetitions_follow_what_they_repeat(clean: list[bytes]) -> None:
    seen: dict[str, bytes] = {}
    for kind, line in hostile_lines(clean, 5):
        if kind in MALFORMED:
            continue
        id_ = decode(line).id
        if kind in ("clean", "late"):
            assert id_ not in seen
            seen[id_] = line
        else:
            assert (seen[id_] == line) == (kind == "duplicate")
