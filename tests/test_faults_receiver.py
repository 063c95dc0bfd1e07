"""The receiver of webhooks behind a partition: pages wait, the sender says so, and each comes once by its id."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dataflow.chaos.system import System, running
from dataflow.settings import Settings
from tests.proxy import Proxy, tcp_proxy
from tests.sending import raise_alerts


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_pages_wait_behind_a_partition_and_come_once_by_their_id(tmp_path: Path) -> None:
    with ExitStack() as opened:
        proxies: list[Proxy] = []

        def through(url: str) -> str:
            port = urlsplit(url).port
            assert port is not None
            proxy, own = opened.enter_context(tcp_proxy("127.0.0.1", port))
            proxies.append(proxy)
            return f"http://127.0.0.1:{own}/hook"

        system = opened.enter_context(running(Settings(), tmp_path, hook_by=through))
        (proxy,) = proxies
        system.start(("sender",))
        told(system, 1, 3)

        # Requests go nowhere, then the link breaks.
        proxy.swallow = True
        before = proxy.seen
        raised(system, 4, 3)
        system.until(lambda: proxy.seen > before, "no attempt is made")
        proxy.cut()
        system.until(lambda: beat(system, "failing") == 1 and beat(system, "owed") == 3, "it does not say so")
        assert len(system.inbox.requests) == 3
        # Requests arrive and their answers do not: what was taken comes again, under the same id.
        proxy.swallow, proxy.mute = False, True
        system.until(lambda: system.inbox.requests.total() > 3, "no request comes through")
        proxy.cut()
        system.until(
            lambda: beat(system, "failing") == 1 and beat(system, "owed") == 3, "it believes it was heard"
        )
        proxy.mute = False
        system.until(lambda: beat(system, "owed") == 0, "pages are kept")
        assert beat(system, "failing") == 0
        told(system, 7, 1)
        assert system.inbox.violations() == []
        assert len(system.inbox.requests) == 7
        repeated = [id_ for id_, times in system.inbox.requests.items() if times > 1]
        assert len(repeated) == 1
        assert Counter(alert for alert, _ in system.inbox.told()).total() == 7
        gone = system.works.store.reconcile(time.time_ns() // 1_000_000)
        assert (gone.told, gone.gaps) == (7, [])


def raised(system: System, first: int, count: int) -> None:
    raise_alerts(system.works.store, first, count, now=time.time_ns() // 1_000_000)


def told(system: System, first: int, count: int) -> None:
    raised(system, first, count)
    system.until(lambda: len(system.inbox.told()) == first + count - 1, "it is not told")


def beat(system: System, name: str) -> int:
    return int(system.works.store.beats()["sender"].get(name, -1))
