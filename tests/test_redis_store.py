"""What only the store on a real server can show: races, a killed server, lost scripts, bounded memory."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import redis

import alerts.decision_index
import alerts.redis_store
from alerts.alert import Alert
from alerts.redis_store import RedisStore
from dataflow.embedded import EmbeddedValkey, embedded
from models.decision import Decision
from models.errors import StoreError
from tests.test_store_contract import NOW, T0, commit_of, decision, only_alert, state


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as address:
        yield address


@pytest.fixture
def raw(url: str) -> redis.Redis:
    client = redis.Redis.from_url(url)
    client.flushall()
    return client


def batch(first: int, count: int) -> list[Decision]:
    return [decision(n) for n in range(first, first + count)]


def test_of_many_claims_one_wins(url: str, raw: redis.Redis) -> None:
    RedisStore(url).commit(commit_of(1, batch(1, 1)))
    alert = only_alert(RedisStore(url))
    outcomes: list[object] = []
    gate = threading.Barrier(8)

    def claim(actor: str) -> None:
        store = RedisStore(url)
        gate.wait()
        outcomes.append(store.claim(alert.id, actor, NOW, 1000, "senior"))

    threads = [threading.Thread(target=claim, args=(f"person-{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(outcome, Alert) for outcome in outcomes) == 1
    assert len(outcomes) == 8


def test_of_many_verdicts_one_is_written_with_one_entry(url: str, raw: redis.Redis) -> None:
    RedisStore(url).commit(commit_of(1, batch(1, 1)))
    alert = only_alert(RedisStore(url))
    outcomes: list[object] = []
    gate = threading.Barrier(8)

    def judge(actor: str) -> None:
        store = RedisStore(url)
        gate.wait()
        outcomes.append(store.resolve(alert.id, alert.version, "fraud", actor, NOW, "senior"))

    threads = [threading.Thread(target=judge, args=(f"person-{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (won,) = (outcome for outcome in outcomes if isinstance(outcome, Alert))
    assert RedisStore(url).alert(alert.id) == won
    entries = RedisStore(url).audit_of("alert", alert.id, 10)
    assert [(e.action, e.actor) for e in entries[1:]] == [("resolved", won.resolved_by)]
    assert raw.xlen("tg:in") == 1


def test_two_writers_of_one_stream_write_nothing_twice(url: str, raw: redis.Redis) -> None:
    expected = RedisStore(url, prefix="tg:once:")
    expected.commit(commit_of(1, batch(1, 40)))

    failures: list[StoreError] = []

    def write() -> None:
        store = RedisStore(url)
        for first in range(1, 41, 4):
            try:
                store.commit(commit_of(first, batch(first, 4)))
            except StoreError as error:
                failures.append(error)

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert state(RedisStore(url)) == state(expected)


def lose_the_answer(url: str, raw: redis.Redis) -> None:
    raw.client_kill_filter(_type="normal", skipme=True)


def forget_the_script(url: str, raw: redis.Redis) -> None:
    raw.script_flush()


def write_it_from_elsewhere(url: str, raw: redis.Redis) -> None:
    RedisStore(url).commit(commit_of(5, batch(5, 4)))


@pytest.mark.parametrize("before_sending", [True, False], ids=["before", "behind"])
@pytest.mark.parametrize("disturb", [None, lose_the_answer, forget_the_script, write_it_from_elsewhere])
def test_a_batch_under_way_is_written_once_whatever_happens(
    url: str,
    raw: redis.Redis,
    disturb: Callable[[str, redis.Redis], None] | None,
    before_sending: bool,
) -> None:
    store = RedisStore(url)
    store.commit(commit_of(1, batch(1, 4)))
    if disturb is not None and before_sending:
        disturb(url, raw)
    store.begin_commit(commit_of(5, batch(5, 4)))
    if disturb is not None and not before_sending:
        disturb(url, raw)
    store.end_commit()
    store.end_commit()
    store.begin_commit(commit_of(9, batch(9, 4)))
    store.end_commit()
    expected = RedisStore(url, prefix="tg:once:")
    expected.commit(commit_of(1, batch(1, 12)))
    assert state(store) == state(expected)


def test_a_killed_server_has_all_of_a_commit_or_nothing(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path)
    store = RedisStore(server.start())
    pid = server.pid
    assert pid is not None
    killer = threading.Timer(0.1, os.kill, (pid, signal.SIGKILL))
    killer.start()
    first, size, killed = 1, 50, False
    while not killed:
        try:
            store.commit(commit_of(first, batch(first, size)))
            first += size
        except StoreError:
            killed = True
    killer.join()
    again = RedisStore(server.start())
    try:
        cursors = again.cursors()
        # Everything answered is there; the commit in the air is there whole or not at all.
        assert cursors["decisions"] in (first - 1, first - 1 + size)
        assert cursors["hits"] == cursors["decisions"] == len(again.recent_decisions(10**6))
        assert again.counters().decided == cursors["decisions"]
        assert sum(fields["decided"] for fields in again.minutes(0, 2 * T0).values()) == cursors["decisions"]
        again.commit(commit_of(1, batch(1, cursors["decisions"] + 10)))
        assert again.cursors()["decisions"] == cursors["decisions"] + 10
    finally:
        server.stop()


def test_lost_scripts_are_loaded_again(url: str, raw: redis.Redis) -> None:
    store = RedisStore(url)
    store.commit(commit_of(1, batch(1, 1)))
    raw.script_flush()
    store.commit(commit_of(2, batch(2, 1)))
    assert store.cursors()["decisions"] == 2


def test_deleted_cursors_are_noticed_before_anything_is_written(url: str, raw: redis.Redis) -> None:
    store = RedisStore(url)
    store.commit(commit_of(1, batch(1, 3)))
    raw.delete("tg:cursors")
    before = state(store)
    with pytest.raises(StoreError, match="ahead of tg:cursors"):
        store.commit(commit_of(1, batch(1, 4)))
    assert state(store) == before


def test_event_lookup_is_bounded(url: str, raw: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts.decision_index, "GENERATION", 4)
    monkeypatch.setattr(alerts.redis_store, "GENERATION", 4)
    store = RedisStore(url, keep_decisions=10)
    for first in range(1, 100, 3):
        store.commit(commit_of(first, batch(first, 3)))
        newest = first + 2
        for n in range(1, newest + 1):
            found = store.decision(f"e{n}")
            assert (found is not None) == (n > newest - 10), (n, newest)
    assert raw.xlen("tg:decisions") == 10
    assert len(raw.keys("tg:index:*")) <= 4 * len(alerts.decision_index.KINDS)


def test_names_with_the_same_hash_are_told_apart(
    url: str, raw: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts.decision_index, "_codes", lambda texts: np.full(len(texts), 7, dtype="<u4"))
    store = RedisStore(url)
    store.commit(commit_of(1, [decision(n, card=f"card-{n % 2}") for n in range(1, 10)]))
    ids = [msgspec.json.decode(line)["id"] for line in store.decisions_of("card", "card-1", 3)]
    assert ids == ["e9", "e7", "e5"]
    assert store.decision("e4") is not None
    assert store.decision("e40") is None
    assert store.decisions_of("card", "card-2", 3) == []


def test_indexes_expire_and_alerts_do_not(url: str, raw: redis.Redis) -> None:
    RedisStore(url).commit(commit_of(1, batch(1, 1)))
    days = 24 * 3600
    assert all(raw.ttl(key) > 40 * days for key in raw.keys("tg:minute:*"))
    assert {raw.ttl(key) for key in raw.keys("tg:alert:*")} == {-1}


def test_not_on_disk_is_an_error(url: str, raw: redis.Redis) -> None:
    raw.config_set("appendonly", "no")
    try:
        with pytest.raises(StoreError):
            RedisStore(url).wait_durable(100)
    finally:
        raw.config_set("appendonly", "yes")


def test_a_full_store_refuses_and_says_what_to_do(url: str, raw: redis.Redis) -> None:
    store = RedisStore(url)
    raw.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(StoreError, match="maxmemory"):
            store.commit(commit_of(1, batch(1, 1)))
    finally:
        raw.config_set("maxmemory", "0")
    assert store.cursors()["decisions"] == 0
