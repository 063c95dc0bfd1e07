"""Checkpoints on disk: arrays in pages, only changed pages written, the whole signed.

Layout of the directory (mode 0700):
  pages-N.bin       pages first written by checkpoint N, one after another
  checkpoint-N      32 bytes HMAC-SHA-256, then the manifest: for each array its type, shape and where its pages lie

A page's BLAKE2b digest stands in the manifest, so the manifest's signature covers every byte that is loaded.
A checkpoint is complete when its manifest was renamed into place after everything was flushed to disk; anything
else is ignored. When less than half of the bytes on disk are still in use, the next checkpoint is written whole.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np

from models.entities import Arrays
from models.errors import SnapshotError

PAGE = 256 * 1024
KEEP = 3


class Signs(Protocol):
    """alerts.custody.signing.Signer."""

    def sign(self, data: bytes) -> bytes: ...
    def verify(self, data: bytes, signature: bytes) -> bool: ...


class _Page(msgspec.Struct, frozen=True, array_like=True):
    file: int
    offset: int
    length: int
    digest: bytes


class _Array(msgspec.Struct, frozen=True, array_like=True):
    name: str
    dtype: str
    shape: tuple[int, ...]
    pages: list[_Page]


class _Manifest(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    meta: bytes
    arrays: list[_Array]
    position: tuple[str, str] = ("", "")


class Checkpoints:
    """Numbered checkpoints in one directory. Not for concurrent writers."""

    def __init__(self, directory: Path, signer: Signs) -> None:
        self.directory, self._signer = directory, signer
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        directory.chmod(0o700)
        self._last: _Manifest | None = None

    def numbers(self) -> list[int]:
        """Numbers of complete checkpoints, oldest first."""
        return sorted(int(p.name.split("-")[1]) for p in self.directory.glob("checkpoint-*") if not p.suffix)

    @property
    def position(self) -> tuple[str, str]:
        """Stream position that was saved with the checkpoint loaded or written last."""
        return self._last.position if self._last is not None else ("", "")

    def at(self, number: int) -> tuple[str, str]:
        """Stream position that was saved with this checkpoint."""
        return self._manifest(number).position

    def adopt_newest(self) -> None:
        """Write the next checkpoint as a difference to the newest on disk, whoever wrote that."""
        known = self.numbers()
        self._last = self._manifest(known[-1]) if known else None

    def save(
        self, arrays: Arrays, meta: bytes, number: int | None = None, position: tuple[str, str] = ("", "")
    ) -> int:
        """Write a checkpoint and return its number (the next one unless given). position: of the stream, kept with it."""
        known = self.numbers()
        if number is None:
            number = known[-1] + 1 if known else 1
        last = None if self._wasteful() else self._last
        before = {(a.name, i): p for a in last.arrays for i, p in enumerate(a.pages)} if last else {}
        file = self.directory / f"pages-{number}.bin"
        written: list[_Array] = []
        offset = 0
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            for name, array in arrays.items():
                flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
                pages: list[_Page] = []
                for index, start in enumerate(range(0, flat.shape[0], PAGE)):
                    # A copy: the vectors lie in memory that the flow goes on writing to while its child saves, and a page
                    # that changed between its digest and its writing could never be loaded.
                    piece = flat[start : start + PAGE].tobytes()
                    digest = hashlib.blake2b(piece, digest_size=16).digest()
                    old = before.get((name, index))
                    if old is not None and old.digest == digest and old.length == len(piece):
                        pages.append(old)
                        continue
                    out.write(piece)
                    pages.append(_Page(number, offset, len(piece), digest))
                    offset += len(piece)
                written.append(_Array(name, array.dtype.str, array.shape, pages))
            out.flush()
            os.fsync(out.fileno())
        manifest = _Manifest(number=number, meta=meta, arrays=written, position=position)
        body = msgspec.msgpack.encode(manifest)
        temporary = self.directory / f"checkpoint-{number}.tmp"
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(self._signer.sign(body) + body)
            out.flush()
            os.fsync(out.fileno())
        temporary.rename(self.directory / f"checkpoint-{number}")
        self._sync_directory()
        self._last = manifest
        self._drop_old()
        return number

    def load(self, number: int | None = None) -> tuple[int, Arrays, bytes] | None:
        """The newest (or the given) checkpoint as (number, arrays, meta); None when there is none.

        Raises SnapshotError when it is torn or not signed with our key.
        """
        known = self.numbers()
        if not known:
            return None
        chosen = known[-1] if number is None else number
        manifest = self._manifest(chosen)
        arrays: Arrays = {}
        files: dict[int, bytes] = {}
        for entry in manifest.arrays:
            pieces = []
            for page in entry.pages:
                data = files.get(page.file)
                if data is None:
                    data = files[page.file] = self._pages(page.file)
                piece = data[page.offset : page.offset + page.length]
                if hashlib.blake2b(piece, digest_size=16).digest() != page.digest:
                    raise SnapshotError(
                        f"{self.directory}/pages-{page.file}.bin: damaged at byte {page.offset}"
                    )
                pieces.append(piece)
            arrays[entry.name] = np.frombuffer(b"".join(pieces), dtype=np.dtype(entry.dtype)).reshape(
                entry.shape
            )
        self._last = manifest
        return chosen, arrays, manifest.meta

    def drop_after(self, number: int) -> None:
        """Forget checkpoints newer than `number`: they belong to work that will be done again."""
        for other in self.numbers():
            if other > number:
                (self.directory / f"checkpoint-{other}").unlink()

    def _manifest(self, number: int) -> _Manifest:
        path = self.directory / f"checkpoint-{number}"
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise SnapshotError(f"{path}: no such checkpoint; complete ones are {self.numbers()}") from None
        if not self._signer.verify(data[32:], data[:32]):
            raise SnapshotError(
                f"{path}: not signed with our key - remove the directory to start from the stream"
            )
        return msgspec.msgpack.decode(data[32:], type=_Manifest)

    def _pages(self, number: int) -> bytes:
        path = self.directory / f"pages-{number}.bin"
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise SnapshotError(f"{path}: missing, a checkpoint needs it") from None

    def _wasteful(self) -> bool:
        if self._last is None:
            return True
        live = sum(p.length for a in self._last.arrays for p in a.pages)
        have = sum(p.stat().st_size for p in self.directory.glob("pages-*.bin"))
        return have > 2 * live + 16 * PAGE

    def _drop_old(self) -> None:
        for number in self.numbers()[:-KEEP]:
            (self.directory / f"checkpoint-{number}").unlink()
        used = {p.file for n in self.numbers() for a in self._manifest(n).arrays for p in a.pages}
        for path in self.directory.glob("pages-*.bin"):
            if int(path.stem.split("-")[1]) not in used:
                path.unlink()

    def _sync_directory(self) -> None:
        handle = os.open(self.directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
