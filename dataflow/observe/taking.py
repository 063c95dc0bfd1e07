"""Takes a reading of the running system from its store and this machine."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from alerts.condition.reading import Disk, Reading, StoreMemory
from alerts.redis_link import RedisLink
from alerts.redis_store import RedisStore
from dataflow.store_access import waiting


class Readings:
    """Over the store at `url`; directory: the data directory."""

    def __init__(self, url: str, directory: Path, prefix: str = "tg:") -> None:
        self._link, self._store, self._directory, self._prefix = (
            RedisLink(url),
            RedisStore(url, prefix),
            directory,
            prefix,
        )

    def take(self, now: int) -> Reading:
        """The reading at `now` (ms). Raises StoreError when the store does not answer."""
        store = self._store
        ping_ms = store.ping()
        counters = store.counters()
        with self._link.speaking() as client:
            unread = waiting(client, counters, self._prefix)
            door_dead = int(client.xlen(f"{self._prefix}dead:door"))
            memory = _memory(client)
        return Reading(
            now=now, counters=counters, beats=store.beats(), unread=unread, alerts=store.alert_counts(),
            stream_time=store.stream_time(), ping_ms=ping_ms, door_dead=door_dead, disk=disk_of(self._directory),
            memory=memory,
        )  # fmt: skip


def disk_of(directory: Path) -> Disk | None:
    """The file system of the data directory, or where it will be made; None when it cannot be asked."""
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    try:
        usage = shutil.disk_usage(directory)
    except OSError:
        return None
    return Disk(usage.free, usage.total)


def _memory(client: Any) -> StoreMemory | None:
    try:
        told = client.info("memory")
        return StoreMemory(int(told["used_memory"]), int(told.get("maxmemory", 0)))
    except (KeyError, ValueError):
        return None  # a managed server may keep this to itself
