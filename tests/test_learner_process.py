"""The learner's process on a real store: examples in, snapshots, report and changes out; pins and restarts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import redis

from alerts.champion_choice import choice
from alerts.custody.keyring import KeyRing
from alerts.custody.signing import SIGNATURE_BYTES
from alerts.memory_store import MemoryStore
from alerts.redis_store import RedisStore
from alerts.store import Commit
from dataflow.cli import main
from dataflow.embedded import embedded
from dataflow.learning import LearnerProcess
from dataflow.scoring import Written
from dataflow.sinks.examples import entries_for
from dataflow.sinks.store import StoreSinkPartition
from models.decision import Counters
from models.errors import SnapshotError
from models.events import Control, decode
from models.examples import Choice, Example, publishes
from models.learner_report import Change, LearnerReport
from models.serving import Snapshot
from models.settled import Origin
from tests.test_learners import FEATURES, stream

EVERY = 500
DAY = 86_400_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as address:
        yield address


@pytest.fixture
def url(server: str) -> str:
    redis.Redis.from_url(server).flushall()
    return server


def process(url: str, directory: Path, features: tuple[str, ...] = FEATURES) -> LearnerProcess:
    return LearnerProcess(url, directory, KeyRing.for_tests().signer("model"), features, 0.5, EVERY)


def learn_all(learner: LearnerProcess) -> None:
    while learner.step():
        pass


def examples(n: int) -> list[Example]:
    rows, fraud = stream(n, base=-2.0)
    return [
        Example(
            row, bool(label), key, 1.0, Origin("CN>US:USD:cnp", key, key + DAY if label else 0, key + 2 * DAY)
        )
        for key, (row, label) in enumerate(zip(rows, fraud, strict=True))
    ]


def written(found: list[Example], first: int, choices: list[Choice]) -> Written:
    commit = Commit(
        first_decision_ordinal=1, decisions=[], hits=[], first_dead_ordinal=1, dead=[], counters=Counters(),
        minutes={}, stream_time=0,
    )  # fmt: skip
    return Written(commit, found, choices, first, [], [], ("1-0", ""), [1], False, [], [], [])


def send(url: str, found: list[Example], first: int = 1, *names: str) -> None:
    """Through the sink, as the scorer does it; choices of these names come after the last example."""
    last = first + len(found) - 1
    choices = [
        Choice(last, number, choice(name, "alice", "because", 77, number))
        for number, name in enumerate(names, 1)
    ]
    sink = StoreSinkPartition(url, "tg:", 1000, 0)
    for _ in range(2):  # a batch that is done again after a kill is written once
        sink._send_examples(written(found, first, choices))


def published(url: str) -> list[Control]:
    events = [decode(fields[b"e"]) for _, fields in redis.Redis.from_url(url).xrange("tg:control")]
    assert all(isinstance(event, Control) for event in events)
    return events  # type: ignore[return-value]


def snapshot_of(url: str, version: str) -> Snapshot:
    data = RedisStore(url).artefact(version)
    assert data is not None
    return Snapshot.from_bytes(data[SIGNATURE_BYTES:])


def test_choices_stand_among_examples_in_one_order() -> None:
    found = examples(3)
    pins = [
        Choice(after, number, choice(name, "a", "r", 1, number))
        for after, number, name in ((11, 4, "forest"), (11, 5, "auto"), (9, 3, "base"))
    ]
    ids = [id_ for id_, _ in entries_for(found, 10, pins)]
    assert ids == [(9, 3), (10, 0), (11, 0), (11, 4), (11, 5), (12, 0)]


def test_it_reports_and_a_pin_serves_at_once_is_told_and_survives_a_restart(url: str, tmp_path: Path) -> None:
    send(url, examples(2100))
    learner = process(url, tmp_path)
    learn_all(learner)
    store = RedisStore(url)
    before = published(url)
    early = sum(publishes(examples, EVERY) for examples in range(1, EVERY))
    assert len(before) == 2100 // EVERY + early
    assert before[-1].reason == "2000 examples; champion stack"
    report = store.learner_report()
    assert report is not None
    assert (report.champion, report.pinned, report.examples) == ("stack", None, 2000)
    assert report.version == before[-1].version
    assert [c.corridor for c in report.corridors] == ["CN>US:USD:cnp"]
    assert report.label_delay["p50"] == pytest.approx(24.0)
    assert store.model_changes() == []

    send(url, [], 2101, "forest")
    learn_all(learner)
    event = published(url)[-1]
    assert len(published(url)) == len(before) + 1
    assert event.reason == "2100 examples; champion forest; pinned by alice: stack to forest, because"
    assert snapshot_of(url, event.version).champion == "forest"
    report = store.learner_report()
    assert (report.champion, report.pinned) == ("forest", "alice: because")

    again = process(url, tmp_path)
    send(url, examples(3000)[2100:], 2101)
    learn_all(again)
    assert snapshot_of(url, published(url)[-1].version).champion == "forest"
    send(url, [], 3001, "auto", "auto")
    learn_all(again)
    assert snapshot_of(url, published(url)[-1].version).champion == "stack"
    assert [(c.kind, c.actor, c.after) for c in store.model_changes()] == [
        ("pinned", "alice", "forest"), ("released", "alice", "stack"),
    ]  # fmt: skip
    again._beat(1)
    assert "nothing to release" in str(store.beats()["learner"]["refused"])


def test_killed_at_any_place_it_publishes_the_same_again(url: str, tmp_path: Path) -> None:
    def send_all() -> None:
        redis.Redis.from_url(url).flushall()
        send(url, examples(1300))
        send(url, [], 1301, "boosted")
        send(url, examples(2200)[1300:], 1301)

    send_all()
    learn_all(process(url, tmp_path / "straight"))
    straight, changes = published(url), RedisStore(url).model_changes()
    send_all()
    # Every process is dropped after 1,000 examples as if killed: what it had not saved is learnt again.
    for _ in range(8):
        killed = process(url, tmp_path / "killed")
        for _ in range(5):
            killed.step()
    learn_all(process(url, tmp_path / "killed"))
    told = {event.id: event.version for event in published(url)}
    assert told == {event.id: event.version for event in straight}
    assert [(c.kind, c.after) for c in RedisStore(url).model_changes()] == [
        (c.kind, c.after) for c in changes
    ]


def test_an_example_of_before_corridors_is_still_learnt(url: str, tmp_path: Path) -> None:
    client = redis.Redis.from_url(url)
    vector = np.zeros(len(FEATURES), dtype=np.float32).tobytes()
    client.xadd("tg:examples", {"v": vector, "y": 1, "k": 0, "w": 1.0}, id="1-0")
    learner = process(url, tmp_path)
    learn_all(learner)
    assert learner._learner.examples == 1


def test_what_does_not_fit_is_refused_with_a_remedy(url: str, tmp_path: Path) -> None:
    send(url, examples(5))
    with pytest.raises(SnapshotError, match="8 features, the learner 2"):
        process(url, tmp_path / "other", ("a", "b")).step()
    signer = KeyRing.for_tests().signer("model")
    body = msgspec.msgpack.encode({"cursor": "0-0", "learner": b"", "version": ""})
    (tmp_path / "old").mkdir(mode=0o700)
    (tmp_path / "old" / "learner.state").write_bytes(signer.sign(body) + body)
    with pytest.raises(SnapshotError, match="another version"):
        process(url, tmp_path / "old")
    body = msgspec.msgpack.encode({"cursor": "0-0", "learner": b"TGLEARN1", "version": "", "told": 0})
    (tmp_path / "old" / "learner.state").write_bytes(signer.sign(body) + body)
    with pytest.raises(
        SnapshotError, match=r"learner\.state: 8 bytes are no learner state .* remove the file"
    ):
        process(url, tmp_path / "old")


# The store and the command


@pytest.mark.parametrize("kind", ["memory", "redis"])
def test_the_store_keeps_the_newest_report_and_every_change_once(url: str, kind: str) -> None:
    store = MemoryStore() if kind == "memory" else RedisStore(url)
    assert store.learner_report() is None
    assert store.model_changes() == []
    reports = [LearnerReport(at=n, version=f"v{n}", examples=n, frauds=0, champion="stack") for n in (1, 2)]
    changes = [
        Change(at=n, kind="pinned", before="stack", after="forest", actor="小王", reason="r") for n in (2, 1)
    ]
    for _ in range(2):
        for number, (report, change) in enumerate(zip(reports, changes, strict=True)):
            store.put_learner_report(report)
            store.note_model_change(f"id-{number}", change)
    assert store.learner_report() == reports[1]
    assert store.model_changes() == changes[::-1]


def tidegate(*words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(["models", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_command_lists_pins_and_releases(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", url)
    code, _, said = tidegate("list", capsys=capsys)
    assert (code, said.count("\n")) == (2, 1)
    assert "no model yet" in said
    assert "no candidate 'anomaly'" in tidegate("pin", "anomaly", "--reason", "x", capsys=capsys)[2]
    assert "one line" in tidegate("pin", "forest", "--reason", "a\nb", capsys=capsys)[2]
    assert "one line" in tidegate("pin", "forest", "--reason", " ", capsys=capsys)[2]
    assert "no candidate is pinned" in tidegate("unpin", "--reason", "x", capsys=capsys)[2]
    code, told, _ = tidegate("pin", "forest", "--reason", "calm", "--actor", "alice", "--json", capsys=capsys)
    assert (code, msgspec.json.decode(told)["champion"]) == (0, "forest")
    (event,) = published(url)
    assert (event.kind, event.version, event.actor, event.reason) == ("champion", "forest", "alice", "calm")

    send(url, examples(2600))
    learner = process(url, tmp_path / "l")
    learn_all(learner)
    learner._learner.choose("forest", "alice", "calm", 5)
    learner._publish()
    code, told, _ = tidegate("list", capsys=capsys)
    assert code == 0
    for words in (
        "champion forest, pinned by alice: calm",
        "forest *",
        "log loss",
        "pinned: stack to forest",
    ):
        assert words in told
    code, told, _ = tidegate("list", "--json", capsys=capsys)
    listed = msgspec.json.decode(told)
    assert listed["champion"] == "forest"
    assert {s["name"] for s in listed["standings"]} >= {"stack", "logistic", "forest", "boosted", "base"}
    assert [c["kind"] for c in listed["changes"]] == ["pinned"]
    assert tidegate("unpin", "--reason", "done", capsys=capsys)[0] == 0
    assert (published(url)[-1].kind, published(url)[-1].version) == ("champion", "auto")
