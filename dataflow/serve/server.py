"""Runs the application with uvicorn: TLS, graceful stop, and the threads behind it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from prometheus_client import CollectorRegistry

from alerts.custody.data_keys import FILE_NAME, FileDataKeys
from alerts.custody.keyring import KeyRing
from alerts.redis_link import RedisLink
from alerts.redis_store import RedisStore
from dataflow.door import Door
from dataflow.indicators import awaited_of
from dataflow.observe.logs import log, logger
from dataflow.observe.traced import TracedRequests
from dataflow.observe.traces import spans_of
from dataflow.scoring import now_ms
from dataflow.serve.answers import Answering
from dataflow.serve.app import Api
from dataflow.serve.append import Appender
from dataflow.serve.health import Health
from dataflow.serve.keys import KeyFile
from dataflow.serve.measures import ServeMeasures
from dataflow.serve.outcomes import Outcomes
from dataflow.serve.settings import DEFAULT_PORT, check
from dataflow.settings import Settings
from models.errors import SettingsError

LOOK_S = 0.2


def keys_path(settings: Settings) -> Path:
    """Where the API keys are kept."""
    given = settings.serve.keys_file
    return Path(given).absolute() if given else settings.directory / "serve" / "api_keys"


def serve(settings: Settings, url: str, ring: KeyRing, stop: threading.Event, version: str) -> None:
    """Answer requests until `stop` is set. Raises SettingsError for what cannot be started."""
    check(settings.serve)
    for name in ("tls_certificate", "tls_key"):
        path = getattr(settings.serve, name)
        if path and not Path(path).is_file():
            raise SettingsError(f"serve.{name}: {path} is no file")
    keys = KeyFile(keys_path(settings))
    first = keys.first()
    if first is not None:
        log(logger("serve"), logging.INFO, "first_key_made", file=str(first))
    asyncio.run(_serve(settings, url, ring, keys, stop, version))


async def _serve(
    settings: Settings, url: str, ring: KeyRing, keys: KeyFile, stop: threading.Event, version: str
) -> None:
    loop, chosen = asyncio.get_running_loop(), settings.serve
    store = RedisStore(url, keep_decisions=settings.store.keep_decisions)
    # A connection of its own for each thread that blocks.
    outcomes, appender = Outcomes(RedisLink(url), loop), Appender(RedisLink(url), loop, chosen.remember_s)
    health = Health(
        RedisLink(url), store, now_ms, lambda: {"pid": os.getpid(), "in_flight": outcomes.waiting}
    )
    registry = CollectorRegistry()
    measures = ServeMeasures(registry)
    measures.in_flight.set_function(lambda: outcomes.waiting)
    data_keys = FileDataKeys(settings.directory / FILE_NAME)
    door = Door(ring, data_keys, clock=now_ms, awaited=awaited_of(settings, url, now_ms))
    answering = Answering(chosen, settings.flow.backlog, door, store, appender, outcomes, health, measures)
    api = Api(chosen, answering, store, health, keys, measures, registry, version)
    spans = spans_of("serve", settings.observe.traces)
    server = _Server(
        uvicorn.Config(
            TracedRequests(api.application(), spans), log_config=None, access_log=False, server_header=False,
            lifespan="off",
            ssl_certfile=chosen.tls_certificate or None, ssl_keyfile=chosen.tls_key or None,
            timeout_graceful_shutdown=max(1, round(chosen.grace_s)),
        )
    )  # fmt: skip
    listening = _listen(chosen.address, chosen.port or DEFAULT_PORT)
    health.start()
    outcomes.start()
    appender.start()
    watching = asyncio.create_task(_watch(server, stop))
    log(logger("serve"), logging.INFO, "listening", address=chosen.address, port=chosen.port or DEFAULT_PORT,
        tls=bool(chosen.tls_certificate))  # fmt: skip
    try:
        await server.serve(sockets=[listening])
    finally:
        watching.cancel()
        # What was taken is appended; who still waits had the grace time.
        await asyncio.to_thread(appender.stop)
        await asyncio.to_thread(outcomes.stop)
        await asyncio.to_thread(health.stop)
        await asyncio.to_thread(spans.close)
        log(logger("serve"), logging.INFO, "stopped")


def _listen(address: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][0]
        # The protocol is named because asyncio asks for it before it turns Nagle's algorithm off; with it on, each answer
        # would wait 40 ms for the caller's acknowledgement of its header.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(1024)
        return listening
    except OSError as error:
        raise SettingsError(
            f"{address}:{port} cannot be listened on ({error.strerror}): choose another serve.port or serve.address"
        ) from None


class _Server(uvicorn.Server):
    """Leaves signals to the process, which ends several ways (worker.prepare)."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _watch(server: uvicorn.Server, stop: threading.Event) -> None:
    while not stop.is_set():
        await asyncio.sleep(LOOK_S)
    server.should_exit = True
