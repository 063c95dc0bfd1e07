"""Single payments and behaviour events made by hand, for what the scenarios inject.

A `Draft` is an event without identity: ids are given when the day is complete and sorted, so that an id says
nothing about what kind of event it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dataflow.simulation import geography as geo
from dataflow.simulation.habits import DECLINED, EVIDENCE, institution
from dataflow.simulation.money import COUNTRY_CURRENCY, minor_units, prices, sums
from dataflow.simulation.rhythm import CURVES, HOUR_MS, local_hour
from dataflow.simulation.world import (
    ATTACK_CARDS,
    FAVOURITES,
    IIN_COUNTRY,
    IINS,
    MOBILE_IPS,
    World,
    card_number,
    ip_token,
)

Fields = dict[str, Any]
LabelKind = Literal["chargeback", "customer_report", "analyst", "dispute"]


@dataclass(slots=True)
class Draft:
    """An event to come. `typology` marks what truly belongs to a fraud ("other": fraud of no family)."""

    kind: Literal["transaction", "behaviour"]
    received_at: int
    fields: Fields
    typology: str | None = None
    scenario: str = ""
    campaign: str = ""
    label: LabelKind = "chargeback"


class Craft:
    """Draws the payments of one campaign from the world's habits, with chosen fields overridden."""

    def __init__(self, world: World, draw: np.random.Generator, day: int) -> None:
        self.world = world
        self.draw = draw
        self.day = day

    def below(self, limit: int) -> int:
        """A uniform number in [0, limit)."""
        return int(self.draw.integers(0, limit))

    def between(self, low: float, high: float) -> int:
        """A uniform whole number in [low, high]."""
        return int(self.draw.integers(int(low), int(high) + 1))

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return bool(self.draw.random() < probability)

    def spread(self, median: float, sigma: float) -> float:
        """A log-normal number."""
        return float(median * np.exp(sigma * self.draw.normal()))

    def customer(self, home: int | None = None) -> int:
        """Somebody, from `home` (a country's index) if given and if anybody lives there."""
        if home is not None:
            people = self.world.people[home]
            if len(people):
                return int(people[self.below(len(people))])
        return self.below(self.world.customers)

    def victim(self) -> int:
        """Somebody whose fraud risk follows country."""
        people = self.draw.integers(0, self.world.customers, 6)
        risk = np.array([geo.COUNTRIES[int(c)].fraud for c in self.world.home[people]])
        return int(people[int(self.draw.choice(6, p=risk / risk.sum()))])

    def shop(self, customer: int, *, risky: bool = False) -> int:
        """A merchant the customer might choose; `risky` prefers what can be sold on."""
        cdf = self.world.merchant_cdf[int(self.world.home[customer])]
        row = int(self.world.home[customer])
        picks = np.clip(np.searchsorted(cdf, row + self.draw.random(6)), 0, self.world.merchants - 1)
        if not risky:
            return int(picks[0])
        risk = self.world.merchant_fraud[picks] ** 1.3
        return int(picks[int(self.draw.choice(6, p=risk / risk.sum()))])

    def favourite(self, customer: int) -> int:
        """One of the customer's own merchants."""
        return int(self.world.favourites[customer, self.below(FAVOURITES)])

    def foreign_country(self, home: int) -> int:
        """A country other than `home`, more often one with much fraud."""
        risk = np.array([c.fraud for c in geo.COUNTRIES])
        risk[home] = 0.0
        return int(self.draw.choice(len(risk), p=risk / risk.sum()))

    def waking(self, customer: int, start: int) -> int:
        """A moment within 24 hours of `start` at which the customer may well be awake."""
        country = int(self.world.home[customer])
        curve = CURVES[int(self.world.segment[customer])]
        for _ in range(12):
            moment = start + self.below(24 * HOUR_MS)
            if self.draw.random() * curve.max() < curve[local_hour(country, moment)]:
                return moment
        return moment

    def new_device(self) -> str:
        """A device nobody has seen."""
        return f"device_1_SYNTHX{self.below(10**9):09d}"

    def rented_ip(self) -> int:
        """The index of an address an attacker hires."""
        return 10_000 + self.below(990_000)

    def test_card(self, iin: int, serial: int) -> Fields:
        """Card fields of a number a tester makes up on an issuer's number."""
        index = ATTACK_CARDS + iin * 100_000 + serial % 100_000
        return {
            "card": f"card_1_SYNTH{index:08d}",
            "bin": IINS[iin],
            "last4": card_number(index, iin)[-4:],
            "issuer_country": geo.CODES[int(IIN_COUNTRY[iin])],
        }

    def own_card(self, customer: int, which: int = 0) -> Fields:
        """Card fields of a customer's card."""
        world, card = self.world, customer * 2 + which
        return {
            "card": world.card_token[card],
            "bin": IINS[int(world.card_iin[card])],
            "last4": world.last4[card],
            "issuer_country": geo.CODES[int(world.card_country[card])],
        }

    def place(self, customer: int) -> Fields:
        """Device and address as the customer usually has them."""
        world, home = self.world, int(self.world.home[customer])
        ip = world.home_ip(customer, self.day)
        if self.chance(float(world.mobile[customer])):
            ip = home * MOBILE_IPS + (customer * 13 + self.day // 3) % MOBILE_IPS
        slot = self.below(int(world.devices[customer]))
        return {
            "device": world.device_token(customer, slot, self.day),
            "ip": ip_token(ip),
            "ip_country": geo.CODES[home],
        }

    def elsewhere(self, country: int) -> Fields:
        """Device and address of an attacker who seems to be in `country`."""
        return {
            "device": self.new_device(),
            "ip": ip_token(self.rented_ip()),
            "ip_country": geo.CODES[country],
        }

    def purchase(
        self, at: int, customer: int, merchant: int, usd: float | None = None, **over: Any
    ) -> Fields:
        """A card-not-present payment; without `usd` the amount is what such a customer spends there."""
        world = self.world
        home, shop = int(world.home[customer]), int(world.merchant_country[merchant])
        code = int(COUNTRY_CURRENCY[home if world.local_prices[merchant] else shop])
        if usd is None:
            usd = self.spread(float(world.ticket[merchant]), float(world.spread[merchant]))
            usd *= float(world.spend[customer]) ** 0.6
        amount = prices(np.array([usd]), np.array([code]), self.draw.random(1))
        fields: Fields = {
            "event_time": at,
            "amount": int(amount[0]),
            "currency": geo.CURRENCIES[code],
            "channel": "cnp",
            "payer": world.account[customer],
            "merchant": world.merchant_id[merchant],
            "partner": geo.PARTNERS[int(world.partner[merchant])].id,
            **self.own_card(customer),
            "payer_country": geo.CODES[home],
            "payee_country": geo.CODES[shop],
            **self.place(customer),
            "mcc": geo.TRADES[int(world.trade[merchant])].mcc,
            "evidence": EVIDENCE[3 if world.strong[customer] else (0 if self.chance(0.5) else 1)],
            "authorisation": "approved",
        }
        if world.goods[merchant]:
            fields["ship_country"] = geo.CODES[home]
            fields["ship_token"] = world.address[customer]
        fields.update(over)
        fields.setdefault("bill_country", fields["issuer_country"])
        return fields

    def settle(self, fields: Fields, refused: float, codes: tuple[str, ...] = ()) -> Fields:
        """Decide the authorisation: refused with this probability (added to the country's own), then why."""
        home = geo.INDEX[fields["payer_country"]]
        if self.chance(min(0.97, refused + 0.04 * float(DECLINED[home]))):
            fields["authorisation"] = "declined"
            reasons = codes or ("do_not_honor", "insufficient_funds")
            fields["decline_code"] = reasons[self.below(len(reasons))]
        return fields

    def transfer(
        self, at: int, payer: str, payer_country: int, payee: str, payee_country: int, usd: float, **over: Any
    ) -> Fields:
        """A bank transfer of about `usd`, in the payer's currency."""
        code = int(COUNTRY_CURRENCY[payer_country])
        amount = sums(np.array([usd]), np.array([code]), self.draw.random(1))
        origin, target = geo.CODES[payer_country], geo.CODES[payee_country]
        fields: Fields = {
            "event_time": at,
            "amount": int(amount[0]),
            "currency": geo.CURRENCIES[code],
            "channel": "transfer",
            "payer": payer,
            "payee": payee,
            "payer_country": origin,
            "payee_country": target,
            "partner": geo.REMITTERS[payer_country % len(geo.REMITTERS)],
            "instructing": institution(origin),
            "instructed": institution(target),
            "purpose": geo.PURPOSES[self.below(len(geo.PURPOSES))][0],
            "evidence": EVIDENCE[3 if self.chance(0.7) else 4],
            "authorisation": "approved",
        }
        fields.update(over)
        return fields

    def exact(self, fields: Fields, usd: float) -> Fields:
        """Set the amount to `usd` to the unit, for sums that are chosen with a line in mind."""
        fields["amount"] = minor_units(usd, fields["currency"])
        return fields

    def behaviour(self, at: int, kind: str, customer: int, **over: Any) -> Fields:
        """Something a customer does (or somebody in the customer's name)."""
        return {
            "event_time": at,
            "kind": kind,
            "payer": self.world.account[customer],
            **self.place(customer),
            **over,
        }

    def draft(self, kind: Literal["transaction", "behaviour"], fields: Fields, **marks: Any) -> Draft:
        """Put fields on their way: they arrive at the door a moment after they happen."""
        lag = 40 + int(self.draw.gamma(1.3, 160.0))
        return Draft(kind, int(fields["event_time"]) + lag, fields, **marks)
