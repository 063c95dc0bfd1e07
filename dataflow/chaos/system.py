"""A running system for a chaos run and for tests of faults: real processes over a real store, beside a witness."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from alerts.custody.private_files import replace_private
from dataflow.artefacts import artefact_of
from dataflow.bench.plant import Plant, plant
from dataflow.chaos.brokers import cluster
from dataflow.chaos.checks import Checks, learnt
from dataflow.chaos.feed import Feed, StreamFeed, TopicFeed
from dataflow.chaos.inbox import Inbox, listening
from dataflow.chaos.witness import Witness
from dataflow.embedded import EmbeddedValkey
from dataflow.settings import Settings
from dataflow.supervise import Child
from dataflow.worker import ring_of
from models.errors import StoreError

WORKERS = ("learner", "sender", "scorer")
BACK_OFF_S = (0.2,)
"""What is killed on purpose is started again soon, however often."""
LIMIT_S = 120.0
"""What is not settled by then has lost something."""
TICK_S = 0.02
LOOK_S = 0.15
CUSTOMERS, RATE = 300, 1.0
SCENARIOS = ("card_testing", "account_takeover", "scam_new_payee")
"""Fraud is frequent, so that there are alerts in each round, and labels to learn from."""
SETTLE_MS, PUBLISH_EVERY = 7_200_000, 100
"""Payments without a label settle after two hours of the simulated world, so that models are learnt and change."""
FOLLOWER = b"live_follower"
TOPIC = "payments"
ROUTING = """
[route]
notify = []
[[route.routes]]
name = "each"
match = ["type=alert"]
notify = ["receiver"]
group_by = ["id"]
group_wait = "0s"
group_interval = "0s"
repeat_interval = "0s"
[[receivers]]
type = "webhook"
name = "receiver"
url = "{url}"
secret_file = "{secret}"
allow_private = true
"""


class System:
    """The processes of `works` over `server`, what comes in by `feed` and goes out to `inbox`, and a witness of it.

    held: the store stays away when it has ended. told: what the supervisor said.
    """

    def __init__(self, works: Plant, server: EmbeddedValkey, feed: Feed, inbox: Inbox) -> None:
        self.works, self.server, self.feed, self.inbox = works, server, feed, inbox
        artefact = artefact_of(works.link, ring_of(works.settings).signer("model"))
        self.witness = Witness(works.settings, artefact)
        self.checks = Checks(works.link, works.store, feed, inbox, self.witness)
        self.children: dict[str, Child] = {}
        self.told: list[str] = []
        self.held = False

    def start(self, workers: tuple[str, ...] = WORKERS) -> None:
        """Start workers and wait for the first sign of life of each."""
        for name in workers:
            self.children[name] = self.works.start(name, BACK_OFF_S)
        self.until(lambda: set(workers) <= set(self.works.store.beats()), "the workers do not start")

    def send(self, lines: list[bytes]) -> None:
        """Write lines, as often as it takes."""
        waiting = [lines]

        def done() -> bool:
            self.feed.send(waiting[0])
            return True

        self.until(done, "the store takes nothing")

    def settle(self) -> list[str]:
        """Wait until all is counted and told, and the learner has taken everything; what is not as undisturbed."""

        def over() -> bool:
            done = learnt(self.works.link, self.works.store) and self.checks.settled()
            return done and self._all_merged()

        self.until(over, "not everything was counted, told and learnt")
        found = self.checks.violations()
        here, there = len(self.checks.models), len(self.witness.published)
        return found if here == there else [*found, f"{here} models were published, undisturbed {there}"]

    def until(
        self, reached: Callable[[], object], otherwise: str, meanwhile: Callable[[], object] = lambda: None
    ) -> None:
        """Keep everything alive until `reached`, looked at now and then. Raises StoreError after LIMIT_S."""
        ends, looked = time.monotonic() + LIMIT_S, 0.0
        while True:
            self.told += self.works.watch()
            if not self.held and not self.server.alive():
                self.server.start()
            now = time.monotonic()
            try:
                meanwhile()
                self.feed.look()
                if now - looked >= LOOK_S:
                    looked = now
                    if reached():
                        return
                last = ""
            except StoreError as error:
                # It was killed a moment ago, or it is reading its log.
                last = str(error)
            if now > ends:
                raise StoreError(f"{otherwise} within {LIMIT_S:g} s {last}; {self._state()}")
            time.sleep(TICK_S)

    def pid(self, name: str) -> int:
        """Process id of a worker, of the store or of a follower of the scorer; 0 when it is not there now."""
        if name == "store":
            return self.server.pid or 0
        if name == "follower":
            return next(iter(_children(self.children["scorer"].pid, FOLLOWER)), 0)
        return self.children[name].pid

    def log(self, name: str) -> str:
        """What a worker has said."""
        return (self.works.directory / f"{name}.log").read_text("utf-8", "replace")

    def _all_merged(self) -> bool:
        with self.works.link.speaking() as client:
            return bool(client.xlen("tg:control") == self.feed.controls)

    def _state(self) -> str:
        try:
            counters = self.works.store.counters()
        except StoreError as error:
            return str(error)
        return f"{self.feed.sent} lines and {self.feed.controls} controls were sent, counted are {counters}"


@contextmanager
def running(
    settings: Settings, directory: Path, *, kafka: bool = False, store_by: Callable[[str], str] = lambda url: url,
    hook_by: Callable[[str], str] = lambda url: url,
) -> Iterator[System]:  # fmt: skip
    """A system in `directory`, not started yet. store_by, hook_by: from a url to the one that workers use for it."""
    with ExitStack() as opened:
        server = EmbeddedValkey(directory / "store")
        opened.callback(server.stop)
        url = server.start()
        secret = secrets.token_bytes(24)
        replace_private(directory / "secret", b"whsec_" + base64.b64encode(secret))
        inbox = Inbox(secret)
        hook = hook_by(opened.enter_context(listening(inbox)))
        (directory / "routing.toml").write_text(ROUTING.format(url=hook, secret=directory / "secret"))
        brokers = opened.enter_context(cluster()).brokers if kafka else ""
        works = opened.enter_context(plant(url, directory, _chosen(settings, directory, brokers)))
        works.url = store_by(url)
        feed = TopicFeed(works.link, brokers, TOPIC) if kafka else StreamFeed(works.link)
        yield System(works, server, feed, inbox)


def _chosen(settings: Settings, directory: Path, brokers: str) -> Settings:
    replace = msgspec.structs.replace
    flow, engine = settings.flow, settings.engine
    return replace(
        settings, data_dir=str(directory), routing=str(directory / "routing.toml"),
        kafka=replace(
            settings.kafka, source=f"kafka://{brokers}/{TOPIC}" if brokers else "", decisions="", timeout_s=1.0
        ),
        flow=replace(flow, epoch_s=0.5, batch=32, evidence=False, shed_after_ms=0),
        engine=replace(engine, settle_after_ms=SETTLE_MS, negative_rate=1.0, publish_every=PUBLISH_EVERY),
    )  # fmt: skip


def _children(pid: int, marked: bytes) -> list[int]:
    """Processes that descend directly from `pid` and whose command line holds `marked`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat") if pid else ():
        try:
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
            if parent == pid and marked in (entry.parent / "cmdline").read_bytes():
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return sorted(found)
