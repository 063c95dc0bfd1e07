"""Frauds that time gives away: accounts that slept for half a year, and hours nobody pays at."""

from __future__ import annotations

import numpy as np

from dataflow.simulation import geography as geo
from dataflow.simulation.craft import Craft, Draft
from dataflow.simulation.errands import ASLEEP_DAYS, sleeper
from dataflow.simulation.rhythm import DAY_MS, local_hour
from dataflow.simulation.scenarios.base import HOUR_MS, MINUTE_MS, Scenario


class DormantWakes(Scenario):
    """T09: an account that has not paid for half a year changes its phone and sends many times its usual.

    Its last ordinary payments lie before the stream when the stream is young.
    """

    name, typology, share, size = "dormant_wakes", "T09", 0.0003, 1.5
    label = "customer_report"

    def plan(self, craft: Craft, start: int) -> list[Draft]:
        day = craft.day - ASLEEP_DAYS - craft.below(20)
        account, country = sleeper(day, 0), day * 7 % len(geo.COUNTRIES)
        place = craft.elsewhere(country)
        at, drafts = start + craft.below(DAY_MS), []
        if craft.chance(0.6):
            changed = craft.behaviour(at, "contact_change", 0, **place)
            drafts.append(self.act(craft, {**changed, "payer": account}))
            at += craft.between(5 * MINUTE_MS, 5 * HOUR_MS)
        payee = f"account_1_SYNTHM{craft.below(10**6):06d}"
        for _ in range(craft.between(1, 2)):
            fields = craft.transfer(
                at, account, country, payee, craft.foreign_country(country), craft.spread(1300, 0.6), **place
            )
            drafts.append(self.fraud(craft, fields))
            at += craft.between(10 * MINUTE_MS, 6 * HOUR_MS)
        return drafts


class OddHours(Scenario):
    """T15: somebody with the customer's own phone buys in the dead of night what the customer never would."""

    name, typology, share, size = "odd_hours", "T15", 0.0004, 3.0

    def plan(self, craft: Craft, start: int) -> list[Draft]:
        world = craft.world
        early = np.flatnonzero((world.segment < 2) & (world.rate > 0.8))
        who = int(early[craft.below(len(early))]) if len(early) else craft.customer()
        home = int(world.home[who])
        asleep = [hour for hour in range(24) if 2 <= local_hour(home, start + hour * HOUR_MS) <= 4]
        at = start + asleep[craft.below(len(asleep))] * HOUR_MS + craft.below(HOUR_MS)
        place, drafts = craft.place(who), []
        for _ in range(craft.between(2, 4)):
            fields = craft.purchase(at, who, craft.shop(who, risky=True), **place)
            fields["amount"] = int(fields["amount"] * craft.spread(8.0, 0.5)) + 1
            drafts.append(self.fraud(craft, craft.settle(fields, 0.1)))
            at += craft.between(MINUTE_MS, 9 * MINUTE_MS)
        return drafts
