"""The HTTP interface as an ASGI application. docs/serving.md tells it to its users, /openapi.json to their tools."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from alerts.redis_store import RedisStore
from dataflow.observe.logs import log, logger
from dataflow.serve.answers import Accepted, Answer, Answering
from dataflow.serve.health import Health
from dataflow.serve.keys import KeyFile, Scope
from dataflow.serve.measures import ServeMeasures
from dataflow.serve.openapi import document
from dataflow.serve.problems import Problem, ProblemError, problem
from dataflow.serve.requests import authorised, batch_of, body_of, deadline_of
from dataflow.serve.settings import ServeSettings
from models.errors import StoreError, TidegateError

LABELS = frozenset({"label"})
EVENTS = frozenset({"behaviour", "heartbeat", "settlement"})
LONGEST_ID = 128
TAKE_S = 10.0
Handler = Callable[[Request], Awaitable[Response]]
_log = logger("serve")


class Result(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One event of a batch. status: what it would have had alone; with it either an answer or a problem."""

    status: int
    answer: Answer | None = None
    accepted: Accepted | None = None
    problem: Problem | None = None


class Results(msgspec.Struct):
    """What became of a batch, in its order. Each event stands for itself."""

    results: list[Result]


class Api:
    """The routes. metrics_open: /metrics needs no key."""

    def __init__(
        self, settings: ServeSettings, answering: Answering, store: RedisStore, health: Health, keys: KeyFile,
        measures: ServeMeasures, registry: CollectorRegistry, version: str,
    ) -> None:  # fmt: skip
        self._settings, self._answering, self._store, self._health = settings, answering, store, health
        self._keys, self._measures, self._registry = keys, measures, registry
        self._metrics_open = settings.loopback
        self._document = msgspec.json.encode(document(settings, version))

    def application(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                self._route("/v1/transactions", "POST", self.transactions, "score"),
                self._route("/v1/labels", "POST", self.labels, "labels"),
                self._route("/v1/events", "POST", self.events, "score"),
                self._route("/v1/decisions/{id:path}", "GET", self.decision, "read"),
                self._route("/openapi.json", "GET", self.openapi, None),
                self._route("/metrics", "GET", self.metrics, None if self._metrics_open else "metrics"),
                self._route("/healthz", "GET", self.healthz, None),
                self._route("/readyz", "GET", self.readyz, None),
            ],
            exception_handlers={HTTPException: _not_routed},
        )

    async def transactions(self, request: Request) -> Response:
        """POST /v1/transactions."""
        wait = deadline_of(request, self._settings)
        body = await body_of(request, self._settings.max_body)
        until = asyncio.get_running_loop().time() + wait
        batch = batch_of(body, self._settings.max_batch)
        if batch is None:
            return _json(await self._answering.score(body, until))

        async def one(number: int, line: bytes) -> Result:
            try:
                return Result(status=200, answer=await self._answering.score(line, until, f"$[{number}]"))
            except ProblemError as refused:
                return Result(status=refused.problem.status, problem=refused.problem)

        return _json(Results(await asyncio.gather(*(one(n, line) for n, line in enumerate(batch)))))

    async def labels(self, request: Request) -> Response:
        """POST /v1/labels."""
        return await self._take(request, LABELS)

    async def events(self, request: Request) -> Response:
        """POST /v1/events."""
        return await self._take(request, EVENTS)

    async def _take(self, request: Request, kinds: frozenset[str]) -> Response:
        body = await body_of(request, self._settings.max_body)
        until = asyncio.get_running_loop().time() + TAKE_S
        batch = batch_of(body, self._settings.max_batch)
        if batch is None:
            return _json(await self._answering.take(body, kinds, until), 202)

        async def one(number: int, line: bytes) -> Result:
            try:
                accepted = await self._answering.take(line, kinds, until, f"$[{number}]")
                return Result(status=202, accepted=accepted)
            except ProblemError as refused:
                return Result(status=refused.problem.status, problem=refused.problem)

        return _json(Results(await asyncio.gather(*(one(n, line) for n, line in enumerate(batch)))), 202)

    async def decision(self, request: Request) -> Response:
        """GET /v1/decisions/{id}."""
        event_id = request.path_params["id"]
        found = None
        if 0 < len(event_id) <= LONGEST_ID:
            try:
                found = await asyncio.to_thread(self._store.decision, event_id)
            except StoreError as error:
                raise problem("unavailable", str(error), retry_after=1) from None
        if found is None:
            raise problem("not_found", "no decision is kept on this id: not made yet, or long ago")
        return Response(found, media_type="application/json")

    async def openapi(self, request: Request) -> Response:
        """GET /openapi.json."""
        return Response(self._document, media_type="application/json")

    async def metrics(self, request: Request) -> Response:
        """GET /metrics."""
        text = await asyncio.to_thread(generate_latest, self._registry)
        return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(self, request: Request) -> Response:
        """GET /healthz: this process answers."""
        return Response(b'{"status":"ok"}', media_type="application/json")

    async def readyz(self, request: Request) -> Response:
        """GET /readyz: a transaction sent now would be decided."""
        readiness = self._health.readiness()
        return _json(readiness, 200 if readiness.status == "ready" else 503)

    def _route(self, path: str, method: str, handler: Handler, scope: Scope | None) -> Route:
        """A route with its key, its problems, its metrics and its line in the log. The path is its template: the id
        in it is the sender's text and stands in neither."""

        async def endpoint(request: Request) -> Response:
            began, owner = time.perf_counter(), ""
            try:
                if scope is not None:
                    self._reload()
                    owner = authorised(request, self._keys, scope).name
                response = await handler(request)
            except ProblemError as refused:
                if refused.problem.status in (401, 403):
                    self._measures.unauthorised.inc()
                response = of_problem(refused)
            except Exception as error:  # noqa: BLE001
                # The last net: its text may repeat the request, so the caller is told nothing and the log its type.
                log(_log, logging.ERROR, "request_failed", error, route=path)
                response = of_problem(
                    problem("internal", "the server's log says more; the event may have been taken")
                )
            seconds = time.perf_counter() - began
            self._measures.requests.labels(path, str(response.status_code), owner).inc()
            self._measures.seconds.labels(path).observe(seconds)
            level = logging.INFO if scope is not None else logging.DEBUG
            log(_log, level, "request", route=path, method=method, status=response.status_code, key=owner,
                milliseconds=round(seconds * 1000, 2))  # fmt: skip
            return response

        return Route(path, endpoint, methods=[method])

    def _reload(self) -> None:
        try:
            self._keys.reload()
        except (TidegateError, OSError) as error:
            log(_log, logging.ERROR, "keys_not_read", error)


def of_problem(refused: ProblemError) -> Response:
    """The answer that a problem is."""
    found = refused.problem
    return Response(
        msgspec.json.encode(found),
        found.status,
        headers=refused.headers,
        media_type="application/problem+json",
    )


async def _not_routed(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    codes = {404: "not_found", 405: "method_not_allowed"}
    code = codes.get(error.status_code, "malformed")
    return of_problem(problem(code, "see /openapi.json", headers=dict(error.headers or {})))


def _json(content: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")
