"""Checkpoints beside the flow: it goes back to no moment that is not whole, and never loses or repeats a decision."""

from __future__ import annotations

import json
import logging
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.custody.keyring import KeyRing
from alerts.redis_link import RedisLink
from alerts.redis_store import RedisStore
from dataflow.background import CAN_FORK, Background
from dataflow.checkpoint import Checkpoints
from dataflow.embedded import embedded
from dataflow.observe.logs import JsonLines
from dataflow.progress import Mark, Progress, number
from dataflow.sources.files import FileSource, RawItem
from models.decision import Decision, digest_line
from models.errors import SnapshotError
from models.events import Control, encode
from models.vectors import MAX_BATCH, SLACK, Vectors
from tests.streams import record

KILLS = 3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=40))
def test_what_is_reached_is_whole_and_on_disk(steps: list[tuple[bool, int]]) -> None:
    progress, packets, stored, written = Progress(), 0, 0, []
    for checkpoint, more in steps:
        packets += more
        if checkpoint:
            written.append(Mark(packets, len(written) + 1, (f"{packets}-0", "0-0")))
            progress.written(written[-1])
        else:
            stored = packets
            progress.stored(packets)
        before = [mark for mark in written if mark.packets <= stored]
        assert progress.reached == (before[-1] if before else None)


def lines_of(name: str) -> list[bytes]:
    return [item.line or b"" for items in FileSource(record.path_of(name)) for item in items]


def hold(at: int, n: int) -> bytes:
    """A Control that contains something from here on."""
    payload = msgspec.Raw(
        msgspec.json.encode({"scope": {"channel": "cnp"}, "action": "HOLD", "until": at + 3_600_000})
    )
    return encode(
        Control(
            id=f"hold-{n}", event_time=at, received_at=at, kind="containment", version=f"cm_{n}", actor="lead",
            reason="test", payload=payload,
        )
    )  # fmt: skip


@pytest.mark.long
def test_killed_again_and_again_it_decides_as_if_nothing_had_happened(server: str, tmp_path: Path) -> None:
    """SIGKILL at random moments, Controls coming by their own lane meanwhile; compared with one engine that takes the
    entries in the order the journal tells."""
    link, lines, draw = RedisLink(server), lines_of("card"), random.Random(11)
    at = msgspec.json.decode(lines[0])["received_at"]
    entries = [(link.client.xadd("tg:in", {"e": line}).decode(), line) for line in lines]
    kills = sorted(draw.sample(range(len(lines) // 10, len(lines) - len(lines) // 8), KILLS))
    total, store = len(lines) + len(kills), RedisStore(server)
    command = [sys.executable, "-m", "tests.streams.store_flow_process", server, str(tmp_path), str(total)]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    for n, target in enumerate(kills):
        process = subprocess.Popen(command, env=environment)
        ends = time.monotonic() + 100
        while store.counters().events_in < target and time.monotonic() < ends:
            assert process.poll() is None
            time.sleep(0.002)
        link.client.xadd("tg:control", {"e": hold(at, n)})
        time.sleep(draw.random() * 0.1)
        process.kill()
        process.wait()
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    made = [fields[b"d"] for _, fields in link.client.xrange("tg:decisions")]
    assert store.counters().events_in == total
    assert store.counters().balanced()
    wanted = undisturbed(link, entries)
    assert [digest_line(msgspec.json.decode(line, type=Decision)) for line in made] == wanted
    numbers = list(Checkpoints(tmp_path / "checkpoints", KeyRing.for_tests().signer("checkpoint")).numbers())
    assert numbers, "a flow that ended leaves a checkpoint to go on from"


def undisturbed(link: RedisLink, entries: list[tuple[str, bytes]]) -> list[bytes]:
    """Digest lines of an engine that takes both lanes as they were merged."""
    controls = {id_: fields[b"e"] for id_, fields in link.client.xrange("tg:control")}
    merged: list[RawItem] = []
    journal = [(fields[b"a"].decode(), fields[b"c"]) for _, fields in link.client.xrange("tg:journal")]
    assert len(journal) == len(controls)
    for id_, line in entries:
        while journal and number(journal[0][0]) < number(id_):
            merged.append(RawItem("c", controls[journal.pop(0)[1]], None, None))
        merged.append(RawItem("i", line, None, None))
    merged += [RawItem("c", controls[control], None, None) for _, control in journal]
    return [digest_line(decision) for decision in record.fresh_engine().step(merged).decisions]


def background(tmp_path: Path) -> tuple[Background, Checkpoints, Progress]:
    checkpoints, progress = Checkpoints(tmp_path / "c", KeyRing.for_tests().signer("checkpoint")), Progress()
    return Background(checkpoints, progress), checkpoints, progress


def until(there: Any) -> None:
    ends = time.monotonic() + 60
    while not there():
        assert time.monotonic() < ends
        time.sleep(0.005)


@pytest.mark.skipif(not CAN_FORK, reason="this system has no safe fork")
def test_a_checkpoint_holds_the_moment_it_was_begun_in(tmp_path: Path) -> None:
    saver, checkpoints, progress = background(tmp_path)
    engine, items = record.fresh_engine(), [RawItem("i", line, None, None) for line in lines_of("quiet")]
    engine.step(items[:200])
    decided, sequence = engine.counters.decided, engine.ledger.sequence
    assert saver.checkpoint(engine, 1, ("7-0", "0-0")) == 0, "nothing is whole yet"
    engine.step(items[200:])

    def whole() -> bool:
        saver.look(engine)
        return checkpoints.numbers() == [1] and progress._written != []

    until(whole)
    assert progress.reached is None, "the store has not got there"
    progress.stored(1)
    assert progress.reached == Mark(1, 1, ("7-0", "0-0"))
    found = checkpoints.load(1)
    assert found is not None
    assert checkpoints.position == ("7-0", "0-0")
    assert sequence in found[1]["ledger:state"].tolist()
    assert engine.counters.decided > decided


@pytest.mark.skipif(not CAN_FORK, reason="this system has no safe fork")
def test_a_full_disk_does_not_stop_the_flow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    saver, checkpoints, progress = background(tmp_path)
    engine = record.fresh_engine()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines("scorer"))
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save", full)
        saver.checkpoint(engine, 0, ("1-0", "0-0"))
        until(lambda: saver.look(engine) or saver._child is None)
    failed, told = (json.loads(line) for line in capfd.readouterr().err.splitlines())
    assert (failed["event"], failed["detail"]) == ("checkpoint_failed", "No space left on device")
    assert told["event"] == "checkpoint_not_written"
    assert progress.reached is None
    saver._due_at = 0.0
    saver.checkpoint(engine, 0, ("2-0", "0-0"))
    until(lambda: saver.look(engine) or progress.reached is not None)
    assert progress.reached is not None
    assert progress.reached.position == ("2-0", "0-0")


def test_the_last_checkpoint_is_waited_for(tmp_path: Path) -> None:
    saver, checkpoints, progress = background(tmp_path)
    engine = record.fresh_engine()
    saver.finish(engine, 3, ("9-0", "1-0"))
    assert saver.checkpoint(engine, 3, ("9-0", "1-0")) == checkpoints.numbers()[-1]
    assert progress.ending


@pytest.mark.skipif(not CAN_FORK, reason="this system has no safe fork")
def test_a_second_writer_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    background(tmp_path)
    monkeypatch.setattr("dataflow.background.ORPHAN_S", 0.1)
    holder = subprocess.Popen(
        [sys.executable, "-c", f"import fcntl,time;f=open({str(tmp_path / 'c' / 'writer.lock')!r},'wb');"
         "fcntl.flock(f,fcntl.LOCK_EX);print('held',flush=True);time.sleep(60)"],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(SnapshotError, match="stop the other scorer"):
            background(tmp_path)
    finally:
        holder.kill()
        holder.communicate()


def test_vectors_that_count_outlive_the_writing_of_a_checkpoint() -> None:
    """What is in reach when a checkpoint begins is not overwritten by the next SLACK vectors."""
    capacity = MAX_BATCH + 8
    ring, put = Vectors(capacity, 2, 4 * (capacity + SLACK)), 0

    def more(until_put: int) -> None:
        nonlocal put
        while put < until_put:
            rows = np.arange(put, min(put + MAX_BATCH, until_put))
            settled = np.full(rows.shape[0], put, dtype=np.int64)
            ring.put(
                rows, rows.astype(np.uint64), settled, np.stack([rows, -rows], axis=1).astype(np.float64)
            )
            put += rows.shape[0]

    more(2 * (capacity + SLACK))
    found = {at: ring.get(at, put) for at in range(put) if not ring.gone(at, put)}
    kept = {at: vector.vector.astype(np.float32) for at, vector in found.items() if vector is not None}
    assert kept
    places = {at: int(ring._places[at % ring._places.shape[0]]) % ring.ring.shape[0] for at in kept}
    more(put + SLACK)
    assert all(np.array_equal(ring.ring[places[at]], vector) for at, vector in kept.items())
