"""The read model: this file, incident_data.py and drill_data.py, and no other, touch the store.

Each page asks for one reading, taken at most once a second for all open tabs together. When the store
cannot be reached the last good reading is kept, with the time it was taken and the reason; pages show
it "as of" and disable their actions. Times are ms since the epoch, UTC.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

import msgspec

from alerts.alert import Alert, Status, Verdict
from alerts.champion_choice import choose_champion
from alerts.job_requests import Request
from alerts.jobs import Job
from alerts.label_trust import trust_labels
from alerts.lifecycle import Step
from alerts.rule_counts import table
from alerts.store import Conflict, Sort, Store
from dashboard.lookalikes import lookalikes
from dashboard.readings import Backtests, Case, Models, Monitoring, Overview, Pulse, Reading, Rules
from dashboard.settings import with_password
from models.decision import Decision
from models.errors import StoreError
from models.similar import SimilarFraud

LEASE_MS = 5 * 60_000
DAY_MS = 24 * 3_600_000
FRESH_S = 1.0
SIMILAR_FRESH_S = 30.0
"""Similar cases are looked for anew after this many seconds: it takes some 100 ms."""
OPEN: tuple[Status, ...] = ("open", "acknowledged", "escalated", "proposed")
VIEWS: dict[str, tuple[Status, ...]] = {"open": OPEN, "snoozed": ("snoozed",), "resolved": ("resolved",)}
QUEUE_LENGTH = 200
SEARCHED = 1000
"""Alerts looked through for those of one rule."""
MODELS_FRESH_S = 3.0
"""The learner publishes every few minutes at most."""
JOBS_SHOWN = 50
RESULT_FRESH_S = 300.0
LINKS = ("card", "customer", "device", "payee", "merchant")
"""Entities whose other payments and alerts a case shows."""

T = TypeVar("T")
_decisions = msgspec.json.Decoder(Decision)


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
        return self.read("pulse", _pulse)

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

        return self.read(f"overview:{span_ms}", take)

    def queue(self, view: str, rule: str = "") -> Reading[list[Alert]]:
        """Alerts of a view, in the order in which to work: risk × amount, or newest for what is resolved.

        rule: only alerts whose worst payment this rule hit.
        """
        sort: Sort = "newest" if view == "resolved" else "priority"

        def take(store: Store) -> list[Alert]:
            if not rule:
                return store.alerts(VIEWS[view], sort, QUEUE_LENGTH)
            found = store.alerts(VIEWS[view], sort, SEARCHED)
            return [a for a in found if any(hit.id == rule for hit in a.decision.rules)][:QUEUE_LENGTH]

        return self.read(f"queue:{view}:{rule}", take)

    def case(self, alert_id: str) -> Reading[Case | None]:
        """One alert and what is linked to it; the inner None: there is no such alert."""
        return self.read(f"case:{alert_id}", lambda store: _case(store, alert_id))

    def similar(self, decision: Decision) -> Reading[list[SimilarFraud] | None]:
        """Confirmed frauds like a payment, nearest first; the inner None: its features or its model are not kept."""
        return self.read(
            f"similar:{decision.id}:{decision.versions.model}",
            lambda store: lookalikes(store, decision),
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

        return self.read("monitoring", take)

    def models(self) -> Reading[Models]:
        """The Models page: what the learner tells."""

        def take(store: Store) -> Models:
            return Models(_pulse(store), store.learner_report(), store.model_changes())

        return self.read("models", take, MODELS_FRESH_S)

    def rules(self, days: int, settle_after_ms: int) -> Reading[Rules]:
        """The rules over the last `days` days of the stream's own time, the running one included."""

        def take(store: Store) -> Rules:
            pulse = _pulse(store)
            last = pulse.stream_time - pulse.stream_time % DAY_MS
            starts = [last - n * DAY_MS for n in range(days - 1, -1, -1)]
            found = store.rule_days(starts[0], last + DAY_MS) if pulse.stream_time else {}
            rows = table(found, pulse.stream_time, settle_after_ms)
            daily = {
                row.rule: [
                    round(found[at].counts.get(f"hits:{row.rule}", 0.0)) if at in found else 0
                    for at in starts
                ]
                for row in rows
            }
            return Rules(pulse, rows, daily, starts)

        return self.read(f"rules:{days}", take, MODELS_FRESH_S)

    def backtests(self) -> Reading[Backtests]:
        """The jobs asked for and the recordings there are."""
        return self.read(
            "backtests", lambda store: Backtests(_pulse(store), store.jobs(JOBS_SHOWN), store.recordings())
        )

    def job(self, job_id: str) -> Reading[Job | None]:
        """One job; the inner None: there is no such job (any more)."""
        return self.read(f"job:{job_id}", lambda store: store.job(job_id))

    def job_result(self, job_id: str) -> Reading[dict[str, Any]]:
        """What came of a job that is done; it does not change any more. {}: it is not kept."""
        return self.read(
            f"result:{job_id}",
            lambda store: msgspec.json.decode(store.job_result(job_id) or "{}", type=dict[str, Any]),
            RESULT_FRESH_S,
        )

    # verbs; all raise StoreError when the store cannot be reached

    def claim(self, alert_id: str, actor: str, role: str) -> Alert | Conflict:
        """Take the alert for five minutes; Conflict: somebody else holds it, or it is resolved."""
        return self.write(lambda store: store.claim(alert_id, actor, self._clock(), LEASE_MS, role))

    def resolve(
        self, alert_id: str, version: int, verdict: Verdict, actor: str, role: str
    ) -> Alert | Conflict:
        """Give a verdict; it goes back into the stream as labels."""
        return self.write(lambda store: store.resolve(alert_id, version, verdict, actor, self._clock(), role))

    def set_status(
        self, alert_id: str, version: int, status: Status, actor: str, role: str
    ) -> Alert | Conflict:
        """Escalate, snooze or reopen."""
        return self.write(
            lambda store: store.set_status(alert_id, version, status, actor, self._clock(), role)
        )

    def step(self, alert_id: str, version: int, step: Step) -> Alert | Conflict:
        """Take any other step of an alert's life: acknowledge, assign, confirm, refuse, withdraw."""
        return self.write(lambda store: store.step(alert_id, version, step, self._clock()))

    def undo(self, alert_id: str, version: int, actor: str, role: str) -> Alert | Conflict:
        """Take back a verdict; the opposite label follows as a correction."""
        return self.write(lambda store: store.undo(alert_id, version, actor, self._clock(), role))

    def choose_champion(self, name: str, reason: str, actor: str, role: str) -> str:
        """Pin a candidate, or end the pin (AUTOMATIC); its place in the control lane. Raises SettingsError too."""
        return self.write(lambda store: choose_champion(store, name, actor, role, reason, self._clock()))

    def trust_labels(self, name: str, reason: str, actor: str, role: str) -> str:
        """Learn from a source of labels as usual again; its place in the control lane. Raises SettingsError too."""
        return self.write(lambda store: trust_labels(store, name, actor, role, reason, self._clock()))

    def request_job(self, request: Request, actor: str, role: str, key: str) -> Job:
        """Ask for a job; the key makes it one however often it is pressed. Raises JobError too."""
        return self.write(lambda store: store.request_job(request, actor, role, key, self._clock()))

    def cancel_job(self, job_id: str, actor: str, role: str) -> bool:
        """End a job that waits or runs; False: it was over. Raises JobError too."""
        return self.write(lambda store: store.cancel_job(job_id, actor, role, self._clock()))

    def _connected(self) -> Store:
        if self._store is None:
            self._store = self._open_store()
        return self._store

    def write(self, call: Callable[[Store], T]) -> T:
        """Change something; what was read before is read anew. Raises StoreError, and what the call raises."""
        with self._lock:
            try:
                return call(self._connected())
            finally:
                # What was read before the change is old now, also for the other tabs.
                self._kept = {key: (0.0, reading) for key, (_, reading) in self._kept.items()}

    def read(self, key: str, take: Callable[[Store], T], fresh_s: float = 0.0) -> Reading[T]:
        """The reading under `key`, taken anew when it is older than FRESH_S and `fresh_s`."""
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
