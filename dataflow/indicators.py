"""Doors that recognise shared indicators, where an installation takes part in an exchange."""

from __future__ import annotations

from collections.abc import Callable

from alerts.lists.awaited import Awaited
from alerts.redis_store import RedisStore
from dataflow.settings import Settings


def awaited_of(settings: Settings, url: str, clock: Callable[[], int]) -> Awaited | None:
    """What a door needs for it; None without exchanges. Raises CustodyError for a key file."""
    exchanges = settings.lists.all()
    if not exchanges:
        return None
    return Awaited(RedisStore(url), exchanges, clock, settings.lists.block_from)
