"""The system's metrics, from the last reading: a scrape asks nobody, so it costs the flow nothing.

Each has its line in docs/observability.md. Names follow Prometheus: base units, `_total` for what only rises. Labels hold
names of processes, kinds and codes, never an id of an event or a person's token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from alerts.condition.reading import Reading, children_of
from alerts.condition.watch import Open

Values = dict[tuple[str, ...], float]


class Look(NamedTuple):
    """What the observer saw last. reading: None while the store does not answer."""

    reading: Reading | None
    open: Iterable[Open]
    up: bool


class Family(NamedTuple):
    """One metric of the system. values: by label values; empty: nothing is known of it now."""

    name: str
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily]
    help: str
    labels: tuple[str, ...]
    values: Callable[[Reading], Values]


def _one(value: float | None) -> Values:
    return {} if value is None else {(): value}


def _told(process: str, field: str, scale: float = 1.0) -> Callable[[Reading], Values]:
    """A number that a process tells of while it lives."""

    def values(reading: Reading) -> Values:
        value = reading.beats.get(process, {}).get(field)
        known = reading.alive(process) and isinstance(value, int | float)
        return _one(float(value) * scale) if known and value is not None else {}

    return values


def _counted(field: str) -> Callable[[Reading], Values]:
    return lambda reading: _one(float(getattr(reading.counters, field)))


def _kinds(fields: Mapping[str, str]) -> Callable[[Reading], Values]:
    return lambda reading: {(label,): float(getattr(reading.counters, f)) for label, f in fields.items()}


def _restarts(reading: Reading) -> Values:
    told = reading.beats.get("supervisor", {})
    return {(name,): float(told.get(f"{name}_restarts", 0)) for name in children_of(told)}


def _latency(reading: Reading) -> Values:
    found = {
        quantile: _told("scorer", f"latency_{name}_ms", 0.001)(reading)
        for quantile, name in _QUANTILES.items()
    }
    return {(quantile,): value for quantile, values in found.items() for value in values.values()}


def _model_age(reading: Reading) -> Values:
    at = reading.beats.get("learner", {}).get("published_at")
    return _one((reading.now - at) / 1000) if isinstance(at, int) and at else {}


def _shed(reading: Reading) -> Values:
    left = reading.beats.get("scorer", {}).get("shed")
    return _one(float(left != "nothing")) if reading.alive("scorer") and left is not None else {}


def _receivers(reading: Reading) -> Values:
    told = reading.beats.get("sender", {})
    if not reading.alive("sender") or "receivers" not in told:
        return {}
    failing, disabled = int(told.get("failing", 0)), int(told.get("disabled", 0))
    working = int(told["receivers"]) - failing - disabled
    return {("working",): working, ("failing",): failing, ("disabled",): disabled}


def _alerts(reading: Reading) -> Values:
    return {(status,): float(n) for status, n in reading.alerts.items() if ":" not in status}


def _open_alerts(reading: Reading) -> Values:
    return {
        (name.partition(":")[2],): float(n) for name, n in reading.alerts.items() if name.startswith("open:")
    }


_QUANTILES = {"0.5": "p50", "0.99": "p99"}
_COUNTER, _GAUGE = CounterMetricFamily, GaugeMetricFamily
SYSTEM: tuple[Family, ...] = (
    Family("tidegate_process_up", _GAUGE, "1 while the process beats, 0 when it has fallen silent", ("process",),
           lambda r: {(name,): float(r.alive(name)) for name in sorted(r.beats)}),
    Family("tidegate_process_restarts", _COUNTER, "Restarts of a child process since `tidegate up` began", ("process",),
           _restarts),
    Family("tidegate_events", _COUNTER, "Events taken by the scorer, by kind", ("kind",), _kinds({
        "transaction": "transactions", "behaviour": "behaviours", "label": "labels", "control": "controls",
        "other": "others", "undecodable": "undecodable"})),
    Family("tidegate_transactions", _COUNTER, "Transactions, by what became of them", ("outcome",), _kinds({
        "decided": "decided", "dead_lettered": "dead_lettered", "duplicate": "duplicates"})),
    Family("tidegate_dead_letters", _COUNTER, "Entries the scorer could not take, of every kind", (),
           _counted("dead_letters")),
    Family("tidegate_door_dead_letters", _GAUGE, "Entries kept that the door could not take", (),
           lambda r: _one(float(r.door_dead))),
    Family("tidegate_counters_balanced", _GAUGE, "1 while the counts of events add up", (),
           lambda r: _one(float(r.counters.balanced()))),
    Family("tidegate_late_events", _COUNTER, "Events that came after a newer one of their entities", (),
           _counted("late")),
    Family("tidegate_evicted_entities", _COUNTER, "Entities forgotten for want of room", (), _counted("evicted")),
    Family("tidegate_alert_hits", _COUNTER, "Alert hits, before merging", (), _counted("alerts")),
    Family("tidegate_unread_entries", _GAUGE, "Entries of the input stream and the control lane not scored yet", (),
           lambda r: _one(float(r.unread))),
    Family("tidegate_stream_time_seconds", _GAUGE, "The stream's own time, seconds since 1970", (),
           lambda r: _one(r.stream_time / 1000 if r.stream_time else None)),
    Family("tidegate_scorer_decisions_per_second", _GAUGE, "Decisions a second over the last second", (),
           _told("scorer", "rate")),
    Family("tidegate_scorer_latency_seconds", _GAUGE, "Seconds from entry into the stream to the decision, by quantile",
           ("quantile",), _latency),
    Family("tidegate_scorer_lag_seconds", _GAUGE, "Age of the newest entry that was scored", (), _told("scorer", "lag")),
    Family("tidegate_scorer_shedding", _GAUGE, "1 while the flow is behind and leaves texts out",
           (), _shed),
    Family("tidegate_learner_examples", _COUNTER, "Outcomes the learner has learnt", (), _told("learner", "examples")),
    Family("tidegate_learner_behind_examples", _GAUGE, "Outcomes that wait to be learnt", (),
           lambda r: _one(float(r.examples_behind) if r.alive("learner") else None)),
    Family("tidegate_learner_model_age_seconds", _GAUGE, "Seconds since a model was last published", (), _model_age),
    Family("tidegate_outcomes_waiting", _GAUGE, "Payments whose outcome is open", (), _counted("vectors_waiting")),
    Family("tidegate_outcomes_gone", _COUNTER, "Outcomes that came when their payment's features had gone", (),
           _counted("vectors_gone")),
    Family("tidegate_labels_unmatched", _COUNTER, "Labels of payments that are not known", (),
           _counted("labels_unmatched")),
    Family("tidegate_sender_receivers", _GAUGE, "Receivers, by how they are", ("state",), _receivers),
    Family("tidegate_sender_owed_messages", _GAUGE, "Messages that wait to be delivered", (), _told("sender", "owed")),
    Family("tidegate_sender_unsure", _COUNTER, "Times the store did not confirm in time that messages are on disk", (),
           _told("sender", "unsure")),
    Family("tidegate_alerts", _GAUGE, "Alerts, by status", ("status",), _alerts),
    Family("tidegate_alerts_open", _GAUGE, "Open alerts, by severity", ("severity",), _open_alerts),
    Family("tidegate_incidents_open", _GAUGE, "Incidents that have not ended", (), _told("incidents", "incidents")),
    Family("tidegate_containments_in_force", _GAUGE, "Containment measures in force", (),
           _told("incidents", "containments")),
    Family("tidegate_kafka_lag_messages", _GAUGE, "Messages of the Kafka topic not taken yet", (), _told("kafka", "lag")),
    Family("tidegate_kafka_lost_messages", _COUNTER, "Messages deleted by the brokers before they were read", (),
           _told("kafka", "lost")),
    Family("tidegate_store_ping_seconds", _GAUGE, "Round trip to the store", (), lambda r: _one(r.ping_ms / 1000)),
    Family("tidegate_store_memory_bytes", _GAUGE, "Memory the store uses", (),
           lambda r: _one(float(r.memory.used) if r.memory else None)),
    Family("tidegate_store_memory_limit_bytes", _GAUGE, "Memory the store may use, 0 without a bound", (),
           lambda r: _one(float(r.memory.limit) if r.memory else None)),
    Family("tidegate_disk_free_bytes", _GAUGE, "Free room on the data directory's disk", (),
           lambda r: _one(float(r.disk.free) if r.disk else None)),
    Family("tidegate_disk_size_bytes", _GAUGE, "Size of the data directory's disk", (),
           lambda r: _one(float(r.disk.size) if r.disk else None)),
)  # fmt: skip
"""Every metric that comes from a reading."""


class SystemCollector(Collector):
    """Gives Prometheus what the observer saw last."""

    def __init__(self, last: Callable[[], Look]) -> None:
        self._last = last

    def collect(self) -> Iterator[Metric]:
        """All families; without values where nothing is known."""
        look = self._last()
        yield GaugeMetricFamily("tidegate_store_up", "1 while the store answers", value=float(look.up))
        troubles = GaugeMetricFamily(
            "tidegate_troubles",
            "Things wrong with Tidegate itself that were told of, by kind",
            labels=("kind",),
        )
        counts: dict[str, int] = {}
        for one in look.open:
            counts[one.trouble.kind] = counts.get(one.trouble.kind, 0) + 1
        for kind, count in sorted(counts.items()):
            troubles.add_metric((kind,), count)
        yield troubles
        for family in SYSTEM:
            metric = family.kind(family.name, family.help, labels=family.labels)
            if look.reading is not None:
                for labels, value in family.values(look.reading).items():
                    metric.add_metric(labels, value)
            yield metric
