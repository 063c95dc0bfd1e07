"""A follower of the live scorer: handed its job over standard input, its store by REDIS_URL."""

from __future__ import annotations

import os
import signal

from dataflow.cluster.live import run_follower
from dataflow.worker import ring_of

if __name__ == "__main__":
    # Ctrl-C and SIGTERM reach the whole group: the first process ends the cluster.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    run_follower(os.environ["REDIS_URL"], ring_of)
