"""Money that passes through accounts: what an account received, how soon it leaves, and whether it comes back.

An account is the token that pays (`payer_account`, else `payer`) or is paid (`payee_account`, else `payee`). Every
payment that names both and that the issuer did not decline is a debit of one and a credit of the other. An account
keeps its last CREDITS credits with what is left of each; a debit is matched to the newest first, so that an old
balance cannot hide what only passes through. A credit also says who paid it, and walking back over credits finds the
cycle that a payment closes: value that left an account and returns to it over others (the cycle motif of AMLSim;
Altman et al., "Realistic Synthetic Financial Transactions for Anti-Money Laundering Models", 2023).

Everything is one row after the other in stream order, in integers, and bounded: CREDITS an account, HOPS payments a
cycle, STEPS credits looked at for one payment. The whole graph of accounts is one owner's: a walk crosses accounts.
"""

from __future__ import annotations

import numpy as np

from models.columns import Float
from models.entities import Arrays, EntityTable, Flags, Ints, grown
from models.hashing import Hashes
from models.kernels import kernel_in_place
from models.windows import Int64

CREDITS, PASSES, STEPS = 8, 4, 64
SHORTEST, HOPS = 3, 5
_HOUR, _DAY, _WEEK = 3_600_000, 86_400_000, 7 * 86_400_000
# answers
PASSED_HOUR, FUNDED_HOUR, DWELL, PASSES_WEEK, PASSED_DAY, PAYERS_DAY, CYCLE, RETURNED, CYCLE_DAYS = range(9)
WIDTH = 9


@kernel_in_place
def _clear(s: int, count: Int64, passed: Int64, stamps: Ints) -> None:
    count[s] = passed[s] = 0
    stamps[s] += 1


@kernel_in_place
def _pass_through(
    a: int, t: int, x: int, moves: bool, count: Int64, times: Int64, units: Int64, rest: Int64, payer: Ints,
    stamp: Ints, passed: Int64, pass_times: Int64, out: Float,
) -> None:  # fmt: skip
    """Match a debit of account `a` to its credits and answer for it."""
    left = x
    total = before = after = matched_hour = matched = day = day_after = 0
    dwell = 0.0
    payers = 0
    for j in range(min(count[a], CREDITS)):
        at = (count[a] - 1 - j) % CREDITS
        age = t - times[a, at]
        if age < 0 or age >= _DAY:
            continue
        took = min(left, rest[a, at])
        left -= took
        gone = units[a, at] - rest[a, at]
        matched += took
        dwell += np.float64(took) * np.float64(age)
        day += units[a, at]
        day_after += gone + took
        if age < _HOUR:
            total += units[a, at]
            before += gone
            after += gone + took
            matched_hour += took
        new = True
        for k in range(j):
            other = (count[a] - 1 - k) % CREDITS
            away = t - times[a, other]
            if 0 <= away < _DAY and payer[a, other] == payer[a, at] and stamp[a, other] == stamp[a, at]:
                new = False
        payers += new
        if moves:
            rest[a, at] -= took
    out[PASSED_HOUR] = np.float64(after) / np.float64(total) if total > 0 else np.nan
    out[FUNDED_HOUR] = np.float64(matched_hour) / np.float64(x) if x > 0 else np.nan
    out[DWELL] = dwell / np.float64(matched) / 1000.0 if matched > 0 else np.nan
    out[PASSED_DAY] = np.float64(day_after) / np.float64(day) if day > 0 else np.nan
    out[PAYERS_DAY] = payers
    # Four fifths of the hour's credit are gone with this debit, and it is made of little else.
    passes = total > 0 and after * 5 >= total * 4 and before * 5 < total * 4 and matched_hour * 5 >= x * 4
    seen = 1 if passes else 0
    for j in range(min(passed[a], PASSES)):
        age = t - pass_times[a, j]
        seen += 0 <= age < _WEEK
    out[PASSES_WEEK] = seen
    if passes and moves:
        pass_times[a, passed[a] % PASSES] = t
        passed[a] += 1


@kernel_in_place
def _cycle(
    a: int, b: int, t: int, x: int, count: Int64, times: Int64, units: Int64, payer: Ints, stamp: Ints, stamps: Ints,
    walk: Int64, out: Float,
) -> None:  # fmt: skip
    """Walk back from the payer `a` over credits, newest first, to the payee `b`; the first cycle found counts."""
    out[CYCLE] = 0.0
    out[RETURNED] = out[CYCLE_DAYS] = np.nan
    # accounts walked to, how many credits of each were looked at, and what the next one may be
    path, tried, latest, least = walk[0], walk[1], walk[2], walk[3]
    path[0], tried[0], latest[0], least[0] = a, 0, t, x
    depth = steps = 0
    while depth >= 0 and steps < STEPS:
        u = path[depth]
        j = tried[depth]
        if j >= min(count[u], CREDITS):
            depth -= 1
            continue
        tried[depth] += 1
        steps += 1
        at = (count[u] - 1 - j) % CREDITS
        p, when, value = payer[u, at], times[u, at], units[u, at]
        if stamps[p] != stamp[u, at] or when > latest[depth] or when <= t - _WEEK:
            continue
        # On its way value may be eaten by fees, a tenth in all; it does not grow by more than rounding.
        if value * 101 < least[depth] * 100 or x * 10 <= value * 9:
            continue
        if p == b:
            if depth + 2 >= SHORTEST:
                out[CYCLE] = depth + 2
                out[RETURNED] = np.float64(x) / np.float64(value)
                out[CYCLE_DAYS] = np.float64(t - when) / _DAY
                return
            continue
        if depth + 3 > HOPS:
            continue
        known = False
        for k in range(depth + 1):
            known |= path[k] == p
        if known:
            continue
        depth += 1
        path[depth], tried[depth], latest[depth], least[depth] = p, 0, when, value


@kernel_in_place
def _advance(
    slots: Ints, fresh: Flags, t: Int64, usd: Int64, moves: Flags, count: Int64, times: Int64, units: Int64,
    rest: Int64, payer: Ints, stamp: Ints, stamps: Ints, passed: Int64, pass_times: Int64, walk: Int64, out: Float,
) -> None:  # fmt: skip
    for i in range(t.shape[0]):
        a, b = slots[2 * i], slots[2 * i + 1]
        if fresh[2 * i]:
            _clear(a, count, passed, stamps)
        if fresh[2 * i + 1]:
            _clear(b, count, passed, stamps)
        if a < 0 or b < 0:
            continue
        x = usd[i]
        _pass_through(
            a, t[i], x, moves[i], count, times, units, rest, payer, stamp, passed, pass_times, out[i]
        )
        _cycle(a, b, t[i], x, count, times, units, payer, stamp, stamps, walk, out[i])
        if moves[i] and x > 0:
            at = count[b] % CREDITS
            times[b, at], units[b, at], rest[b, at] = t[i], x, x
            payer[b, at], stamp[b, at] = a, stamps[a]
            count[b] += 1


class AccountFlows:
    """See the module's docstring. capacity: most accounts kept, at least two. Memory: 340 bytes an account."""

    def __init__(self, capacity: int) -> None:
        # Both accounts of a payment need a slot at the same time.
        self.table = EntityTable(max(capacity, 2))
        self.count: Int64 = np.zeros(0, dtype=np.int64)
        self.passed: Int64 = np.zeros(0, dtype=np.int64)
        self.stamps: Ints = np.zeros(0, dtype=np.int32)
        self.times: Int64 = np.zeros((0, CREDITS), dtype=np.int64)
        self.units: Int64 = np.zeros((0, CREDITS), dtype=np.int64)
        self.rest: Int64 = np.zeros((0, CREDITS), dtype=np.int64)
        self.payer: Ints = np.zeros((0, CREDITS), dtype=np.int32)
        self.stamp: Ints = np.zeros((0, CREDITS), dtype=np.int32)
        self.pass_times: Int64 = np.zeros((0, PASSES), dtype=np.int64)
        self._walk = np.empty((4, HOPS), dtype=np.int64)

    def advance(self, payers: Hashes, payees: Hashes, times: Int64, units: Int64, moves: Flags) -> Float:
        """Answer for m payments in stream order and take them in; (m, WIDTH), NaN where there is no flow.

        payers, payees (m,): hashes of the two accounts, 0 missing. units (m,): US dollars × 10,000. moves (m,): False
        only asks, as of a payment the issuer declined.
        """
        out = np.full((times.shape[0], WIDTH), np.nan)
        at = np.flatnonzero((payers != 0) & (payees != 0) & (payers != payees))
        if at.size == 0:
            return out
        keys = np.empty(2 * at.shape[0], dtype=np.uint64)
        keys[0::2], keys[1::2] = payers[at], payees[at]
        slots, fresh = self.table.assign(keys, np.ones(keys.shape[0], dtype=np.bool_))
        self._reserve()
        answers = np.full((at.shape[0], WIDTH), np.nan)
        _advance(
            slots, fresh, times[at], units[at], moves[at], self.count, self.times, self.units, self.rest, self.payer,
            self.stamp, self.stamps, self.passed, self.pass_times, self._walk, answers,
        )  # fmt: skip
        out[at] = answers
        return out

    def _reserve(self) -> None:
        if self.count.shape[0] < self.table.size:
            for name in _STATE:
                setattr(self, name, grown(getattr(self, name), self.table.size))

    def arrays(self) -> Arrays:
        """State for the checkpoint."""
        own: Arrays = {name: getattr(self, name) for name in _STATE}
        return own | {f"table.{name}": array for name, array in self.table.arrays().items()}

    def restore(self, arrays: Arrays) -> None:
        """Take the state of a checkpoint."""
        for name in _STATE:
            setattr(self, name, np.array(arrays[name], dtype=getattr(self, name).dtype))
        self.table.restore({name: arrays[f"table.{name}"] for name in self.table.arrays()})


_STATE = ("count", "passed", "stamps", "times", "units", "rest", "payer", "stamp", "pass_times")
