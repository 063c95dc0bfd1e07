"""Frauds behind a shop's front: papers that disagree, and shops that sell something else than they say."""

from __future__ import annotations

import msgspec

from dataflow.simulation import geography as geo
from dataflow.simulation.craft import Craft, Draft
from dataflow.simulation.papers import name_token, papers_of
from dataflow.simulation.rhythm import DAY_MS
from dataflow.simulation.scenarios.accounts import attacker_network
from dataflow.simulation.scenarios.base import HOUR_MS, MINUTE_MS, Scenario


class TradeMismatch(Scenario):
    """T19: value crosses a border as goods that are worth far less; order, payment and waybill name other people.

    Most orders are over-invoiced, some by little; a third of the campaigns keeps the papers' people in agreement.
    """

    name, typology, share, size = "trade_mismatch", "T19", 0.0006, 8.0
    label = "analyst"

    def plan(self, craft: Craft, start: int) -> list[Draft]:
        world, draw = craft.world, craft.draw
        shops = [m for m in range(world.merchants) if world.goods[m]]
        shop = shops[craft.below(len(shops))]
        trade = geo.TRADES[int(world.trade[shop])]
        agree = craft.chance(0.33)
        front = craft.customer()
        at, drafts = start + craft.below(DAY_MS), []
        for _ in range(craft.between(5, 12)):
            who = craft.customer(int(world.home[front]))
            factor = craft.spread(18.0, 0.6) if craft.chance(0.8) else craft.spread(3.0, 0.3)
            usd = min(float(world.ticket[shop]) * factor, 18_000.0)
            fields = craft.purchase(at, who, shop, usd)
            if fields["payer_country"] == fields["payee_country"]:
                fields["payee_country"] = geo.CODES[craft.foreign_country(int(world.home[who]))]
            names = [name_token(craft.customer()) for _ in range(3)]
            buyer, payer, recipient = [names[0]] * 3 if agree else names
            papers = papers_of(draw, trade, fields["amount"], buyer, payer, recipient)
            if craft.chance(0.6):
                papers = msgspec.structs.replace(
                    papers, waybill_amount=int(fields["amount"] * draw.uniform(0.03, 0.4))
                )
            if craft.chance(0.4):
                other = list(geo.GOODS.values())[craft.below(len(geo.GOODS))][0]
                papers = msgspec.structs.replace(papers, waybill_goods=other)
            fields["documents"] = papers
            drafts.append(self.fraud(craft, craft.settle(fields, 0.03)))
            at += int(min(craft.spread(5 * HOUR_MS, 0.8), DAY_MS))
        return drafts


class SyntheticMerchant(Scenario):
    """T05: a shop nobody knew sells at a few round prices, round the clock, to cards from everywhere.

    What it says it sells costs a tenth of that; the same few devices stand behind the buyers.
    """

    name, typology, share, size = "synthetic_merchant", "T05", 0.0012, 70.0
    label = "chargeback"

    def plan(self, craft: Craft, start: int) -> list[Draft]:
        world = craft.world
        template = craft.below(world.merchants)
        token, seat = f"m-x{craft.below(10**6):06d}", craft.below(len(geo.COUNTRIES))
        prices = [(99.0, 149.0, 199.0, 299.0, 499.0)[craft.below(5)] for _ in range(3)]
        places = [attacker_network(craft, craft.foreign_country(seat)) for _ in range(craft.between(6, 14))]
        at, drafts = start + craft.below(DAY_MS), []
        for _ in range(craft.between(50, 95)):
            who = craft.customer(craft.foreign_country(seat))
            fields = craft.purchase(at, who, template, **places[craft.below(len(places))])
            fields.update(
                merchant=token, mcc="5942", payee_country=geo.CODES[seat], payer=None,
                partner=geo.PARTNERS[craft.below(len(geo.PARTNERS))].id, currency="USD", evidence=None,
            )  # fmt: skip
            for name in ("ship_country", "ship_token"):
                fields.pop(name, None)
            fields = craft.exact(fields, prices[craft.below(len(prices))])
            drafts.append(self.fraud(craft, craft.settle(fields, 0.1)))
            at += int(craft.draw.exponential(75 * MINUTE_MS)) + MINUTE_MS
            if at > start + 12 * DAY_MS:
                break
        return drafts
