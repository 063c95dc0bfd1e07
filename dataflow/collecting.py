"""How often Python looks for reference cycles while it scores: seldom, and not among what was there before.

What scoring makes is freed by its reference count, as decisions and events hold no cycles. The collector would still
walk over every object of the process, libraries included, again and again as decisions pile up: a fifth of the CPU time
in our measurements, and pauses of a tenth of a second.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

SELDOM = (50_000, 20, 100)
"""New containers until the youngest are looked at, rounds until the older and the oldest are: some ten batches."""


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Collect now, then leave what there is alone, and look at what is new seldom, until the block ends."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
