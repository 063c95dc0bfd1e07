"""One day of ordinary life, drawn in numpy: who buys or sends what, where, when, and whether it is approved.

`ordinary_day` gives columns; `transactions` turns them into events. Times lie within the day's 24 hours.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dataflow.simulation import geography as geo
from dataflow.simulation.money import COUNTRY_CURRENCY, prices, sums
from dataflow.simulation.rhythm import DAY_MS, HOUR_MS, day_weights
from dataflow.simulation.world import (
    FAVOURITES,
    MOBILE_IPS,
    Floats,
    Ints,
    Objects,
    World,
    cumulative,
    ip_token,
    pick,
    rng,
)
from models.events import Channel, Evidence, Transaction

Flags = npt.NDArray[np.bool_]

CHANNELS: tuple[Channel, ...] = ("cnp", "qr", "wallet", "transfer")
CNP, QR, WALLET, TRANSFER = range(4)
EVIDENCE: tuple[Evidence | None, ...] = (
    None,
    Evidence(knowledge="absent", possession="absent", inherence="absent"),
    Evidence(knowledge="passed", possession="absent", inherence="absent"),
    Evidence(knowledge="passed", possession="passed", inherence="absent"),
    Evidence(knowledge="absent", possession="passed", inherence="passed"),
    Evidence(knowledge="failed", possession="absent", inherence="absent"),
)
DECLINED = np.array([c.declines for c in geo.COUNTRIES])
_CODES = np.array([None, *geo.DECLINE_CODES], dtype=object)
_COUNTRY = np.array(geo.CODES, dtype=object)
_CURRENCY = np.array(geo.CURRENCIES, dtype=object)
_MCC = np.array([trade.mcc for trade in geo.TRADES], dtype=object)
_PARTNER_DECLINES = np.array([p.declines for p in geo.PARTNERS])
_QR = np.array([c.qr for c in geo.COUNTRIES])
_WALLET = np.array([c.wallet for c in geo.COUNTRIES])
_PURPOSE_USD = np.array([p[1] for p in geo.PURPOSES])
_PURPOSE_SPREAD = np.array([p[2] for p in geo.PURPOSES])
_CODE_CDF = np.cumsum(geo.DECLINE_SHARES)
_STRONG_DECLINE = 0.75
"""Issuers refuse less where the payer was authenticated."""


@dataclass(frozen=True)
class Columns:
    """One element a payment; -1 stands for none. Countries, currencies, cards, … are indexes.

    guest: bought without an account, by card only.
    """

    received_at: Ints
    event_time: Ints
    customer: Ints
    channel: Ints
    merchant: Ints
    slot: Ints
    card: Ints
    currency: Ints
    amount: Ints
    device: Ints
    ip: Ints
    ip_country: Ints
    ship: Ints
    evidence: Ints
    code: Ints
    guest: Flags
    day: int

    def __len__(self) -> int:
        return len(self.customer)


def ordinary_day(world: World, day: int, start: int, scale: float) -> Columns:
    """The ordinary payments of the day that starts at `start` (ms); `scale` multiplies everybody's rate."""
    draw = rng(world.seed, "ordinary", day)
    weights, paydays = day_weights(start)
    kinds = world.home * weights.shape[1] + world.segment
    mean = weights.mean(axis=2).ravel()[kinds]
    customer = np.repeat(np.arange(world.customers), draw.poisson(world.rate * mean * scale))
    hours = pick(cumulative(weights.reshape(-1, 24)), kinds[customer], draw.random(len(customer)))
    moment = start + hours * HOUR_MS + draw.integers(0, HOUR_MS, len(customer))

    n = len(customer)
    home = world.home[customer]
    transfer = draw.random(n) < world.remits[customer] * paydays[home]
    rank = np.minimum(draw.geometric(0.35, n) - 1, FAVOURITES - 1)
    fresh = pick(world.merchant_cdf, home, draw.random(n))
    merchant = np.where(draw.random(n) < 0.72, world.favourites[customer, rank], fresh)
    channel = _channels(world, home, merchant, draw.random(n))
    channel = np.where(transfer, TRANSFER, channel)
    slot = np.where(
        transfer, np.minimum(draw.geometric(0.5, n) - 1, np.maximum(world.payees[customer], 1) - 1), -1
    )
    card = customer * 2 + ((draw.random(n) < 0.3) & (world.cards[customer] == 2))
    card = np.where(transfer | ((channel == QR) & (draw.random(n) < 0.55)), -1, card)
    currency, amount = _amounts(world, draw, customer, merchant, slot, transfer)
    device = np.where(
        (channel == QR) | (channel == WALLET) | (draw.random(n) < 0.72), 0,
        draw.integers(0, 3, n) % world.devices[customer],
    )  # fmt: skip
    ip, ip_country = _addresses(world, draw, customer, day)
    posted = (channel == CNP) & world.goods[merchant]
    gift = draw.random(n)
    ship = np.where(posted, np.where(gift < 0.04, world.home[draw.integers(0, world.customers, n)], home), -1)
    evidence = _evidence(world, draw, customer, channel)
    code = _outcomes(world, draw, home, merchant, channel, evidence, n)
    # Guests buy where they are not regulars; an amount of zero checks a card before a subscription.
    guest = (channel == CNP) & (merchant == fresh) & (draw.random(n) < 0.3)
    digital = (channel == CNP) & ~world.goods[merchant]
    amount = np.where(digital & (draw.random(n) < 0.02), 0, amount)
    columns = Columns(moment, moment, customer, channel, merchant, slot, card, currency, amount, device, ip,
                      ip_country, ship, evidence, code, guest, day)  # fmt: skip
    columns = _with_retries(columns, draw)
    lag = 40 + draw.gamma(1.3, 160.0, len(columns)).astype(np.int64)
    received = np.minimum(columns.event_time + lag, start + DAY_MS - 1)
    moment = np.minimum(columns.event_time, received)
    return Columns(**{**columns.__dict__, "received_at": received, "event_time": moment})


def _channels(world: World, home: Ints, merchant: Ints, uniform: Floats) -> Ints:
    counter = np.where(world.counter[merchant], 1.6, 0.35)
    qr, wallet = _QR[home] * counter, _WALLET[home] * counter
    return np.where(uniform < qr, QR, np.where(uniform < qr + wallet, WALLET, CNP))


def _amounts(
    world: World, draw: np.random.Generator, customer: Ints, merchant: Ints, slot: Ints, transfer: Flags
) -> tuple[Ints, Ints]:
    n = len(customer)
    home = world.home[customer]
    own, shop = COUNTRY_CURRENCY[home], COUNTRY_CURRENCY[world.merchant_country[merchant]]
    noise, ending = draw.normal(0.0, 1.0, n), draw.random(n)
    spend = world.spend[customer]
    ticket = world.ticket[merchant] * np.exp(world.spread[merchant] * noise) * spend**0.6
    purpose = world.purpose[customer, np.maximum(slot, 0)]
    fixed = world.fixed_usd[customer, np.maximum(slot, 0)]
    sent = _PURPOSE_USD[purpose] * np.exp(_PURPOSE_SPREAD[purpose] * noise) * spend
    sent = np.minimum(np.where(fixed > 0, fixed, sent), 45_000.0)
    currency = np.where(transfer | world.local_prices[merchant], own, shop)
    amount = np.where(transfer, sums(sent, currency, np.where(fixed > 0, 0.9, ending)),
                      prices(np.minimum(ticket, 12_000.0), currency, ending))  # fmt: skip
    return currency, amount


def _addresses(world: World, draw: np.random.Generator, customer: Ints, day: int) -> tuple[Ints, Ints]:
    n = len(customer)
    home = world.home[customer]
    lease = (day + world.phase[customer]) // world.ip_life[customer]
    line = 1_000_000 + customer * 64 + lease % 64
    mobile = draw.random(n) < world.mobile[customer]
    # A customer is abroad for about a week at a time, some three weeks a year.
    trip = (day + world.phase[customer]) // 7
    abroad = (trip * 7919 + customer * 104_729) % 1000 < 55
    visited = (trip * 31 + customer * 17) % len(geo.COUNTRIES)
    country = np.where(abroad, visited, home)
    gateway = country * MOBILE_IPS + (customer * 13 + day // 3) % MOBILE_IPS
    ip = np.where(mobile | abroad, gateway, line)
    exits = draw.integers(0, 64, n)
    hidden = world.vpn[customer] & (draw.random(n) < 0.6)
    ip = np.where(hidden, 6000 + exits, ip)
    return ip, np.where(hidden, exits % len(geo.COUNTRIES), country)


def _evidence(world: World, draw: np.random.Generator, customer: Ints, channel: Ints) -> Ints:
    u = draw.random(len(customer))
    strong = world.strong[customer]
    cnp = np.where(strong, np.where(u < 0.62, 3, np.where(u < 0.85, 4, np.where(u < 0.975, 1, 5))),
                   np.where(u < 0.5, 0, np.where(u < 0.93, 1, 2)))  # fmt: skip
    phone = np.where(u < 0.8, 4, 3)
    banked = np.where(u < 0.66, 3, np.where(u < 0.98, 4, 5))
    return np.where(channel == CNP, cnp, np.where(channel == TRANSFER, banked, phone))


def _outcomes(
    world: World, draw: np.random.Generator, home: Ints, merchant: Ints, channel: Ints, evidence: Ints, n: int
) -> Ints:
    rate = _PARTNER_DECLINES[world.partner[merchant]] * DECLINED[home]
    rate = np.where(world.merchant_country[merchant] == home, rate * 0.75, rate)
    rate = np.where((evidence == 3) | (evidence == 4), rate * _STRONG_DECLINE, rate)
    rate = np.where(channel == TRANSFER, 0.012 * DECLINED[home], rate)
    rate = np.where(evidence == 5, 0.85, rate)
    declined = draw.random(n) < rate
    reason = np.searchsorted(_CODE_CDF, draw.random(n) * 0.999) + 1
    # A transfer has no card data to be wrong; a failed challenge is an invalid credential.
    reason = np.where(channel == TRANSFER, np.where(reason > 2, 1, reason), reason)
    reason = np.where(evidence == 5, 3, reason)
    return np.where(declined, reason, 0)


def _with_retries(columns: Columns, draw: np.random.Generator) -> Columns:
    """Two declined payers in five try again within three minutes, mostly with success."""
    again = np.flatnonzero((columns.code > 0) & (draw.random(len(columns)) < 0.4))
    rows = np.concatenate([np.arange(len(columns)), again])
    parts = {k: (v[rows] if isinstance(v, np.ndarray) else v) for k, v in columns.__dict__.items()}
    first = len(columns)
    parts["event_time"][first:] += draw.integers(15_000, 180_000, len(again))
    parts["code"][first:] = np.where(draw.random(len(again)) < 0.65, 0, parts["code"][first:])
    return Columns(**parts)


def transactions(world: World, columns: Columns, ids: list[str]) -> list[Transaction]:
    """The events of the columns, in their order; `ids` are their identities."""
    day = columns.day
    customer, merchant = columns.customer, columns.merchant
    transfer = columns.channel == TRANSFER
    home = world.home[customer]
    slot = np.maximum(columns.slot, 0)
    partner_ids = np.array([p.id for p in geo.PARTNERS], dtype=object)
    rails = np.array(geo.REMITTERS, dtype=object)
    partner = np.where(transfer, rails[world.rail[customer]], partner_ids[world.partner[merchant]])
    country = np.where(transfer, world.payee_country[customer, slot], world.merchant_country[merchant])
    card, has_card = np.maximum(columns.card, 0), columns.card >= 0
    purposes = np.array([p[0] for p in geo.PURPOSES], dtype=object)[world.purpose[customer, slot]]
    strings = zip(
        ids,
        columns.event_time.tolist(),
        columns.received_at.tolist(),
        columns.amount.tolist(),
        _CURRENCY[columns.currency].tolist(),
        columns.channel.tolist(),
        customer.tolist(),
        columns.slot.tolist(),
        _where(~columns.guest, world.account[customer]).tolist(),
        _where(~transfer, world.merchant_id[merchant]).tolist(),
        partner.tolist(),
        _where(has_card, world.card_token[card]).tolist(),
        _where(has_card, world.bin[world.card_iin[card]]).tolist(),
        _where(has_card, world.last4[card]).tolist(),
        _where(has_card, _COUNTRY[world.card_country[card]]).tolist(),
        _COUNTRY[home].tolist(),
        _COUNTRY[country].tolist(),
        columns.device.tolist(),
        columns.ip.tolist(),
        _COUNTRY[columns.ip_country].tolist(),
        _where(columns.ship >= 0, _COUNTRY[columns.ship]).tolist(),
        _where(columns.ship == home, world.address[customer]).tolist(),
        _where(~transfer, _MCC[world.trade[merchant]]).tolist(),
        _where(transfer, purposes).tolist(),
        columns.evidence.tolist(),
        _CODES[columns.code].tolist(),
        strict=True,
    )
    return [
        Transaction(
            id=id_, event_time=event_time, received_at=received, amount=amount, currency=currency,
            channel=CHANNELS[channel], payer=payer, merchant=shop, partner=via, card=card_token, bin=iin,
            payee=None if slot_ < 0 else world.payee_token(who, slot_, day),
            instructing=None if slot_ < 0 else institution(home_),
            instructed=None if slot_ < 0 else institution(to),
            last4=last4, issuer_country=issuer, payer_country=home_, payee_country=to,
            device=world.device_token(who, device, day), ip=ip_token(ip), ip_country=ip_country,
            ship_country=ship, bill_country=issuer if channel == CNP else None,
            ship_token=address, mcc=mcc, purpose=purpose, evidence=EVIDENCE[proof],
            authorisation="approved" if code is None else "declined", decline_code=code,
            uetr=None if slot_ < 0 else uetr(id_), order_id=None if channel != CNP else f"o-{id_}",
        )
        for (id_, event_time, received, amount, currency, channel, who, slot_, payer, shop, via, card_token,
             iin, last4, issuer, home_, to, device, ip, ip_country, ship, address, mcc, purpose, proof, code)
        in strings
    ]  # fmt: skip


def institution(country: str) -> str:
    """The bank that instructs or is instructed for transfers from or to a country."""
    return f"bank-{country.lower()}-1"


def uetr(id_: str) -> str:
    """A UETR (UUID version 4 layout) derived from the event's id."""
    raw = bytearray(uuid.uuid5(uuid.NAMESPACE_OID, id_).bytes)
    raw[6] = (raw[6] & 0x0F) | 0x40
    # Letters in the second, third and last group keep every run of digits too short for a card number.
    raw[4] = 0xA0 | (raw[4] & 0x0F)
    raw[7], raw[10] = 0xA0 | (raw[7] & 0x0F), 0xA0 | (raw[10] & 0x0F)
    return str(uuid.UUID(bytes=bytes(raw)))


def _where(mask: Flags, values: Objects) -> Objects:
    result = values.copy()
    result[~mask] = None
    return result
