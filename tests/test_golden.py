"""Recorded streams: the same decisions as when they were recorded, by every driver, batch size and restart."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import TestingSink, TestingSource, run_main

from alerts.alert import Alert
from alerts.custody.keyring import KeyRing
from alerts.memory_store import MemoryStore
from alerts.store import Commit
from dataflow.checkpoint import Checkpoints
from dataflow.flow import build_flow
from dataflow.replay import Digest
from dataflow.scoring import Scorer, Written
from dataflow.sources.files import FileSource
from dataflow.sources.packets import FilePackets
from dataflow.sources.stream import Packet
from models.decision import Decision
from models.engine import Engine
from models.errors import SnapshotError
from models.freezing import freeze, thaw
from models.rows import Item
from tests.streams import record

GOLDEN = record.golden()
STATUSES = ("open", "acknowledged", "snoozed", "escalated", "resolved")
BATCHES = (1, 64, 1000)


def checkpoints_in(folder: Path) -> Checkpoints:
    return Checkpoints(folder, KeyRing.for_tests().signer("checkpoint"))


def scorer_in(folder: Path, resume: int | None = None) -> Scorer:
    return Scorer(record.fresh_engine(), checkpoints_in(folder), lambda _: b"", lambda letter: letter, resume)


def digest_of(commits: list[Commit]) -> Digest:
    """The digest over the decisions of the commits, each counted once by its ordinal."""
    digest, last = Digest(), 0
    for commit in commits:
        new = commit.decisions[max(0, last + 1 - commit.first_decision_ordinal) :]
        assert commit.first_decision_ordinal <= last + 1, "a decision is missing"
        digest.add(msgspec.json.decode(decision, type=Decision) for decision in new)
        last = max(last, commit.first_decision_ordinal - 1 + len(commit.decisions))
    return digest


def stored(commits: list[Commit]) -> tuple[dict[str, Alert], MemoryStore]:
    """The alerts a store keeps of these commits, all written at one moment: deadlines run from the writer's clock."""
    store = MemoryStore()
    for commit in commits:
        store.commit(msgspec.structs.replace(commit, now=1))
    return {alert.id: alert for alert in store.alerts(STATUSES, "newest", 10_000)}, store


def check(name: str, commits: list[Commit]) -> None:
    """What the flow committed is what golden.json says."""
    expected, digest = GOLDEN[name], digest_of(commits)
    assert (digest.hex(), digest.alerts) == (expected["digest"], expected["alerts"])
    counters = msgspec.to_builtins(max((c.counters for c in commits), key=lambda c: c.events_in))
    # Alerts are counted there once merged, dead letters by reason.
    told = counters.keys() & expected.keys() - {"alerts", "dead_letters"}
    assert {key: counters[key] for key in told} == {key: expected[key] for key in told}
    alerts, store = stored(commits)
    assert len(alerts) == expected["alerts"]
    assert store.cursors()["dead"] == sum(expected["dead_letters"].values())


# What is recorded


def test_the_streams_are_made_again_byte_for_byte(tmp_path: Path) -> None:
    for recipe in record.RECIPES:
        record.write(recipe, tmp_path / "again.gz")
        same = (tmp_path / "again.gz").read_bytes() == record.path_of(recipe.name).read_bytes()
        assert same, f"{recipe.name}: run python -m tests.streams.record if the change is meant"


def test_the_recording_holds_what_it_is_for() -> None:
    assert set(GOLDEN) == set(record.NAMES)
    family = {
        "card": {"R002", "S002"}, "account": {"R008"}, "commerce": {"R009", "R010"}, "merchant": {"R022", "R026"},
        "laundering": {"R012"}, "layering": {"R044", "R053", "R055", "R060"}, "scam": {"R034"}, "hostile": {"R002"},
    }  # fmt: skip
    for name, rules in family.items():
        assert rules <= set(GOLDEN[name]["rule_hits"]), name
    assert GOLDEN["quiet"]["alerts"] == 0
    assert len(GOLDEN["card"]["models"]) >= 3, "models change in mid-stream"
    assert all(expected["balanced"] for expected in GOLDEN.values())
    assert len(GOLDEN["hostile"]["dead_letters"]) >= 8
    assert GOLDEN["hostile"]["duplicates"] > 0
    assert GOLDEN["hostile"]["late"] > 0
    assert sum(path.stat().st_size for path in record.FOLDER.glob("*.gz")) < 3_000_000


# One engine, every driver


@pytest.mark.slow
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", record.NAMES)
def test_a_replay_gives_the_golden_output(name: str, batch: int) -> None:
    assert record.observed(record.path_of(name), batch) == GOLDEN[name]


@pytest.mark.slow
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", record.NAMES)
def test_the_flow_gives_the_golden_output(name: str, batch: int, tmp_path: Path) -> None:
    written: list[tuple[str, Written]] = []
    source = FilePackets([record.path_of(name)], batch=batch)
    run_main(build_flow(source, lambda resume: scorer_in(tmp_path, resume), TestingSink(written)))
    check(name, [w.commit for _, w in written])


# Stops and restarts


def items_of(name: str) -> list[Item]:
    return [item for items in FileSource(record.path_of(name)) for item in items]


@pytest.mark.parametrize("name", record.NAMES)
def test_a_state_put_away_and_taken_up_again_goes_on_alike(name: str, tmp_path: Path) -> None:
    """Through checkpoints on disk, at random places, into an engine that has seen nothing."""
    items, draw = items_of(name), random.Random(name)
    cuts = sorted(draw.sample(range(1, len(items)), 4))
    digest, engine = Digest(), record.fresh_engine()
    for start, end in zip([0, *cuts], [*cuts, len(items)], strict=True):
        digest.add(engine.step(items[start:end]).decisions)
        number = checkpoints_in(tmp_path).save(*freeze(engine))
        engine = thawed(tmp_path, number)
    assert digest.hex() == GOLDEN[name]["digest"]
    assert engine.counters.balanced()
    assert engine.counters.decided == GOLDEN[name]["decided"]


def thawed(folder: Path, number: int) -> Engine:
    engine = record.fresh_engine()
    found = checkpoints_in(folder).load(number)
    assert found is not None
    thaw(engine, found[1], found[2])
    return engine


@pytest.mark.parametrize("name", record.NAMES)
def test_an_aborted_flow_resumes_to_the_golden_output(name: str, tmp_path: Path) -> None:
    """Bytewax drops the open epoch each time; the sink sees some batches twice and skips them by ordinal."""
    items, draw = items_of(name), random.Random(name)
    packets: list[Any] = [
        Packet(items[start : start + 37], (str(start), ""), []) for start in range(0, len(items), 37)
    ]
    aborts: list[int | None] = [*sorted(draw.sample(range(2, len(packets)), 3)), None]
    recovery = tmp_path / "recovery"
    recovery.mkdir()
    init_db_dir(recovery, 1)
    written: list[tuple[str, Written]] = []
    for at in aborts:
        # One abort a run: TestingSource leaves an abort that it skips out of the position it resumes from.
        source = packets if at is None else [*packets[:at], TestingSource.ABORT(), *packets[at:]]
        flow = build_flow(
            TestingSource(source),
            lambda resume: scorer_in(tmp_path / "checkpoints", resume),
            TestingSink(written),
        )
        run_main(flow, epoch_interval=timedelta(milliseconds=15), recovery_config=RecoveryConfig(recovery))
    check(name, [w.commit for _, w in written])


KILLS = 4


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param("card", marks=pytest.mark.long), "hostile"])
def test_a_killed_flow_resumes_to_the_golden_output(name: str, tmp_path: Path) -> None:
    """A process of its own, ended by SIGKILL in the middle of random epochs."""
    out, draw = tmp_path / "out.jsonl", random.Random(name)
    command = [
        sys.executable, "-m", "tests.streams.flow_process", str(record.path_of(name)), str(tmp_path), "16",
    ]  # fmt: skip
    targets = sorted(draw.sample(range(5, GOLDEN[name]["events_in"] // 16 - 10), KILLS))
    killed = 0
    for target in targets:
        process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
        while process.poll() is None and batches_in(out) < target:
            time.sleep(0.002)
        killed += process.poll() is None
        process.kill()
        process.wait()
    assert killed == KILLS
    assert subprocess.run(command, check=False).returncode == 0
    commits = read_commits(out)
    assert max(c.counters.events_in for c in commits) == GOLDEN[name]["events_in"]
    check(name, commits)
    assert stored(commits)[0] == undisturbed(name, tmp_path / "plain")


def batches_in(out: Path) -> int:
    """The highest batch number any run has written so far."""
    return max((int(line.split(b" ", 1)[0]) for line in whole_lines(out)), default=0)


def read_commits(out: Path) -> list[Commit]:
    return [msgspec.json.decode(line.split(b" ", 1)[1], type=Commit) for line in whole_lines(out)]


def whole_lines(out: Path) -> list[bytes]:
    """Lines that were written to their end; a kill can cut the last one of a run."""
    if not out.exists():
        return []
    return [line[:-1] for line in out.read_bytes().splitlines() if line.endswith(b"}.")]


def undisturbed(name: str, folder: Path) -> dict[str, Alert]:
    """The alerts of a scorer that nobody stopped, fed in other batches."""
    items, scorer = items_of(name), scorer_in(folder)
    packets = [Packet(items[start : start + 500], ("", ""), []) for start in range(0, len(items), 500)]
    return stored([written.commit for written in scorer.on_batch(packets)[0]])[0]


def test_a_flow_does_not_go_on_without_its_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match=r"checkpoint 3 .* remove the recovery directory"):
        scorer_in(tmp_path, resume=3)
