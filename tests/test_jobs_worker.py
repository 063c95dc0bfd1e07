"""The worker of jobs on a real store: back-tests asked for, done in processes of their own, stopped and killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from alerts.custody.keyring import KeyRing, keyring_path
from alerts.custody.private_files import make_private_directory
from alerts.job_requests import REQUESTS, RETAINED, BacktestRequest
from alerts.jobs import Job
from alerts.redis_link import RedisLink
from alerts.redis_store import RedisStore
from dataflow import cli
from dataflow.backtest.recordings import recordings_in
from dataflow.embedded import embedded
from dataflow.jobs import worker
from dataflow.jobs.kinds import RUNNERS, Context, run
from dataflow.jobs.worker import JobWorker
from dataflow.settings import load_settings
from models.engine_settings import EngineSettings
from models.errors import JobError, RuleError, SnapshotError, SourceError, TidegateError
from models.learner_report import LearnerReport
from models.risk import Thresholds
from models.rules.pack import default_pack, load_pack
from models.serving import Snapshot
from tests.streams import record
from tests.test_up import alive

ROOT = Path(__file__).resolve().parent.parent
STREAM = record.path_of("commerce")
PROPOSED = BacktestRequest(recording=STREAM.name, pack=record.SWAPPED_PACK)
WAITING = """
import os
print('{"progress":0.25}', flush=True)
os.read(int(os.environ["TIDEGATE_PARENT_FD"]), 1)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as address:
        yield address


@pytest.fixture
def url(server: str) -> str:
    redis.Redis.from_url(server).flushall()
    return server


@pytest.fixture
def store(url: str) -> RedisStore:
    return RedisStore(url)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings of an installation with a key ring and a recorded stream."""
    make_private_directory(tmp_path / "var")
    KeyRing.load_or_create(keyring_path(tmp_path / "var"), 1)
    make_private_directory(tmp_path / "var" / "recordings")
    shutil.copy(STREAM, tmp_path / "var" / "recordings")
    path = tmp_path / "tidegate.toml"
    path.write_text(f'data_dir = "{tmp_path / "var"}"\n' + record.SETTINGS.read_text())
    return path


@pytest.fixture
def context(config: Path, url: str, store: RedisStore) -> Context:
    settings = load_settings(config)
    signer = KeyRing.load(keyring_path(settings.directory)).signer("model")
    return Context(settings, store, RedisLink(url), signer)


def ask(store: RedisStore, request: BacktestRequest = PROPOSED, key: str = "form") -> Job:
    return store.request_job(request, "ana", "analyst", key, 1_700_000_000_000)


def done(context: Context, request: BacktestRequest) -> dict[str, Any]:
    """Through the registry, in this process."""
    job = ask(context.store, request, f"form {hash(request)}")  # type: ignore[arg-type]
    return run(job.kind, job.request, context, lambda _: None)


def until(condition: Callable[[], Any]) -> Any:
    """Wait generously: only "never" fails."""
    for _ in range(600):
        if found := condition():
            return found
        time.sleep(0.1)
    pytest.fail("it never came")


def control(kind: Any, version: str, payload: object) -> dict[str, bytes]:
    return {"e": record.control(1_700_000_000_000, kind, version, payload)}


# What a back-test of the console answers


def test_every_kind_of_request_has_a_way_to_be_done() -> None:
    assert set(RUNNERS) == set(REQUESTS)


def test_the_job_answers_as_the_command_does(
    context: Context, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = tmp_path / "proposed pack"
    pack.write_text(record.SWAPPED_PACK, encoding="utf-8")
    words = ["backtest", str(STREAM), "--rules", str(pack), "--config", str(config), "--json", "--top", "50"]
    assert cli.main([*words, "--thresholds", "medium=0.001"]) == 0
    wanted = json.loads(capsys.readouterr().out)
    edges = Thresholds(medium=0.001)
    found = done(context, BacktestRequest(recording=STREAM.name, pack=record.SWAPPED_PACK, thresholds=edges))
    assert found.pop("recording") == STREAM.name
    for measured in ("seconds", "transactions_per_second", "peak_mb"):
        found.pop(measured, None)
        wanted.pop(measured)
    assert json.loads(json.dumps(found)) == wanted


def test_what_is_in_force_in_the_stream_is_what_it_is_compared_with(context: Context, url: str) -> None:
    client = redis.Redis.from_url(url)
    client.xadd("tg:control", control("rules", "1", {"text": record.SWAPPED_PACK, "name": "swapped"}))
    client.xadd("tg:control", control("thresholds", "1", {"medium": 0.01, "high": 0.02, "critical": 0.03}))
    for number in range(250):
        client.xadd("tg:control", control("pin", str(number), {"entity": "card", "key": "c"}))
    client.xadd("tg:control", control("rules", "broken", {"text": "[[rule]]\nid = 'B1'\n"}))
    client.xadd("tg:control", control("thresholds", "2", {"medium": 0.9, "high": 0.2, "critical": 0.03}))
    client.xadd("tg:control", {"e": b"nothing"})
    proposed = done(context, BacktestRequest(recording=STREAM.name))["proposed"]
    assert proposed["rules"]["before"] == [load_pack(record.SWAPPED_PACK).version]
    assert proposed["thresholds"]["before"][0]["high"] == 0.02
    assert not proposed["rules"]["differs"]


def test_single_rules_are_judged_beside_those_in_force(context: Context) -> None:
    alone = load_pack(record.SWAPPED_PACK)
    found = done(context, BacktestRequest(recording=STREAM.name, pack=record.SWAPPED_PACK, extends=True))
    states = {row["id"]: row["state"] for row in found["rules"]}
    shipped = {rule.id for rule in default_pack().rules}
    assert states.keys() == shipped | {rule.id for rule in alone.rules}
    assert "removed" not in states.values()
    assert {id_ for id_, state in states.items() if state != "same"} == {rule.id for rule in alone.rules}
    whole = done(context, BacktestRequest(recording=STREAM.name, pack=record.SWAPPED_PACK))
    assert "removed" in {row["state"] for row in whole["rules"]}


def test_a_link_does_not_lead_out_of_the_folder(context: Context, tmp_path: Path) -> None:
    shutil.copy(STREAM, tmp_path / "elsewhere.jsonl.gz")
    (context.settings.recordings / "link.jsonl.gz").symlink_to(tmp_path / "elsewhere.jsonl.gz")
    assert [r.name for r in recordings_in(context.settings.recordings)] == [STREAM.name]
    with pytest.raises(SourceError, match="links to a place outside"):
        done(context, BacktestRequest(recording="link.jsonl.gz"))


def test_what_the_input_stream_still_holds_is_judged_by_the_newest_model(context: Context, url: str) -> None:
    client = redis.Redis.from_url(url)
    with pytest.raises(SourceError, match="no payment"):
        done(context, BacktestRequest(recording=RETAINED))
    assert recordings_in(context.settings.recordings, context.link)[0].name == STREAM.name
    lines = record.commerce()
    pipe = client.pipeline()
    for line in lines:
        pipe.xadd("tg:in", {"e": line})
    pipe.execute()
    model = Snapshot.untrained(EngineSettings().features, 0.5)
    client.set(f"tg:artefact:{model.version}", context.signer.sign(model.data) + model.data)
    report = LearnerReport(at=1, version=model.version, examples=5, frauds=1, champion="base")
    context.store.put_learner_report(report)
    found = done(context, BacktestRequest(recording=RETAINED, model=model.version))
    assert found["payments"] == sum(b'"type":"transaction"' in line for line in lines)
    assert found["proposed"]["model"] == {
        "before": [model.version],
        "after": [model.version],
        "differs": False,
    }
    assert not found["learning"]
    assert found["changed"]["payments"] == 0
    served = done(context, BacktestRequest(recording=STREAM.name, served=True))
    assert served["proposed"]["model"]["before"] == [model.version]
    assert not served["learning"], "a file can be scored with it too"
    assert {r.name: r.lines for r in recordings_in(context.settings.recordings, context.link)} == {
        RETAINED: len(lines),
        STREAM.name: None,
    }
    client.set(
        f"tg:artefact:{model.version}", KeyRing.generate(1).signer("model").sign(model.data) + model.data
    )
    with pytest.raises(SnapshotError, match="not signed with our key"):
        done(context, BacktestRequest(recording=RETAINED))


@pytest.mark.parametrize(
    ("request_", "error", "words"),
    [
        (BacktestRequest(recording="none.jsonl"), SourceError, r"none\.jsonl: not in .*recordings; copy"),
        (
            BacktestRequest(
                recording=STREAM.name, pack=record.SWAPPED_PACK.replace("> 400", ">> 400"), pack_name="x"
            ),
            RuleError,
            "^x:20:55: expected",
        ),
        (BacktestRequest(recording=STREAM.name, model="0123456789abcdef"), JobError, "not in the store"),
        (BacktestRequest(recording=STREAM.name, served=True), JobError, "published no model yet"),
        (BacktestRequest(recording=STREAM.name, truth=True), SourceError, r"gz\.truth: no such file"),
    ],
)
def test_what_cannot_be_done_says_why(
    context: Context, request_: BacktestRequest, error: type[TidegateError], words: str
) -> None:
    with pytest.raises(error, match=words):
        done(context, request_)


# The worker


@pytest.fixture
def waiting_worker(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[JobWorker, threading.Thread, threading.Event]]:
    """Starts a worker, in a thread, whose jobs wait until they are stopped."""
    monkeypatch.setattr(worker, "RENEW_S", 0.1)

    def start(limit: float = 100.0) -> tuple[JobWorker, threading.Thread, threading.Event]:
        command, stopping = [sys.executable, "-c", WAITING], threading.Event()
        made = JobWorker(context.store, context.link, command, context.settings.recordings, limit)
        thread = threading.Thread(target=made.run, args=(stopping.is_set, stopping.wait))
        thread.start()
        return made, thread, stopping

    return start


def children(pid: int) -> set[int]:
    found = set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = entry.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == pid and state != "Z":
            found.add(int(entry.parent.name))
    return found


def test_a_worker_that_stops_puts_its_job_back(store: RedisStore, waiting_worker: Callable[..., Any]) -> None:
    before = children(os.getpid())
    _, thread, stopping = waiting_worker()
    asked = ask(store)
    until(lambda: (job := store.job(asked.id)) is not None and job.progress == 0.25)
    assert store.beats()["jobs"]["job"] == asked.id
    stopping.set()
    thread.join()
    assert store.job(asked.id) == asked
    assert children(os.getpid()) == before


def test_a_job_that_dies_takes_too_long_or_is_taken_away(
    store: RedisStore, waiting_worker: Callable[..., Any]
) -> None:
    before = children(os.getpid())
    _, thread, stopping = waiting_worker()
    killed = ask(store, key="killed")
    until(lambda: (job := store.job(killed.id)) is not None and job.progress == 0.25)
    (process,) = children(os.getpid()) - before
    os.kill(process, signal.SIGKILL)
    failed = until(lambda: (job := store.job(killed.id)) is not None and job.state == "failed" and job)
    assert "signal 9" in failed.error
    lost = ask(store, key="lost")
    running = until(lambda: (job := store.job(lost.id)) is not None and job.progress == 0.25 and job)
    assert store.finish_job(lost.id, running.worker, 7, result='{"by":"another"}')
    until(lambda: children(os.getpid()) == before)
    assert store.job_result(lost.id) == '{"by":"another"}'
    unwanted = ask(store, key="unwanted")
    until(lambda: (job := store.job(unwanted.id)) is not None and job.progress == 0.25)
    assert store.cancel_job(unwanted.id, "ana", "analyst", 8)
    until(lambda: children(os.getpid()) == before)
    assert store.job(unwanted.id).state == "cancelled"  # type: ignore[union-attr]
    stopping.set()
    thread.join()
    _, thread, stopping = waiting_worker(limit=0.5)
    slow = ask(store, key="slow")
    failed = until(lambda: (job := store.job(slow.id)) is not None and job.state == "failed" and job)
    assert "longer than 0.5 s" in failed.error
    stopping.set()
    thread.join()


def process_of(config: Path, url: str, log: Path) -> subprocess.Popen[bytes]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("REDIS_", "TIDEGATE_"))}
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "dataflow.cli", "worker", "jobs", "--config", str(config)],
            env={**env, "REDIS_URL": url, "PYTHONPATH": str(ROOT)}, stdout=out, stderr=out,
        )  # fmt: skip


@pytest.mark.slow
def test_real_processes_from_asking_to_the_result_and_through_a_kill(
    config: Path, url: str, store: RedisStore, tmp_path: Path
) -> None:
    log = tmp_path / "jobs.log"
    long = tmp_path / "var" / "recordings" / "long.jsonl"
    head, id_, tail = next(line for line in record.commerce() if b'"type":"transaction"' in line).partition(
        b'"id":"'
    )
    with long.open("wb") as out:
        out.writelines(b"%b%b%d-%b\n" % (head, id_, n, tail) for n in range(200_000))
    first = process_of(config, url, log)
    try:
        short = ask(store)
        until(lambda: (job := store.job(short.id)) is not None and job.state == "done")
        result = json.loads(store.job_result(short.id))
        assert result["recording"] == STREAM.name
        assert result["changed"]["payments"] > 0
        assert [recording.name for recording in store.recordings()] == [STREAM.name, "long.jsonl"]
        asked = ask(store, BacktestRequest(recording="long.jsonl"), "long")
        running = until(lambda: (job := store.job(asked.id)) is not None and job.progress > 0 and job)
        (child,) = children(first.pid)
        first.kill()
        first.wait()
        until(lambda: not alive(child))
    finally:
        first.kill()
        first.wait()
    assert store.renew_job(asked.id, running.worker, 0, 1, 0.0), "the lease lapses"
    second = process_of(config, url, log)
    try:
        again = until(lambda: (job := store.job(asked.id)) is not None and job.attempt == 2 and job)
        assert again.worker != running.worker
        second.terminate()
        assert second.wait(60) == 0, log.read_text()
    finally:
        second.kill()
        second.wait()
    back = store.job(asked.id)
    assert back is not None
    assert (back.state, back.attempt) == ("queued", 1)
