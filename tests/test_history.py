"""Nobody is paged for what a simulator read in as past days: the router records it as history."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from alerts.clerk import attend
from alerts.memory_store import MemoryStore
from alerts.redis_store import RedisStore
from alerts.routing.reasons import FirstNotification, History
from alerts.routing.reconciling import reconcile
from alerts.store import Store
from dataflow.embedded import embedded
from tests.receiver import Hook, hook
from tests.sending import T0, advance, local, raise_alerts, sender_of

HOUR = 3_600_000
LIVE_FROM = T0 + 8


@pytest.fixture
def receiver() -> Iterator[Hook]:
    with hook() as running:
        running.virtual = True
        yield running


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    with embedded(tmp_path) as url:
        yield RedisStore(url)


def test_what_came_up_in_the_warm_up_pages_nobody_and_what_follows_does(store: Store, receiver: Hook) -> None:
    now = LIVE_FROM + 30 * 24 * HOUR
    store.beat("simulator", {"status": "warm-up", "live_from": LIVE_FROM}, now)
    past = raise_alerts(store, 1, 5, now=now)
    sender = sender_of(store, [local(receiver)])
    advance(sender, now, now + HOUR)
    store.beat("simulator", {"status": "live", "live_from": LIVE_FROM}, now + HOUR)
    late = raise_alerts(store, 6, 2, now=now + HOUR)
    (live,) = raise_alerts(store, 8, 1, now=now + HOUR)
    advance(sender, now + HOUR, now + HOUR + 60_000)
    assert [body["data"]["alert_id"] for body in receiver.bodies.values()] == [live.id]
    for alert in [*past, *late]:
        why = store.why(alert.id)
        assert why is not None
        assert {one.reason for one in why.unheard} == {History()}
    assert not reconcile(store, now + HOUR + 60_000).gaps


def test_a_sender_that_starts_after_the_warm_up_pages_no_history(store: Store, receiver: Hook) -> None:
    now = LIVE_FROM + 30 * 24 * HOUR
    raise_alerts(store, 1, 5, now=now)
    store.beat("simulator", {"status": "live", "live_from": LIVE_FROM}, now)
    advance(sender_of(store, [local(receiver)]), now, now + HOUR)
    assert not receiver.bodies


def test_deadlines_of_history_page_nobody_and_an_escalation_of_it_does(store: Store, receiver: Hook) -> None:
    now = LIVE_FROM + 30 * 24 * HOUR
    store.beat("simulator", {"status": "live", "live_from": LIVE_FROM}, now)
    first, _ = raise_alerts(store, 1, 2, now=now)
    sender = sender_of(store, [local(receiver)])
    advance(sender, now, now + HOUR)
    for _ in range(5):
        now += 24 * HOUR
        attend(store, now)
        advance(sender, now, now + HOUR)
    assert any(act.action == "breached" for act in store.acts(0, 100))
    assert not receiver.bodies
    alert = store.alert(first.id)
    assert alert is not None
    store.set_status(alert.id, alert.version, "escalated", "ana", now + HOUR, "senior", "look at this")
    advance(sender, now + HOUR, now + HOUR + 120_000)
    why = store.why(first.id)
    assert why is not None
    assert [one.reason for one in why.heard] == [FirstNotification()]
    assert [body["data"]["alert_id"] for body in receiver.bodies.values()] == [first.id]
