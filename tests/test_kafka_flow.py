"""The flow over a Kafka topic: real processes, a real store, brokers over TCP; killed, frozen and changed."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from alerts.redis_link import RedisLink
from alerts.redis_store import RedisStore
from dataflow.assemble import engine_of
from dataflow.embedded import embedded
from dataflow.kafka.admitting import key_of
from dataflow.kafka.position import Journal
from dataflow.kafka.records import Record, in_order
from dataflow.replay import Digest
from dataflow.settings import Settings
from dataflow.sources.files import RawItem
from models.decision import Decision
from tests.kafka_cluster import Cluster, ScorerProcess, cluster
from tests.streams.record import path_of

LINES = gzip.decompress(path_of("merchant").read_bytes()).splitlines()


@pytest.fixture(scope="module")
def brokers() -> Iterator[Cluster]:
    with cluster(2) as running:
        yield running


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with embedded(tmp_path / "store") as url:
        yield url


def settings(brokers: Cluster, topic: str, epoch_s: float, **kafka: str | int) -> str:
    more = "".join(f"{name} = {msgspec.json.encode(value).decode()}\n" for name, value in kafka.items())
    return (
        f"[flow]\nbatch = 32\nepoch_s = {epoch_s}\nevidence = false\n[kafka]\ntimeout_s = 1.0\n"
        f'source = "kafka://{brokers.brokers}/{topic}"\n{more}'
    )


def digest_of(lines: list[bytes]) -> str:
    """What an undisturbed engine says of these lines."""
    digest, engine = Digest(), engine_of(Settings(), learn_inline=False)
    digest.add(engine.step([RawItem("x", line, None, None) for line in lines]).decisions)
    return digest.hex()


def decided(store: RedisStore) -> list[Decision]:
    return [msgspec.json.decode(raw, type=Decision) for raw in reversed(store.recent_decisions(100_000))]


def digest_in(store: RedisStore) -> str:
    digest = Digest()
    digest.add(decided(store))
    return digest.hex()


def keyed(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    return [(key_of(line), line) for line in lines]


@pytest.mark.long
def test_killed_again_and_again_it_decides_as_undisturbed_and_each_payment_once(
    brokers: Cluster, url: str, tmp_path: Path
) -> None:
    topic, store = "killed", RedisStore(url)
    placed = brokers.produce(topic, keyed(LINES))
    assert len({partition for partition, _ in placed}) > 1
    scorer = ScorerProcess(tmp_path, url, settings(brokers, topic, 0.1, decisions="decisions"))
    for share in (0.3, 0.7):
        scorer.start()
        scorer.wait(lambda share=share: store.counters().events_in >= share * len(LINES))
        scorer.kill()
    scorer.start()
    scorer.wait(lambda: store.counters().events_in == len(LINES))
    beat = scorer.wait(lambda: (b := store.beats()["kafka"])["lag"] == 0 and b)
    assert (beat["partitions"], beat["topic"], beat["lost"]) == (4, topic, 0)
    assert scorer.stop() == 0, scorer.said()
    assert digest_in(store) == digest_of(LINES)
    counters = store.counters()
    assert counters.balanced()
    assert counters.duplicates == 0
    # The copies on the topic: at least once, and once for who goes by the ordinals.
    ids = [decision.id for decision in decided(store)]

    def taken(messages: list) -> list[str]:
        newest: dict[int, int] = {}
        out = []
        for message in messages:
            headers = dict(message.headers())
            ordinal = int(headers["ordinal"])
            if ordinal > newest.get(message.partition(), 0):
                newest[message.partition()] = ordinal
                out.append(headers["id"].decode())
                assert msgspec.json.decode(message.value(), type=Decision).id == out[-1]
        return out

    copies = brokers.consume("decisions", lambda messages: len(taken(messages)) >= len(ids))
    assert sorted(taken(copies)) == sorted(ids)


def test_what_came_live_comes_again_in_the_same_order_with_the_lanes_beside_it(
    brokers: Cluster, url: str, tmp_path: Path
) -> None:
    """No checkpoint in between: after a kill everything is scored again, and only the journal knows the order."""
    topic, store, client = "live", RedisStore(url), RedisLink(url).client
    scorer = ScorerProcess(tmp_path, url, settings(brokers, topic, 600.0))
    scorer.start()
    beside, in_topic = LINES[::5], [line for n, line in enumerate(LINES) if n % 5]
    records: list[Record] = []
    step = 100
    for n, start in enumerate(range(0, len(in_topic), step)):
        part = in_topic[start : start + step]
        placed = brokers.produce(topic, keyed(part), start_ms=start + 1)
        for number, ((partition, offset), line) in enumerate(zip(placed, part, strict=True), start + 1):
            records.append(Record(partition, offset, number, line))
        for line in beside[n * step // 4 : (n + 1) * step // 4]:
            client.xadd("tg:in", {"e": line})
        if n == 5:
            scorer.wait(lambda n=n: store.counters().events_in >= n * step)
            scorer.kill()
            scorer.start()
    for line in beside[(n + 1) * step // 4 :]:
        client.xadd("tg:in", {"e": line})
    scorer.wait(lambda: store.counters().events_in == len(LINES))
    scorer.stop()
    taken = dict.fromkeys(range(4), 0)
    entries = iter(client.xrange("tg:in"))
    order: list[bytes] = []
    for merged in Journal(RedisLink(url)).after("0-0"):
        if isinstance(merged.to, dict):
            slices = {
                p: sorted(r for r in records if r.partition == p and taken[p] <= r.offset < end)
                for p, end in merged.to.items()
            }
            taken |= merged.to
            order += [record.value for record in in_order(slices)]
        else:
            for id_, fields in entries:
                order.append(fields[b"e"])
                if id_.decode() == merged.to:
                    break
    assert sorted(order) == sorted(LINES)
    assert digest_in(store) == digest_of(order)


def test_brokers_go_away_and_come_back_and_poison_is_put_aside(
    brokers: Cluster, url: str, tmp_path: Path
) -> None:
    topic, store = "away", RedisStore(url)
    clear = msgspec.json.encode({**msgspec.json.decode(LINES[0]), "payer": "CANARY@example.com"})
    poison = [(b"k", b"{not json"), (b"k", b""), (b"k", clear), (b"k", b"x" * 70_000)]
    placed = brokers.produce(topic, [*poison, *keyed(LINES[:300])])[: len(poison)]
    chosen = settings(brokers, topic, 0.1, decisions="away-decisions")
    scorer = ScorerProcess(tmp_path, url, chosen)
    scorer.start()
    scorer.wait(lambda: store.counters().events_in == len(poison) + 300)
    try:
        brokers.freeze()
        scorer.wait(lambda: '"event":"kafka"' in scorer.said())
    finally:
        brokers.thaw()
    brokers.produce(topic, keyed(LINES[300:]), start_ms=2_000_000)
    scorer.wait(lambda: store.counters().events_in == len(poison) + len(LINES))
    assert scorer.stop() == 0
    payments = [line for line in LINES if b'"type":"transaction"' in line]
    assert sorted(d.id for d in decided(store)) == sorted(msgspec.json.decode(p)["id"] for p in payments)
    assert store.counters().duplicates == 0
    letters = {letter.place: letter for letter in store.dead_letters(10)}
    assert set(letters) == {f"{topic}/{partition}/{offset}" for partition, offset in placed}
    assert all("CANARY" not in (letter.data or "") for letter in letters.values())
    # Without the topic the next start would miss what is still to come in it.
    scorer.settle("[flow]\nepoch_s = 0.1\n")
    scorer.start()
    assert scorer.process is not None
    assert scorer.process.wait(60) == 2
    assert "set kafka.source" in scorer.said().splitlines()[-1]
