"""numba with one set of options for the whole house.

No fastmath: results must not depend on how the compiler regroups a sum (contract: one fixed order for each row).
`cache=True` keeps the compiled code beside the source, so only the very first start pays for compiling.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile `function` to machine code at its first call; it releases no lock and uses one thread."""
    return cast(F, numba.njit(cache=True, fastmath=False)(function))


def inlined(function: F) -> F:
    """Compile `function` into every kernel that calls it: for the innermost step of a loop."""
    return cast(F, numba.njit(inline="always", fastmath=False)(function))
