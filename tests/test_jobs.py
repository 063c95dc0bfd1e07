"""The queue of jobs, held over the memory store and a real Valkey by RESP2 and RESP3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts import jobs
from alerts.job_requests import (
    MAX_BYTES,
    REQUESTS,
    RETAINED,
    BacktestRequest,
    DrillExportRequest,
    DrillRequest,
    decode_request,
    encode_request,
    kind_of,
)
from alerts.jobs import KEPT, MOST_ATTEMPTS, MOST_WAITING, Job, Recording
from alerts.memory_store import MemoryStore
from alerts.redis_store import RedisStore
from dataflow.embedded import embedded
from models.errors import JobError, RefusedError

NOW, LEASE = 1_700_000_000_000, 10_000
ASKED = BacktestRequest(recording="week.jsonl.gz", pack="…", limit=5)
AnyStore = MemoryStore | RedisStore


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as address:
        yield address


@pytest.fixture(params=["memory", "resp2", "resp3"])
def store(request: pytest.FixtureRequest, url: str) -> AnyStore:
    if request.param == "memory":
        return MemoryStore()
    redis.Redis.from_url(url).flushall()
    return RedisStore(url, protocol=int(request.param[-1]))  # type: ignore[arg-type]


def ask(store: AnyStore, key: str = "form-1", now: int = NOW) -> Job:
    return store.request_job(ASKED, "ana", "analyst", key, now)


def test_a_job_goes_from_queued_to_done(store: AnyStore) -> None:
    asked = ask(store)
    assert (asked.state, asked.number, asked.actor, asked.kind) == ("queued", 1, "ana", "backtest")
    assert decode_request(asked.kind, asked.request) == ASKED
    taken = store.take_job("w1", NOW + 1, LEASE)
    assert taken is not None
    assert (taken.id, taken.state, taken.attempt, taken.started_at) == (asked.id, "running", 1, NOW + 1)
    assert store.take_job("w2", NOW + 2, LEASE) is None
    assert store.renew_job(asked.id, "w1", NOW + 3, LEASE, 0.4)
    assert store.job(asked.id) == msgspec.structs.replace(taken, progress=0.4, lease_until=NOW + 3 + LEASE)
    assert not store.finish_job(asked.id, "w2", NOW + 4, result="{}"), "only the worker that has it"
    assert store.finish_job(asked.id, "w1", NOW + 5, result='{"x":"中"}')
    done = store.job(asked.id)
    assert done is not None
    assert (done.state, done.progress, done.finished_at, done.error) == ("done", 1.0, NOW + 5, "")
    assert store.job_result(asked.id) == '{"x":"中"}'
    assert not store.finish_job(asked.id, "w1", NOW + 6, error="too late")
    assert store.take_job("w1", NOW + 10**9, LEASE) is None
    assert store.job("job_none") is None
    assert store.job_result("job_none") == ""


def test_who_asked_and_how_it_ended_is_in_the_audit_chain(store: AnyStore) -> None:
    asked = ask(store)
    ask(store)
    store.take_job("w", NOW, LEASE)
    store.finish_job(asked.id, "w", NOW + 9, error="no such file")
    told = store.audit_of("job", asked.id, 10)
    assert [(e.actor, e.action, e.at, e.reason) for e in told] == [
        ("ana", "requested", NOW, ""),
        ("tidegate", "failed", NOW + 9, "no such file"),
    ]
    assert "pack" not in str(told[0].after), "the chain holds a digest, not a pack"


def test_the_same_form_sent_twice_is_one_job(store: AnyStore) -> None:
    first = ask(store)
    assert ask(store, now=NOW + 5) == first
    store.take_job("w", NOW, LEASE)
    store.finish_job(first.id, "w", NOW, result="{}")
    again = ask(store, now=NOW + 9)
    assert (again.id, again.state, again.requested_at) == (first.id, "done", NOW)
    assert len(store.jobs(10)) == 1
    assert ask(store, "form-2").id != first.id


def test_a_lapsed_lease_is_taken_over_and_too_many_fail(store: AnyStore) -> None:
    asked = ask(store)
    for attempt in range(MOST_ATTEMPTS):
        at = NOW + attempt * LEASE
        taken = store.take_job(f"w{attempt}", at, LEASE)
        assert taken is not None
        assert taken.attempt == attempt + 1
        assert store.take_job("other", at + LEASE - 1, LEASE) is None
    assert not store.renew_job(asked.id, "w0", NOW, LEASE, 0.5)
    assert store.take_job("last", NOW + MOST_ATTEMPTS * LEASE, LEASE) is None
    failed = store.job(asked.id)
    assert failed is not None
    assert failed.state == "failed"
    assert "3 times" in failed.error


def test_a_released_job_is_as_never_taken(store: AnyStore) -> None:
    asked = ask(store)
    for _ in range(2 * MOST_ATTEMPTS):
        assert store.take_job("w", NOW, LEASE) is not None
        assert store.release_job(asked.id, "w")
    assert store.job(asked.id) == asked
    assert not store.release_job(asked.id, "w")


def test_who_may_asks_and_cancels(store: AnyStore) -> None:
    for role in ("auditor", "nobody"):
        with pytest.raises(RefusedError, match="may not backtest request: it takes"):
            store.request_job(ASKED, "ana", role, "form", NOW)
    waiting, running = ask(store, "a"), ask(store, "b")
    with pytest.raises(RefusedError, match="may not backtest cancel"):
        store.cancel_job(waiting.id, "ana", "auditor", NOW)
    assert store.cancel_job(waiting.id, "bob", "senior", NOW + 1)
    assert not store.cancel_job(waiting.id, "bob", "senior", NOW + 2), "it is over"
    assert not store.cancel_job("job_none", "bob", "senior", NOW)
    taken = store.take_job("w", NOW + 3, LEASE)
    assert taken is not None
    assert taken.id == running.id, "what is cancelled is not taken"
    assert store.cancel_job(running.id, "bob", "senior", NOW + 4)
    assert not store.renew_job(running.id, "w", NOW + 5, LEASE, 0.5), "so its worker learns of it"
    assert not store.finish_job(running.id, "w", NOW + 6, result="{}")
    assert [job.state for job in store.jobs(9)] == ["cancelled", "cancelled"]
    assert store.job_result(running.id) == ""
    told = [(e.actor, e.role, e.action) for e in store.audit_of("job", running.id, 9)]
    assert told == [("ana", "analyst", "requested"), ("bob", "senior", "cancelled")]


def test_first_asked_first_done_and_only_so_many_wait(store: AnyStore) -> None:
    asked = [ask(store, str(n)) for n in range(MOST_WAITING)]
    with pytest.raises(JobError, match="20 jobs wait already"):
        ask(store, "one more")
    assert ask(store, "0").id == asked[0].id, "asking again is not one more"
    assert [job.number for job in store.jobs(3)] == [MOST_WAITING, MOST_WAITING - 1, MOST_WAITING - 2]
    taken = [store.take_job("w", NOW, LEASE) for _ in asked]
    assert [job and job.id for job in taken] == [job.id for job in asked]
    assert store.jobs(0) == []


def test_old_jobs_go_with_their_results(store: AnyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{type(store).__mro__[0].__module__.replace('_store', '_jobs')}.KEPT", 5)
    assert KEPT > MOST_WAITING
    ids = []
    for n in range(12):
        ids.append(ask(store, str(n)).id)
        if n == 1:
            continue  # waits, whatever comes after it
        job = store.take_job("w", NOW, 10**9)
        while job is not None and job.id != ids[-1]:
            job = store.take_job("w", NOW, 10**9)
        assert store.finish_job(ids[-1], "w", NOW, result="{}")
    assert {job.id for job in store.jobs(100)} == {ids[1], *ids[-5:]}
    assert [store.job_result(id_) for id_ in ids] == ["" if n < 7 else "{}" for n in range(12)]
    assert store.job(ids[0]) is None


def test_what_cannot_be_asked_is_refused(store: AnyStore) -> None:
    for actor, role, key in (("", "r", "k"), ("a\nb", "r", "k"), ("a", "", "k"), ("a", "r", "k" * 257)):
        with pytest.raises(JobError, match="one line of 1 to"):
            store.request_job(ASKED, actor, role, key, NOW)
    with pytest.raises(JobError, match="at most 1048576"):
        store.request_job(BacktestRequest(recording=RETAINED, pack="x" * MAX_BYTES), "a", "analyst", "k", NOW)
    ask(store)
    store.take_job("w", NOW, LEASE)
    with pytest.raises(JobError, match="ask for less"):
        store.finish_job(ask(store).id, "w", NOW, result="x" * (jobs.MAX_RESULT_BYTES + 1))
    assert len(store.jobs(9)) == 1


@pytest.mark.parametrize(
    "recording",
    [
        "",
        "../secret.jsonl",
        "/etc/passwd",
        "a/b.jsonl",
        ".hidden.jsonl",
        "week.csv",
        "a\n.jsonl",
        "a\x00.jsonl",
    ],
)
def test_a_recording_is_a_name_never_a_path(recording: str) -> None:
    with pytest.raises(ValueError, match="no name of a recording"):
        BacktestRequest(recording=recording)
    with pytest.raises(JobError, match="no name of a recording"):
        decode_request("backtest", msgspec.json.encode({"recording": recording}).decode())


def test_requests_of_every_kind_come_back_as_they_were() -> None:
    assert all(
        decode_request(kind_of(r), encode_request(r)) == r
        for r in (
            ASKED, BacktestRequest(recording=RETAINED), DrillRequest(scenario="restore", seed=7),
            DrillExportRequest(run="restore-1", party="visa"),
        )
    )  # fmt: skip
    assert set(REQUESTS) == {"backtest", "drill", "drill_export"}
    with pytest.raises(JobError, match="no job of kind 'tabletop'"):
        decode_request("tabletop", "{}")
    with pytest.raises(JobError, match="scenario"):
        decode_request("drill", '{"scenario":"../restore"}')
    with pytest.raises(JobError, match="unknown field"):
        decode_request("backtest", '{"recording":"a.jsonl","command":"rm"}')


def test_recordings_are_offered_by_name(store: AnyStore) -> None:
    assert store.recordings() == []
    found = [
        Recording(name=name, size=1, modified_at=2, lines=n) for n, name in enumerate(("b.jsonl", "a.jsonl"))
    ]
    store.put_recordings(found)
    assert store.recordings() == found[::-1]


STEPS: dict[str, Callable[[AnyStore, str, int], Any]] = {
    "ask": ask,
    "take": lambda store, who, now: store.take_job(who, now, LEASE),
    "renew": lambda store, who, now: [store.renew_job(j.id, who, now, LEASE, 0.5) for j in store.jobs(9)],
    "finish": lambda store, who, now: [store.finish_job(j.id, who, now, result="{}") for j in store.jobs(9)],
    "fail": lambda store, who, now: [store.finish_job(j.id, who, now, error="bad") for j in store.jobs(9)],
    "cancel": lambda store, who, now: [store.cancel_job(j.id, who, "senior", now) for j in store.jobs(9)],
    "release": lambda store, who, now: [store.release_job(j.id, who) for j in store.jobs(9)],
}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from([*STEPS]), st.sampled_from("abc"), st.integers(0, 2 * LEASE)),
        min_size=5,
        max_size=25,
    )
)
def test_both_stores_tell_the_same_story(url: str, steps: list[tuple[str, str, int]]) -> None:
    redis.Redis.from_url(url).flushall()
    memory, real, now = MemoryStore(), RedisStore(url), NOW
    for verb, who, later in steps:
        now += later
        assert STEPS[verb](real, who, now) == STEPS[verb](memory, who, now)
        assert real.jobs(100) == memory.jobs(100)
        for job in real.jobs(100):
            assert (job.state == "running") == bool(job.lease_until)
            assert 0 <= job.attempt <= MOST_ATTEMPTS
            assert bool(real.job_result(job.id)) == (job.state == "done")
    entries = [[link.entry for link in store.audit_chain(0, 1000)] for store in (memory, real)]
    assert entries[0] == entries[1]
