"""The sender as a process over a real Valkey: kill -9 of either, and every page is out exactly once by its id."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from alerts.redis_store import RedisStore
from dataflow.embedded import EmbeddedValkey
from models.errors import StoreError
from tests.receiver import SECRET, Hook, hook
from tests.sending import raise_alerts

ROOT = Path(__file__).resolve().parent.parent
PLAN = """
[route]
notify = []
[[route.routes]]
name = "each"
match = ["type=alert"]
notify = ["each"]
group_by = ["id"]
group_wait = "0s"
group_interval = "0s"
repeat_interval = "0s"
continue = true
[[route.routes]]
name = "together"
match = ["type=alert"]
notify = ["together"]
group_by = ["typology"]
group_wait = "1s"
group_interval = "1s"
repeat_interval = "0s"
"""
RECEIVER = """
[[receivers]]
type = "webhook"
name = "{name}"
url = "{url}"
secret_file = "{secret}"
allow_private = true
"""


class System:
    """A store and a sender process on a folder."""

    def __init__(self, folder: Path, each: Hook, together: Hook) -> None:
        secret = folder / "secret"
        secret.write_text(SECRET)
        secret.chmod(0o600)
        self.plan, self.log = folder / "routing.toml", folder / "sender.log"
        receivers = [("each", each.url), ("together", together.url)]
        self.plan.write_text(
            PLAN + "".join(RECEIVER.format(name=n, url=u, secret=secret) for n, u in receivers)
        )
        self.config = folder / "tidegate.toml"
        self.config.write_text(f'data_dir = "{folder}/var"\nrouting = "{self.plan}"\n')
        self.valkey = EmbeddedValkey(folder / "store")
        self.store = RedisStore(self.valkey.start())
        self.alerts = 0
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dataflow.cli", "worker", "sender", "--config", str(self.config)],
                env={**os.environ, "PYTHONPATH": str(ROOT), "REDIS_URL": self.valkey.start()},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def kill_sender(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process = self.start()

    def kill_store(self) -> None:
        pid = self.valkey.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        self.wait(lambda: not self.valkey.alive())
        self.valkey.start()

    def raise_more(self, count: int) -> None:
        """As a scorer does: what was not committed is committed again."""
        for _ in range(100):
            try:
                raise_alerts(self.store, self.alerts + 1, count, now=time.time_ns() // 1_000_000)
                self.alerts += count
                return
            except StoreError:
                time.sleep(0.05)

    def wait(self, condition: Callable[[], object]) -> None:
        for _ in range(1200):
            try:
                if condition():
                    return
            except StoreError:
                pass
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        pytest.fail(f"it never came: {self.log.read_text()}")

    def stop(self) -> int:
        self.process.terminate()
        code = self.process.wait(30)
        self.valkey.stop()
        return code


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_kill_9_of_sender_and_store_and_every_page_once_by_its_id(tmp_path: Path) -> None:
    dice = random.Random(7)
    with hook() as each, hook() as together:
        system = System(tmp_path, each, together)
        try:
            system.wait(lambda: "sender" in system.store.beats())
            for turn in range(5):
                system.raise_more(20)
                enough = len(each.requests) + dice.randint(1, 12)
                # In the middle of the deliveries, or of the wait of a group.
                system.wait(lambda enough=enough: len(each.requests) >= enough)  # type: ignore[misc]
                if turn == 2:
                    system.kill_store()
                else:
                    system.kill_sender()
            system.raise_more(20)
            system.wait(lambda: system.store.reconcile(time.time_ns() // 1_000_000).told == system.alerts)
            system.wait(lambda: len(each.bodies) >= system.alerts)
            system.wait(lambda: sum(total(body) for body in together.bodies.values()) >= system.alerts)
        finally:
            code = system.stop()
        assert code == 0
        assert system.alerts == 120
        told = Counter(str(body["data"]["alert_id"]) for body in each.bodies.values())
        assert set(told.values()) == {1}, "one message id an alert"
        assert len(told) == system.alerts
        assert sum(total(body) for body in together.bodies.values()) == system.alerts, (
            "no alert in two groups' pages"
        )
        # A message may come again under its id when the answer was not saved: at most one in flight at each kill.
        assert sum(each.verified.values()) - len(told) <= 5


def total(body: dict[str, object]) -> int:
    data = body["data"]
    assert isinstance(data, dict)
    return int(data["count"]) if str(body["type"]).startswith("group.") else 1


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_routing_file_is_followed_while_it_runs_and_a_wrong_one_changes_nothing(tmp_path: Path) -> None:
    with hook() as each, hook() as together:
        system = System(tmp_path, each, together)
        try:
            system.wait(lambda: "plan" in system.store.beats().get("sender", {}))
            system.raise_more(1)
            system.wait(lambda: len(each.bodies) == 1)
            right = system.plan.read_text()
            system.plan.write_text(right.replace('notify = ["each"]', 'notify = ["nobody-such"]'))
            system.wait(lambda: "nobody-such" in str(system.store.beats()["sender"].get("wrong")))
            system.raise_more(1)
            system.wait(lambda: len(each.bodies) == 2)
            system.plan.write_text(right.replace('notify = ["each"]', 'notify = ["together"]'))
            system.wait(lambda: not system.store.beats()["sender"].get("wrong"))
            system.raise_more(1)
            system.wait(lambda: sum(total(body) for body in together.bodies.values()) == 3)
        finally:
            assert system.stop() == 0
        assert len(each.bodies) == 2
        assert "nobody-such" in system.log.read_text()
        assert SECRET not in system.log.read_text()
