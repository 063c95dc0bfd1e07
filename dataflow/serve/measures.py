"""What the server counts, as Prometheus metrics. Each has its line in docs/observability.md."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class ServeMeasures:
    """The server's own metrics in `registry`. Labels hold routes, key names and codes: never an id of an event."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "tidegate_serve_requests", "HTTP requests answered, by route, status and API key",
            ("route", "status", "key"), registry=registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "tidegate_serve_request_seconds", "Seconds from a request's arrival to its answer, by route",
            ("route",), buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self.answers = Counter(
            "tidegate_serve_answers",
            "Transactions answered: decided, repeated (had come before), fallback, refused, conflict, busy, unavailable",
            ("outcome",), registry=registry,
        )  # fmt: skip
        self.fallbacks = Counter(
            "tidegate_serve_fallbacks", "Answers without a decision, by why there was none in time",
            ("reason",), registry=registry,
        )  # fmt: skip
        self.refused = Counter(
            "tidegate_serve_refused", "Events refused for what they say, by reason", ("reason",), registry=registry
        )  # fmt: skip
        self.in_flight = Gauge(
            "tidegate_serve_in_flight", "Events that wait for their decision now", registry=registry
        )
        self.unauthorised = Counter(
            "tidegate_serve_unauthorised", "Requests without a valid key or its scope", registry=registry
        )
