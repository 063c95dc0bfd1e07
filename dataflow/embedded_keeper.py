"""The keeper: a small process between us and the embedded Valkey, so that the server never outlives us.

Started by dataflow.embedded as a plain script (standard library only, so that it starts in some 20 ms):

    python embedded_keeper.py ALIVE_FD LOCK_FD SOCKET_DIR -- SERVER ARGS…

It runs the server as its child and stops it (SIGTERM, then SIGKILL) when the first of these comes true:

- the pipe ALIVE_FD closes: its only writer, our parent, ended, cleanly or by kill -9;
- the parent's process id changes: the same, where a forked child of the parent still holds the pipe;
- SIGTERM arrives.

Should the keeper itself be killed, Linux sends the server SIGTERM (PR_SET_PDEATHSIG, which is bound to the
keeper's only thread; a threaded parent could not use it safely). LOCK_FD is a locked file that the server
inherits: the lock is free again exactly when no process of ours can still touch the data.
SOCKET_DIR is a temporary directory to remove at the end, or empty.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
from types import FrameType

POLL_S = 0.25
GRACE_S = 10
_PR_SET_PDEATHSIG = 1


def _die_with_keeper() -> None:
    """In the server's process, before exec: take SIGTERM when the keeper dies (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def keep(alive_fd: int, lock_fd: int, command: list[str]) -> int:
    """Run the server until it ends or we have to; its exit code."""
    parent = os.getppid()
    stopping: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        stopping.append(number)

    signal.signal(signal.SIGTERM, stop)
    # Ctrl-C goes to the whole terminal group; the store must stay until the writers have finished.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        pass_fds=(lock_fd,),
        preexec_fn=_die_with_keeper,  # noqa: PLW1509 - this process has one thread
    )
    while server.poll() is None and not stopping and os.getppid() == parent:
        try:
            if select.select([alive_fd], [], [], POLL_S)[0]:
                break
        except InterruptedError:
            continue
    for _ in range(GRACE_S):
        if server.poll() is not None:
            break
        # Asked again each second: the server refuses to stop while it writes the first version of its log.
        server.terminate()
        try:
            server.wait(1)
        except subprocess.TimeoutExpired:
            continue
    server.kill()
    return server.wait()


def main(arguments: list[str]) -> int:
    """Entry point of the script."""
    alive_fd, lock_fd, socket_dir = int(arguments[0]), int(arguments[1]), arguments[2]
    try:
        return keep(alive_fd, lock_fd, arguments[4:])
    finally:
        if socket_dir:
            shutil.rmtree(socket_dir, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
