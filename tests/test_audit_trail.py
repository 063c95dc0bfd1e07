"""The audit trail in the store: numbered, linked once, in order, whoever writes, kept with what it tells of."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator

import pytest
import redis

from alerts.custody.audit import GENESIS, AuditEntry, AuditLink, digest_of, linked
from alerts.memory_store import MemoryStore
from alerts.redis_store import RedisStore
from dataflow.embedded import embedded
from models.errors import CustodyError
from models.events import Control, decode

AT = 1_700_000_000_000
AnyStore = MemoryStore | RedisStore


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as address:
        yield address


@pytest.fixture(params=["memory", "resp2", "resp3"])
def store(request: pytest.FixtureRequest, url: str) -> AnyStore:
    redis.Redis.from_url(url).flushall()
    return MemoryStore() if request.param == "memory" else RedisStore(url, protocol=int(request.param[-1]))  # type: ignore[arg-type]


def entry(n: int, object_id: str = "in_1") -> AuditEntry:
    after = {"n": n, "text": "Übung 演练 \u2028\x00", "share": 0.1, "list": [1, None, True]}
    return AuditEntry("ana", "senior", "declared", "incident", object_id, AT + n, "why 因为", None, after)


def chain_of(entries: list[AuditEntry]) -> list[AuditLink]:
    links: list[AuditLink] = []
    for n, each in enumerate(entries, 1):
        links.append(linked(n, each, links[-1].hash if links else GENESIS))
    return links


def test_what_is_appended_is_read_back_linked(store: AnyStore) -> None:
    entries = [entry(n, f"in_{n % 2}") for n in range(5)]
    assert [store.append_audit(each) for each in entries] == [1, 2, 3, 4, 5]
    assert store.audit_chain(0, 100) == chain_of(entries)
    assert store.audit_chain(2, 2) == chain_of(entries)[2:4]
    assert store.audit_chain(5, 10) == store.audit_chain(0, 0) == []
    assert store.audit_of("incident", "in_0", 10) == entries[::2]
    assert store.audit_of("incident", "in_0", 1) == [entries[4]]
    assert store.audit_of("incident", "nobody", 10) == []


def test_a_key_makes_it_once(store: AnyStore) -> None:
    assert [store.append_audit(entry(n), once="detected:7") for n in range(3)] == [1, 1, 1]
    assert store.append_audit(entry(9)) == 2
    assert len(store.audit_chain(0, 10)) == 2


def test_a_control_event_and_its_entry_go_together(store: AnyStore, url: str) -> None:
    event = Control(id="c1", event_time=AT, received_at=AT, kind="containment", version="v1")
    place = store.send_control(event, entry(1), once="approve:c1")
    assert store.send_control(event, entry(2), once="approve:c1") == place
    if isinstance(store, MemoryStore):
        sent = store.controls
    else:
        sent = [fields[b"e"] for _, fields in redis.Redis.from_url(url).xrange("tg:control")]
    assert [decode(line) for line in sent] == [event]
    assert [link.entry for link in store.audit_chain(0, 10)] == [entry(1)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"actor": ""},
        {"role": ""},
        {"at": "soon"},
        {"action": "x" * 65},
        {"after": {"n": float("nan")}},
        {"after": {"n": {1, 2}}},
        {"after": {"n": "x" * 40_000}},
        {"reason": "\ud800"},
    ],
)
def test_what_cannot_be_kept_as_it_is_is_refused(wrong: dict[str, object]) -> None:
    given: dict[str, object] = {
        "actor": "a",
        "role": "r",
        "action": "x",
        "object_kind": "k",
        "object_id": "i",
        "at": 1,
    }
    with pytest.raises(CustodyError):
        AuditEntry(**{**given, **wrong})  # type: ignore[arg-type]


def append_many(url: str, name: str, count: int) -> None:
    store = RedisStore(url)
    for n in range(count):
        store.append_audit(entry(n, name))
        if n % 7 == 0:
            store.seal_audit()


def test_many_processes_write_one_chain(url: str) -> None:
    redis.Redis.from_url(url).flushall()
    spawn = multiprocessing.get_context("fork")
    names = [f"writer-{n}" for n in range(4)]
    writers = [spawn.Process(target=append_many, args=(url, name, 60)) for name in names]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 4
    store = RedisStore(url)
    links = store.audit_chain(0, 1000)
    assert links == chain_of([link.entry for link in links])
    for name in names:
        assert store.audit_of("incident", name, 100) == [entry(n, name) for n in range(60)]


def test_numbers_go_on_behind_what_was_deleted_by_hand(url: str) -> None:
    raw = redis.Redis.from_url(url)
    raw.flushall()
    store = RedisStore(url)
    for n in range(3):
        store.append_audit(entry(n))
    store.seal_audit()
    raw.xdel("tg:audit", "3-0")
    assert store.append_audit(entry(3)) == 4
    store.seal_audit()
    raw.delete("tg:audit")
    assert store.append_audit(entry(4)) == 5
    (last,) = store.audit_chain(0, 10)
    assert (last.seq, last.hash) == (5, digest_of(5, entry(4), last.previous))
