"""What is known of the past payments of an entity: its memory of outcomes.

An outcome becomes known when a label arrives or when the window of an unlabelled payment closes (models/ledger.py).
Rates divide known frauds by known outcomes, never by payments whose outcome is still open: an entity that grows
would look better than it is, one under attack too. A plain fraud is one whose amount was ordinary for its payer:
an amount far out speaks of a stolen card, an ordinary one of the place where it was used.

Answers are given row by row in stream order, so that nothing depends on the batch size.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.entities import Arrays, Flags, Ints, grown
from models.kernels import fetched, kernel_in_place
from models.ledger_walk import AFTER, BEFORE, FRAUD, KNOWN_AT, RECEIVED, UNKNOWN
from models.memory import UNUSUAL, faded
from models.windows import Int64

Float = npt.NDArray[np.float64]
LAST_FRAUD, FIRST_FRAUD, RUN, GOOD_SINCE, LAST_GOOD, RECENT, LONG, LAST_DEVIATE = range(8)
LAST_PLAIN, FIRST_PLAIN, PLAIN_RUN, GOOD_SINCE_PLAIN = range(8, 12)
KNOWN, AT, FRAUDS_WEEK, KNOWN_WEEK, FRAUDS_MONTH, KNOWN_MONTH = range(12, 18)
WIDTH = 18
"""Columns. Times in ms, by when payments were received. A run is a row of frauds with no good payment after them;
RECENT and LONG are shares of frauds that forget 0.4 and 0.1 of themselves with each outcome; the last four fade with
a half-life of 7 and 30 days, as of AT."""
_WEEK, _MONTH = 7.0 * 86_400_000.0, 30.0 * 86_400_000.0
_RECENT, _LONG = 0.4, 0.1


@kernel_in_place
def _clear(state: Float, s: int) -> None:
    state[s, :] = 0.0
    state[s, LAST_FRAUD] = state[s, FIRST_FRAUD] = state[s, LAST_GOOD] = state[s, LAST_DEVIATE] = np.nan
    state[s, LAST_PLAIN] = state[s, FIRST_PLAIN] = state[s, AT] = np.nan


@kernel_in_place
def _fade(state: Float, s: int, now: float) -> None:
    age = now - state[s, AT]
    if age > 0.0:
        state[s, FRAUDS_WEEK] = faded(state[s, FRAUDS_WEEK], age, _WEEK)
        state[s, KNOWN_WEEK] = faded(state[s, KNOWN_WEEK], age, _WEEK)
        state[s, FRAUDS_MONTH] = faded(state[s, FRAUDS_MONTH], age, _MONTH)
        state[s, KNOWN_MONTH] = faded(state[s, KNOWN_MONTH], age, _MONTH)
    if not now <= state[s, AT]:
        state[s, AT] = now


@kernel_in_place
def _run(state: Float, s: int, last: int, first: int, run: int, good: int, paid: float) -> None:
    """A fraud joins the run, or begins one."""
    if state[s, run] == 0.0:
        state[s, first] = paid
    else:
        state[s, first] = min(state[s, first], paid)
    if not state[s, last] >= paid:
        state[s, last] = paid
    state[s, run] += 1.0
    state[s, good] = 0.0


@kernel_in_place
def _ended(state: Float, s: int, last: int, run: int, good: int, paid: float) -> None:
    """A good payment after the last fraud ends the run."""
    if not paid <= state[s, last]:
        state[s, run] = 0.0
        state[s, good] += 1.0


@kernel_in_place
def _taken_back(state: Float, s: int, last: int, first: int, run: int) -> None:
    state[s, run] = max(state[s, run] - 1.0, 0.0)
    if state[s, run] == 0.0:
        state[s, last] = state[s, first] = np.nan


@kernel_in_place
def _apply(
    state: Float, s: int, before: int, after: int, paid: float, known_at: float, deviate: float
) -> None:
    _fade(state, s, known_at)
    fraud = 1.0 if after == FRAUD else 0.0
    if before == UNKNOWN:
        state[s, KNOWN] += 1.0
        state[s, KNOWN_WEEK] += 1.0
        state[s, KNOWN_MONTH] += 1.0
    change = fraud - (1.0 if before == FRAUD else 0.0)
    state[s, FRAUDS_WEEK] = max(state[s, FRAUDS_WEEK] + change, 0.0)
    state[s, FRAUDS_MONTH] = max(state[s, FRAUDS_MONTH] + change, 0.0)
    state[s, RECENT] += _RECENT * (fraud - state[s, RECENT])
    state[s, LONG] += _LONG * (fraud - state[s, LONG])
    plain = not deviate > UNUSUAL
    if after == FRAUD:
        state[s, LAST_DEVIATE] = deviate
        _run(state, s, LAST_FRAUD, FIRST_FRAUD, RUN, GOOD_SINCE, paid)
        if plain:
            _run(state, s, LAST_PLAIN, FIRST_PLAIN, PLAIN_RUN, GOOD_SINCE_PLAIN, paid)
        return
    if before == FRAUD:
        state[s, LAST_DEVIATE] = np.nan
        _taken_back(state, s, LAST_FRAUD, FIRST_FRAUD, RUN)
        if plain:
            _taken_back(state, s, LAST_PLAIN, FIRST_PLAIN, PLAIN_RUN)
    if not paid <= state[s, LAST_FRAUD]:
        state[s, LAST_DEVIATE] = np.nan
    _ended(state, s, LAST_FRAUD, RUN, GOOD_SINCE, paid)
    _ended(state, s, LAST_PLAIN, PLAIN_RUN, GOOD_SINCE_PLAIN, paid)
    if not state[s, LAST_GOOD] >= paid:
        state[s, LAST_GOOD] = paid


@kernel_in_place
def _advance(
    slots: Ints, fresh: Flags, pay: Flags, times: Int64, at: Int64, owners: Ints, outcomes: Int64, deviates: Float,
    state: Float, words: Int64, answers: Float,
) -> np.int64:  # fmt: skip
    n, known, k, m = slots.shape[0], at.shape[0], 0, -1
    read = fetched(slots, words)
    for i in range(n + 1):
        while k < known and at[k] <= i:
            if owners[k] >= 0:
                _apply(
                    state, owners[k], outcomes[k, BEFORE], outcomes[k, AFTER], np.float64(outcomes[k, RECEIVED]),
                    np.float64(outcomes[k, KNOWN_AT]), deviates[k],
                )  # fmt: skip
            k += 1
        if i == n:
            break
        s = slots[i]
        if s >= 0 and fresh[i]:
            _clear(state, s)
        if not pay[i]:
            continue
        m += 1
        if s < 0:
            answers[m, :] = np.nan
            continue
        _fade(state, s, np.float64(times[i]))
        for c in range(WIDTH):
            answers[m, c] = state[s, c]
    return read


class Outcomes:
    """Memory of outcomes by slot of one kind of entity, (slots, WIDTH)."""

    def __init__(self) -> None:
        self.state: Float = np.zeros((0, WIDTH))

    def advance(
        self, slots: Ints, fresh: Flags, pay: Flags, times: Int64, at: Int64, owners: Ints, outcomes: Int64,
        deviates: Float, size: int,
    ) -> Float:  # fmt: skip
        """State before each of the m payments, (m, WIDTH).

        at (k,): the row before which each outcome (k, 6; models.ledger.Walk) is taken in; owners (k,): its slot, −1
        where it is forgotten; deviates (k,): how far the amount was from the payer's typical one.
        """
        if self.state.shape[0] < size:
            self.state = grown(self.state, size)
        out = np.empty((np.count_nonzero(pay), WIDTH))
        words = self.state.view(np.int64)
        _advance(slots, fresh, pay, times, at, owners, outcomes, deviates, self.state, words, out)
        return out

    def arrays(self) -> Arrays:
        """State for the checkpoint."""
        return {"state": self.state}

    def restore(self, arrays: Arrays) -> None:
        """Take the state of a checkpoint."""
        self.state = np.array(arrays["state"])
