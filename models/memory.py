"""What an entity's slot remembers beside its windows: its usual amount, its last act, its hours.

All answers are taken *before* the row is added, so they speak of the entity's own past. Updates run row by row in
a fixed order; floating-point results are therefore the same whatever the batch size.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from models.entities import Arrays, Flags, Ints, grown
from models.kernels import fetched, kernel_in_place
from models.windows import Int64

Float = npt.NDArray[np.float64]
# profile columns
FIRST, LAST, COUNT, MEAN_USD, MEAN_LOG, VAR_LOG, MAX_USD, PLACE = range(8)
TYPICAL, TYPICAL_VAR, UNUSUAL_WEEK, UNUSUAL_DAYS, UNUSUAL_LAST = range(8, 13)
PROFILE_WIDTH = 13
# and one that is only answered: how far this amount lies from the typical one
DEVIATE = 13
# Memory of about 30 payments: young profiles average plainly, old ones forget slowly.
_FORGET = 1.0 / 30.0
# The typical amount remembers about 100 payments, and one large payment moves it by no more than REACH deviations
# (Winsorised mean; Huber, "Robust Estimation of a Location Parameter", 1964): fraud must not teach what is usual.
_FORGET_TYPICAL = 1.0 / 100.0
REACH, UNUSUAL, ENOUGH = 2.5, 3.0, 5
# Half of the mean, as if five payments had spread so much, keeps young deviations honest.
_PRIOR_SPREAD, _PRIOR_PAYMENTS = 0.5, 5.0
_LEAST_SPREAD_USD = 0.01
_DAY_MS = 86_400_000.0


@kernel_in_place
def faded(value: float, age_ms: float, half_life_ms: float) -> float:
    """What is left of a value after some time."""
    return value * math.exp2(-max(age_ms, 0.0) / half_life_ms)


@kernel_in_place
def typical_spread(mean: float, variance: float, seen: float) -> float:
    """Deviation around the typical amount after so many payments, as DEVIATE divides by it."""
    prior = (_PRIOR_SPREAD * mean) ** 2 * _PRIOR_PAYMENTS
    return max(math.sqrt((variance * seen + prior) / (seen + _PRIOR_PAYMENTS)), _LEAST_SPREAD_USD)


@kernel_in_place
def _profile(
    slots: Ints, fresh: Flags, pay: Flags, times: Int64, usd: Float, place: Int64, state: Float, words: Int64,
    answers: Float,
) -> np.int64:  # fmt: skip
    read, m = fetched(slots, words), -1
    for i in range(slots.shape[0]):
        s = slots[i]
        if s >= 0 and fresh[i]:
            state[s, :] = 0.0
            state[s, FIRST] = state[s, LAST] = state[s, PLACE] = state[s, UNUSUAL_LAST] = np.nan
        if not pay[i]:
            continue
        m += 1
        out = answers[m]
        if s < 0:
            out[:] = np.nan
            continue
        t = np.float64(times[i])
        seen = state[s, COUNT]
        for c in range(PROFILE_WIDTH):
            out[c] = state[s, c]
        if seen > 0.0:
            age = t - state[s, LAST]
            out[UNUSUAL_WEEK] = faded(state[s, UNUSUAL_WEEK], age, 7.0 * _DAY_MS)
            out[UNUSUAL_DAYS] = faded(state[s, UNUSUAL_DAYS], age, 2.0 * _DAY_MS)
        spread = typical_spread(state[s, TYPICAL], state[s, TYPICAL_VAR], seen)
        deviate = (usd[i] - state[s, TYPICAL]) / spread if seen > 0.0 else np.nan
        out[DEVIATE] = deviate
        state[s, UNUSUAL_WEEK], state[s, UNUSUAL_DAYS] = out[UNUSUAL_WEEK], out[UNUSUAL_DAYS]
        n = seen + 1.0
        if n == 1.0:
            state[s, FIRST] = state[s, LAST] = t
        elif t > state[s, LAST]:
            state[s, LAST] = t
        state[s, COUNT] = n
        weight = max(1.0 / n, _FORGET)
        state[s, MEAN_USD] += weight * (usd[i] - state[s, MEAN_USD])
        delta = math.log1p(usd[i]) - state[s, MEAN_LOG]
        state[s, MEAN_LOG] += weight * delta
        state[s, VAR_LOG] = (1.0 - weight) * (state[s, VAR_LOG] + weight * delta * delta)
        if usd[i] > state[s, MAX_USD]:
            state[s, MAX_USD] = usd[i]
        if place[i] >= 0:
            state[s, PLACE] = np.float64(place[i])
        amount = min(usd[i], state[s, TYPICAL] + REACH * spread) if seen >= ENOUGH else usd[i]
        weight = max(1.0 / n, _FORGET_TYPICAL)
        delta = amount - state[s, TYPICAL]
        state[s, TYPICAL] += weight * delta
        state[s, TYPICAL_VAR] = (1.0 - weight) * (state[s, TYPICAL_VAR] + weight * delta * delta)
        if seen >= ENOUGH and deviate > UNUSUAL:
            state[s, UNUSUAL_WEEK] += 1.0
            state[s, UNUSUAL_DAYS] += 1.0
            state[s, UNUSUAL_LAST] = t
    return read


@kernel_in_place
def _last_times(slots: Ints, fresh: Flags, kinds: Ints, times: Int64, state: Int64, out: Float) -> None:
    for i in range(slots.shape[0]):
        s = slots[i]
        if s < 0:
            out[i, :] = np.nan
            continue
        if fresh[i]:
            state[s, :] = -1
        for k in range(state.shape[1]):
            out[i, k] = np.nan if state[s, k] < 0 else max(times[i] - state[s, k], 0) / 1000.0
        if kinds[i] >= 0 and times[i] > state[s, kinds[i]]:
            state[s, kinds[i]] = times[i]


@kernel_in_place
def _hours(slots: Ints, fresh: Flags, hour: Float, state: npt.NDArray[np.float32], out: Float) -> None:
    for i in range(slots.shape[0]):
        s = slots[i]
        out[i] = np.nan
        if s < 0:
            continue
        if fresh[i]:
            state[s, :] = 0.0
        if math.isnan(hour[i]):
            continue
        h = int(hour[i]) % 24
        total = np.float64(0.0)
        for k in range(24):
            total += state[s, k]
        near = 0.5 * state[s, (h + 23) % 24] + state[s, h] + 0.5 * state[s, (h + 1) % 24]
        # Laplace-smoothed surprise against the even spread over the day, in nats
        out[i] = -math.log((near + 2.0) / (total + 24.0) * 12.0)
        if total > 200.0:  # halve: habits of about the last 200 payments
            for k in range(24):
                state[s, k] *= np.float32(0.5)
        state[s, h] += np.float32(1.0)


class Profiles:
    """First and last payment, usual amount (mean, mean and variance of log), largest, last place; the typical amount
    that fraud does not move, and the unusually large payments of late."""

    def __init__(self) -> None:
        self.state: Float = np.zeros((0, PROFILE_WIDTH))

    def advance(
        self, slots: Ints, fresh: Flags, pay: Flags, times: Int64, usd: Float, place: Int64, size: int
    ) -> Float:
        """State before each of the m rows with `pay`, which is then added, and DEVIATE: (m, PROFILE_WIDTH + 1).

        place (n,): models.places.place_code.
        """
        if self.state.shape[0] < size:
            self.state = grown(self.state, size)
        out = np.empty((np.count_nonzero(pay), PROFILE_WIDTH + 1))
        words = self.state.view(np.int64)
        _profile(slots, fresh, pay, times, usd, place, self.state, words, out)
        return out

    def arrays(self) -> Arrays:
        """State for the checkpoint."""
        return {"state": self.state}

    def restore(self, arrays: Arrays) -> None:
        """Take the state of a checkpoint."""
        self.state = np.array(arrays["state"])


class LastTimes:
    """When each of `kinds` things last happened to an entity."""

    def __init__(self, kinds: int) -> None:
        self.kinds = kinds
        self.state: Int64 = np.zeros((0, kinds), dtype=np.int64)

    def advance(self, slots: Ints, fresh: Flags, kinds: Ints, times: Int64, size: int) -> Float:
        """Seconds since each kind, (n, kinds), NaN for never; a row with kind ≥ 0 is then remembered."""
        if self.state.shape[0] < size:
            self.state = grown(self.state, size, -1)
        out = np.empty((slots.shape[0], self.kinds))
        _last_times(slots, fresh, kinds, times, self.state, out)
        return out

    def arrays(self) -> Arrays:
        """State for the checkpoint."""
        return {"state": self.state}

    def restore(self, arrays: Arrays) -> None:
        """Take the state of a checkpoint."""
        self.state = np.array(arrays["state"])


class Hours:
    """A day's histogram of an entity's payments by local hour."""

    def __init__(self) -> None:
        self.state: npt.NDArray[np.float32] = np.zeros((0, 24), dtype=np.float32)

    def advance(self, slots: Ints, fresh: Flags, hour: Float, size: int) -> Float:
        """Surprise of each row's hour in nats, 0 = as likely as an even spread; NaN hours only ask nothing."""
        if self.state.shape[0] < size:
            self.state = grown(self.state, size)
        out = np.empty(slots.shape[0])
        _hours(slots, fresh, hour, self.state, out)
        return out

    def arrays(self) -> Arrays:
        """State for the checkpoint."""
        return {"state": self.state}

    def restore(self, arrays: Arrays) -> None:
        """Take the state of a checkpoint."""
        self.state = np.array(arrays["state"])
