"""The disk full, for real: a small file system of its own with ballast on it, ENOSPC for store, scorer and learner."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from alerts.condition.checks import Seen, disk_nearly_full
from alerts.condition.reading import ConditionSettings
from dataflow.bench.load import Load
from dataflow.chaos.system import CUSTOMERS, RATE, SCENARIOS, System, running
from dataflow.observe.taking import Readings
from dataflow.scoring import now_ms
from dataflow.settings import Settings
from models.errors import SnapshotError, StoreError
from models.vectors import Vectors

PART = 200
SIZE_MB = 256


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of SIZE_MB."""
    folder = tmp_path / "disk"
    folder.mkdir(mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=0700", "tidegate-test", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount the small disk that this fills")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[Callable[[], None]]:
    """Not a byte is left on the disk meanwhile. Call what it gives again: whatever is deleted there makes room anew."""
    ballast = folder / "ballast"
    handle = os.open(ballast, os.O_WRONLY | os.O_CREAT)

    def fill() -> None:
        block = bytes(1 << 20)
        while True:
            try:
                os.write(handle, block)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                if len(block) == 1:
                    return
                block = block[: len(block) // 16 or 1]

    try:
        fill()
        yield fill
    finally:
        os.close(handle)
        ballast.unlink()


@pytest.mark.timeout(300)
@pytest.mark.long
def test_it_waits_says_so_and_goes_on_once_there_is_room(small_disk: Path) -> None:
    """Store, checkpoints, the learner's state and the logs lie on it; the supervisor and the observer tell of it."""
    load = Load(CUSTOMERS, RATE, 4, SCENARIOS)
    limits = ConditionSettings()
    with running(Settings(), small_disk) as system:
        readings = Readings(system.works.url, small_disk)
        system.start()
        system.send(load.take(PART))
        system.until(system.checks.settled, "nothing is decided")
        assert disk_nearly_full(readings.take(now_ms()), Seen(), limits) == []
        with filled(small_disk) as fill:
            (trouble,) = disk_nearly_full(readings.take(now_ms()), Seen(), limits)
            assert (trouble.severity, trouble.facts["free_mb"]) == ("S1", 0)
            line = load.take(1)
            # The store refuses what it cannot put on its disk, and says so to whoever writes.
            system.until(lambda: "No space left on device" in refusal(system, line, fill), "nobody says so")

            def ended() -> bool:
                fill()
                return any("scorer ended" in said for said in system.told)

            system.until(ended, "the scorer goes on")
            assert system.works.store.counters().balanced(), "what is there can be read all the time"
        system.send(line)
        system.send(load.take(PART))
        assert system.settle() == []
        assert system.works.store.counters().balanced()


def refusal(system: System, lines: list[bytes], fill: Callable[[], None]) -> str:
    """What the store says of an entry on a disk without room; "": it took it."""
    fill()
    try:
        system.feed.send(lines)
    except StoreError as error:
        return str(error)
    return ""


def test_no_room_for_vectors_is_an_error_and_no_signal(small_disk: Path) -> None:
    """A file with holes would end the process by SIGBUS when one of them is written to."""
    with (
        filled(small_disk),
        pytest.raises(SnapshotError, match="No space left on device: no room for 8192 vectors"),
    ):
        Vectors(65_536, 32, 65_536, small_disk)
    assert Vectors(65_536, 32, 65_536, small_disk).ring.shape == (8192, 32)
