"""Confirmed frauds in every store, from the engine's examples on, and in the console's case view in both languages."""

from __future__ import annotations

import gzip
import random
import time
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import redis
import streamlit as st

from alerts import fraud_cases
from alerts.custody.signing import SIGNATURE_BYTES
from alerts.memory_store import MemoryStore
from alerts.redis_store import RedisStore
from alerts.store import Store
from dashboard import data
from dashboard.text import translator
from dataflow.embedded import embedded
from models.decision import Counterfactual, Counters, Decision, encode_decision
from models.events import Label, decode
from models.features import INDEX, NAMES
from models.learners import OnlineLearner
from models.serving import Snapshot
from models.similar import FraudMemory, packed, unpacked
from tests.console_data import commit, decision, fill
from tests.streams import record
from tests.test_console_pages import Breakable, opened, words

AnyStore = MemoryStore | RedisStore
AMOUNT = INDEX["amount_usd"]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as address:
        yield address


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest, url: str) -> AnyStore:
    if request.param == "memory":
        return MemoryStore(keep_decisions=50)
    redis.Redis.from_url(url).flushall()
    return RedisStore(url, keep_decisions=50)


def vector(seed: int) -> bytes:
    return packed(np.random.default_rng(seed).normal(size=len(NAMES)))


def decided(count: int) -> list[Decision]:
    return [decision(n, 1_700_000_000_000 + n, random.Random(n), fraud=False) for n in range(count)]


def test_a_fraud_comes_with_what_its_decision_says(store: AnyStore) -> None:
    made = decided(60)
    for start in range(0, 60, 20):
        commit(store, made[start : start + 20], [], Counters(events_in=start + 20), made[start].event_time)
    store.remember_frauds([(3, vector(3), 30.0), (59, vector(59), 590.0), (10, vector(10), 1.5)], [])
    found = store.confirmed_frauds()
    assert [(f.key, f.amount_usd) for f in found] == [(3, 30.0), (59, 590.0), (10, 1.5)]
    assert found[0].id == "", "only the newest 50 decisions are kept"
    for key, fraud in ((59, found[1]), (10, found[2])):
        assert (fraud.id, fraud.time) == (made[key].id, made[key].event_time)
        assert fraud.corridor == made[key].context["corridor"]
        assert fraud.vector == vector(key)


def test_it_is_bounded_repeatable_and_takes_corrections(
    store: AnyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fraud_cases, "KEPT", 4)
    if isinstance(store, MemoryStore):
        store._cases = FraudMemory(4)
    store.remember_frauds([(n, vector(n), float(n)) for n in range(6)], [])
    assert [f.key for f in store.confirmed_frauds()] == [2, 3, 4, 5]
    store.remember_frauds([(n, vector(n), float(n)) for n in range(6)], [])
    assert [f.key for f in store.confirmed_frauds()] == [2, 3, 4, 5]
    store.remember_frauds([], [3, 77])
    store.remember_frauds([(2, vector(2), 2.0)], [])
    assert [f.key for f in store.confirmed_frauds()] == [4, 5, 2]
    if isinstance(store, RedisStore):
        assert store._one("HLEN", "tg:frauds:rows") == 3, "no row is left behind"


def test_an_artefact_is_given_as_published(store: AnyStore) -> None:
    assert store.artefact("abc") is None
    if isinstance(store, MemoryStore):
        store.artefacts["abc"] = b"signed"
    else:
        store._one("SET", "tg:artefact:abc", b"signed")
    assert store.artefact("abc") == b"signed"


def test_an_examples_key_is_the_number_of_its_payments_decision(tmp_path: Path) -> None:
    """What the sink relies on when it looks up whose vector it keeps."""
    with gzip.open(record.path_of("merchant")) as file:
        lines = [line.rstrip(b"\n") for line in file]
    events = [decode(line) for line in lines]
    engine = record.fresh_engine()
    store, known = MemoryStore(), {e.transaction_id for e in events if isinstance(e, Label) and e.fraud}
    ids, frauds = [], []
    for start in range(0, len(lines), 100):
        output = engine.step([_Line(line) for line in lines[start : start + 100]])
        commit(store, output.decisions, [], msgspec.structs.replace(engine.counters), engine.ledger.clock)
        ids += [d.id for d in output.decisions]
        frauds += [(e.key, packed(e.vector), float(e.vector[AMOUNT])) for e in output.examples if e.fraud]
    store.remember_frauds(frauds, [])
    assert len(store.confirmed_frauds()) > 5
    for fraud in store.confirmed_frauds():
        assert fraud.id == ids[fraud.key]
        assert fraud.id in known
        told = msgspec.json.decode(store.decision(fraud.id) or b"", type=Decision)
        assert fraud.amount_usd == pytest.approx(told.context["amount_usd"], rel=1e-4, abs=0.006)
        assert unpacked(fraud, len(NAMES))[AMOUNT] == fraud.amount_usd


class _Line(msgspec.Struct):
    line: bytes
    place: str = "test"
    event: None = None
    error: None = None


# --- the case view ---------------------------------------------------------------------------------------


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> Iterator[Breakable]:
    found = Breakable(MemoryStore())

    def connect(url: str) -> Store:
        return found  # type: ignore[return-value]

    monkeypatch.setattr(data, "connect", connect)
    monkeypatch.setattr(data, "FRESH_S", 0.0)
    monkeypatch.setattr(data, "SIMILAR_FRESH_S", 0.0)
    monkeypatch.setenv("REDIS_URL", "memory://")
    monkeypatch.delenv("TIDEGATE_CONSOLE", raising=False)
    st.cache_resource.clear()
    yield found
    st.cache_resource.clear()


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    rng = np.random.default_rng(4)
    learner = OnlineLearner(NAMES)
    for key in range(700):
        row = rng.normal(size=len(NAMES))
        learner.learn(row, bool(row[AMOUNT] > 1.0), key=key)
    return Snapshot.from_bytes(learner.snapshot())


CONTRAST = Counterfactual("At most <b>41</b> US dollars.", "金额不超过 <b>41</b> 美元。", 41.0, "low", 0.05)


def add_case(store: MemoryStore, snapshot: Snapshot, with_features: bool = True) -> Decision:
    """A worst case that goes to the head of the queue, with features of its own."""
    fill(store, int(time.time() * 1000), minutes=45)
    worst = store.alerts(("open",), "priority", 1)[0].decision
    row = np.random.default_rng(0).normal(size=len(NAMES))
    features: dict[str, float | None] = {name: float(x) for name, x in zip(NAMES, row, strict=True)}
    features[NAMES[3]] = None
    context: dict[str, Any] = {**worst.context, "amount_usd": 10**7, "card": "card_x", "customer": "cust_x"}
    case = msgspec.structs.replace(
        worst, id="tx-case", risk=0.99, context=context, counterfactual=CONTRAST,
        versions=msgspec.structs.replace(worst.versions, model=snapshot.version),
        features=features if with_features else None,
    )  # fmt: skip
    commit(store, [case], [], Counters(events_in=10**6), case.event_time)
    row[3] = np.nan
    store.remember_frauds([(10**9, packed(row), 12.5), (0, vector(7), 99.0)], [])
    store.artefacts[snapshot.version] = b"s" * SIGNATURE_BYTES + snapshot.data
    return case


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_case_shows_sentences_contrast_and_similar_frauds(
    link: Breakable, snapshot: Snapshot, language: str
) -> None:
    case = add_case(link.store, snapshot)
    t = translator(language)  # type: ignore[arg-type]
    app = opened("queue", language)
    text = words(app)
    for reason in case.reasons:
        assert escape(reason.text_zh if language == "zh" else reason.text_en) in text
    assert t("case.contrast") in text
    assert ("金额不超过 &lt;b&gt;41" if language == "zh" else "At most &lt;b&gt;41") in text
    tables = [frame.value for frame in app.dataframe if t("similar.distance") in frame.value.columns]
    assert len(tables) == 1
    table = tables[0]
    assert table[t("similar.distance")].tolist() == sorted(table[t("similar.distance")])
    assert table[t("similar.distance")][0] == 0.0
    assert table[t("similar.id")][0] == t("similar.no_id")
    assert table[t("similar.id")][1] == msgspec.json.decode(next(iter(link.store._decisions.values())))["id"]


@pytest.mark.parametrize("lost", ["features", "model", "torn", "frauds"])
def test_what_cannot_be_told_is_said(link: Breakable, snapshot: Snapshot, lost: str) -> None:
    add_case(link.store, snapshot, with_features=lost != "features")
    if lost == "model":
        link.store.artefacts.clear()
    elif lost == "torn":
        link.store.artefacts[snapshot.version] = b"s" * SIGNATURE_BYTES + snapshot.data[:-1]
    elif lost == "frauds":
        link.store.remember_frauds([], [10**9, 0])
    t = translator("en")
    assert t("similar.none" if lost == "frauds" else "similar.unknown") in words(opened("queue"))


def test_a_decision_with_evidence_goes_through_its_encoding() -> None:
    one = msgspec.structs.replace(
        decision(1, 2, random.Random(3), fraud=True), counterfactual=CONTRAST, features={"amount_usd": None}
    )
    assert msgspec.json.decode(encode_decision(one), type=Decision) == one
