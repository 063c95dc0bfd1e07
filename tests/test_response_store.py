"""What a store promises the response: documents compared and set all or none, effects owed until they are settled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from alerts.custody.audit import AuditEntry
from alerts.memory_store import MemoryStore
from alerts.redis_store import RedisStore
from alerts.response.documents import Write
from alerts.response.effects import Owed
from alerts.routing.change import Change
from dataflow.embedded import embedded

AnyStore = MemoryStore | RedisStore
AUDIT = AuditEntry("ana", "senior", "noted", "incident", "in_1", 5, "why 为何", after={"n": 1})
CHANGE = Change(kind="incident", id="in_1", severity="S1", at=5, version=2, text_zh="激增", facts={"n": 0.1})


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as address:
        yield address


@pytest.fixture(params=["memory", "resp2", "resp3"])
def make(request: pytest.FixtureRequest, url: str) -> Callable[[], AnyStore]:
    redis.Redis.from_url(url).flushall()
    if request.param == "memory":
        one = MemoryStore()
        return lambda: one
    protocol: Any = int(request.param[-1])
    return lambda: RedisStore(url, protocol=protocol)


@pytest.fixture
def store(make: Callable[[], AnyStore]) -> AnyStore:
    return make()


def write(n: int, before: int, body: bytes = b"\x00body", live: bool = True) -> Write:
    return Write("incident", f"in_{n}", before, before + 1, body, live)


def test_documents_come_back_as_they_were_written(store: AnyStore) -> None:
    assert (store.document("incident", "in_1"), store.documents("incident")) == (None, [])
    assert store.respond([write(1, 0), write(2, 0, b"two")])
    assert store.document("incident", "in_1") == b"\x00body"
    assert store.documents("incident") == [b"\x00body", b"two"]
    assert store.documents("measure") == []
    assert store.respond([write(1, 1, b"over", live=False)])
    assert store.documents("incident") == [b"two"]
    assert store.documents("incident", live=False) == [b"over", b"two"]


def test_all_or_nothing_is_written(store: AnyStore) -> None:
    assert store.respond([write(1, 0)])
    late = [write(2, 0), Write("incident", "in_1", 0, 1, b"late")]
    assert not store.respond(late, [("al_1", "in_1")], [Owed(id="x", audit=AUDIT)])
    assert store.document("incident", "in_2") is None
    assert store.document("incident", "in_1") == b"\x00body"
    assert store.incident_of(["al_1"]) == {}
    assert store.owed() == []


def test_alerts_are_linked_to_their_incident(store: AnyStore) -> None:
    assert store.respond([write(1, 0)], [("al_1", "in_1"), ("al_2", "in_1")])
    assert store.incident_of(["al_2", "al_3"]) == {"al_2": "in_1"}
    assert store.incident_of([]) == {}


def test_effects_are_owed_in_order_until_they_are_settled(store: AnyStore) -> None:
    owed = [Owed(id=f"e{n}", audit=AUDIT, change=CHANGE) for n in (3, 1, 2)]
    assert store.respond([write(1, 0)], (), owed)
    assert store.owed() == owed
    store.settled("e1")
    assert [one.id for one in store.owed()] == ["e3", "e2"]
    store.settled("e3")
    assert store.respond([], (), [Owed(id="e4", change=CHANGE)])
    assert [one.id for one in store.owed()] == ["e2", "e4"]


def test_announcements_can_be_read_from_any_position(store: AnyStore) -> None:
    for n in range(5):
        store.announce(Change(kind="self", id=f"c{n}", severity="S3", at=n))
    first = store.announcements("", 2)
    assert [change.id for _, change in first] == ["c0", "c1"]
    rest = store.announcements(first[-1][0], 10)
    assert [change.id for _, change in rest] == ["c2", "c3", "c4"]
    assert store.announcements(rest[-1][0], 10) == []
    store.announce(CHANGE)
    assert [change for _, change in store.announcements(rest[-1][0], 10)] == [CHANGE]
