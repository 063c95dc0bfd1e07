"""Layering: money that only passes through accounts, and money that goes round and comes home."""

from __future__ import annotations

from dataflow.simulation import geography as geo
from dataflow.simulation.craft import Craft, Draft
from dataflow.simulation.rhythm import DAY_MS
from dataflow.simulation.scenarios.accounts import attacker_network
from dataflow.simulation.scenarios.base import HOUR_MS, MINUTE_MS, Scenario


def shell(craft: Craft) -> str:
    """An account of an organiser that nobody knows."""
    return f"account_1_SYNTHR{craft.below(10**7):07d}"


class PassThrough(Scenario):
    """T08: what reaches an account leaves it across a border within minutes to hours, again some days later.

    Part of what comes in is sent on in two payments, and a little stays behind as the holder's wage.
    """

    name, typology, share, size = "pass_through", "T08", 0.0007, 8.0
    label = "analyst"

    def plan(self, craft: Craft, start: int) -> list[Draft]:
        host = craft.below(len(geo.COUNTRIES))
        account, place = shell(craft), attacker_network(craft, host)
        at = start + craft.below(DAY_MS)
        drafts = []
        for _ in range(craft.between(2, 4)):
            origin = craft.foreign_country(host)
            usd = craft.spread(2400, 0.6)
            source = attacker_network(craft, origin)
            drafts.append(
                self.fraud(craft, craft.transfer(at, shell(craft), origin, account, host, usd, **source))
            )
            ways, out = craft.between(1, 2), at
            left = usd * craft.draw.uniform(0.86, 0.99)
            for _ in range(ways):
                out += int(min(craft.spread(14 * MINUTE_MS, 0.7), 5 * HOUR_MS))
                target = craft.foreign_country(host)
                fields = craft.transfer(out, account, host, shell(craft), target, left / ways, **place)
                drafts.append(self.fraud(craft, fields))
            at = out + craft.between(5 * HOUR_MS, 3 * DAY_MS)
        return drafts


class RoundTrip(Scenario):
    """T18: value leaves an account, passes two to four others and comes home within days, a few per cent poorer."""

    name, typology, share, size = "round_trip", "T18", 0.0005, 7.0
    label = "analyst"

    def plan(self, craft: Craft, start: int) -> list[Draft]:
        accounts = [shell(craft) for _ in range(craft.between(3, 5))]
        homes = [craft.below(len(geo.COUNTRIES)) for _ in accounts]
        places = [attacker_network(craft, home) for home in homes]
        at, usd = start + craft.below(DAY_MS), craft.spread(6500, 0.6)
        drafts = []
        for lap in range(craft.between(1, 2)):
            for here in range(len(accounts)):
                there = (here + 1) % len(accounts)
                fields = craft.transfer(
                    at, accounts[here], homes[here], accounts[there], homes[there], usd, **places[here]
                )
                drafts.append(self.fraud(craft, craft.exact(fields, usd)))
                at += int(min(craft.spread(15 * HOUR_MS, 0.6), 30 * HOUR_MS))
                usd *= craft.draw.uniform(0.974, 0.997)
            at += lap * 6 * HOUR_MS
        return drafts
