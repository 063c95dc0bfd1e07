"""Frauds on cards: testing made-up numbers, and one card in two places at once."""

from __future__ import annotations

import numpy as np

from dataflow.simulation import geography as geo
from dataflow.simulation.craft import Craft, Draft
from dataflow.simulation.habits import EVIDENCE
from dataflow.simulation.scenarios.base import DAY_MS, HOUR_MS, MINUTE_MS, Scenario
from dataflow.simulation.world import IIN_COUNTRY, IINS, ip_token


class CardTesting(Scenario):
    """T01: a burst of tiny card-not-present payments on near-sequential numbers of one BIN, mostly refused.

    A few devices and addresses, one or two merchants; what answers "approved" is spent soon after.
    """

    name, typology, share, size = "card_testing", "T01", 0.0018, 115.0
    label = "analyst"

    def plan(self, craft: Craft, start: int) -> list[Draft]:
        at = start + craft.below(DAY_MS)
        iin, serial = craft.below(len(IINS)), craft.below(90_000)
        country = int(IIN_COUNTRY[iin])
        shops = [_cheap_shop(craft) for _ in range(craft.between(1, 2))]
        devices = [craft.new_device() for _ in range(craft.between(1, 4))]
        hired = [ip_token(craft.rented_ip()) for _ in range(craft.between(2, 10))]
        origin = geo.CODES[craft.foreign_country(country)]
        gap = craft.spread(12_000, 0.5)
        drafts = []
        for _ in range(craft.between(50, 175)):
            at += int(craft.draw.exponential(gap)) + 200
            serial += craft.between(1, 6) if craft.chance(0.85) else craft.between(100, 4000)
            card = craft.test_card(iin, serial)
            usd = 0.0 if craft.chance(0.06) else craft.spread(1.6, 0.5)
            fields = craft.purchase(
                at, craft.customer(country), shops[craft.below(len(shops))], max(usd, 0.01), **card
            )
            fields.update(
                payer=None, device=devices[craft.below(len(devices))], ip=hired[craft.below(len(hired))]
            )
            fields.update(ip_country=origin if craft.chance(0.8) else card["issuer_country"], evidence=None)
            if usd == 0.0:
                fields["amount"] = 0
            approved = not craft.chance(0.82)
            if not approved:
                reason = int(craft.draw.choice(4, p=(0.5, 0.28, 0.15, 0.07)))
                fields["authorisation"] = "declined"
                fields["decline_code"] = (
                    "invalid_account", "invalid_credential", "do_not_honor", "expired_card"
                )[reason]  # fmt: skip
            drafts.append(self.fraud(craft, fields))
            if approved and craft.chance(0.25):
                buyer = craft.customer(country)
                spent = craft.purchase(
                    at + craft.between(HOUR_MS, 30 * HOUR_MS), buyer, craft.shop(buyer, risky=True),
                    craft.spread(140, 0.7), **card, **craft.elsewhere(country),
                )  # fmt: skip
                spent["payer"] = None
                drafts.append(self.fraud(craft, craft.settle(spent, 0.3)))
        return drafts


def _cheap_shop(craft: Craft) -> int:
    tickets = craft.world.ticket
    cheap = np.flatnonzero(tickets <= np.quantile(tickets, 0.3))
    return int(cheap[craft.below(len(cheap))])


class ImpossibleTravel(Scenario):
    """T10: the card pays at home and, sooner than anybody could travel, on another continent."""

    name, typology, share, size = "impossible_travel", "T10", 0.0006, 2.2
    label = "customer_report"

    def plan(self, craft: Craft, start: int) -> list[Draft]:
        who = craft.victim()
        home = int(craft.world.home[who])
        at = craft.waking(who, start)
        own = craft.purchase(at, who, craft.favourite(who))
        drafts = [craft.draft("transaction", own)]
        far = _far_country(craft, home)
        place = craft.elsewhere(far)
        if craft.chance(0.25):
            place["device"] = own["device"]  # a cloned phone keeps its fingerprint
        at += craft.between(8 * MINUTE_MS, 95 * MINUTE_MS)
        for _ in range(craft.between(1, 4)):
            fields = craft.purchase(at, who, craft.shop(who, risky=craft.chance(0.6)), **place)
            fields["amount"] = int(fields["amount"] * craft.spread(1.4, 0.5)) + 1
            if craft.chance(0.55):
                fields.update(channel="wallet", evidence=EVIDENCE[4], ship_country=None, ship_token=None)
            drafts.append(self.fraud(craft, craft.settle(fields, 0.15)))
            at += craft.between(3 * MINUTE_MS, 50 * MINUTE_MS)
        return drafts


def _far_country(craft: Craft, home: int) -> int:
    region = geo.COUNTRIES[home].region
    far = [i for i, country in enumerate(geo.COUNTRIES) if country.region != region]
    return far[craft.below(len(far))]
