"""The signals of one payment, written from the docstrings of models/flows.py and models/trade.py over plain lists."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from models.events import Documents, Transaction
from tests.oracle_features import DAY, HOUR, Value

WEEK = 7 * DAY


@dataclass(eq=False)
class Credit:
    """What an account received: when, how much, what is left of it, and from whom."""

    time: int
    units: int
    rest: int
    payer: Account


@dataclass(eq=False)
class Account:
    """An account since it was last forgotten; a forgotten one pays for nothing any more."""

    credits: list[Credit] = field(default_factory=list)
    passes: list[int] = field(default_factory=list)
    forgotten: bool = False

    def latest(self) -> list[Credit]:
        return self.credits[:-9:-1]


class Table:
    """Names, the least recently seen of which makes room."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.evicted = capacity, 0
        self.rows: dict[str, Account] = {}

    def see(self, name: str) -> Account:
        found = self.rows.pop(name, None) or Account()
        if len(self.rows) >= self.capacity:
            self.rows.pop(next(iter(self.rows))).forgotten = True
            self.evicted += 1
        self.rows[name] = found
        return found


class Walk:
    """A search back over at most 64 credits."""

    def __init__(self, origin: Account, time: int, units: int) -> None:
        self.origin, self.time, self.units, self.looked = origin, time, units, 0

    def back(self, path: list[Account], latest: int, least: int) -> tuple[int, Credit] | None:
        """(payments of the cycle, the credit it began with) of the first cycle found."""
        for credit in path[-1].latest():
            if self.looked == 64:
                return None
            self.looked += 1
            fits = credit.units * 101 >= least * 100 and self.units * 10 > credit.units * 9
            if credit.payer.forgotten or not self.time - WEEK < credit.time <= latest or not fits:
                continue
            if credit.payer is self.origin:
                if len(path) >= 2:
                    return len(path) + 1, credit
            elif len(path) < 4 and credit.payer not in path:
                found = self.back([*path, credit.payer], credit.time, credit.units)
                if found is not None:
                    return found
        return None


class Relations:
    """All accounts and all prices seen."""

    def __init__(self, capacities: dict[str, int]) -> None:
        self.accounts = Table(max(capacities["account"], 2))
        self.goods = Table(capacities["goods"])
        self.first: int | None = None
        self.prices: dict[Account, tuple[list[float], list[float]]] = {}

    @property
    def evicted(self) -> int:
        return self.accounts.evicted + self.goods.evicted

    def signals(self, t: Transaction, usd: float) -> dict[str, Value]:
        """Every signal by name."""
        self.first = t.event_time if self.first is None else self.first
        watched = {"days_watched": max(t.event_time - self.first, 0) / DAY}
        return self._flow(t, round(usd * 10_000)) | self._papers(t, usd) | watched

    def _flow(self, t: Transaction, units: int) -> dict[str, Value]:
        payer, payee = t.payer_account or t.payer, t.payee_account or t.payee
        names = (
            "account_passed_share_1h", "account_funded_share_1h", "account_dwell_seconds", "account_passes_7d",
            "account_passed_share_1d", "account_payers_1d", "cycle_payments", "cycle_returned_share", "cycle_days",
        )  # fmt: skip
        if payer is None or payee is None or payer == payee:
            return dict.fromkeys(names)
        account, other = self.accounts.see(payer), self.accounts.see(payee)
        moves = t.authorisation != "declined"
        values = [*self._passed(account, t.event_time, units, moves)]
        found = Walk(other, t.event_time, units).back([account], t.event_time, units)
        if found is None:
            values += [0.0, None, None]
        else:
            values += [
                float(found[0]), units / found[1].units, (t.event_time - found[1].time) / DAY,
            ]  # fmt: skip
        if moves and units:
            other.credits.append(Credit(t.event_time, units, units, account))
        return dict(zip(names, values, strict=True))

    def _passed(self, account: Account, now: int, units: int, moves: bool) -> list[Value]:
        recent = [c for c in account.latest() if 0 <= now - c.time < DAY]
        taken = []
        for credit in recent:
            taken.append(min(units - sum(taken), credit.rest))
        pairs = list(zip(recent, taken, strict=True))
        hour = [(c, took) for c, took in pairs if now - c.time < HOUR]
        received = sum(c.units for c, _ in hour)
        gone = sum(c.units - c.rest for c, _ in hour)
        funded = sum(took for _, took in hour)
        matched = sum(taken)
        passes = (
            received > 0
            and (gone + funded) * 5 >= received * 4
            and gone * 5 < received * 4
            and funded * 5 >= units * 4
        )
        week = [time for time in account.passes[-4:] if 0 <= now - time < WEEK]
        values: list[Value] = [
            (gone + funded) / received if received else None,
            funded / units if units else None,
            sum(took * (now - c.time) for c, took in pairs) / matched / 1000 if matched else None,
            float(len(week) + passes),
            sum(c.units - c.rest + took for c, took in pairs) / sum(c.units for c in recent)
            if recent
            else None,
            float(len({id(c.payer) for c in recent})),
        ]
        if moves:
            for credit, took in pairs:
                credit.rest -= took
            if passes:
                account.passes.append(now)
        return values

    def _papers(self, t: Transaction, usd: float) -> dict[str, Value]:
        names = (
            "documents_parties_differ", "documents_amounts_apart", "documents_goods_differ", "price_deviation",
            "value_of_weight_deviation",
        )  # fmt: skip
        d = t.documents
        if d is None:
            return dict.fromkeys(names)
        parties = {d.order_party, d.payment_party, d.waybill_party} - {None}
        told = [p for p in (d.order_party, d.payment_party, d.waybill_party) if p is not None]
        amounts = [a for a in (d.order_amount, d.waybill_amount) if a is not None]
        apart: Value = None
        if amounts:
            amounts.append(t.amount)
            apart = 1 - min(amounts) / max(amounts) if max(amounts) else 0.0
        goods: Value = None
        if d.order_goods is not None and d.waybill_goods is not None:
            goods = float(d.order_goods[:4] != d.waybill_goods[:4])
        return dict(
            zip(
                names,
                [float(len(parties) > 1) if len(told) > 1 else None, apart, goods, *self._prices(d, usd)],
                strict=True,
            )
        )

    def _prices(self, d: Documents, usd: float) -> list[Value]:
        code = d.order_goods or d.waybill_goods
        if code is None:
            return [None, None]
        past = self.prices.setdefault(self.goods.see(code[:6]), ([], []))
        values: list[Value] = []
        for history, measure in zip(past, (d.quantity, None if d.weight_grams is None else d.weight_grams / 1000),
                                    strict=True):  # fmt: skip
            if usd <= 0 or measure is None:
                values.append(None)
                continue
            value = math.log(usd / measure)
            values.append(_deviation(history, value))
            history.append(value)
        return values


def _deviation(history: list[float], value: float) -> Value:
    mean = variance = 0.0
    answer: Value = None
    for n, x in enumerate([*history, value]):
        spread = math.sqrt((variance * n + 0.25 * 5) / (n + 5))
        answer = (x - mean) / spread if n >= 20 else None
        if n >= 20:
            x = min(max(x, mean - 3 * spread), mean + 3 * spread)
        weight, away = 1 / min(n + 1, 500), x - mean
        mean += weight * away
        variance = (1 - weight) * (variance + weight * away**2)
    return answer
