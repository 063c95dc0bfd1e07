"""Where the store is for commands that run beside `tidegate up`, and how much of the stream waits there."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from models.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alerts.redis_store import RedisStore
    from alerts.response.clock import Clock
    from alerts.response.core import ResponseCore
    from dataflow.settings import Settings
    from models.decision import Counters


READ = "kafka:read"
"""Key of how many entries of the two lanes were read, kept by a source that reads a Kafka topic beside them."""


def address_of(settings: Settings) -> str:
    """The configured store, or that of a running `tidegate up`. StoreError if there is neither."""
    from dataflow.embedded import running_url
    from dataflow.settings import store_url

    url = store_url(settings) or running_url(settings.directory / "store")
    if not url:
        raise StoreError(
            f"no store: nothing runs on {settings.directory}; start `tidegate up --no-simulator` there, "
            "or set REDIS_URL or store.url in the settings file"
        )
    return url


@contextmanager
def opened(settings: Settings) -> Iterator[RedisStore]:
    """The running system's store, or the embedded one of the data directory, started for as long as it takes."""
    from alerts.custody.private_files import make_private_directory
    from alerts.redis_store import RedisStore
    from dataflow.embedded import embedded, running_url
    from dataflow.settings import store_url

    directory = settings.directory / "store"
    url = store_url(settings) or running_url(directory)
    if url:
        yield RedisStore(url)
        return
    make_private_directory(settings.directory)
    with embedded(directory) as address:
        yield RedisStore(address)


def response_of(settings: Settings) -> tuple[ResponseCore, Clock]:
    """Incidents and containment in the running system's store, and the time there. StoreError if there is none."""
    from alerts.notices.of_incident import NoticeClocks
    from alerts.redis_store import RedisStore
    from alerts.response.clock import present
    from alerts.response.core import ResponseCore
    from alerts.response.planned import plans_by

    store = RedisStore(address_of(settings))
    core = ResponseCore(
        store, plan_of=plans_by(settings.emergency.book), notices=NoticeClocks(settings.notices)
    )
    return core, present(store, time.time_ns() // 1_000_000)


def waiting(client: Any, counters: Counters, prefix: str = "tg:") -> int:
    """Entries of the input stream and the control lane that the scorer has not counted yet.

    With a Kafka topic beside them the scorer's counters say nothing of the two lanes; its source keeps count then.
    """
    added = 0
    for lane in ("in", "control"):
        # XINFO refuses a stream that is not there yet.
        if client.exists(f"{prefix}{lane}"):
            added += int(client.xinfo_stream(f"{prefix}{lane}")["entries-added"])
    read = client.get(f"{prefix}{READ}")
    return max(0, added - (counters.events_in if read is None else int(read)))
