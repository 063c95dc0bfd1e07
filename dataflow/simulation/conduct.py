"""What ordinary customers do besides paying: logins, new devices, changed details, new payees, refunds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dataflow.simulation import geography as geo
from dataflow.simulation.craft import Craft, Draft
from dataflow.simulation.habits import CNP, TRANSFER, Columns
from dataflow.simulation.rhythm import DAY_MS
from dataflow.simulation.world import PAYEE_LIFE_DAYS, Ints, World, ip_token, rng
from models.events import Behaviour

CREDENTIAL_CHANGES = 0.0015
CONTACT_CHANGES = 0.0008
REFUNDS = 0.018
"""The first two a customer a day; refunds a delivered purchase."""


@dataclass(frozen=True)
class Logins:
    """One element a login; failed is 1 where it did not succeed. Indexes as in habits.Columns."""

    received_at: Ints
    event_time: Ints
    customer: Ints
    device: Ints
    ip: Ints
    ip_country: Ints
    failed: Ints
    day: int

    def __len__(self) -> int:
        return len(self.customer)


def logins(world: World, columns: Columns, start: int) -> Logins:
    """The logins that lead to the day's payments, some after a mistyped password."""
    draw = rng(world.seed, "logins", columns.day)
    online = ((columns.channel == CNP) | (columns.channel == TRANSFER)) & ~columns.guest
    first = np.flatnonzero(online & (draw.random(len(columns)) < 0.5))
    wrong = first[draw.random(len(first)) < 0.06]
    before = columns.event_time[first] - draw.integers(15_000, 420_000, len(first))
    earlier = columns.event_time[wrong] - draw.integers(425_000, 480_000, len(wrong))
    rows = np.concatenate([first, wrong])
    moment = np.maximum(np.concatenate([before, earlier]), start)
    failed = np.concatenate([np.zeros(len(first), np.int64), np.ones(len(wrong), np.int64)])
    lag = 40 + draw.gamma(1.3, 120.0, len(rows)).astype(np.int64)
    received = np.minimum(moment + lag, start + DAY_MS - 1)
    return Logins(received, moment, columns.customer[rows], columns.device[rows], columns.ip[rows],
                  columns.ip_country[rows], failed, columns.day)  # fmt: skip


def login_events(world: World, columns: Logins, ids: list[str]) -> list[Behaviour]:
    """The events of the columns, in their order."""
    rows = zip(
        ids, columns.event_time.tolist(), columns.received_at.tolist(), columns.customer.tolist(),
        columns.device.tolist(), columns.ip.tolist(), columns.ip_country.tolist(), columns.failed.tolist(),
        strict=True,
    )  # fmt: skip
    account, day = world.account, columns.day
    return [
        Behaviour(
            id=id_, event_time=moment, received_at=received, kind="login_failed" if failed else "login",
            payer=account[who], device=world.device_token(who, device, day), ip=ip_token(ip),
            ip_country=geo.CODES[country],
        )
        for id_, moment, received, who, device, ip, country, failed in rows
    ]  # fmt: skip


def rare_acts(world: World, columns: Columns, start: int) -> list[Draft]:
    """Device, credential and contact changes and new payees of the day; refunds of the next fortnight."""
    day = columns.day
    draw = rng(world.seed, "conduct", day)
    craft = Craft(world, draw, day)
    renewed = np.flatnonzero((day + world.phase) % world.device_life == 0)
    drafts = []
    acts: list[tuple[str, int, dict[str, Any]]] = [("device_change", int(c), {}) for c in renewed]
    for kind, rate in (("credential_change", CREDENTIAL_CHANGES), ("contact_change", CONTACT_CHANGES)):
        acts += [(kind, int(c), {}) for c in np.flatnonzero(draw.random(world.customers) < rate)]
    for slot in range(world.payee_country.shape[1]):
        due = (day + world.phase + 17 * slot) % PAYEE_LIFE_DAYS == 0
        own = (world.payees > slot) & (world.institution[:, slot] < 0)
        for customer in np.flatnonzero(due & own).tolist():
            drafts += _new_payee(craft, customer, slot, start)
    for kind, customer, more in acts:
        moment = craft.waking(customer, start)
        drafts.append(craft.draft("behaviour", craft.behaviour(moment, kind, customer, **more)))
    return drafts + _refunds(world, columns, craft)


def _new_payee(craft: Craft, customer: int, slot: int, start: int) -> list[Draft]:
    """A payee is added, mostly in order to send something at once: as honest as a scam looks."""
    world, place = craft.world, craft.place(customer)
    payee = world.payee_token(customer, slot, craft.day)
    moment = craft.waking(customer, start)
    added = craft.behaviour(moment, "payee_added", customer, payee=payee, **place)
    drafts = [craft.draft("behaviour", added)]
    if craft.chance(0.7):
        purpose, median, sigma = geo.PURPOSES[int(world.purpose[customer, slot])]
        usual = craft.spread(median, sigma) * float(world.spend[customer])
        usd = float(world.fixed_usd[customer, slot]) or usual
        fields = craft.transfer(
            moment + int(craft.spread(30 * 60_000, 1.1)), world.account[customer], int(world.home[customer]),
            payee, int(world.payee_country[customer, slot]), usd,
            purpose=purpose, **place,
        )  # fmt: skip
        drafts.append(craft.draft("transaction", craft.settle(fields, 0.0)))
    return drafts


def _refunds(world: World, columns: Columns, craft: Craft) -> list[Draft]:
    delivered = (columns.ship >= 0) & (columns.code == 0) & ~columns.guest
    chosen = np.flatnonzero(delivered & (craft.draw.random(len(columns)) < REFUNDS))
    drafts = []
    for row in chosen.tolist():
        customer = int(columns.customer[row])
        later = craft.waking(customer, int(columns.event_time[row]) + craft.between(2, 12) * DAY_MS)
        amount = int(columns.amount[row])
        fields = craft.behaviour(
            later, "refund", customer, merchant=world.merchant_id[int(columns.merchant[row])],
            card=world.card_token[int(columns.card[row])] if columns.card[row] >= 0 else None,
            amount=amount if craft.chance(0.7) else max(1, amount // 2),
            currency=geo.CURRENCIES[int(columns.currency[row])],
        )  # fmt: skip
        drafts.append(craft.draft("behaviour", fields))
    return drafts
