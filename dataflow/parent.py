"""Ends this process soon after its supervisor, whatever way that ended, kill -9 included.

The supervisor hands each child the read end of a pipe whose write end only it has; the kernel closes that with it. The
embedded store's keeper and the console hold such a pipe too (embedded_keeper.py, dashboard/serve.py). PR_SET_PDEATHSIG
would do it on Linux only, and is bound to the thread that started the child.
"""

from __future__ import annotations

import os
import threading
import time

PARENT_FD = "TIDEGATE_PARENT_FD"
GRACE_S = 10.0
"""For the end of the work at hand, and for a main thread that is deep in native code."""


stop = threading.Event()
"""Set when this process is to end what it does."""
working = threading.Event()
"""Set once this process looks at `stop`. Before that there is nothing to end."""


def follow() -> None:
    """Set `stop` once the supervisor is gone, and end the process GRACE_S later; nothing where there is no supervisor."""
    descriptor = os.environ.get(PARENT_FD)
    if descriptor is not None:
        threading.Thread(target=_follow, args=(int(descriptor),), name="parent", daemon=True).start()


def _follow(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    stop.set()
    if not working.is_set():
        os._exit(1)
    # In this thread, a daemon: one that the interpreter waited for would keep a process that is done.
    time.sleep(GRACE_S)
    os._exit(1)
