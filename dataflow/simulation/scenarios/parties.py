"""Frauds of who and where: strangers from three countries, shared devices, listed corridors, listed names."""

from __future__ import annotations

from dataflow.simulation import geography as geo
from dataflow.simulation.craft import Craft, Draft
from dataflow.simulation.papers import LISTS
from dataflow.simulation.rhythm import DAY_MS
from dataflow.simulation.scenarios.accounts import attacker_network, loot
from dataflow.simulation.scenarios.base import HOUR_MS, MINUTE_MS, Scenario
from dataflow.simulation.world import ip_token
from models.events import ScreenResult


def new_customer(craft: Craft) -> str:
    """An account opened for the purpose."""
    return f"account_1_SYNTHW{craft.below(10**7):07d}"


class ThreeCountries(Scenario):
    """T11: a new account, a card from one country, an address in a second, a parcel to a third."""

    name, typology, share, size = "three_countries", "T11", 0.0006, 2.0

    def plan(self, craft: Craft, start: int) -> list[Draft]:
        who, account = craft.victim(), new_customer(craft)
        home = int(craft.world.home[who])
        seen = craft.foreign_country(home)
        place = craft.elsewhere(seen)
        at, drafts = start + craft.below(DAY_MS), []
        for _ in range(craft.between(1, 3)):
            fields = loot(craft, at, who, place)
            fields["payer"] = account
            target = craft.foreign_country(seen)
            if fields.get("ship_country"):
                fields["ship_country"] = geo.CODES[target if target != home else craft.foreign_country(home)]
                fields["ship_token"] = f"address_1_SYNTHD{craft.below(10**6):06d}"
            drafts.append(self.fraud(craft, fields))
            at += int(craft.spread(30 * MINUTE_MS, 1.0))
        return drafts


class DeviceFarm(Scenario):
    """T12: one device opens account after account, each with a stolen card of its own or with one of a few."""

    name, typology, share, size = "device_farm", "T12", 0.0007, 13.0

    def plan(self, craft: Craft, start: int) -> list[Draft]:
        country = craft.below(len(geo.COUNTRIES))
        device = craft.new_device()
        stolen = [craft.victim() for _ in range(craft.between(5, 9))]
        at, drafts = start + craft.below(DAY_MS), []
        for _ in range(craft.between(8, 18)):
            who = stolen[craft.below(len(stolen))]
            fields = loot(craft, at, who, {})
            fields.update(
                payer=new_customer(craft), device=device, ip=ip_token(craft.rented_ip()),
                ip_country=geo.CODES[country], amount=int(fields["amount"] * craft.draw.uniform(0.3, 0.7)) + 1,
            )  # fmt: skip
            drafts.append(self.fraud(craft, fields))
            at += int(min(craft.spread(7 * HOUR_MS, 0.9), 18 * HOUR_MS))
        return drafts


class ListedCorridor(Scenario):
    """T13: money for countries under a call for action or increased monitoring, to payees nobody paid before."""

    name, typology, share, size = "listed_corridor", "T13", 0.0005, 3.0
    label = "analyst"

    def plan(self, craft: Craft, start: int) -> list[Draft]:
        world, draw = craft.world, craft.draw
        tier = int(draw.choice(3, p=(0.3, 0.3, 0.4)))
        codes = (("KP", "IR"), ("MM",), ("LA", "YE", "CM", "SS", "HT", "VE"))[tier]
        code = codes[craft.below(len(codes))]
        payee = f"account_1_SYNTHL{craft.below(10**6):06d}"
        at, drafts = start + craft.below(DAY_MS), []
        for _ in range(craft.between(2, 4)):
            who = craft.customer()
            usd = craft.spread(2800, 0.6)
            fields = craft.transfer(
                craft.waking(who, at),
                world.account[who],
                int(world.home[who]),
                payee,
                0,
                usd,
                **craft.place(who),
            )
            fields.update(payee_country=code, instructed=f"bank-{code.lower()}-1")
            drafts.append(self.fraud(craft, fields))
            at += craft.between(HOUR_MS, 2 * DAY_MS)
        return drafts


class ListEvasion(Scenario):
    """T20: a listed party pays under spellings of its name that a screen finds near, from changing accounts."""

    name, typology, share, size = "list_evasion", "T20", 0.0004, 4.0
    label = "analyst"

    def plan(self, craft: Craft, start: int) -> list[Draft]:
        home = craft.below(len(geo.COUNTRIES))
        place = attacker_network(craft, home)
        accounts = [new_customer(craft) for _ in range(craft.between(1, 2))]
        match = f"SYNTH-L{craft.below(1000):03d}"
        payee, abroad = f"account_1_SYNTHL{craft.below(10**6):06d}", craft.foreign_country(home)
        at, drafts = start + craft.below(DAY_MS), []
        for _ in range(craft.between(3, 6)):
            fields = craft.transfer(
                at,
                accounts[craft.below(len(accounts))],
                home,
                payee,
                abroad,
                craft.spread(1900, 0.6),
                **place,
            )
            score = round(float(craft.draw.uniform(0.76, 0.99)), 3)
            fields["screen"] = ScreenResult(LISTS, score, match, "block" if score >= 0.95 else "review")
            drafts.append(self.fraud(craft, fields))
            at += craft.between(3 * HOUR_MS, 2 * DAY_MS)
        return drafts
