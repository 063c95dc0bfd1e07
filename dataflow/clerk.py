"""The clerk process: once a second it does what time alone makes due (alerts/clerk.py)."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from alerts.clerk import attend
from alerts.redis_store import RedisStore
from dataflow.observe.logs import log, logger
from dataflow.scoring import now_ms
from models.errors import StoreError

ROUND_S = 1.0


def run(
    store: RedisStore, restarts: int, stopped: Callable[[], bool], wait: Callable[[float], object]
) -> None:
    """Attend until stopped; a store that cannot be reached is waited for."""
    while not stopped():
        try:
            done = attend(store, now_ms())
            store.beat(
                "clerk", {"status": "live", "pid": os.getpid(), "restarts": restarts, "done": done}, now_ms()
            )
        except StoreError as error:
            log(logger("clerk"), logging.WARNING, "store_away", error)
        wait(ROUND_S)
