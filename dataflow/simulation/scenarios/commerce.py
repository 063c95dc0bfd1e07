"""Frauds in shops: triangulation, refund abuse, merchant bust-out."""

from __future__ import annotations

import numpy as np

from dataflow.simulation import geography as geo
from dataflow.simulation.craft import Craft, Draft
from dataflow.simulation.scenarios.base import DAY_MS, HOUR_MS, Scenario


class Triangulation(Scenario):
    """T03: one buyer account orders with many stolen cards, shipped to unrelated genuine people.

    Card country and address differ; amounts are those of ordinary shopping.
    """

    name, typology, share, size = "triangulation", "T03", 0.0009, 13.0

    def plan(self, craft: Craft, start: int) -> list[Draft]:
        world = craft.world
        buyer = craft.customer()
        place = craft.place(buyer) if craft.chance(0.5) else craft.elsewhere(int(world.home[buyer]))
        shops = [craft.shop(buyer, risky=True) for _ in range(craft.between(1, 3))]
        at = start + craft.below(DAY_MS)
        drafts = []
        for _ in range(craft.between(8, 18)):
            cardholder, addressee = craft.victim(), craft.customer()
            fields = craft.purchase(
                at, buyer, shops[craft.below(len(shops))], **craft.own_card(cardholder), **place
            )
            fields["ship_country"] = geo.CODES[int(world.home[addressee])]
            fields["ship_token"] = world.address[addressee]
            drafts.append(self.fraud(craft, craft.settle(fields, 0.1)))
            at += int(craft.spread(6 * HOUR_MS, 0.9))
            if at > start + 11 * DAY_MS:
                break
        return drafts


class RefundAbuse(Scenario):
    """T04: a customer who gets most of what was bought paid back, again and again, from a few shops."""

    name, typology, share, size = "refund_abuse", "T04", 0.0006, 9.0
    label = "dispute"

    def plan(self, craft: Craft, start: int) -> list[Draft]:
        who = craft.customer()
        shops = [craft.shop(who, risky=True) for _ in range(craft.between(2, 3))]
        at = craft.waking(who, start)
        drafts = []
        for _ in range(craft.between(6, 14)):
            fields = craft.purchase(at, who, shops[craft.below(len(shops))])
            fields["amount"] = int(fields["amount"] * craft.spread(1.4, 0.3)) + 1
            if craft.chance(0.72):
                drafts.append(self.fraud(craft, fields))
                back = craft.behaviour(
                    at + craft.between(10 * HOUR_MS, 70 * HOUR_MS), "refund", who,
                    merchant=fields["merchant"], card=fields["card"] if craft.chance(0.6) else None,
                    amount=fields["amount"], currency=fields["currency"],
                )  # fmt: skip
                drafts.append(self.act(craft, back))
            else:
                drafts.append(craft.draft("transaction", craft.settle(fields, 0.0)))
            at = craft.waking(who, at + int(craft.spread(0.25 * DAY_MS, 0.6)))
            if at > start + 10 * DAY_MS:
                break
        return drafts


class BustOut(Scenario):
    """T14: a small merchant with a steady past sells several times its usual, dearer, to cards from abroad.

    The surge grows over three to six days, mixed with genuine customers; then the merchant falls silent.
    """

    name, typology, share, size = "bust_out", "T14", 0.0013, 75.0

    def plan(self, craft: Craft, start: int) -> list[Draft]:
        world = craft.world
        shop = world.merchants // 3 + craft.below(world.merchants - world.merchants // 3)
        origins = [craft.foreign_country(int(world.merchant_country[shop])) for _ in range(2)]
        usd, days = float(world.ticket[shop]) * craft.spread(2.4, 0.2), craft.between(3, 6)
        at = start + craft.below(12 * HOUR_MS)
        drafts = []
        for i, position in enumerate(np.sort(craft.draw.beta(2.0, 1.1, craft.between(50, 110))).tolist()):
            moment = at + int(position * days * DAY_MS)
            who = craft.customer(origins[i % 2] if craft.chance(0.7) else None)
            genuine = craft.chance(0.2)
            amount = None if genuine else usd * craft.spread(1.0, 0.4)
            fields = craft.purchase(moment, who, shop, amount)
            if genuine:
                drafts.append(craft.draft("transaction", craft.settle(fields, 0.03)))
                continue
            if craft.chance(0.5):
                fields.update(craft.elsewhere(origins[i % 2]))
            drafts.append(self.fraud(craft, craft.settle(fields, 0.14)))
        return drafts
