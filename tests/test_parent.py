"""Workers end with their supervisor, whatever way that ends; tests/test_up.py kills a whole `tidegate up`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from alerts.redis_store import RedisStore
from dataflow.embedded import embedded
from dataflow.parent import PARENT_FD

ROOT = Path(__file__).resolve().parent.parent
CHILD = """
import sys, time
from dataflow import parent
parent.GRACE_S = 0.2
parent.follow()
{then}
"""
ENDS = "parent.working.set(); print('at work', flush=True); parent.stop.wait()"
STUCK = "parent.working.set(); print('at work', flush=True); time.sleep(600)"
LOADING = "print('at work', flush=True); time.sleep(600)"
WORKERS = ("scorer", "learner", "sender")


@contextmanager
def child(command: list[str], **more: str) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], None]]]:
    """A process that holds the read end of a pipe, and how to end the pipe as the kernel does after kill -9."""
    read, write = os.pipe()
    env = {**os.environ, "PYTHONPATH": str(ROOT), PARENT_FD: str(read), **more}
    process = subprocess.Popen(
        [sys.executable, *command], env=env, pass_fds=(read,), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    os.close(read)
    open_ends = [write]
    try:
        yield process, lambda: os.close(open_ends.pop())
    finally:
        process.kill()
        process.communicate()
        for descriptor in open_ends:
            os.close(descriptor)


@pytest.mark.parametrize(
    ("then", "code"), [(ENDS, 0), (STUCK, 1), (LOADING, 1)], ids=["at work", "stuck", "loading"]
)
def test_it_ends_by_itself_and_is_ended_when_it_does_not(then: str, code: int) -> None:
    with child(["-c", CHILD.format(then=then)]) as (process, orphan):
        assert process.stdout is not None
        assert process.stdout.readline() == b"at work\n"
        assert process.poll() is None
        orphan()
        assert process.wait(60) == code


def test_without_a_supervisor_nothing_is_followed() -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    env.pop(PARENT_FD, None)
    script = CHILD.format(then="import threading; sys.exit(threading.active_count() - 1)")
    assert subprocess.run([sys.executable, "-c", script], env=env, check=False).returncode == 0


@pytest.mark.slow
def test_workers_stop_as_when_told_to(tmp_path: Path) -> None:
    """Exit code 0: it finished what it did, and nobody had to end it."""
    (tmp_path / "tidegate.toml").write_text(f'data_dir = "{tmp_path}/var"\n')
    with embedded(tmp_path / "store") as url, stack(tmp_path, url) as (store, children):
        ends = time.monotonic() + 100
        while missing := set(WORKERS) - set(store.beats()):
            assert time.monotonic() < ends, missing
            time.sleep(0.05)
        for _, orphan in children:
            orphan()
        assert [process.wait(60) for process, _ in children] == [0] * len(WORKERS)


@contextmanager
def stack(
    folder: Path, url: str
) -> Iterator[tuple[RedisStore, list[tuple[subprocess.Popen[bytes], Callable[[], None]]]]]:
    """Every worker on one store."""
    with ExitStack() as opened:
        command = ["-m", "dataflow.cli", "worker"]
        yield (
            RedisStore(url),
            [
                opened.enter_context(
                    child([*command, name, "--config", str(folder / "tidegate.toml")], REDIS_URL=url)
                )
                for name in WORKERS
            ],
        )
