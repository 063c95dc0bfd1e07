"""The attacks of the drills, as fast as machines run them: each a function from a moment to what comes then."""

from __future__ import annotations

import msgspec

from dataflow.drill.traffic import SPAN_MS, Attack, Change
from dataflow.simulation import geography as geo
from dataflow.simulation.craft import Craft, Draft
from dataflow.simulation.scenarios import SCENARIOS
from dataflow.simulation.scenarios.base import Scenario
from dataflow.virtual_flow import Arrival
from models.events import Transaction, encode

_SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in SCENARIOS}


def card_testing(craft: Craft, at: int) -> list[Draft]:
    """Guessed numbers of one BIN, two every three seconds or so; what answers is spent at once."""
    drafts: list[Draft] = []
    while not drafts or drafts[-1].received_at < at + SPAN_MS:
        plan = _SCENARIOS["card_testing"].plan(craft, at)
        first = drafts[0].fields["bin"] if drafts else plan[0].fields["bin"]
        if plan[0].fields["bin"] == first:
            begin = drafts[-1].received_at + 700 if drafts else at
            drafts += _spread(plan, begin, 1500, craft)
    return [draft for draft in drafts if draft.received_at < at + SPAN_MS]


def account_takeover(craft: Craft, at: int) -> list[Draft]:
    """Accounts entered by a machine, one every two seconds: half of them go shopping, half are drained to a mule."""
    drafts: list[Draft] = []
    for victim in range(SPAN_MS // 2000):
        begin = at + 2000 * victim
        if victim % 2:
            drafts += _spread(_SCENARIOS["account_takeover"].plan(craft, at), begin, 1000, craft)
        else:
            drafts += _drained(craft, begin)
    return drafts


def _drained(craft: Craft, begin: int) -> list[Draft]:
    """The contact is changed, a payee is added and paid, all within seconds and from another place."""
    who = craft.victim()
    home = int(craft.world.home[who])
    place, abroad = craft.elsewhere(craft.foreign_country(home)), craft.foreign_country(home)
    payee = f"account_1_SYNTHM{craft.below(10**6):06d}"
    acts = [("login", {}), ("contact_change", {}), ("payee_added", {"payee": payee})]
    drafts = [
        craft.draft("behaviour", craft.behaviour(begin + 700 * n, kind, who, **place, **more), typology="T02")
        for n, (kind, more) in enumerate(acts)
    ]
    usd = craft.spread(1500, 0.5) * float(craft.world.spend[who])
    account = craft.world.account[who]
    fields = craft.transfer(begin + 2800, account, home, payee, abroad, usd, **place)
    return [*drafts, craft.draft("transaction", craft.settle(fields, 0.08), typology="T02")]


def partner_compromise(craft: Craft, at: int) -> list[Draft]:
    """Somebody has a partner's keys and pays out of its customers' accounts, from many countries to a few mules."""
    return _payouts(craft, at, tuple(range(len(geo.COUNTRIES))), (geo.REMITTERS[craft.below(2)],), "T06")


def corridor_surge(craft: Craft, at: int) -> list[Draft]:
    """People of one country are talked into transfers to a few payees of another, over both rails."""
    return _payouts(craft, at, (geo.INDEX["GB"],), geo.REMITTERS, "T17")


def _payouts(
    craft: Craft, at: int, homes: tuple[int, ...], rails: tuple[str, ...], typology: str
) -> list[Draft]:
    """Transfers to three payees abroad, one every one or two seconds, each right after the payee was added."""
    abroad = geo.INDEX["NG"]
    payees = [f"account_1_SYNTHM{craft.below(10**6):06d}" for _ in range(3)]
    drafts: list[Draft] = []
    moment = at
    while moment < at + SPAN_MS:
        home = homes[craft.below(len(homes))]
        who, payee = craft.customer(home), payees[craft.below(len(payees))]
        place = craft.place(who)
        added = craft.behaviour(moment, "payee_added", who, **{**place, "payee": payee})
        drafts.append(craft.draft("behaviour", added, typology=typology))
        rail, account = rails[len(drafts) // 2 % len(rails)], craft.world.account[who]
        fields = craft.transfer(
            moment + 700, account, home, payee, abroad, craft.spread(2600, 0.5), **{**place, "partner": rail}
        )
        drafts.append(craft.draft("transaction", craft.settle(fields, 0.02), typology=typology))
        moment += craft.between(800, 2000)
    return drafts


def payment_outage(payment: Transaction) -> Arrival | None:
    """The largest partner refuses everything."""
    if payment.partner != geo.PARTNERS[0].id:
        return None
    return msgspec.structs.replace(payment, authorisation="declined", decline_code="system_error")


def data_leak(payment: Transaction) -> Arrival | None:
    """The largest partner's sender goes past the door: number and mailbox stand in the clear (marked, synthetic)."""
    if payment.partner != geo.PARTNERS[0].id:
        return None
    leaking = msgspec.structs.replace(payment, purpose="4111111111111111 canary@example.org")
    return payment.received_at, encode(leaking)


ATTACKS: dict[str, Attack] = {
    one.__name__: one for one in (card_testing, account_takeover, partner_compromise, corridor_surge)
}
CHANGES: dict[str, Change] = {"payment_outage": payment_outage, "data_leak": data_leak}


def _spread(drafts: list[Draft], begin: int, gap_ms: int, craft: Craft) -> list[Draft]:
    """The drafts of a campaign in their order, `gap_ms` apart on average, from `begin` on."""
    moment = begin
    for draft in sorted(drafts, key=lambda one: one.received_at):
        lag = draft.received_at - int(draft.fields["event_time"])
        draft.fields["event_time"], draft.received_at = moment, moment + lag
        moment += 200 + int(craft.draw.exponential(gap_ms - 200))
    return drafts
