"""The sender process: follows the routing file and its secrets while it runs, and keeps going when the store is away."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from alerts.receivers.attempts import InThreads
from alerts.receivers.post import addresses_of, new_client
from alerts.receivers.receiver import Receiver, Wire
from alerts.receivers.registry import receiver_of
from alerts.redis_store import RedisStore
from alerts.routing.plan import Plan, load_plan
from alerts.routing.sender import Sender
from dataflow.observe.logs import log, logger
from dataflow.scoring import now_ms
from dataflow.settings import Settings
from models.errors import SettingsError, StoreError

POLL_S, SHORTEST_S = 0.5, 0.01
LOOK_S = 2.0
"""How often the routing file and the files with secrets are looked at."""


def plan_of(settings: Settings) -> Plan:
    """The routing plan in force. Raises SettingsError."""
    path = Path(settings.routing) if settings.routing else None
    return load_plan(path, settings.webhooks.receivers)


def receivers_of(plan: Plan, environ: Mapping[str, str] | None = None) -> dict[str, Receiver]:
    """The plan's receivers with their secrets, by name. Raises SettingsError, which never shows a secret."""
    return {name: receiver_of(spec, environ) for name, spec in plan.receivers.items()}


def run(settings: Settings, url: str, restarts: int, stop: threading.Event) -> None:
    """Route and deliver until `stop` is set. A routing file that becomes wrong is reported, and the last right one holds.

    Raises SettingsError when it is wrong from the start.
    """
    seen, looked, wrong = _stamp(settings, plan := plan_of(settings)), time.monotonic(), ""
    store = RedisStore(url)
    sender = Sender(
        store,
        plan,
        receivers_of(plan),
        InThreads(),
        Wire(new_client(), addresses_of),
        settings.webhooks.console_url,
    )
    while not stop.is_set():
        if time.monotonic() - looked >= LOOK_S:
            looked = time.monotonic()
            if (stamp := _stamp(settings, plan)) != seen:
                seen = stamp
                try:
                    plan = plan_of(settings)
                    sender.follow(plan, receivers_of(plan))
                    seen, wrong = _stamp(settings, plan), ""
                except SettingsError as error:
                    wrong = str(error)
                    log(logger("sender"), logging.ERROR, "routing_wrong_the_last_right_one_holds", error)
        due: int | None = None
        try:
            known = sender.set_back
            due = sender.step(now_ms())
            if sender.set_back > known:
                log(logger("sender"), logging.WARNING, "clock_set_back")
            told: dict[str, str | int | float] = {"status": "live", "pid": os.getpid(), "restarts": restarts}
            told |= {f"on_call:{name}": person or "" for name, person in plan.on_call(now_ms()).items()}
            store.beat(
                "sender", {**told, **sender.status(now_ms()), "plan": plan.digest, "wrong": wrong}, now_ms()
            )
        except StoreError as error:
            # What was not saved is read again from the store and sent under the same ids.
            log(logger("sender"), logging.WARNING, "store_away", error)
        pause = POLL_S if due is None else min(max((due - now_ms()) / 1000, SHORTEST_S), POLL_S)
        sender.wait(pause)


def _stamp(settings: Settings, plan: Plan) -> tuple[tuple[str, int, int], ...]:
    """Changes with the routing file and every file that holds a secret of a receiver."""
    paths = [settings.routing] if settings.routing else []
    for spec in plan.spec.receivers:
        fields = msgspec.structs.asdict(spec)
        paths += [fields[name] for name in ("secret_file", "url_file", "ca_file") if fields.get(name)]
    stamps = []
    for path in paths:
        try:
            found = Path(path).stat()
            stamps.append((path, found.st_mtime_ns, found.st_ino))
        except OSError:
            stamps.append((path, 0, 0))
    return tuple(stamps)
