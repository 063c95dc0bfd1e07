"""How surprising a count is: a bound on the Poisson tail, in decades.

Chernoff's bound (Mitzenmacher and Upfal, "Probability and Computing", 2nd ed., theorem 5.4):
P(X ≥ n) ≤ e^(−λ) (e·λ)^n / n^n for n > λ. Counts of fraud come in clumps, so detectors ask for a least count and a ratio
besides.
"""

from __future__ import annotations

import math


def decades(count: float, expected: float) -> float:
    """−log10 of the bound on P(X ≥ count) with mean `expected`; 0 where the count is not above the mean.

    >>> decades(3, 5)
    0.0
    >>> round(decades(20, 2), 1)
    12.2
    """
    if count <= expected or count <= 0:
        return 0.0
    if expected <= 0:
        return math.inf
    return (count * math.log(count / expected) - count + expected) / math.log(10)
