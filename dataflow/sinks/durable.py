"""Follows the store's log onto its disk beside the flow: WAITAOF takes up to a second where it syncs once a second."""

from __future__ import annotations

import logging
import threading

from alerts.redis_store import RedisStore
from dataflow.observe.logs import log, logger
from dataflow.progress import Progress
from models.errors import StoreError

PAUSE_S = 1.0


class Durable:
    """One thread that tells `progress` what is on disk. store: with a connection of its own."""

    def __init__(self, store: RedisStore, progress: Progress) -> None:
        self._store, self._progress = store, progress
        self._changed = threading.Condition()
        self._committed = self._known = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="durable", daemon=True)
        self._thread.start()

    def committed(self, packets: int) -> None:
        """The store has taken what so many packets gave."""
        with self._changed:
            self._committed = packets
            self._changed.notify()

    def wait(self, packets: int) -> None:
        """Return when everything so far is on disk; raises StoreError when that takes too long."""
        self._store.wait_durable()
        self._progress.stored(packets)

    def stop(self) -> None:
        """End the thread; it is not waited for, as it may sit in the server."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._committed == self._known and not self._stopping:
                    self._changed.wait()
                if self._stopping:
                    return
                packets = self._committed
            try:
                self.wait(packets)
                self._known = packets
            except StoreError as error:
                # Nothing is let go of meanwhile: the flow would go back to the last moment that is on disk.
                log(logger("scorer"), logging.WARNING, "not_known_to_be_on_disk", error)
                with self._changed:
                    self._changed.wait(PAUSE_S)
