"""What travels with ordinary payments: the documents of declared goods, and near hits of name screens.

One shop in eight declares what it ships abroad. Honest papers disagree now and then: a relative pays, a gift goes to
somebody else, a coupon lowers the order, a clerk picks another heading. A few customers have a listed person's name.
"""

from __future__ import annotations

import msgspec
import numpy as np

from dataflow.simulation import geography as geo
from dataflow.simulation.habits import CNP, TRANSFER, Columns
from dataflow.simulation.world import World, rng
from models.events import Documents, ScreenResult, Transaction

DECLARES, NAMESAKES = 8, 400
"""One merchant, and one customer, in so many."""
LISTS = "synthetic-1"


def name_token(customer: int) -> str:
    """The token of a customer's name."""
    return f"name_1_SYNTH{customer:07d}"


def papers_of(
    draw: np.random.Generator, trade: geo.Trade, amount: int, buyer: str, payer: str, recipient: str
) -> Documents:
    """Papers that agree but for the parties given: amount in minor units, of a merchant of the trade."""
    code, grams = geo.GOODS[trade.mcc]
    pieces = int(draw.choice(3, p=(0.7, 0.2, 0.1))) + 1
    return Documents(
        order_party=buyer, payment_party=payer, waybill_party=recipient, order_amount=amount,
        waybill_amount=int(amount * draw.uniform(0.86, 1.0)), order_goods=code, waybill_goods=code,
        quantity=float(pieces), weight_grams=max(1, int(pieces * grams * np.exp(0.35 * draw.normal()))),
    )  # fmt: skip


def with_papers(world: World, columns: Columns, payments: list[Transaction]) -> list[Transaction]:
    """The day's payments, some of them with documents or a screen's result; in their order."""
    draw = rng(world.seed, "papers", columns.day)
    out = list(payments)
    abroad = world.merchant_country[columns.merchant] != world.home[columns.customer]
    declared = (columns.channel == CNP) & (columns.ship >= 0) & abroad & (columns.merchant % DECLARES == 0)
    for row in np.flatnonzero(declared & ~columns.guest).tolist():
        out[row] = msgspec.structs.replace(out[row], documents=_ordinary(world, draw, columns, row))
    for row in np.flatnonzero((columns.channel == TRANSFER) & (columns.customer % NAMESAKES == 7)).tolist():
        score = float(np.round(0.74 + 0.15 * draw.random(), 3))
        match = f"SYNTH-L{int(columns.customer[row]) % 1000:03d}"
        out[row] = msgspec.structs.replace(out[row], screen=ScreenResult(LISTS, score, match, "review"))
    return out


def _ordinary(world: World, draw: np.random.Generator, columns: Columns, row: int) -> Documents:
    who, amount = int(columns.customer[row]), int(columns.amount[row])
    trade = geo.TRADES[int(world.trade[columns.merchant[row]])]
    buyer = name_token(who)
    other = name_token(int(draw.integers(0, world.customers)))
    payer = other if draw.random() < 0.02 else buyer
    papers = papers_of(draw, trade, amount, buyer, payer, other if draw.random() < 0.05 else buyer)
    if draw.random() < 0.05:
        papers = msgspec.structs.replace(papers, order_amount=int(amount * draw.uniform(1.02, 1.2)))
    if draw.random() < 0.02:
        papers = msgspec.structs.replace(papers, waybill_amount=int(amount * draw.uniform(0.4, 0.8)))
    if draw.random() < 0.012:
        clerk = list(geo.GOODS.values())[int(draw.integers(0, len(geo.GOODS)))][0]
        papers = msgspec.structs.replace(papers, waybill_goods=clerk)
    return papers
