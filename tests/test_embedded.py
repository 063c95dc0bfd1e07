"""The embedded Valkey really keeps its data, and no way of dying leaves a server behind."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from alerts.redis_link import RedisLink
from dataflow.embedded import EmbeddedValkey, embedded, running_url
from models.errors import StoreError


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    embedded_ = EmbeddedValkey(tmp_path / "data")
    yield embedded_
    embedded_.stop()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A zombie whose parent has not yet collected it no longer runs.
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z"


def eventually(condition: Callable[[], bool]) -> bool:
    """Wait generously: only "never" fails, not "slowly"."""
    for _ in range(600):
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_listens_on_a_private_unix_socket_only(server: EmbeddedValkey, tmp_path: Path) -> None:
    client = redis.Redis.from_url(server.start())
    config = {name: client.config_get(name)[name] for name in ("port", "appendonly", "maxmemory-policy")}
    assert config == {"port": "0", "appendonly": "yes", "maxmemory-policy": "noeviction"}
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_clean_stop_keeps_what_was_written(server: EmbeddedValkey) -> None:
    redis.Redis.from_url(server.start()).set("k", "v")
    pid = server.pid
    assert pid is not None
    server.stop()
    assert gone(pid)
    assert not server.alive()
    assert server.pid is None
    assert redis.Redis.from_url(server.start()).get("k") == b"v"


def test_crash_is_seen_and_mended_by_a_new_start(server: EmbeddedValkey) -> None:
    client = redis.Redis.from_url(server.start())
    client.set("k", "v")
    client.execute_command("WAITAOF", 1, 0, 0)
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not server.alive())
    assert redis.Redis.from_url(server.start()).get("k") == b"v"
    assert server.pid not in (None, pid)


def test_who_built_on_its_answers_hears_of_a_crash(server: EmbeddedValkey) -> None:
    """What it had not written is gone: a reader may go on, the scorer has to go back to its checkpoint."""
    url = server.start()
    reader, scorer = RedisLink(url), RedisLink(url, same_server=True)
    for link in (reader, scorer):
        link.client.set("k", "v")
        link.client.connection_pool.disconnect()
        link.client.set("k", "w")
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not server.alive())
    server.start()
    assert reader.client.get("k") == b"w"
    for _ in range(2):
        with pytest.raises(StoreError, match="started anew"), scorer.speaking() as client:
            client.get("k")


def test_second_start_says_who_uses_the_directory(server: EmbeddedValkey, tmp_path: Path) -> None:
    url = server.start()
    with pytest.raises(StoreError, match=rf"in use by process {os.getpid()}.*{url}"):
        EmbeddedValkey(tmp_path / "data").start()
    assert running_url(tmp_path / "data") == url
    server.stop()
    assert running_url(tmp_path / "data") is None


def test_start_twice_is_one_server(server: EmbeddedValkey) -> None:
    assert server.start() == server.start()


def test_long_directory_falls_back_to_a_short_socket(tmp_path: Path) -> None:
    with embedded(tmp_path / ("d" * 120)) as url:
        path = Path(url.removeprefix("unix://"))
        assert len(os.fsencode(path)) < 104
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert redis.Redis.from_url(url).ping()
    assert not path.parent.exists()


def test_a_server_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="maxmemory"):
        EmbeddedValkey(tmp_path, maxmemory="a lot").start()


PARENT = """
import sys, time, os
from pathlib import Path
from dataflow.embedded import EmbeddedValkey
server = EmbeddedValkey(Path(sys.argv[1]))
url = server.start()
if sys.argv[2] == "forked" and os.fork() == 0:
    time.sleep(60)
    os._exit(0)
print(server.pid, server.keeper_pid, url, flush=True)
if sys.argv[2] == "exit":
    sys.exit(0)
if sys.argv[2] == "raise":
    raise SystemExit("on purpose")
time.sleep(60)
"""


def parent(data_dir: Path, mode: str) -> tuple[subprocess.Popen[str], int, int, str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(data_dir), mode],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parent.parent,
        start_new_session=True,
    )
    assert process.stdout is not None
    server, keeper, url = process.stdout.readline().split()
    process.stdout.close()
    return process, int(server), int(keeper), url


@pytest.mark.parametrize("mode", ["exit", "raise", "SIGTERM", "SIGINT", "SIGKILL", "forked"])
def test_no_orphan_whatever_way_the_parent_dies(tmp_path: Path, mode: str) -> None:
    process, server, keeper, _ = parent(tmp_path, mode)
    if mode == "forked":
        process.kill()
    elif mode.startswith("SIG"):
        process.send_signal(signal.Signals[mode])
    process.wait()
    try:
        assert eventually(lambda: gone(server) and gone(keeper))
    finally:
        if mode == "forked":
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is a Linux facility")
def test_a_killed_keeper_takes_the_server_along(tmp_path: Path) -> None:
    process, server, keeper, _ = parent(tmp_path, "wait")
    try:
        os.kill(keeper, signal.SIGKILL)
        assert eventually(lambda: gone(server))
    finally:
        process.kill()
        process.wait()


def test_restart_at_once_after_kill_9_finds_the_data(tmp_path: Path) -> None:
    process, server, _, url = parent(tmp_path, "wait")
    redis.Redis.from_url(url).set("k", "v")
    process.kill()
    process.wait()
    with embedded(tmp_path) as again:
        assert redis.Redis.from_url(again).get("k") == b"v"
    assert gone(server)
