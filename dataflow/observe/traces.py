"""OpenTelemetry traces as an option: spans of batches and requests to a collector, by OTLP over HTTP.

Spans hold names, counts and codes: never an id of an event or a person's token. Without an address nothing is loaded,
and a span costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module, metadata
from typing import Any, Protocol

from models.errors import SettingsError

Value = str | int | float | bool


class Span(Protocol):
    """One piece of work."""

    def set_attribute(self, key: str, value: Value) -> None:
        """Say something about it."""


class _Nothing:
    def set_attribute(self, key: str, value: Value) -> None:
        """Nobody listens."""


_nothing = _Nothing()


class Spans:
    """Starts no spans. carrier: headers that may name the caller's span."""

    def span(
        self, name: str, carrier: Mapping[str, str] | None = None, **attributes: Value
    ) -> AbstractContextManager[Span]:
        """A span for the length of a `with` block; name and attributes are ours, not a sender's."""
        return nullcontext(_nothing)

    def close(self) -> None:
        """Hand out what is still here."""


class SentSpans(Spans):
    """Spans to the collector at `address`. Raises SettingsError without the packages."""

    def __init__(self, process: str, address: str, exporter: Any = None) -> None:
        try:
            sdk, export = (
                import_module("opentelemetry.sdk.trace"),
                import_module("opentelemetry.sdk.trace.export"),
            )
            resource = import_module("opentelemetry.sdk.resources").Resource
            otlp = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
            self._propagation = import_module("opentelemetry.trace.propagation.tracecontext")
        except ImportError:
            raise SettingsError(
                "observe.traces needs OpenTelemetry, which is not installed here: pip install 'tidegate[traces]'"
            ) from None
        try:
            version = metadata.version("tidegate")
        except metadata.PackageNotFoundError:
            version = ""
        # Only what is said here: no detector looks for the user, the command line or the machine.
        named = resource({"service.name": f"tidegate.{process}", "service.version": version})
        self._provider = sdk.TracerProvider(resource=named, shutdown_on_exit=False)
        sending = exporter or otlp.OTLPSpanExporter(endpoint=f"{address.rstrip('/')}/v1/traces", timeout=5)
        self._provider.add_span_processor(export.BatchSpanProcessor(sending))
        self._tracer = self._provider.get_tracer("tidegate")

    def span(
        self, name: str, carrier: Mapping[str, str] | None = None, **attributes: Value
    ) -> AbstractContextManager[Span]:
        parent = self._propagation.TraceContextTextMapPropagator().extract(carrier) if carrier else None
        started: AbstractContextManager[Span] = self._tracer.start_as_current_span(
            # An exception's text may hold what a sender wrote.
            name, context=parent, attributes=attributes, record_exception=False, set_status_on_exception=False
        )  # fmt: skip
        return started

    def close(self) -> None:
        self._provider.shutdown()


def spans_of(process: str, address: str) -> Spans:
    """Spans of a process to the collector at `address` (http:// or https://); "": none. Raises SettingsError."""
    if not address:
        return Spans()
    if not address.startswith(("http://", "https://")):
        raise SettingsError("observe.traces: expected the base address of a collector, http://127.0.0.1:4318")
    return SentSpans(process, address)
