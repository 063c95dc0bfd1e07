"""Every injected typology shows the signature it is named for, and nothing else is injected."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pytest

from dataflow.simulation import geography as geo
from dataflow.simulation.labels import FRIENDLY, LONGEST_DELAY_MS
from dataflow.simulation.rhythm import DAY_MS
from dataflow.simulation.scenarios import BACKGROUND, NAMES, SCENARIOS, Scenario
from models.events import Transaction
from tests.recording import Recording

MINUTE_MS = 60_000


@pytest.fixture(scope="module")
def named() -> Recording:
    """Two weeks in which every scenario was asked for by name."""
    names = tuple(name for name in NAMES if name != "quiet")
    return Recording(5, 15, customers=10_000, scenarios=names)


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
