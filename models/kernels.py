"""numba with one set of options for the whole house.

No fastmath: results must not depend on how the compiler regroups a sum (contract: one fixed order for each row).
`cache=True` keeps the compiled code beside the source, so only the very first start pays for compiling.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

_LINE = 8  # words
F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile `function` to machine code at its first call; it releases no lock and uses one thread."""
    return cast(F, numba.njit(cache=True, fastmath=False)(function))


def inlined(function: F) -> F:
    """Compile `function` into every kernel that calls it: for the innermost step of a loop."""
    return cast(F, numba.njit(inline="always", fastmath=False)(function))


def kernel_in_place(function: F) -> F:
    """A kernel that makes no arrays: it is called, and calls others, without counting references to those it is given.

    numba counts them at every call and every assignment otherwise, which costs as much as a step of a window does.
    """
    options: dict[str, Any] = {"cache": True, "fastmath": False, "_nrt": False}
    return cast(F, numba.njit(**options)(function))


@inlined
def fetched(slots: npt.NDArray[np.int32], rows: npt.NDArray[np.int64]) -> np.int64:
    """Read a word of each cache line of the rows at these slots (−1: none), for a kernel that is about to walk them.

    State by slot is larger than any cache, and a walk in stream order would wait for one line after the other; reads
    that do not depend on one another are waited for together. What is returned has to be returned by the kernel too,
    or the compiler leaves the reads out.
    """
    read = np.int64(0)
    for s in slots:
        if s >= 0:
            for word in range(0, rows.shape[1], _LINE):
                read ^= rows[s, word]
            read ^= rows[s, rows.shape[1] - 1]
    return read
