"""A hundred thousand events full of known names and numbers go through the live system; nothing it keeps holds one.

Real parts: the door, an embedded Valkey, scorer, learner and webhook sender as processes, a receiver on a socket.
Then senders who go around the door put clear events straight onto the input stream. Everything that is persisted is
searched for the canaries: the store's files and keys, checkpoints, recovery store, learner state, logs, replay
output and webhook bodies.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from alerts.custody.data_keys import FILE_NAME, FileDataKeys
from alerts.custody.envelope import open_dead_letter
from alerts.redis_store import RedisStore
from dataflow.door import Door
from dataflow.embedded import EmbeddedValkey
from dataflow.settings import Settings, load_settings
from dataflow.worker import ring_of
from models.decision import DeadLetter
from tests.canaries import CANARY_PATTERNS, TEST_PANS, canary_lines
from tests.receiver import SECRET, Inbox, receiver

EVENTS = 100_000
AROUND = 400
FIRST_MS = 1_790_000_000_000
_FRACTION = re.compile(rb"[0-9]\.[0-9]*$")
STEP_MS = 250  # between two canary events


class Live:
    """The live system on `directory`, without the simulator and the console."""

    def __init__(self, directory: Path, server: ThreadingHTTPServer) -> None:
        self.directory = directory
        secret = directory / "secret"
        secret.write_text(SECRET)
        secret.chmod(0o600)
        self.config = directory / "tidegate.toml"
        self.config.write_text(
            f'data_dir = "{directory}/var"\n'
            "[flow]\nepoch_s = 0.5\n"
            "[engine]\nsettle_after_ms = 3600000\npublish_every = 1000\n"
            f'[[webhooks.receivers]]\nurl = "http://127.0.0.1:{server.server_port}/hook"\n'
            f'secret_file = "{secret}"\nmin_severity = "S4"\nallow_private = true\n'
        )
        self.settings: Settings = load_settings(self.config)
        self.ring = ring_of(self.settings)
        self.valkey = EmbeddedValkey(self.settings.directory / "store")
        self.url = self.valkey.start()
        self.client: Any = redis.Redis.from_url(self.url)
        self.store = RedisStore(self.url)
        self.logs = self.settings.directory / "logs"
        self.logs.mkdir()
        self._children = [self._child(name) for name in ("scorer", "learner", "sender")]

    def _child(self, name: str) -> subprocess.Popen[bytes]:
        with (self.logs / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dataflow.cli", "worker", name, "--config", str(self.config)],
                env={**os.environ, "REDIS_URL": self.url}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def check(self) -> None:
        """Fail at once, with the log, when a process ended."""
        for child in self._children:
            assert child.poll() is None, "".join(log.read_text() for log in self.logs.iterdir())

    def stop(self) -> list[int]:
        """Stop the processes cleanly; their exit codes."""
        for child in self._children:
            child.terminate()
        return [child.wait(30) for child in self._children]

    def close(self) -> None:
        """Leave nothing behind."""
        for child in self._children:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            child.wait()
        self.client.close()
        self.valkey.stop()


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, ThreadingHTTPServer]]:
    with receiver() as (box, server):
        yield box, server


@pytest.fixture
def live(tmp_path: Path, inbox: tuple[Inbox, ThreadingHTTPServer]) -> Iterator[Live]:
    system = Live(tmp_path, inbox[1])
    yield system
    system.close()


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_nothing_clear_is_kept_anywhere(live: Live, inbox: tuple[Inbox, ThreadingHTTPServer]) -> None:
    protected, refused = _through_the_door(live)
    assert protected + refused == EVENTS
    assert refused > EVENTS // 40
    wait_for(live, lambda: live.store.counters().events_in >= protected)
    leaks = list(_leaks("memory of the store's process", _memory(live.valkey.pid)))
    assert not leaks, "\n".join(leaks[:3])

    around = _around_the_door(live)
    wait_for(live, lambda: live.store.counters().events_in >= protected + around)
    wait_for(live, lambda: _sealed(live) and not _left_on_the_stream(live))
    wait_for(live, lambda: bool(live.store.beats().get("learner", {}).get("model")))
    wait_for(live, lambda: len(inbox[0].bodies) > 0)
    live.check()
    assert live.stop() == [0, 0, 0]
    wait_for(live, lambda: not live.client.info("persistence")["aof_rewrite_in_progress"], processes=False)

    counters = live.store.counters()
    assert counters.balanced()
    assert counters.dead_letters == around
    _dead_letters_open_for_the_owner_only(live)
    live.client.config_set("save", "3600 1")
    live.client.save()
    out = _replayed(live)
    found = [*_leaks("keys", _values(live.client)), *_leaks("webhooks", inbox[0].bodies)]
    places = [live.settings.directory, out]
    scanned = set()
    for path in sorted(p for place in places for p in ([place] if place.is_file() else place.rglob("*"))):
        if path.is_file():
            scanned.add(path.relative_to(live.directory).parts[:3])
            found.extend(_leaks(str(path.relative_to(live.directory)), [path.read_bytes()]))
    assert not found
    kinds = {"/".join(parts) for parts in scanned}
    for wanted in ("var/store/dump.rdb", "var/store/appendonlydir", "var/learner/learner.state",
                   "var/logs/scorer.log", "decisions.jsonl"):  # fmt: skip
        assert wanted in kinds, kinds
    assert any(kind.startswith("var/checkpoints/") for kind in kinds)
    assert any(kind.startswith("var/recovery/") for kind in kinds)


def test_the_search_finds_what_it_looks_for() -> None:
    lines = list(canary_lines(200, seed=3))
    assert len(list(_leaks("raw", lines))) > 0
    for pattern in CANARY_PATTERNS:
        assert list(_leaks("one", [b"x" * 70_000 + pattern + b"y"]))


def _through_the_door(live: Live) -> tuple[int, int]:
    keys = FileDataKeys(live.settings.directory / FILE_NAME)
    clock = [FIRST_MS]
    door = Door(live.ring, keys, clock=lambda: clock[0])
    protected = refused = 0
    record = (live.directory / "stream.jsonl").open("wb")
    pipe = live.client.pipeline(transaction=False)
    for number, line in enumerate(canary_lines(EVENTS, seed=11)):
        clock[0] = FIRST_MS + number * STEP_MS
        result = door.protect_line(line, f"test:{number}")
        if isinstance(result, DeadLetter):
            refused += 1
            pipe.xadd("tg:dead:door", {"d": msgspec.json.encode(result)})
        else:
            protected += 1
            pipe.xadd("tg:in", {"e": result})
            if protected <= 5000:
                record.write(result + b"\n")
        if number % 500 == 499:
            pipe.execute()
    pipe.execute()
    record.close()
    return protected, refused


def _around_the_door(live: Live) -> int:
    """Clear events straight onto the stream: whole raw events, and protected ones with something clear in a text."""
    pan = TEST_PANS[0]
    now = live.store.stream_time()
    good: dict[str, object] = {
        "type": "transaction", "id": "around-0", "event_time": now, "received_at": now, "amount": 100,
        "currency": "EUR", "channel": "cnp",
    }  # fmt: skip
    texts = [
        {"id": f"order {pan}"}, {"id": "canary@example.com"}, {"id": "around-1", "purpose": f"card {pan}"},
        {"id": "around-2", "ip": "203.0.113.9"}, {"id": "around-3", "order_id": "canary@example.com"},
        {"id": "around-4", "attributes": {pan: 1}}, {"id": "around-5", "decline_code": pan},
        {"id": "around-6", "type": "behaviour", "kind": "login", "payer": "canary@example.com"},
        {"id": "around-7", "type": "label", "transaction_id": pan, "fraud": True, "source": "analyst"},
        {"id": "around-8", "type": "heartbeat", "component": "canary@example.com"},
        {"id": "around-9", "type": "control", "kind": "rules", "version": "canary@example.com"},
    ]  # fmt: skip
    common = {"event_time": now, "received_at": now}
    lines = [json.dumps({**(common if "type" in text else good), **text}).encode() for text in texts]
    lines += list(canary_lines(AROUND, seed=12))
    lines += [b"CANARY \xff\xfe", b"", pan.encode(), b'"CANARY"', b"[" * 2000 + b"CANARY"]
    for line in lines:
        live.client.xadd("tg:in", {"e": line})
    live.client.xadd("tg:in", {"other": b"CANARY"})
    live.client.xadd("tg:control", {"e": json.dumps({**common, **texts[-1]}).encode()})
    return len(lines) + 2


def _sealed(live: Live) -> bool:
    return live.store.counters().dead_letters == len(live.store.dead_letters(10_000))


def _left_on_the_stream(live: Live) -> list[str]:
    lanes = [live.client.xrange("tg:in", count=200_000), live.client.xrange("tg:control")]
    return list(
        _leaks("streams", (value for lane in lanes for _, fields in lane for value in fields.values()))
    )


def _dead_letters_open_for_the_owner_only(live: Live) -> None:
    letters = live.store.dead_letters(10_000)
    keys = FileDataKeys(live.settings.directory / FILE_NAME)
    opened = [open_dead_letter(letter, live.ring, keys) for letter in letters]
    assert sum(b"CANARY" in (data or b"") for data in opened) > AROUND // 2


def _replayed(live: Live) -> Path:
    """What `tidegate replay` writes about the protected stream, with clear lines put in between."""
    with (live.directory / "stream.jsonl").open("ab") as stream:
        for line in canary_lines(200, seed=13):
            stream.write(line.replace(b"\n", b" ") + b"\n")
    out = live.directory / "decisions.jsonl"
    done = subprocess.run(
        [sys.executable, "-m", "dataflow.cli", "replay", str(live.directory / "stream.jsonl"), "--out", str(out),
         "--with-features", "--explain-all", "--json"],
        capture_output=True, timeout=100, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout.splitlines()[-1])["undecodable"] == 200
    assert not list(_leaks("replay", [done.stdout, done.stderr]))
    return out


def _values(client: Any) -> Iterator[bytes]:
    """Every key of the store and what it holds."""
    for key in client.scan_iter(count=1000):
        yield key
        match client.type(key):
            case b"string":
                yield client.get(key)
            case b"hash":
                yield from (part for pair in client.hgetall(key).items() for part in pair)
            case b"list":
                yield from client.lrange(key, 0, -1)
            case b"set":
                yield from client.smembers(key)
            case b"zset":
                yield from client.zrange(key, 0, -1)
            case b"stream":
                for _, fields in client.xrange(key):
                    yield from (part for pair in fields.items() for part in pair)
            case other:
                pytest.fail(f"the scan cannot read a {other!r}")


def _memory(pid: int | None) -> Iterator[bytes]:
    """The writable memory of a process, in overlapping pieces."""
    assert pid is not None
    areas = [line.split() for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
    try:
        with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
            for area in areas:
                if not area[1].startswith("rw") or area[-1].startswith("[v"):
                    continue
                start, end = (int(edge, 16) for edge in area[0].split("-"))
                for at in range(start, end, 1 << 22):
                    memory.seek(at)
                    with contextlib.suppress(OSError):  # guard pages cannot be read by anyone
                        yield memory.read(min((1 << 22) + 64, end - at))
    except PermissionError:
        # Another user's process, or ptrace is not allowed here: files and keys are searched all the same.
        return


def _leaks(place: str, pieces: Iterable[bytes]) -> Iterator[str]:
    for number, piece in enumerate(pieces):
        for pattern in CANARY_PATTERNS:
            at = piece.find(pattern)
            # 0.04111111111111111 is a share of a day, not a card: the digits of a fraction are passed over.
            while at >= 0 and _FRACTION.search(piece[max(at - 24, 0) : at]):
                at = piece.find(pattern, at + 1)
            if at >= 0:
                yield f"{pattern!r} in {place}, piece {number}: {piece[max(at - 80, 0) : at + 80]!r}"


def wait_for(live: Live, condition: Callable[[], bool], processes: bool = True) -> None:
    """Wait generously: only "never" fails."""
    for _ in range(1200):
        if processes:
            live.check()
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("it never came")
