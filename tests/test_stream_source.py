"""The live source over a real Valkey: it sleeps in the server when idle, and an entry of either lane wakes it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import chain

import pytest

from alerts.redis_link import RedisLink
from dataflow.embedded import embedded
from dataflow.sources.stream import FIRST, QUIET, Packet, StreamPartition, StreamSource

FOR_EVER_MS = 60_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture
def partition(server: str) -> StreamPartition:
    RedisLink(server).client.flushall()
    source = StreamSource(server, 512, lambda: False, sleep_ms=FOR_EVER_MS)
    built = source.build_part("in", source.list_parts()[0], None)
    assert isinstance(built, StreamPartition)
    return built


def entries(packets: list[Packet]) -> list[tuple[bytes | None, bool]]:
    return [(item.line, packet.control) for packet in packets for item in packet.items]


@pytest.mark.parametrize("lane", ["in", "control"])
def test_an_idle_source_sleeps_in_the_server_and_the_first_entry_wakes_it(
    server: str, partition: StreamPartition, lane: str
) -> None:
    for _ in range(QUIET):
        assert entries(partition.next_batch()) == []
    client = RedisLink(server).client
    timer = threading.Timer(0.2, client.xadd, (f"tg:{lane}", {"e": b"woken"}))
    timer.start()
    # Without sleeping this call would come back at once, with nothing.
    assert entries(partition.next_batch()) == [(b"woken", lane == "control")]
    timer.join()
    assert partition.next_awake() is None


def test_a_sleep_that_brought_nothing_goes_on_at_once(server: str) -> None:
    """Bytewax counts a delay from before the call: any delay would be as long as the sleep, and an entry wait for it."""
    RedisLink(server).client.flushall()
    built = StreamSource(server, 512, lambda: False, sleep_ms=1).build_part("in", "in", None)
    for _ in range(QUIET):
        assert entries(built.next_batch()) == []
        assert built.next_awake() is not None
    assert entries(built.next_batch()) == []
    assert built.next_awake() is None


def test_after_an_entry_it_polls_again_before_it_sleeps(server: str, partition: StreamPartition) -> None:
    client = RedisLink(server).client
    for round_ in range(3):
        client.xadd("tg:in", {"e": b"%d" % round_})
        assert entries(partition.next_batch()) == [(b"%d" % round_, False)]
        for _ in range(QUIET):
            assert entries(partition.next_batch()) == []
            assert partition.next_awake() is not None
        client.xadd("tg:in", {"e": b"more"})
        assert entries(partition.next_batch()) == [(b"more", False)]


def test_a_control_that_came_while_the_flow_was_away_does_not_stand_before_what_is_decided(
    server: str,
) -> None:
    """The flow comes back to an old checkpoint; entries up to `taken` have decisions in the store."""
    client = RedisLink(server).client
    client.flushall()
    ids = [client.xadd("tg:in", {"e": b"%d" % n}).decode() for n in range(6)]
    journalled = client.xadd("tg:control", {"e": b"known"}).decode()
    for _ in range(2):  # a client repeats a write whose answer it has not got
        client.xadd("tg:journal", {"c": journalled, "a": ids[1]})
    client.hset("tg:cursors", "taken", ids[3])
    client.xadd("tg:control", {"e": b"new"})
    source = StreamSource(server, 1, lambda: False, sleep_ms=FOR_EVER_MS)
    again = source.build_part("in", "in", (ids[0], "0-0"))
    order = [line for _ in range(6) for line, _ in entries(again.next_batch())]
    assert order == [b"1", b"known", b"2", b"3", b"new", b"4", b"5"]
    assert [fields[b"c"] for _, fields in client.xrange("tg:journal")][:2] == [journalled.encode()] * 2


def test_what_was_taken_and_is_there_no_more_holds_nothing_up(server: str) -> None:
    client = RedisLink(server).client
    client.flushall()
    id_ = client.xadd("tg:in", {"e": b"gone"}).decode()
    client.xdel("tg:in", id_)
    client.hset("tg:cursors", "taken", id_)
    client.xadd("tg:control", {"e": b"new"})
    source = StreamSource(server, 1, lambda: False, sleep_ms=FOR_EVER_MS)
    assert entries(source.build_part("in", "in", None).next_batch()) == [(b"new", True)]


def test_a_batch_grows_while_more_wait_and_starts_small_again(server: str) -> None:
    client = RedisLink(server).client
    client.flushall()
    built = StreamSource(server, 4 * FIRST, lambda: False, sleep_ms=0).build_part("in", "in", None)

    def sizes(events: int) -> list[tuple[int, bool]]:
        pipe = client.pipeline(transaction=False)
        for n in range(events):
            pipe.xadd("tg:in", {"e": b"%d" % n})
        pipe.execute()
        packets = iter(built.next_batch, [])
        return [(len(packet.items), packet.full) for packet in chain.from_iterable(packets)]

    assert sizes(12 * FIRST) == [
        (FIRST, True), (2 * FIRST, True), (4 * FIRST, True), (4 * FIRST, True), (FIRST, False),
    ]  # fmt: skip
    assert sizes(FIRST + 1) == [(FIRST, True), (1, False)]
