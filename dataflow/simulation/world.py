"""The world a stream comes from: customers, cards, merchants and payees, drawn once from the seed.

Everything is held as numpy arrays indexed by customer, merchant or card; texts are made from the index, so a
world of 100 000 customers is made in about a second. All tokens carry the mark `SYNTH`; there are no names.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from dataflow.simulation import geography as geo
from dataflow.simulation.rhythm import SEGMENTS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Objects = npt.NDArray[Any]

FAVOURITES = 8
MAX_PAYEES = 5
PAYEE_LIFE_DAYS = 90
ATTACK_CARDS = 10_000_000
"""Card indexes from here on are made-up numbers tried by card testers: issuer × 100 000 + serial."""
MOBILE_IPS = 150
HOME_IPS = 1_000_000
"""IP indexes: below 6000 shared mobile gateways, 6000–6063 VPN exits, 10 000–999 999 rented by attackers."""

IINS = tuple(iin for country in geo.COUNTRIES for iin in country.iins)
IIN_COUNTRY = np.array([i for i, country in enumerate(geo.COUNTRIES) for _ in country.iins])


def rng(seed: int, purpose: str, day: int = 0) -> np.random.Generator:
    """The random numbers for one purpose on one day: equal for equal arguments, whatever else was drawn."""
    word = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:4], "big")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, word, day])))


def card_number(index: int, iin: int) -> str:
    """A 16-digit number on a scheme's test IIN, its check digit right (ISO/IEC 7812 Luhn)."""
    body = f"{IINS[iin]}{index % 10**9:09d}"
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return body + str(-total % 10)


class World:
    """Customers 0…n-1 (arrays below), cards 2c and 2c+1 of customer c, merchants by falling popularity.

    people (customers of each country), home, segment, rate (payments a day), spend (factor on tickets), cards
    and devices (how many), favourites (merchants), remits (share of payments that are transfers), payees (how
    many), mobile (share of payments over mobile gateways).
    """

    def __init__(self, seed: int, customers: int) -> None:
        draw = rng(seed, "world")
        self.seed = seed
        self.customers = n = customers
        shares = np.array([country.customers for country in geo.COUNTRIES], dtype=np.float64)
        self.home: Ints = draw.choice(len(shares), n, p=shares / shares.sum())
        self.people: list[Ints] = [np.flatnonzero(self.home == i) for i in range(len(shares))]
        self.segment: Ints = draw.choice(SEGMENTS, n, p=(0.35, 0.5, 0.15))
        self.rate: Floats = np.exp(draw.normal(-0.32, 0.8, n))  # mean 1.0: e^(−0.32 + 0.8²/2)
        self.spend: Floats = np.exp(draw.normal(0.0, 0.45, n))
        self.cards: Ints = draw.choice((1, 2), n, p=(0.62, 0.38))
        self.devices: Ints = draw.choice((1, 2, 3), n, p=(0.5, 0.37, 0.13))
        self.mobile: Floats = draw.beta(1.2, 3.0, n)
        self.vpn = draw.random(n) < 0.04
        self.phase: Ints = draw.integers(0, 10_000, n)
        self.device_life: Ints = draw.integers(250, 1000, n)
        self.ip_life: Ints = draw.integers(8, 60, n)
        self.payees: Ints = np.where(draw.random(n) < 0.34, draw.integers(1, MAX_PAYEES + 1, n), 0)
        self.remits: Floats = np.where(self.payees > 0, draw.beta(2.0, 4.0, n), 0.0)
        self.strong = draw.random(n) < np.array([c.strong for c in geo.COUNTRIES])[self.home]
        self._draw_cards(draw)
        self._draw_merchants(draw)
        self._draw_favourites(draw)
        self._draw_payees(draw)

    def _draw_cards(self, draw: np.random.Generator) -> None:
        first = np.array([IINS.index(country.iins[0]) for country in geo.COUNTRIES])
        count = np.array([len(country.iins) for country in geo.COUNTRIES])
        home = np.repeat(self.home, 2)
        # A few people hold a card from abroad: expatriates and students.
        abroad = draw.random(len(home)) < 0.06
        issuer = np.where(abroad, draw.integers(0, len(geo.COUNTRIES), len(home)), home)
        self.card_iin: Ints = first[issuer] + draw.integers(0, 1 << 30, len(home)) % count[issuer]
        self.card_country: Ints = IIN_COUNTRY[self.card_iin]
        self.last4: Objects = _objects(
            card_number(i, iin)[-4:] for i, iin in enumerate(self.card_iin.tolist())
        )
        self.card_token: Objects = _objects(f"card_1_SYNTH{i:08d}" for i in range(len(home)))
        self.bin: Objects = _objects(IINS)
        self.account: Objects = _objects(account_token(c) for c in range(self.customers))
        self.address: Objects = _objects(f"address_1_SYNTH{c:07d}" for c in range(self.customers))

    def _draw_merchants(self, draw: np.random.Generator) -> None:
        m = self.merchants = max(120, self.customers // 10)
        shares = np.array([country.merchants for country in geo.COUNTRIES], dtype=np.float64)
        self.merchant_country: Ints = draw.choice(len(shares), m, p=shares / shares.sum())
        trade = np.array([trade.share for trade in geo.TRADES], dtype=np.float64)
        self.trade: Ints = draw.choice(len(trade), m, p=trade / trade.sum())
        self.ticket: Floats = np.array([t.ticket for t in geo.TRADES])[self.trade] * np.exp(
            draw.normal(0.0, 0.35, m)
        )
        self.spread: Floats = np.array([t.spread for t in geo.TRADES])[self.trade]
        self.goods = np.array([t.goods for t in geo.TRADES])[self.trade]
        self.counter = np.array([t.counter for t in geo.TRADES])[self.trade]
        partner = np.array([p.share for p in geo.PARTNERS], dtype=np.float64)
        self.partner: Ints = draw.choice(len(partner), m, p=partner / partner.sum())
        # Marketplaces that sell abroad show prices in the buyer's money.
        self.local_prices = draw.random(m) < 0.45
        self.merchant_fraud: Floats = np.array([t.fraud for t in geo.TRADES])[self.trade] * np.exp(
            draw.normal(0.0, 0.5, m)
        )
        self.merchant_id: Objects = _objects(f"m-{i:05d}" for i in range(m))
        popularity = 1.0 / (np.arange(m) + 3.0) ** 0.95
        home = len(geo.COUNTRIES)
        affinity = np.ones((home, m))
        region = np.array([region_index(c.region) for c in geo.COUNTRIES])
        for i, country in enumerate(geo.COUNTRIES):
            affinity[i, region[self.merchant_country] == region[i]] = 1.7
            corridor = [geo.INDEX[code] for code in geo.CORRIDORS[country.code]]
            affinity[i, np.isin(self.merchant_country, corridor)] = 3.0
            affinity[i, self.merchant_country == i] = 4.0
        self.merchant_cdf: Floats = cumulative(affinity * popularity)

    def _draw_favourites(self, draw: np.random.Generator) -> None:
        homes = np.repeat(self.home, FAVOURITES)
        picks = pick(self.merchant_cdf, homes, draw.random(len(homes)))
        self.favourites: Ints = picks.reshape(self.customers, FAVOURITES)

    def _draw_payees(self, draw: np.random.Generator) -> None:
        n = self.customers
        choices = np.array([[geo.INDEX[c] for c in (geo.REMITTANCES[k.code] * 6)[:6]] for k in geo.COUNTRIES])
        column = np.minimum(draw.geometric(0.5, (n, MAX_PAYEES)) - 1, 5)
        self.payee_country: Ints = choices[self.home[:, None], column]
        self.purpose: Ints = draw.choice(
            len(geo.PURPOSES), (n, MAX_PAYEES), p=(0.46, 0.12, 0.16, 0.1, 0.06, 0.1)
        )
        # One payee in four is an institution (a school, a supplier) that many customers pay.
        self.institution: Ints = np.where(
            draw.random((n, MAX_PAYEES)) < 0.25, draw.integers(0, max(20, n // 50), (n, MAX_PAYEES)), -1
        )
        # Rents, fees and wages are the same sum each time, and some lie just under a reporting line.
        fixed = draw.choice((0.0, 450.0, 980.0, 1400.0, 4900.0, 9600.0), (n, MAX_PAYEES),
                            p=(0.8, 0.08, 0.06, 0.04, 0.012, 0.008))  # fmt: skip
        self.fixed_usd: Floats = fixed
        rails = len(geo.REMITTERS)
        self.rail: Ints = self.home % rails

    def payee_token(self, customer: int, slot: int, day: int) -> str:
        """The payee a customer keeps in a slot on a day; private payees are replaced now and then."""
        institution = int(self.institution[customer, slot])
        if institution >= 0:
            return f"account_1_SYNTHB{int(self.payee_country[customer, slot]) * 100_000 + institution:07d}"
        life = (day + int(self.phase[customer]) + 17 * slot) // PAYEE_LIFE_DAYS
        return f"account_1_SYNTHP{customer * MAX_PAYEES + slot:07d}x{life % 1000}"

    def device_token(self, customer: int, slot: int, day: int) -> str:
        """The device a customer uses on a day; it is replaced after its life."""
        life = (day + int(self.phase[customer])) // int(self.device_life[customer])
        return f"device_1_SYNTH{customer * 3 + slot:07d}x{life}"

    def home_ip(self, customer: int, day: int) -> int:
        """The address of a customer's line on a day; it changes slowly."""
        lease = (day + int(self.phase[customer])) // int(self.ip_life[customer])
        return HOME_IPS + customer * 64 + lease % 64


def account_token(customer: int) -> str:
    """The token of a customer's own account."""
    return f"account_1_SYNTH{customer:07d}"


def ip_token(index: int) -> str:
    """The token of an IP address of the world."""
    return f"ip_1_SYNTH{index:08d}"


def region_index(region: str) -> int:
    """A number for a region, the same in every process."""
    return ("africa", "america", "asia", "europe", "gulf", "pacific").index(region)


def cumulative(weights: Floats) -> Floats:
    """Row-wise cumulative shares, each row shifted by its number, so that one search serves all rows."""
    totals = np.cumsum(weights, axis=-1)
    totals /= totals[..., -1:]
    flat = totals.reshape(-1, totals.shape[-1])
    shifted: Floats = (flat + np.arange(len(flat))[:, None]).ravel()
    return shifted.reshape(flat.shape)


def pick(cdf: Floats, rows: Ints, uniform: Floats) -> Ints:
    """Draw a column for each of `rows` from `cumulative` shares."""
    width = cdf.shape[1]
    found = np.searchsorted(cdf.ravel(), rows + uniform, side="right")
    result: Ints = np.clip(found - rows * width, 0, width - 1)
    return result


def _objects(texts: Any) -> Objects:
    listed = list(texts)
    array: Objects = np.empty(len(listed), dtype=object)
    array[:] = listed
    return array
