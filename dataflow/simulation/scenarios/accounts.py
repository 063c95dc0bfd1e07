"""Frauds on accounts: takeover, stuffed credentials, and people talked into paying."""

from __future__ import annotations

from dataflow.simulation import geography as geo
from dataflow.simulation.craft import Craft, Draft, Fields
from dataflow.simulation.rhythm import DAY_MS
from dataflow.simulation.scenarios.base import HOUR_MS, MINUTE_MS, Scenario
from dataflow.simulation.world import ip_token


def loot(craft: Craft, at: int, who: int, place: Fields) -> Fields:
    """A purchase in the victim's name of something that sells on, dearer than the victim's habit."""
    fields = craft.purchase(at, who, craft.shop(who, risky=True), **place)
    fields["amount"] = int(fields["amount"] * craft.spread(2.6, 0.6)) + 1
    if fields.get("ship_country") and craft.chance(0.55):
        home = int(craft.world.home[who])
        fields["ship_country"] = geo.CODES[craft.foreign_country(home)]
        fields["ship_token"] = f"address_1_SYNTHD{craft.below(10**6):06d}"
    return craft.settle(fields, 0.12)


class AccountTakeover(Scenario):
    """T02: new device and address, a changed credential or contact, then high value to a new place in hours.

    One in four attackers hides behind a line in the victim's own country; one in four changes nothing.
    """

    name, typology, share, size = "account_takeover", "T02", 0.0009, 2.1
    label = "customer_report"

    def plan(self, craft: Craft, start: int) -> list[Draft]:
        who = craft.victim()
        home = int(craft.world.home[who])
        at = start + craft.below(DAY_MS)
        country = home if craft.chance(0.28) else craft.foreign_country(home)
        place = craft.elsewhere(country)
        if craft.chance(0.15):
            place["device"] = craft.place(who)["device"]  # malware on the victim's own machine
        drafts = []
        for _ in range(craft.below(5)):
            drafts.append(self.act(craft, craft.behaviour(at, "login_failed", who, **place)))
            at += craft.between(4_000, 60_000)
        steps = ["login"]
        steps += ["device_change"] if craft.chance(0.7) else []
        steps += ["credential_change"] if craft.chance(0.6) else []
        steps += ["contact_change"] if craft.chance(0.5) else []
        for kind in steps:
            drafts.append(self.act(craft, craft.behaviour(at, kind, who, **place)))
            at += craft.between(20_000, 6 * MINUTE_MS)
        at += int(craft.spread(0.8 * HOUR_MS, 1.1))
        if craft.chance(0.35):
            drafts += self._drain(craft, at, who, place)
        else:
            for _ in range(craft.between(1, 4)):
                drafts.append(self.fraud(craft, loot(craft, at, who, place)))
                at += int(craft.spread(9 * MINUTE_MS, 0.9))
        return drafts

    def _drain(self, craft: Craft, at: int, who: int, place: Fields) -> list[Draft]:
        world, home = craft.world, int(craft.world.home[who])
        payee = f"account_1_SYNTHM{craft.below(10**6):06d}"
        abroad = craft.foreign_country(home)
        added = craft.behaviour(at, "payee_added", who, **place, payee=payee)
        drafts = [self.act(craft, added)]
        for _ in range(craft.between(1, 2)):
            at += craft.between(2 * MINUTE_MS, 50 * MINUTE_MS)
            usd = craft.spread(1500, 0.7) * float(world.spend[who])
            fields = craft.transfer(at, world.account[who], home, payee, abroad, usd, **place)
            drafts.append(self.fraud(craft, craft.settle(fields, 0.08)))
        return drafts


class CredentialStuffing(Scenario):
    """T16: one source tries many accounts with leaked passwords; few open, and some of those are robbed."""

    name, typology, share, size = "credential_stuffing", "T16", 0.0004, 4.5
    label = "customer_report"

    def plan(self, craft: Craft, start: int) -> list[Draft]:
        at = start + craft.below(DAY_MS)
        country = craft.foreign_country(craft.below(len(geo.COUNTRIES)))
        sources = [craft.elsewhere(country) for _ in range(craft.between(1, 3))]
        gap = craft.spread(6_000, 0.5)
        drafts = []
        for _ in range(craft.between(50, 180)):
            at += int(craft.draw.exponential(gap)) + 150
            who, place = craft.customer(), sources[craft.below(len(sources))]
            if not craft.chance(0.035):
                drafts.append(self.act(craft, craft.behaviour(at, "login_failed", who, **place)))
                continue
            drafts.append(self.act(craft, craft.behaviour(at, "login", who, **place)))
            if craft.chance(0.65):
                fresh = craft.elsewhere(country) if craft.chance(0.5) else place
                moment = at + int(craft.spread(2 * HOUR_MS, 1.0))
                for _ in range(craft.between(1, 2)):
                    drafts.append(self.fraud(craft, loot(craft, moment, who, fresh)))
                    moment += craft.between(MINUTE_MS, 40 * MINUTE_MS)
        return drafts


class ScamNewPayee(Scenario):
    """T17: the victim pays, on the own device, more than ever before, to a payee added minutes ago.

    The same payee may take money from several victims.
    """

    name, typology, share, size = "scam_new_payee", "T17", 0.0007, 2.9
    label = "customer_report"

    def plan(self, craft: Craft, start: int) -> list[Draft]:
        payee = f"account_1_SYNTHM{craft.below(10**6):06d}"
        abroad = craft.foreign_country(craft.below(len(geo.COUNTRIES)))
        drafts = []
        for _ in range(craft.between(1, 3)):
            who = craft.customer()
            home, place = int(craft.world.home[who]), craft.place(who)
            at = craft.waking(who, start + craft.below(3 * DAY_MS))
            if craft.chance(0.4):
                drafts.append(craft.draft("behaviour", craft.behaviour(at, "login", who, **place)))
            at += craft.between(MINUTE_MS, 20 * MINUTE_MS)
            drafts.append(self.act(craft, craft.behaviour(at, "payee_added", who, **place, payee=payee)))
            usd = craft.spread(2600, 0.8) * float(craft.world.spend[who])
            for _ in range(craft.between(1, 2)):
                at += int(craft.spread(35 * MINUTE_MS, 1.0))
                account = craft.world.account[who]
                fields = craft.transfer(at, account, home, payee, abroad, min(usd, 40_000), **place)
                drafts.append(self.fraud(craft, craft.settle(fields, 0.02)))
                usd *= 1.5
        return drafts


def attacker_network(craft: Craft, country: int) -> Fields:
    """One address and device, shared by all accounts an organiser runs."""
    return {"device": craft.new_device(), "ip": ip_token(craft.rented_ip()), "ip_country": geo.CODES[country]}
