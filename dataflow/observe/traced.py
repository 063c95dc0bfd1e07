"""What is traced: batches through the engine, and requests of the server."""

from __future__ import annotations

from typing import Any

from dataflow.observe.traces import Spans
from dataflow.scoring import Scorer, Written
from dataflow.sources.stream import Packet

_ROUTES = {"transactions", "labels", "events", "decisions"}


class TracedScorer(Scorer):
    """A Scorer with a span for each activation."""

    spans = Spans()

    def on_batch(self, values: list[Packet]) -> tuple[list[Written], bool]:
        """Step through the packets inside a span that says how much it was."""
        with self.spans.span("score", packets=len(values)) as span:
            written, ended = super().on_batch(values)
            span.set_attribute("events", sum(len(packet.items) for packet in values))
            span.set_attribute("decisions", sum(len(one.commit.decisions) for one in written))
            span.set_attribute("alert_hits", sum(len(one.commit.hits) for one in written))
        return written, ended


class TracedRequests:
    """An ASGI application with a span for each request, child of the caller's when it names one (`traceparent`)."""

    def __init__(self, application: Any, spans: Spans) -> None:
        self._application, self._spans = application, spans

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass everything on."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        carrier = {
            n.decode("latin-1"): v.decode("latin-1") for n, v in scope["headers"] if n == b"traceparent"
        }
        name = f"{scope['method']} {route_of(scope['path'])}"
        with self._spans.span(name, carrier) as span:

            async def sending(message: Any) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            await self._application(scope, receive, sending)


def route_of(path: str) -> str:
    """The path without what a caller chose."""
    words = path.split("/")
    if len(words) > 2 and words[1] == "v1":
        return f"/v1/{words[2]}" if words[2] in _ROUTES else "/v1/other"
    return path if path in ("/healthz", "/readyz", "/metrics", "/openapi.json") else "/other"
