"""Moving money that should not move: mule accounts and sums kept under a line."""

from __future__ import annotations

from dataflow.simulation import geography as geo
from dataflow.simulation.craft import Craft, Draft
from dataflow.simulation.rhythm import DAY_MS
from dataflow.simulation.scenarios.accounts import attacker_network
from dataflow.simulation.scenarios.base import HOUR_MS, MINUTE_MS, Scenario


class Mule(Scenario):
    """T06: many people pay one account within a day; hours later nearly all of it leaves for a few others."""

    name, typology, share, size = "mule", "T06", 0.0009, 17.0
    label = "analyst"

    def plan(self, craft: Craft, start: int) -> list[Draft]:
        world = craft.world
        host = craft.below(len(geo.COUNTRIES))
        mule = f"account_1_SYNTHM{craft.below(10**6):06d}"
        place = attacker_network(craft, host)
        opened = start + craft.below(DAY_MS)
        last, total, drafts = opened, 0.0, []
        for _ in range(craft.between(9, 20)):
            who = craft.customer(host if craft.chance(0.4) else None)
            at = opened + craft.below(18 * HOUR_MS)
            usd = craft.spread(480, 0.7)
            fields = craft.transfer(
                at, world.account[who], int(world.home[who]), mule, host, usd, **craft.place(who)
            )
            craft.settle(fields, 0.0)
            drafts.append(self.fraud(craft, fields))
            if fields["authorisation"] == "approved":
                total, last = total + usd, max(last, at)
        ways = craft.between(2, 4)
        targets = [f"account_1_SYNTHM{craft.below(10**6):06d}" for _ in range(ways)]
        left = total * craft.draw.uniform(0.9, 0.99)
        for target in targets:
            last += craft.between(15 * MINUTE_MS, 150 * MINUTE_MS)
            fields = craft.transfer(
                last, mule, host, target, craft.foreign_country(host), left / ways, **place
            )
            drafts.append(self.fraud(craft, fields))
        return drafts


class Structuring(Scenario):
    """T07: sums just under a reporting line.

    Either many people send to one overseas payee on the same or following days ("ant moving"), or one person
    splits a large sum. Some amounts stray from the line, as people who copy instructions do.
    """

    name, typology, share, size = "structuring", "T07", 0.0007, 8.0
    label = "analyst"

    def plan(self, craft: Craft, start: int) -> list[Draft]:
        ants = craft.chance(0.6)
        home = craft.below(len(geo.COUNTRIES)) if craft.chance(0.4) else geo.INDEX["CN"]
        abroad = geo.INDEX[geo.REMITTANCES[geo.CODES[home]][0]]
        payee = f"account_1_SYNTHF{craft.below(10**6):06d}"
        line = (1000.0, 3000.0, 10_000.0)[int(craft.draw.choice(3, p=(0.3, 0.25, 0.45)))]
        shared = attacker_network(craft, home)
        one = craft.customer(home)
        drafts = []
        for i in range(craft.between(6, 12) if ants else craft.between(4, 8)):
            who = craft.customer(home) if ants else one
            days = i // 4 if ants else i // 3
            at = craft.waking(who, start + days * DAY_MS)
            place = craft.place(who)
            if ants and craft.chance(0.4):
                place["device"] = shared["device"]  # an organiser's phone does it for several people
            if craft.chance(0.6 if ants else 0.2):
                added = craft.behaviour(at - craft.between(MINUTE_MS, HOUR_MS), "payee_added", who, **place)
                added["payee"] = payee
                if added["event_time"] >= start:
                    drafts.append(self.act(craft, added))
            account, origin = craft.world.account[who], int(craft.world.home[who])
            fields = craft.transfer(at, account, origin, payee, abroad, line, **place)
            share = craft.draw.uniform(0.86, 0.998) if craft.chance(0.85) else craft.draw.uniform(0.4, 0.85)
            drafts.append(self.fraud(craft, craft.exact(fields, line * share)))
        return drafts
