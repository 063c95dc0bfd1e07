"""A clock that was set back takes back with it the moments that were noted while it ran ahead. Pure.

Groups, repeats and attempts wait for moments. Those of a clock that was a day ahead would be waited for a day longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

TOLERANCE_MS = 5_000
"""A clock that is set back by less makes things wait for no longer than this."""
_MOMENTS = frozenset({
    "at", "closed_at", "created", "delivered_at", "due", "flush_due", "flushed", "opened_at", "refused_at", "rest_until",
    "seen", "since", "start", "timer_due",
})  # fmt: skip
_SAID = frozenset({"change", "intent", "reason", "subjects"})
"""Parts of what is told: they stay as they were, so that a message is the same at each attempt."""


def taken_back(parts: Mapping[str, bytes], by: int, now: int) -> dict[str, bytes]:
    """Of the saved parts of router and lines (`t:`, `g:`, `wide`, `o:`, `l:`, `p:`) those that change.

    by: how far the clock was set back, ms. What lies after `now` comes so much earlier, `now` at the earliest.
    """
    out = {}
    for name, part in parts.items():
        if name[:2] in ("t:", "g:", "o:", "l:", "p:") or name == "wide":
            before = msgspec.msgpack.decode(part)
            after = _taken_back(before, by, now)
            if after != before:
                out[name] = msgspec.msgpack.encode(after)
    return out


def _taken_back(value: Any, by: int, now: int) -> Any:
    if isinstance(value, dict):
        return {
            name: max(now, one - by)
            if name in _MOMENTS and isinstance(one, int) and one > now
            else one
            if name in _SAID
            else _taken_back(one, by, now)
            for name, one in value.items()
        }
    return [_taken_back(one, by, now) for one in value] if isinstance(value, list) else value
