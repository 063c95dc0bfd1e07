"""Fraud of no family: single payments with stolen card data, spread thinly and much like ordinary ones.

Every tell (device, address, delivery, amount, hour) is present in some and missing in others, so that no
single sign separates fraud from custom.
"""

from __future__ import annotations

from dataflow.simulation import geography as geo
from dataflow.simulation.craft import Craft, Draft
from dataflow.simulation.rhythm import DAY_MS
from dataflow.simulation.scenarios.accounts import loot
from dataflow.simulation.scenarios.base import Scenario


class StolenCard(Scenario):
    """Card data bought somewhere is used once or twice in the cardholder's name."""

    name, typology, share, size = "background", "other", 0.0022, 1.4

    def plan(self, craft: Craft, start: int) -> list[Draft]:
        who = craft.victim()
        home = int(craft.world.home[who])
        at = start + craft.below(DAY_MS) if craft.chance(0.6) else craft.waking(who, start)
        place = craft.place(who)
        if craft.chance(0.6):
            place["device"] = craft.new_device()
        if craft.chance(0.5):
            hidden = craft.elsewhere(home if craft.chance(0.3) else craft.foreign_country(home))
            place.update(ip=hidden["ip"], ip_country=hidden["ip_country"])
        guest = craft.chance(0.3)
        drafts = []
        for _ in range(1 + craft.chance(0.4)):
            if craft.chance(0.5):
                fields = loot(craft, at, who, place)
            else:
                fields = craft.settle(craft.purchase(at, who, craft.shop(who), **place), 0.08)
                if fields.get("ship_country") and craft.chance(0.3):
                    fields["ship_country"] = geo.CODES[craft.foreign_country(home)]
            if guest:
                fields["payer"] = None
            drafts.append(self.fraud(craft, fields))
            at += int(craft.spread(1_200_000, 1.2))
        return drafts
