"""Checkpoints on disk: what was saved comes back, and nothing else does."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from alerts.custody.keyring import KeyRing
from dataflow.checkpoint import KEEP, PAGE, Checkpoints
from models.entities import Arrays
from models.errors import SnapshotError


def checkpoints(folder: Path, purpose: str = "checkpoint") -> Checkpoints:
    return Checkpoints(folder / "c", KeyRing.for_tests().signer(purpose))


def state(seed: int, pages: int = 9) -> Arrays:
    draw = np.random.default_rng(seed)
    return {
        "large": draw.integers(0, 1 << 40, pages * PAGE // 8, dtype=np.int64),
        "table": draw.normal(size=(7, 3)).astype(np.float32),
        "none": np.zeros((0, 4), dtype=np.uint64),
    }


def equal(got: Arrays, want: Arrays) -> bool:
    return got.keys() == want.keys() and all(
        got[name].dtype == want[name].dtype and np.array_equal(got[name], want[name]) for name in want
    )


def test_only_changed_pages_are_written_and_every_kept_checkpoint_is_whole(tmp_path: Path) -> None:
    saved, arrays = checkpoints(tmp_path), state(1)
    wanted: dict[int, Arrays] = {}
    for step in range(6):
        arrays["large"][step * 20_000] += 1
        number = saved.save(arrays, f"meta {step}".encode())
        wanted[number] = {name: array.copy() for name, array in arrays.items()}
    kept = sorted(wanted)[-KEEP:]
    assert checkpoints(tmp_path).numbers() == kept
    for number in kept:
        found = checkpoints(tmp_path).load(number)
        assert found is not None
        assert equal(found[1], wanted[number])
        assert found[2] == f"meta {number - 1}".encode()
    sizes = [path.stat().st_size for path in (tmp_path / "c").glob("pages-*.bin")]
    assert sum(sizes) < 2 * sum(array.nbytes for array in arrays.values())


def test_disk_use_stays_bounded_when_everything_changes(tmp_path: Path) -> None:
    saved = checkpoints(tmp_path)
    for seed in range(12):
        saved.save(state(seed), b"")
    used = sum(path.stat().st_size for path in (tmp_path / "c").iterdir())
    assert used < (KEEP + 1) * sum(array.nbytes for array in state(0).values())


def test_a_loaded_checkpoint_goes_on_incrementally(tmp_path: Path) -> None:
    arrays = state(2)
    checkpoints(tmp_path).save(arrays, b"first")
    again = checkpoints(tmp_path)
    assert again.load() is not None
    arrays["large"][-1] += 1
    again.save(arrays, b"second")
    assert (tmp_path / "c" / "pages-2.bin").stat().st_size == PAGE
    found = checkpoints(tmp_path).load()
    assert found is not None
    assert equal(found[1], arrays)


@pytest.mark.parametrize("name", ["checkpoint-1", "pages-1.bin"])
@pytest.mark.parametrize("at", [0, 40, -1])
def test_a_changed_byte_is_found(tmp_path: Path, name: str, at: int) -> None:
    checkpoints(tmp_path).save(state(3, pages=1), b"meta")
    path = tmp_path / "c" / name
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(SnapshotError, match=name):
        checkpoints(tmp_path).load()


@pytest.mark.parametrize("name", ["checkpoint-1", "pages-1.bin"])
def test_a_cut_file_is_found(tmp_path: Path, name: str) -> None:
    checkpoints(tmp_path).save(state(3, pages=1), b"meta")
    path = tmp_path / "c" / name
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SnapshotError, match=name):
        checkpoints(tmp_path).load()


def test_pages_of_another_checkpoint_do_not_pass_for_ones_own(tmp_path: Path) -> None:
    saved = checkpoints(tmp_path)
    saved.save(state(4), b"")
    saved.save(state(5), b"")
    (tmp_path / "c" / "pages-1.bin").write_bytes((tmp_path / "c" / "pages-2.bin").read_bytes())
    with pytest.raises(SnapshotError, match="damaged"):
        checkpoints(tmp_path).load(1)


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    checkpoints(tmp_path).save(state(6), b"")
    with pytest.raises(SnapshotError, match="not signed with our key"):
        checkpoints(tmp_path, "artefact").load()


def test_an_unfinished_checkpoint_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    saved = checkpoints(tmp_path)
    saved.save(state(7), b"whole")
    (tmp_path / "c" / "checkpoint-2.tmp").write_bytes(b"half")
    (tmp_path / "c" / "pages-2.bin").write_bytes(b"half")
    again = checkpoints(tmp_path)
    found = again.load()
    assert found is not None
    assert found[::2] == (1, b"whole")
    assert again.save(state(8), b"next") == 2
    assert checkpoints(tmp_path).load() is not None


def test_work_to_be_done_again_is_forgotten(tmp_path: Path) -> None:
    saved = checkpoints(tmp_path)
    for seed in range(3):
        saved.save(state(seed), b"")
    saved.drop_after(1)
    assert checkpoints(tmp_path).numbers() == [1]
    with pytest.raises(SnapshotError, match="no such checkpoint"):
        checkpoints(tmp_path).load(3)


def test_nobody_else_can_read_them(tmp_path: Path) -> None:
    checkpoints(tmp_path).save(state(9), b"")
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "c").iterdir()} == {0o600}


def test_a_page_that_changes_while_it_is_saved_is_whole_as_it_was_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vectors lie in memory that the flow shares with the child that saves them."""
    shared, real = np.zeros(PAGE // 8, dtype=np.int64), hashlib.blake2b

    def meanwhile(data: bytes, digest_size: int) -> object:
        found = real(data, digest_size=digest_size)
        shared[:] += 1
        return found

    saved = checkpoints(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("dataflow.checkpoint.hashlib.blake2b", meanwhile)
        saved.save({"ring": shared}, b"")
    found = saved.load()
    assert found is not None
    assert not found[1]["ring"].any()
