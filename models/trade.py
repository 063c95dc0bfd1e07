"""Whether order, payment and waybill tell one story, and whether the goods cost what such goods cost.

Agreement is a pure function of the event's documents; what a document does not say is not judged. Prices are kept by
goods (the Harmonized System's six digits of the order, else of the waybill): the mean and variance of the logarithm of
US dollars a piece and a kilogram, over about the last MEMORY orders, answered before the order is added. One order
moves the norm by no more than REACH deviations, so that an over-invoiced one does not teach what is usual.

Sources: the three-document match of China's customs for cross-border retail imports; FATF and Egmont Group,
"Trade-Based Money Laundering: Risk Indicators" (2021): prices far from the goods' norm, value out of proportion to
weight, descriptions that differ between documents.
"""

from __future__ import annotations

import math

import numpy as np

from models.columns import Float
from models.entities import Arrays, EntityTable, Flags, Ints, grown
from models.events import Documents
from models.hashing import Hashes
from models.kernels import kernel_in_place

ENOUGH, REACH, MEMORY = 20, 3.0, 500
"""Orders of the goods from which on a price is judged; see the module's docstring."""
_SPREAD, _ORDERS = 0.5, 5.0
# answers
PARTIES_DIFFER, AMOUNTS_APART, GOODS_DIFFER, PRICE, VALUE_OF_WEIGHT = range(5)
WIDTH = 5
_HEADING, _SUBHEADING = 4, 6


@kernel_in_place
def _prices(slots: Ints, fresh: Flags, logs: Float, state: Float, out: Float) -> None:
    for i in range(slots.shape[0]):
        s = slots[i]
        if s < 0:
            continue
        if fresh[i]:
            state[s, :, :] = 0.0
        for k in range(2):
            value = logs[i, k]
            if math.isnan(value):
                continue
            seen, mean, variance = state[s, k, 0], state[s, k, 1], state[s, k, 2]
            # Half a log unit, as if five orders had spread so much, keeps young deviations honest.
            spread = math.sqrt((variance * seen + _SPREAD * _SPREAD * _ORDERS) / (seen + _ORDERS))
            if seen >= ENOUGH:
                out[i, k] = (value - mean) / spread
                value = min(max(value, mean - REACH * spread), mean + REACH * spread)
            weight = 1.0 / min(seen + 1.0, np.float64(MEMORY))
            delta = value - mean
            state[s, k, 0] = seen + 1.0
            state[s, k, 1] = mean + weight * delta
            state[s, k, 2] = (1.0 - weight) * (variance + weight * delta * delta)


def differ(documents: Documents) -> float:
    """1.0 when two parties that are known differ, 0.0 when they agree, NaN for fewer than two."""
    parties = [documents.order_party, documents.payment_party, documents.waybill_party]
    known = [party for party in parties if party is not None]
    return math.nan if len(known) < 2 else float(len(set(known)) > 1)


def apart(documents: Documents, paid: int) -> float:
    """How far the amounts of order, payment and waybill are apart, as a share of the largest; NaN for one alone."""
    others = [documents.order_amount, documents.waybill_amount]
    known = [paid, *(amount for amount in others if amount is not None)]
    if len(known) < 2:
        return math.nan
    return (max(known) - min(known)) / max(known) if max(known) else 0.0


def goods_differ(documents: Documents) -> float:
    """1.0 when order and waybill name goods of different headings (four digits), NaN unless both name some."""
    order, waybill = documents.order_goods, documents.waybill_goods
    if order is None or waybill is None:
        return math.nan
    return float(order[:_HEADING] != waybill[:_HEADING])


def read(amount: int, documents: Documents, usd: float) -> tuple[list[float], list[float], str]:
    """What a payment's documents say: agreement (3 answers), logarithms of the two prices, code of the goods.

    amount: in minor units; usd: the same in US dollars.
    """
    pieces, grams = documents.quantity, documents.weight_grams
    logs = [math.nan, math.nan]
    if usd > 0:
        logs[0] = math.log(usd / pieces) if pieces else math.nan
        logs[1] = math.log(usd / grams * 1000.0) if grams else math.nan
    goods = (documents.order_goods or documents.waybill_goods or "")[:_SUBHEADING]
    return [differ(documents), apart(documents, amount), goods_differ(documents)], logs, goods


class GoodsPrices:
    """What goods usually cost; see the module's docstring. capacity: most kinds of goods kept. 73 bytes each."""

    def __init__(self, capacity: int) -> None:
        self.table = EntityTable(capacity)
        self.state: Float = np.zeros((0, 2, 3))

    def advance(self, goods: Hashes, logs: Float) -> Float:
        """Judge m prices in stream order and take them in; (m, 2): PRICE and VALUE_OF_WEIGHT, NaN = not judged.

        goods (m,): hashes of the kinds, 0 missing. logs (m, 2): as of `read`.
        """
        slots, fresh = self.table.assign(goods, np.ones(goods.shape[0], dtype=np.bool_))
        if self.state.shape[0] < self.table.size:
            self.state = grown(self.state, self.table.size)
        judged = np.full((goods.shape[0], 2), np.nan)
        _prices(slots, fresh, logs, self.state, judged)
        return judged

    def arrays(self) -> Arrays:
        """State for the checkpoint."""
        return {"state": self.state} | {f"table.{name}": a for name, a in self.table.arrays().items()}

    def restore(self, arrays: Arrays) -> None:
        """Take the state of a checkpoint."""
        self.state = np.array(arrays["state"])
        self.table.restore({name: arrays[f"table.{name}"] for name in self.table.arrays()})
