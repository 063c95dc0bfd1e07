"""From the label to the operator's word: sources travel to the learner, a surge is told, trust ends it and is audited."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import redis

from alerts.redis_store import RedisStore
from dataflow.embedded import embedded
from dataflow.sources.files import RawItem
from models.engine import Engine
from models.events import Control, Label, Transaction, decode, encode
from models.examples import Choice, Example
from models.freezing import freeze, thaw
from models.settled import NOWHERE, Origin
from tests.streams import record
from tests.test_learner_process import learn_all, process, published, send, snapshot_of, tidegate, written
from tests.test_learners import stream

SURGE, N = 2200, 2600


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as address:
        yield address


@pytest.fixture
def url(server: str) -> str:
    redis.Redis.from_url(server).flushall()
    return server


def examples() -> list[Example]:
    """Chargebacks as usual; from SURGE on one analyst labels every sixth payment."""
    rows, fraud = stream(N, base=-2.0)
    out = []
    for key, (row, label) in enumerate(zip(rows, fraud.tolist(), strict=True)):
        origin = Origin("A>B", key, key + 1, key + 2, "chargeback") if label else NOWHERE
        if key >= SURGE and key % 6 == 0:
            label, origin = True, Origin("A>B", key, key + 1, key + 2, "analyst", "eve")
        out.append(Example(row, label, key, 1.0, origin))
    return out


def test_a_surge_is_told_and_an_operators_trust_ends_it(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", url)
    send(url, examples())
    learner = process(url, tmp_path / "learner")
    learn_all(learner)
    held = len(learner._learner.oversight.held)
    assert held > 20
    assert learner._learner.examples == N - held
    learner._publish()
    store = RedisStore(url)
    report = store.learner_report()
    assert report is not None
    assert (report.learning, report.surges[0].name) == ("frozen", "eve")
    assert "learning frozen: actor:eve" in (published(url)[-1].reason or "")
    code, told, _ = tidegate("list", capsys=capsys)
    assert code == 0
    assert "learning frozen" in told
    assert "actor:eve" in told

    assert "normal" in tidegate("trust", "actor:ann", "--reason", "x", capsys=capsys)[2]
    assert "one line" in tidegate("trust", "actor:eve", "--reason", " ", capsys=capsys)[2]
    code, told, _ = tidegate(
        "trust", "actor:eve", "--reason", "new", "--actor", "bob", "--json", capsys=capsys
    )
    assert (code, msgspec.json.decode(told)["trusted"]) == (0, "actor:eve")
    event = published(url)[-1]
    assert (event.kind, event.version, event.actor, event.reason) == ("trust", "actor:eve", "bob", "new")
    store.seal_audit()
    entry = store.audit_chain(0, 10)[-1].entry
    assert (entry.actor, entry.action, entry.object_id) == ("bob", "trusted", "actor:eve")

    # The scorer puts it among the examples.
    from dataflow.sinks.store import StoreSinkPartition

    StoreSinkPartition(url, "tg:", 1000, 0)._send_examples(written([], N + 1, [Choice(N, 1, event)]))
    learn_all(learner)
    report = store.learner_report()
    assert report is not None
    assert (report.learning, report.surges, report.examples) == ("normal", [], N)
    assert store.model_changes()[-1].kind == "trusted"
    assert snapshot_of(url, report.version).examples == N


def stepped(engine: Engine, items: list[RawItem], batch: int) -> list[Example]:
    out: list[Example] = []
    for start in range(0, len(items), batch):
        out += engine.step(items[start : start + batch]).examples
    return out


@pytest.mark.parametrize("batch", [1, 97])
def test_source_and_actor_reach_the_example_whatever_the_batches_and_restarts(batch: int) -> None:
    day = 86_400_000
    items, told = [], {}
    for number in range(60):
        at = 100 * day + number * day
        payment = Transaction(
            id=f"p{number}",
            event_time=at,
            received_at=at,
            amount=500,
            currency="USD",
            channel="cnp",
            card="T-c",
        )
        source, actor = ("analyst", f"role-{number % 3}") if number % 2 else ("chargeback", None)
        label = Label(
            id=f"l{number}", event_time=at, received_at=at + day // 2, transaction_id=f"p{number}", fraud=True,
            source=source, actor=actor,
        )  # fmt: skip
        items += [RawItem(f"s:{number}", encode(e), None, None) for e in (payment, label)]
        told[number] = (source, actor or "")
    cut = 70
    engine = record.fresh_engine()
    engine.learner = None
    found = stepped(engine, items[:cut], batch)
    arrays, meta = freeze(engine)
    kept = {name: np.array(value) for name, value in arrays.items()}
    resumed = record.fresh_engine()
    resumed.learner = None
    thaw(resumed, kept, meta)
    found += stepped(resumed, items[cut:], batch)
    assert len(found) > 40
    assert {e.key: (e.origin.source, e.origin.actor) for e in found} == {e.key: told[e.key] for e in found}


def test_trust_in_a_recorded_stream_is_refused_where_nothing_surges() -> None:
    engine = record.fresh_engine()
    at = 100 * 86_400_000
    event = Control(
        id="t", event_time=at, received_at=at, kind="trust", version="actor:eve", actor="bob", reason="x"
    )
    output = engine.step([RawItem("c:1", encode(event), None, None)])
    assert [letter.reason for letter in output.dead] == ["control_refused"]
    assert isinstance(decode(encode(event)), Control)
