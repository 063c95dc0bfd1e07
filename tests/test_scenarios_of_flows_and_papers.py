"""The typologies of flows, papers, parties and hours show their signature, and honest people do much the same."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict

import numpy as np
import pytest

from dataflow.simulate import Simulator
from dataflow.simulation import geography as geo
from dataflow.simulation.errands import ASLEEP_DAYS
from dataflow.simulation.rhythm import DAY_MS, local_hour
from models.events import Transaction
from tests.recording import Recording

HOUR_MS = 3_600_000


def usd(payment: Transaction) -> float:
    return payment.amount / geo.MINOR_UNITS[payment.currency] / geo.UNITS_PER_USD[payment.currency]


@pytest.fixture(scope="module")
def named() -> Recording:
    """Three weeks of the mix, large enough for every scenario."""
    return Recording(6, 21, customers=8000)


def test_what_passes_through_leaves_within_hours_and_comes_again(named: Recording) -> None:
    full = [c for c in named.campaigns("T08") if len(c) >= 6]
    assert full
    for campaign in full:
        account = Counter(e.payee for e in campaign).most_common(1)[0][0]
        into = [e for e in campaign if e.payee == account]
        out = [e for e in campaign if e.payer == account]
        assert len(into) >= 2
        assert 0.75 < sum(map(usd, out)) / sum(map(usd, into)) < 1.05
        waits = [o.event_time - max(i.event_time for i in into if i.event_time <= o.event_time) for o in out]
        assert np.median(waits) < HOUR_MS
        assert all(o.payer_country != o.payee_country for o in out)


def test_round_trips_come_home_with_little_loss(named: Recording) -> None:
    full = [c for c in named.campaigns("T18") if {e.payer for e in c} == {e.payee for e in c}]
    assert full
    for campaign in full:
        laps = len({e.payer for e in campaign})
        assert 3 <= laps <= 5
        first, home = campaign[0], campaign[laps - 1]
        assert home.payee == first.payer
        assert 0.85 < usd(home) / usd(first) < 1.0
        assert home.event_time - first.event_time < 7 * DAY_MS


def test_papers_of_mismatched_trade_disagree_and_prices_are_far_off(named: Recording) -> None:
    frauds = named.of("T19")
    honest = [e for e in named.payments if e.documents is not None and e.id not in named.truth]
    assert len(frauds) >= 20
    assert len(honest) >= 500

    def differ(payments: list[Transaction]) -> float:
        found = [e.documents for e in payments if e.documents is not None]
        people = [{d.order_party, d.payment_party, d.waybill_party} for d in found]
        return float(np.mean([len(parties) > 1 for parties in people]))

    assert differ(frauds) > 0.3
    assert 0.02 < differ(honest) < 0.15, "gifts and relatives who pay"
    assert np.median([usd(e) for e in frauds]) > 5 * np.median([usd(e) for e in honest])


def test_synthetic_merchants_sell_at_round_prices_round_the_clock(named: Recording) -> None:
    full = [c for c in named.campaigns("T05") if len(c) >= 40]
    assert full
    for campaign in full:
        assert len({e.merchant for e in campaign}) == 1
        assert len({e.amount for e in campaign}) <= 3
        assert len({e.device for e in campaign}) <= 14
        assert np.mean([e.payer_country != e.payee_country for e in campaign]) > 0.9
        nights = [local_hour(geo.INDEX[e.payer_country or "CN"], e.event_time) < 6 for e in campaign]
        assert np.mean(nights) > 0.1


def test_three_countries_differ_for_a_new_account(named: Recording) -> None:
    posted = [e for e in named.of("T11") if e.ship_country]
    assert posted
    differ = [len({e.issuer_country, e.ip_country, e.ship_country}) == 3 for e in posted]
    assert np.mean(differ) > 0.5
    seen = {e.payer for e in named.payments if e.id not in named.truth}
    assert not seen & {e.payer for e in posted}


def test_a_farm_runs_many_accounts_on_one_device(named: Recording) -> None:
    full = [c for c in named.campaigns("T12") if len(c) >= 8]
    assert full
    for campaign in full:
        assert len({e.device for e in campaign}) == 1
        assert len({e.payer for e in campaign}) == len(campaign)
        assert len({e.card for e in campaign}) < len(campaign)


def test_listed_corridors_and_listed_names_are_told(named: Recording) -> None:
    assert {e.payee_country for e in named.of("T13")} & {"KP", "IR", "MM"}
    scores = [e.screen.score for e in named.of("T20") if e.screen is not None]
    assert len(scores) == len(named.of("T20")) > 0
    namesakes = [e for e in named.payments if e.screen is not None and e.id not in named.truth]
    assert namesakes, "honest people have such names too"
    assert max(e.screen.score for e in namesakes if e.screen) < 0.9 < max(scores)


def test_odd_hours_are_the_dead_of_the_victims_night(named: Recording) -> None:
    hours = [local_hour(geo.INDEX[e.payer_country or "CN"], e.event_time) for e in named.of("T15")]
    assert hours
    assert np.mean([1 <= hour <= 5 for hour in hours]) > 0.95


def test_sleepers_wake_after_half_a_year() -> None:
    simulator = Simulator(3, customers=60, scenarios=("dormant_wakes",), rate_scale=0.05)
    frauds = set()
    simulator.truth = lambda truth: frauds.add(truth.id)
    times = defaultdict(list)
    for event in simulator.events(ASLEEP_DAYS + 60):
        if isinstance(event, Transaction) and event.payer and "SYNTHZa" in event.payer:
            times[event.payer].append((event.event_time, event.id in frauds))
    gaps: dict[bool, list[float]] = {True: [], False: []}
    for seen in times.values():
        for (before, _), (at, fraud) in itertools.pairwise(seen):
            if at - before > 30 * DAY_MS:
                gaps[fraud].append((at - before) / DAY_MS)
    assert min(gaps[False]) > 180
    assert gaps[True] == [] or min(gaps[True]) > 180


def test_honest_money_passes_through_accounts_too(named: Recording) -> None:
    """Without a look-alike no rule about flows would ever be wrong."""
    received = defaultdict(list)
    passed = circles = 0
    paid = set()
    for e in named.payments:
        if e.channel != "transfer" or e.id in named.truth or e.authorisation == "declined":
            continue
        recent = [c for c in received[e.payer] if 0 <= e.event_time - c[0] < HOUR_MS]
        passed += any(0.8 * c[1] <= usd(e) <= 1.05 * c[1] for c in recent)
        received[e.payee].append((e.event_time, usd(e)))
        paid.add((e.payer, e.payee))
        circles += (e.payee, e.payer) not in paid and bool(received[e.payer])
    assert passed >= 5
    assert circles >= 20
