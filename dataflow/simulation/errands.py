"""Honest money that moves as laundered money does: wages and rent, treasurers, relays, circles, sleepers.

Most customers only pay. Here some are paid by others and pay on: what a rule about flows must leave alone.
"""

from __future__ import annotations

from dataflow.simulation import geography as geo
from dataflow.simulation.craft import Craft, Draft
from dataflow.simulation.rhythm import DAY_MS, HOUR_MS
from dataflow.simulation.world import World, rng

MINUTE_MS = 60_000
WAGES, TREASURERS, RELAYS, CIRCLES = 0.002, 0.0003, 0.0004, 0.0001
"""A customer a day."""
SLEEPERS = 3000
"""One account in so many customers falls asleep each day, two at least."""
ASLEEP_DAYS = 185


def errands(world: World, day: int, start: int) -> list[Draft]:
    """The errands that begin on the day that starts at `start`; none lasts longer than 14 days."""
    craft = Craft(world, rng(world.seed, "errands", day), day)
    drafts: list[Draft] = []
    for plan, rate in ((_wage, WAGES), (_treasurer, TREASURERS), (_relay, RELAYS), (_circle, CIRCLES)):
        for _ in range(int(craft.draw.poisson(rate * world.customers))):
            drafts += plan(craft, start)
    return drafts + _sleepers(craft, start)


def _send(craft: Craft, at: int, who: int, payee: str, country: int, usd: float) -> Draft:
    world = craft.world
    fields = craft.transfer(
        at, world.account[who], int(world.home[who]), payee, country, max(usd, 1.0), **craft.place(who)
    )
    return craft.draft("transaction", craft.settle(fields, 0.0))


def _own(craft: Craft, who: int) -> tuple[str, int]:
    """A payee the customer has, and where."""
    slot = craft.below(max(int(craft.world.payees[who]), 1))
    return craft.world.payee_token(who, slot, craft.day), int(craft.world.payee_country[who, slot])


def _company(craft: Craft, country: int) -> str:
    return f"account_1_SYNTHB{country * 100_000 + 90_000 + craft.below(40):07d}"


def _paid(craft: Craft, at: int, payer: str, origin: int, who: int, usd: float) -> Draft:
    world = craft.world
    fields = craft.transfer(at, payer, origin, world.account[who], int(world.home[who]), usd)
    return craft.draft("transaction", fields)


def _wage(craft: Craft, start: int) -> list[Draft]:
    """A wage comes in; rent or family is paid from it, often soon."""
    who = craft.customer()
    home = int(craft.world.home[who])
    at, usd = craft.waking(who, start), craft.spread(1450, 0.35)
    payee, country = _own(craft, who)
    drafts = [_paid(craft, at, _company(craft, home), home, who, usd)]
    for _ in range(craft.between(1, 2)):
        at += int(min(craft.spread(3 * HOUR_MS, 1.3), 3 * DAY_MS))
        drafts.append(_send(craft, at, who, payee, country, usd * craft.draw.uniform(0.15, 0.5)))
    return drafts


def _treasurer(craft: Craft, start: int) -> list[Draft]:
    """Friends put their shares together; one of them pays the bill."""
    who = craft.customer()
    home = int(craft.world.home[who])
    at, usd, last, total = craft.waking(who, start), craft.spread(85, 0.5), 0, 0.0
    drafts = []
    for _ in range(craft.between(3, 7)):
        friend = craft.customer(home)
        if friend == who:
            continue
        moment = at + craft.below(30 * HOUR_MS)
        drafts.append(_send(craft, moment, friend, craft.world.account[who], home, usd))
        last, total = max(last, moment), total + usd
    moment = last + int(min(craft.spread(5 * HOUR_MS, 1.2), 4 * DAY_MS))
    if total:
        country = craft.foreign_country(home)
        drafts.append(
            _send(craft, moment, who, _company(craft, country), country, total * craft.draw.uniform(1.0, 1.3))
        )
    return drafts


def _relay(craft: Craft, start: int) -> list[Draft]:
    """A relative abroad sends money that is passed on to a landlord or a clinic within hours."""
    who = craft.customer()
    abroad = craft.customer(craft.foreign_country(int(craft.world.home[who])))
    at, usd = craft.waking(who, start), craft.spread(420, 0.5)
    payee, country = _own(craft, who)
    later = at + int(min(craft.spread(100 * MINUTE_MS, 1.0), 5 * DAY_MS))
    origin = int(craft.world.home[abroad])
    return [
        _paid(craft, at, craft.world.account[abroad], origin, who, usd),
        _send(craft, later, who, payee, country, usd * craft.draw.uniform(0.8, 1.0)),
    ]


def _circle(craft: Craft, start: int) -> list[Draft]:
    """A savings circle: equal sums go round among neighbours, every few days."""
    home = craft.below(len(geo.COUNTRIES))
    people = list(dict.fromkeys(craft.customer(home) for _ in range(craft.between(3, 5))))
    at, usd = craft.waking(people[0], start), craft.spread(160, 0.4)
    drafts = []
    for giver, taker in zip(people, [*people[1:], people[0]], strict=True):
        if giver != taker:
            drafts.append(_send(craft, at, giver, craft.world.account[taker], home, usd))
        at += int(craft.draw.uniform(1.0, 2.6) * DAY_MS)
    return drafts


def sleeper(day: int, number: int) -> str:
    """The account that paid last on `day`; even numbers are woken by thieves, odd ones by their owners."""
    return f"account_1_SYNTHZ{'b' if day < 0 else 'a'}{abs(day):05d}x{number}"


def sleepers_a_day(world: World) -> int:
    """How many accounts fall asleep each day."""
    return max(2, world.customers // SLEEPERS)


def _sleepers(craft: Craft, start: int) -> list[Draft]:
    """Accounts pay a last time; odd ones that fell asleep half a year ago come back, some with a large sum."""
    drafts = []
    for number in range(sleepers_a_day(craft.world)):
        country = (craft.day * 7 + number) % len(geo.COUNTRIES)
        for _ in range(3):
            drafts.append(_sleeper_pays(craft, start, sleeper(craft.day, number), country, 60.0))
        woken = craft.day - ASLEEP_DAYS
        if number % 2 and woken >= 0:
            origin = (woken * 7 + number) % len(geo.COUNTRIES)
            usd = 60.0 * craft.spread(2.0, 0.8)
            drafts.append(_sleeper_pays(craft, start, sleeper(woken, number), origin, usd))
    return drafts


def _sleeper_pays(craft: Craft, start: int, token: str, country: int, usd: float) -> Draft:
    at = start + craft.below(DAY_MS)
    place = {
        "device": f"device_1_SYNTHZ{token.rpartition('Z')[2]}",
        "ip": craft.elsewhere(country)["ip"],
        "ip_country": geo.CODES[country],
    }
    payee = _company(craft, country)
    fields = craft.transfer(at, token, country, payee, country, craft.spread(usd, 0.2), **place)
    return craft.draft("transaction", fields)
