"""Files only their owner may read: 0600 in a 0700 directory, written whole or not at all.

Key rings, sealed data keys, checkpoints and model snapshots live in such files. Reading checks the open file
itself (not its path), so what was checked is what is read; symbolic links are not followed.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from models.errors import CustodyError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_private_directory(path: Path) -> None:
    """Make `path` with mode 0700 (parents too); one that exists already must be ours and closed to others."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CustodyError(
            f"{path}: cannot make the directory ({error.strerror}); choose another path"
        ) from None
    check_private_directory(path)


def check_private_directory(path: Path) -> None:
    """Raise CustodyError unless the directory is owned by this user and closed to group and others."""
    try:
        found = path.stat()
    except OSError as error:
        raise CustodyError(f"{path}: cannot read the directory ({error.strerror})") from None
    _check(found, path, "700")


def read_private(path: Path) -> bytes:
    """The whole file, once its owner and mode are checked. Raises CustodyError with the remedy."""
    check_private_directory(path.parent)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise CustodyError(
            f"{path}: cannot open it ({error.strerror}); it must be a plain file of this user"
        ) from None
    with os.fdopen(descriptor, "rb") as file:
        _check(os.fstat(file.fileno()), path, "600")
        return file.read()


def create_private(path: Path, data: bytes) -> bool:
    """Write a new file atomically and durably; False when one exists already (it is left as it is).

    A hard link is the exclusive step: the name appears only once the bytes are on disk, so a crash leaves
    either no file or a whole one, and of two processes exactly one wins.
    """
    make_private_directory(path.parent)
    draft = _draft(path, data)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    _sync_directory(path.parent)
    return True


def replace_private(path: Path, data: bytes) -> None:
    """Write `path` anew, atomically and durably: a crash leaves the old file or the new one."""
    make_private_directory(path.parent)
    draft = _draft(path, data)
    draft.replace(path)
    _sync_directory(path.parent)


def write_private(path: Path, data: bytes) -> None:
    """The same for a file to hand on: mode 0600 itself, in whatever folder its owner wants it in."""
    try:
        draft = _draft(path, data)
        try:
            draft.replace(path)
        except OSError:
            draft.unlink()
            raise
    except OSError as error:
        raise CustodyError(f"{path}: cannot write it ({error.strerror}); choose another path") from None
    _sync_directory(path.parent)


def append_private(path: Path, line: bytes) -> None:
    """Append one line durably. A torn last line (a crash in mid-write) is closed first, never joined."""
    make_private_directory(path.parent)
    new = not path.exists()
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise CustodyError(f"{path}: cannot open it ({error.strerror}) to append") from None
    try:
        found = os.fstat(descriptor)
        _check(found, path, "600")
        torn = found.st_size > 0 and os.pread(descriptor, 1, found.st_size - 1) != b"\n"
        data = (b"\n" if torn else b"") + line + b"\n"
        if os.write(descriptor, data) != len(data):
            raise CustodyError(f"{path}: the disk took only a part of the line; free some space")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if new:
        _sync_directory(path.parent)


def _draft(path: Path, data: bytes) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        draft.unlink()
        raise CustodyError(f"{path}: cannot write it ({error.strerror})") from None
    return draft


def _check(found: os.stat_result, path: Path, mode: str) -> None:
    if found.st_uid != os.geteuid():
        raise CustodyError(
            f"{path}: owned by user {found.st_uid}, this is user {os.geteuid()}; run as its owner or chown it"
        )
    if found.st_mode & _OTHERS:
        now = f"{stat.S_IMODE(found.st_mode):o}"
        raise CustodyError(f"{path}: open to group or others (mode {now}); run: chmod {mode} {path}")


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
