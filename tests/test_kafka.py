"""The parts of the Kafka connection: addresses and secrets, order, positions, and what is refused in which words."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.redis_link import RedisLink
from alerts.redis_store import RedisStore
from dataflow import cli
from dataflow.embedded import embedded
from dataflow.kafka.admitting import key_of
from dataflow.kafka.client import check_kafka, consumer
from dataflow.kafka.position import Journal, Position, decode, encode
from dataflow.kafka.reading import Reader
from dataflow.kafka.records import Record, first, in_order
from dataflow.kafka.settings import Address, KafkaSettings, address_of, check, connection
from dataflow.kafka.source import KafkaPartition, KafkaSource
from dataflow.store_access import waiting
from models.decision import Counters
from models.errors import SettingsError, TopicError
from models.events import decode as decode_event
from tests.kafka_cluster import PARTITIONS, Cluster, cluster


@pytest.fixture(scope="module")
def brokers() -> Iterator[Cluster]:
    with cluster(1) as running:
        yield running


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("store")) as url:
        yield url


def test_an_address_is_read() -> None:
    assert address_of("kafka://a,b.example:19092,[::1]:1/pay.in") == Address(
        "a:9092,b.example:19092,[::1]:1", "pay.in"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("redis://a/t", "expected kafka://"),
        ("kafka://a:9092", "expected kafka://"),
        ("kafka://a:9092/", "a topic's name"),
        ("kafka://a:9092/a/b", "a topic's name"),
        ("kafka://a:99999/t", "a port"),
        ("kafka:///t", "expected kafka://"),
        ("kafka://me:hunter2@a:9092/t", "no user or password"),
    ],
)
def test_a_wrong_address_is_refused_without_repeating_it(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        address_of(text)
    assert "hunter2" not in str(refused.value)


HERE = "kafka://127.0.0.1:9092/in"


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"decisions": "out"}, "needs kafka.source"),
        ({"source": HERE, "decisions": "in"}, "choose another"),
        ({"source": HERE, "decisions": "no good"}, "name of a topic"),
        ({"source": HERE, "partitions": -1}, "kafka.partitions"),
        ({"source": HERE, "timeout_s": 0}, "kafka.timeout_s"),
        ({"source": HERE, "ca_file": "x"}, "kafka.tls = true"),
        ({"source": HERE, "tls": True, "ca_file": "/no/such"}, "kafka.ca_file"),
        ({"source": HERE, "username": "me"}, "no kafka.sasl"),
        ({"source": HERE, "sasl": "PLAIN"}, "needs kafka.username"),
        ({"source": HERE, "sasl": "PLAIN", "username": "me"}, "either password_env or password_file"),
        (
            {"source": "kafka://far.example/in", "sasl": "PLAIN", "username": "me", "password_env": "P"},
            "in the clear",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused(chosen: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        check(KafkaSettings(**chosen), {"P": "hunter2"})


def test_secrets_come_from_private_files_and_the_environment_only(tmp_path: Path) -> None:
    password, key, certificate = tmp_path / "password", tmp_path / "key.pem", tmp_path / "certificate.pem"
    for path in (password, key, certificate):
        path.write_text("hunter2\n")
        path.chmod(0o644)
    settings = KafkaSettings(
        source="kafka://far.example/in", tls=True, sasl="SCRAM-SHA-512", username="me", password_file=str(password),
        key_file=str(key), certificate_file=str(certificate),
    )  # fmt: skip
    for path, name in ((key, "key_file"), (password, "password")):
        with pytest.raises(SettingsError, match="chmod 600") as refused:
            check(settings)
        assert path.name in str(refused.value)
        assert "hunter2" not in str(refused.value)
        assert name in str(refused.value)
        path.chmod(0o600)
    properties = connection(settings, address_of(settings.source))
    assert properties["security.protocol"] == "SASL_SSL"
    assert properties["sasl.password"] == "hunter2"
    assert properties["ssl.endpoint.identification.algorithm"] == "https"


def test_a_missing_library_is_told_with_the_remedy_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["up", "--source", HERE]) == 2
    assert "pip install 'tidegate[kafka]'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    check_kafka(KafkaSettings())


slices = st.dictionaries(st.integers(0, 3), st.lists(st.integers(0, 50), max_size=12), max_size=4).map(
    lambda times: {p: [Record(p, n, at, b"") for n, at in enumerate(ats)] for p, ats in times.items()}
)


@given(slices, st.integers(1, 20))
def test_ends_of_slices_are_enough_to_repeat_a_batch(held: dict[int, list[Record]], most: int) -> None:
    batch = first(held, most)
    ends = {record.partition: record.offset + 1 for record in batch}
    assert batch == list(in_order({p: held[p][:end] for p, end in ends.items()}))
    for partition in ends:
        own = [record.offset for record in batch if record.partition == partition]
        assert own == list(range(len(own))), "a partition keeps its order"


@given(slices, st.integers(1, 20))
def test_where_times_only_rise_the_order_does_not_depend_on_the_batch(
    held: dict[int, list[Record]], most: int
) -> None:
    rest = {p: sorted(records, key=lambda r: r.at) for p, records in held.items()}
    rest = {p: [Record(p, n, r.at, b"") for n, r in enumerate(records)] for p, records in rest.items()}
    whole, cut = list(in_order(rest)), []
    while batch := first(rest, most):
        cut += batch
        for record in batch:
            rest[record.partition].remove(record)
    assert cut == whole


def position(topic: str, partitions: int = PARTITIONS, **more: Any) -> Position:
    given: dict[str, Any] = {
        "input": "0-0", "control": "0-0", "topic": topic, "offsets": dict.fromkeys(range(partitions), 0),
        "journal": "0-0", "read": 0, **more,
    }  # fmt: skip
    return Position(**given)


def built(
    brokers: Cluster, url: str, topic: str, state: Any, said: list[str] | None = None, **chosen: Any
) -> KafkaPartition:
    told = [] if said is None else said
    settings = KafkaSettings(source=f"kafka://{brokers.brokers}/{topic}", timeout_s=2.0, **chosen)
    source = KafkaSource(settings, url, 8, lambda: False, told.append, prefix=f"{topic}:")
    partition = source.build_part("in", source.list_parts()[0], state)
    assert isinstance(partition, KafkaPartition)
    return partition


def read(partition: KafkaPartition, enough: int) -> list[bytes | None]:
    out: list[bytes | None] = []
    until = time.monotonic() + 30
    while len(out) < enough:
        assert time.monotonic() < until, f"only {len(out)}"
        out += [item.line for packet in partition.next_batch() for item in packet.items]
    return out


def test_what_is_refused_when_the_topic_is_not_as_it_was(brokers: Cluster, url: str) -> None:
    topic = "checked"
    brokers.produce(topic, [(b"%d" % n, b"v%d" % n) for n in range(40)])
    for state, said in [
        (position("other"), "belongs to topic other"),
        (position(topic, 2), "kafka.partitions = 4"),
        (position(topic, 5), "made anew"),
    ]:
        with pytest.raises(TopicError, match=said):
            built(brokers, url, topic, encode(state))
    with pytest.raises(TopicError, match="another version"):
        built(brokers, url, topic, b"{}")
    assert len(read(built(brokers, url, topic, encode(position(topic, 2)), partitions=4), 40)) == 40
    beyond = built(brokers, url, topic, encode(position(topic, offsets=dict.fromkeys(range(4), 900))))
    with pytest.raises(TopicError, match="another topic of the same name"):
        read(beyond, 1)
    with pytest.raises(TopicError, match="Make the topic"):
        built(brokers, url, "no-such-topic", None)


def test_a_first_start_may_begin_at_the_end(brokers: Cluster, url: str) -> None:
    topic = "latest"
    brokers.produce(topic, [(b"%d" % n, b"old") for n in range(20)])
    partition = built(brokers, url, topic, None, start="latest")
    brokers.produce(topic, [(b"a", b"new")])
    assert read(partition, 1) == [b"new"]


def test_a_snapshot_resumes_after_what_was_taken_and_the_store_knows_what_waits(
    brokers: Cluster, url: str
) -> None:
    topic = "resumed"
    client = RedisLink(url).client
    client.xadd(f"{topic}:in", {"e": b"before"})
    brokers.produce(topic, [(b"%d" % n, b"v%d" % n) for n in range(30)])
    # A system that ran without a topic so far.
    partition = built(brokers, url, topic, (client.xrevrange(f"{topic}:in")[0][0].decode(), "0-0"))
    client.xadd(f"{topic}:in", {"e": b"label"})
    client.xadd(f"{topic}:control", {"e": b"control"})
    assert waiting(client, Counters(events_in=1), f"{topic}:") == 2
    taken = read(partition, 32)
    assert taken.index(b"control") < 10
    assert waiting(client, Counters(events_in=33), f"{topic}:") == 0
    state = partition.snapshot()
    assert decode(state).offsets == {p: o for p, o in decode(state).offsets.items() if o >= 0}
    assert sum(decode(state).offsets.values()) == 30
    brokers.produce(topic, [(b"x", b"later")])
    assert read(partition, 1) == [b"later"]
    again = built(brokers, url, topic, state)
    assert read(again, 1) == [b"later"]
    assert sorted(line or b"" for line in taken) == sorted(
        [b"label", b"control", *(b"v%d" % n for n in range(30))]
    )


def test_the_journal_is_kept_for_four_epochs(brokers: Cluster, url: str) -> None:
    topic, client = "kept", RedisLink(url).client
    brokers.produce(topic, [(b"a", b"0")])
    partition = built(brokers, url, topic, None)
    for _ in range(8):
        read(partition, 1)
        partition.snapshot()
        brokers.produce(topic, [(b"a", b"x")])
    assert 4 <= client.xlen(f"{topic}:kafka:journal") <= 5
    assert len(Journal(RedisLink(url), f"{topic}:").after(decode(partition.snapshot()).journal)) == 0


def test_deleted_records_stop_the_reader_or_are_skipped_and_counted() -> None:
    """The stand-in for brokers deletes nothing on demand: what they answer then is played to the reader."""
    from confluent_kafka import KafkaError

    class Gone:
        """Answers as brokers do that have deleted everything below offset 7."""

        def __init__(self) -> None:
            self.sought: list[int] = []
            self.first = True

        def assign(self, _: Any) -> None: ...
        def consume(self, *_: Any) -> list[Any]:
            return []

        def poll(self, _: float) -> Any:
            if not self.first:
                return None
            self.first = False
            error = KafkaError(KafkaError._AUTO_OFFSET_RESET)
            return type(
                "M", (), {"error": lambda _: error, "partition": lambda _: 0, "offset": lambda _: 3}
            )()

        def get_watermark_offsets(self, *_: Any, cached: bool = False) -> tuple[int, int]:
            return 7, 9

        def seek(self, place: Any) -> None:
            self.sought.append(place.offset)

    with pytest.raises(TopicError, match=r"offsets 3 to 6 were deleted.*kafka.skip_lost = true"):
        Reader(Gone(), Address("a:1", "t"), {0: 3}, 8).fetch()
    client, said = Gone(), []
    reader = Reader(client, Address("a:1", "t"), {0: 3}, 8, skip_lost=True, said=said.append)
    reader.fetch()
    assert (client.sought, reader.lost, reader.offsets) == ([7], 4, {0: 7})
    assert "4 records" in said[0]


def test_the_door_writes_to_a_topic_keyed_by_customer(
    brokers: Cluster,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    events = [
        {"type": "transaction", "id": f"o-{n}", "event_time": 1_795_428_000_000 + n, "amount": 100, "currency": "EUR",
         "channel": "cnp", "clear": {"payer_name": f"CANARY-Payer {n % 3}", "email": f"canary{n % 3}@example.com"}}
        for n in range(12)
    ]  # fmt: skip
    lines = [msgspec.json.encode(event) for event in events] + [b"{not json"]
    (tmp_path / "raw.jsonl").write_bytes(b"\n".join(lines))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", url)
    where = f"kafka://{brokers.brokers}/door"
    before = RedisLink(url).client.xlen("tg:in")
    brokers.produce("door", [(b"k", b"made")])
    assert cli.main(["ingest", "raw.jsonl", "--to", where, "--json"]) == 1
    result = msgspec.json.decode(capsys.readouterr().out.splitlines()[-1])
    assert (result["protected"], result["dead_lettered"]) == (12, 1)
    assert RedisLink(url).client.xlen("tg:in") == before
    assert RedisLink(url).client.xlen("tg:dead:door") == 1
    taken = [m for m in brokers.consume("door", lambda found: len(found) >= 13) if m.key() != b"k"]
    assert b"CANARY" not in b"".join(m.value() for m in taken)
    assert all(decode_event(m.value()).id.startswith("o-") for m in taken)
    assert all(m.key() == key_of(m.value()) for m in taken)
    (tmp_path / "tidegate.toml").write_text("[kafka]\ntimeout_s = 0.5\n")
    assert cli.main(["ingest", "raw.jsonl", "--to", "kafka://127.0.0.1:1/door"]) == 2
    assert "no broker answers within 0.5 s" in capsys.readouterr().err
    assert RedisStore(url).ping() > 0


def test_a_wrong_property_names_itself() -> None:
    with pytest.raises(SettingsError, match="kafka:"):
        consumer({"bootstrap.servers": "a:1", "security.protocol": "nonsense"}, lambda _: None)
