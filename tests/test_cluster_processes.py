"""Real processes of a cluster: the golden output, also when they are killed and when their number changes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from tests.streams import record
from tests.test_golden import GOLDEN, batches_in, check, read_commits

BATCH = 48
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path.cwd())}


def command(name: str, folder: Path, workers: int, *more: int) -> list[str]:
    module = "tests.streams.cluster_process"
    numbers = [str(number) for number in (BATCH, workers, *more)]
    return [sys.executable, "-m", module, str(record.path_of(name)), str(folder), *numbers]


def run(name: str, folder: Path, workers: int, *more: int) -> None:
    assert subprocess.run(command(name, folder, workers, *more), env=ENVIRONMENT, check=False).returncode == 0


def killed(name: str, folder: Path, workers: int, upto: int, which: int) -> bool:
    """Run until so many entries are decided, then kill one process (or all, which = -1); False when it was too late."""
    (folder / "pids.txt").unlink(missing_ok=True)
    first = subprocess.Popen(command(name, folder, workers), env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    out = folder / "out.jsonl"
    while first.poll() is None and batches_in(out) < upto:
        time.sleep(0.005)
    alive = first.poll() is None
    pids = [int(pid) for pid in (folder / "pids.txt").read_text().split()]
    for pid in pids if which < 0 else [pids[which]]:
        if alive:
            os.kill(pid, signal.SIGKILL)
    assert first.wait(60) != 0 or not alive
    for pid in pids[1:]:
        gone(pid)
    return alive


def gone(pid: int) -> None:
    """Wait until a process of ours is no more."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.02)
    raise AssertionError(f"process {pid} outlives its cluster")


@pytest.mark.long
@pytest.mark.parametrize(("name", "workers"), [("hostile", 2), ("merchant", 3)])
def test_processes_give_the_golden_output(name: str, workers: int, tmp_path: Path) -> None:
    run(name, tmp_path, workers)
    check(name, read_commits(tmp_path / "out.jsonl"))


@pytest.mark.long
def test_a_killed_cluster_resumes_to_the_golden_output(tmp_path: Path) -> None:
    """The follower, the first process and all of them; then as many as before."""
    total = GOLDEN["hostile"]["events_in"]
    kills = [
        killed("hostile", tmp_path, 2, total * (1 + at) // 5, which) for at, which in enumerate((1, 0, -1))
    ]
    assert all(kills)
    run("hostile", tmp_path, 2)
    check("hostile", read_commits(tmp_path / "out.jsonl"))


@pytest.mark.long
def test_a_stopped_cluster_goes_on_with_more_processes(tmp_path: Path) -> None:
    total = GOLDEN["card"]["events_in"]
    for workers in (1, 2, 3):
        run("card", tmp_path, workers, *([] if workers == 3 else [total * workers // 3]))
    check("card", read_commits(tmp_path / "out.jsonl"))


@pytest.mark.slow
def test_the_command_tells_the_same_as_one_process() -> None:
    replay = [
        sys.executable,
        "-m",
        "dataflow.cli",
        "replay",
        "--config",
        str(record.SETTINGS),
        "--json",
        "--workers",
        "2",
    ]
    done = subprocess.run(
        [*replay, str(record.path_of("layering"))], env=ENVIRONMENT, capture_output=True, check=True
    )
    summary = msgspec.json.decode(done.stdout.splitlines()[-1])
    told = {key: summary[key] for key in GOLDEN["layering"].keys() & summary.keys()}
    assert told == {key: GOLDEN["layering"][key] for key in told}
    assert len(told) > 15
