"""`tidegate status`: how the running system is, read from its store."""

from __future__ import annotations

import argparse
import time
from typing import Any

from dataflow.commands import options, showing
from models.errors import StoreError

NAME = "status"
HELP = "say how the running system is: counters, alerts, processes, what waits (exit 3: no store)"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    options.add_config(parser)
    options.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the state; 3 when there is no store to ask."""
    from dataflow.store_access import address_of

    settings = options.settings_of(args)
    try:
        state = state_of(address_of(settings), time.time_ns() // 1_000_000)
    except StoreError as error:
        showing.say(f"tidegate: {error}")
        return 3
    showing.show(state, "status", as_json=args.json)
    return 0


def state_of(url: str, now: int) -> dict[str, Any]:
    """What the store at `url` says. now: ms, to tell how old each beat is. Raises StoreError."""
    import msgspec

    from alerts.redis_link import RedisLink
    from alerts.redis_store import RedisStore
    from dataflow.store_access import waiting

    link, store = RedisLink(url), RedisStore(url)
    ping_ms = store.ping()
    counters = store.counters()
    with link.speaking() as client:
        unread = waiting(client, counters)
        at_the_door = int(client.xlen("tg:dead:door"))
    beats = {
        name: {**beat, "seconds_ago": round((now - int(beat.get("at", 0))) / 1000, 1)}
        for name, beat in sorted(store.beats().items())
    }
    return {
        "store": link.where,
        "ping_ms": round(ping_ms, 2),
        "balanced": counters.balanced(),
        "waiting": unread,
        "stream_time": store.stream_time(),
        "dead_lettered_at_the_door": at_the_door,
        "counters": msgspec.to_builtins(counters),
        "alerts": store.alert_counts(),
        "processes": beats,
    }
