"""The read model: the only file of the console that touches the store.

Each page asks for one reading, taken at most once a second for all open tabs together. When the store
cannot be reached the last good reading is kept, with the time it was taken and the reason; pages show
it "as of" and disable their actions. Times are ms since the epoch, UTC.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar, cast

import msgspec
import numpy as np

from alerts.alert import Alert, Status, Verdict
from alerts.custody.audit import AuditEntry
from alerts.custody.signing import SIGNATURE_BYTES
from alerts.routing.keeping import Delivery
from alerts.store import Conflict, Sort, Store
from dashboard.settings import with_password
from models.decision import Counters, DeadLetter, Decision
from models.errors import SnapshotError, StoreError
from models.features import for_models
from models.serving import Snapshot
from models.similar import SimilarFraud, nearest

LEASE_MS = 5 * 60_000
DAY_MS = 24 * 3_600_000
FRESH_S = 1.0
SIMILAR_FRESH_S = 30.0
"""Similar cases are looked for anew after this many seconds: it takes some 100 ms."""
OPEN: tuple[Status, ...] = ("open", "acknowledged", "escalated", "proposed")
VIEWS: dict[str, tuple[Status, ...]] = {"open": OPEN, "snoozed": ("snoozed",), "resolved": ("resolved",)}
QUEUE_LENGTH = 200
LINKS = ("card", "customer", "device", "payee", "merchant")
"""Entities whose other payments and alerts a case shows."""

Beat = dict[str, str | int | float]
T = TypeVar("T")
_decisions = msgspec.json.Decoder(Decision)


class Reading(msgspec.Struct, Generic[T], frozen=True):
    """A value with the time it was read; `error` says why it could not be renewed. value None: never read."""

    value: T | None
    as_of: int
    error: str | None = None


class Pulse(msgspec.Struct, frozen=True):
    """What the status line needs. stream_time 0: nothing has been processed yet."""

    stream_time: int
    beats: dict[str, Beat]


class Overview(msgspec.Struct, frozen=True):
    """alerts: waiting ones by priority; resolved: newest first; minutes: chart counters of the span."""

    pulse: Pulse
    counts: dict[str, int]
    alerts: list[Alert]
    resolved: list[Alert]
    minutes: dict[int, dict[str, float]]


class Case(msgspec.Struct, frozen=True):
    """An alert with everything beside it. links: per entity kind its name, alerts and payments."""

    alert: Alert
    links: dict[str, tuple[str, list[Alert], list[Decision]]]
    audit: list[AuditEntry]


class Monitoring(msgspec.Struct, frozen=True):
    """The state of the machine. last_hour: decided per minute."""

    pulse: Pulse
    ping_ms: float
    counters: Counters
    cursors: dict[str, int]
    dead: list[DeadLetter]
    deliveries: list[Delivery]
    minutes: dict[int, dict[str, float]]


def connect(url: str) -> Store:
    """A connection to the store at `url`; raises StoreError."""
    from alerts.redis_store import RedisStore

    return RedisStore(with_password(url))


class ReadModel:
    """Readings and verbs over one store; shared by all sessions of the console.

    open_store is called at the first reading, and again after a failure to connect, so that a console may
    start before its store. clock: wall time in ms.
    """

    def __init__(self, open_store: Callable[[], Store], clock: Callable[[], int]) -> None:
        self._open_store = open_store
        self._clock = clock
        self._store: Store | None = None
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Reading[object]]] = {}

    def now(self) -> int:
        """The wall clock."""
        return self._clock()

    def pulse(self) -> Reading[Pulse]:
        """Stream time and the processes' beats."""
        return self._read("pulse", _pulse)

    def overview(self, span_ms: int) -> Reading[Overview]:
        """The Overview page over the last `span_ms` of the stream's own time."""

        def take(store: Store) -> Overview:
            pulse = _pulse(store)
            return Overview(
                pulse=pulse,
                counts=store.alert_counts(),
                alerts=store.alerts((*OPEN, "snoozed"), "priority", 1000),
                resolved=store.alerts(("resolved",), "newest", 1000),
                minutes=_minutes(store, pulse.stream_time, span_ms),
            )

        return self._read(f"overview:{span_ms}", take)

    def queue(self, view: str) -> Reading[list[Alert]]:
        """Alerts of a view, in the order in which to work: risk × amount, or newest for what is resolved."""
        sort: Sort = "newest" if view == "resolved" else "priority"
        return self._read(f"queue:{view}", lambda store: store.alerts(VIEWS[view], sort, QUEUE_LENGTH))

    def case(self, alert_id: str) -> Reading[Case | None]:
        """One alert and what is linked to it; the inner None: there is no such alert."""
        return self._read(f"case:{alert_id}", lambda store: _case(store, alert_id))

    def similar(self, decision: Decision) -> Reading[list[SimilarFraud] | None]:
        """Confirmed frauds like a payment, nearest first; the inner None: its features or its model are not kept."""
        return self._read(
            f"similar:{decision.id}:{decision.versions.model}",
            lambda store: _similar(store, decision),
            SIMILAR_FRESH_S,
        )

    def monitoring(self) -> Reading[Monitoring]:
        """The Monitoring page."""

        def take(store: Store) -> Monitoring:
            ping = store.ping()
            pulse = _pulse(store)
            return Monitoring(
                pulse=pulse,
                ping_ms=ping,
                counters=store.counters(),
                cursors=store.cursors(),
                dead=store.dead_letters(500),
                deliveries=store.deliveries(500),
                minutes=_minutes(store, pulse.stream_time, 3_600_000),
            )

        return self._read("monitoring", take)

    # verbs; all raise StoreError when the store cannot be reached

    def claim(self, alert_id: str, actor: str, role: str) -> Alert | Conflict:
        """Take the alert for five minutes; Conflict: somebody else holds it, or it is resolved."""
        return self._write(lambda store: store.claim(alert_id, actor, self._clock(), LEASE_MS, role))

    def resolve(
        self, alert_id: str, version: int, verdict: Verdict, actor: str, role: str
    ) -> Alert | Conflict:
        """Give a verdict; it goes back into the stream as labels."""
        return self._write(
            lambda store: store.resolve(alert_id, version, verdict, actor, self._clock(), role)
        )

    def set_status(
        self, alert_id: str, version: int, status: Status, actor: str, role: str
    ) -> Alert | Conflict:
        """Escalate, snooze or reopen."""
        return self._write(
            lambda store: store.set_status(alert_id, version, status, actor, self._clock(), role)
        )

    def undo(self, alert_id: str, version: int, actor: str, role: str) -> Alert | Conflict:
        """Take back a verdict; the opposite label follows as a correction."""
        return self._write(lambda store: store.undo(alert_id, version, actor, self._clock(), role))

    def _connected(self) -> Store:
        if self._store is None:
            self._store = self._open_store()
        return self._store

    def _write(self, call: Callable[[Store], T]) -> T:
        with self._lock:
            try:
                return call(self._connected())
            finally:
                # What was read before the change is old now, also for the other tabs.
                self._kept = {key: (0.0, reading) for key, (_, reading) in self._kept.items()}

    def _read(self, key: str, take: Callable[[Store], T], fresh_s: float = 0.0) -> Reading[T]:
        with self._lock:
            taken, kept = self._kept.get(key, (0.0, Reading[object](None, 0)))
            if taken and time.monotonic() - taken < max(fresh_s, FRESH_S):
                return cast("Reading[T]", kept)
            try:
                reading = Reading(take(self._connected()), self._clock())
            except StoreError as error:
                reading = Reading(cast("T | None", kept.value), kept.as_of, str(error))
            if len(self._kept) > 500:
                self._kept.clear()
            self._kept[key] = (time.monotonic(), cast("Reading[object]", reading))
            return reading


def _pulse(store: Store) -> Pulse:
    return Pulse(store.stream_time(), store.beats())


def _minutes(store: Store, stream_time: int, span_ms: int) -> dict[int, dict[str, float]]:
    until = stream_time - stream_time % 60_000 + 60_000
    return store.minutes(until - span_ms, until) if stream_time else {}


def _case(store: Store, alert_id: str) -> Case | None:
    alert = store.alert(alert_id)
    if alert is None:
        return None
    links: dict[str, tuple[str, list[Alert], list[Decision]]] = {}
    for kind in LINKS:
        entity = alert.decision.context.get(kind)
        if isinstance(entity, str):
            payments = [_decisions.decode(line) for line in store.decisions_of(kind, entity, 50)]
            others = [other for other in store.alerts_of(kind, entity, 20) if other.id != alert_id]
            links[kind] = (entity, others, payments)
    if alert.entity_kind not in links and alert.entity_kind != "transaction":
        others = [o for o in store.alerts_of(alert.entity_kind, alert.entity, 20) if o.id != alert_id]
        links[alert.entity_kind] = (alert.entity, others, [])
    return Case(alert, links, store.audit_of("alert", alert_id, 200))


def _similar(store: Store, decision: Decision) -> list[SimilarFraud] | None:
    features = decision.features
    snapshot = None if features is None else _snapshot(store, decision.versions.model)
    if features is None or snapshot is None or features.keys() != set(snapshot.features):
        return None
    row = np.array(
        [[np.nan if features[name] is None else features[name] for name in snapshot.features]],
        dtype=np.float64,
    )
    return nearest(snapshot, for_models(row)[0], store.confirmed_frauds(), own=decision.id)


def _snapshot(store: Store, version: str) -> Snapshot | None:
    """The model a decision was made with; None when it is not kept, or is not what its name says."""
    data = store.artefact(version)
    if data is None:
        return None
    try:
        found = Snapshot.from_bytes(data[SIGNATURE_BYTES:])
    except SnapshotError:
        return None
    return found if found.version == version else None
