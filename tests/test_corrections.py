"""Labels that are put right: told from first outcomes by the ledger, and undone wherever a payment is remembered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dataflow.assemble import engine_of
from dataflow.embedded import embedded
from dataflow.settings import Settings
from dataflow.sources.files import RawItem
from models.blend import CalibrationRing
from models.costs import CostSettings, CostWindow
from models.engine_settings import DAY_MS, EngineSettings
from models.events import AnyEvent, Label, Transaction, encode
from models.examples import Example
from models.learners import OnlineLearner
from models.quality import expected_calibration_error
from models.serving import Snapshot
from models.settled import NOWHERE, Origin, SettledWindow
from tests.test_learner_process import learn_all, process, send
from tests.test_learners import FEATURES, stream

START = 20_000 * DAY_MS
TAKEN_BACK = Origin(corrects=True)
N, LATER, RATE = 30_000, 2_000, 0.1


def payment(number: int, day: float, authorisation: str = "approved") -> Transaction:
    at = START + int(day * DAY_MS)
    return Transaction(
        id=f"p{number}", event_time=at, received_at=at, amount=900, currency="USD", channel="cnp", card="T-c",
        authorisation=authorisation,  # type: ignore[arg-type]
    )  # fmt: skip


def label(number: int, day: float, fraud: bool) -> Label:
    at = START + int(day * DAY_MS)
    return Label(
        id=f"l{number}-{day}", event_time=at, received_at=at, transaction_id=f"p{number}", fraud=fraud,
        source="dispute",
    )  # fmt: skip


def examples_of(events: list[AnyEvent], settle_days: float = 3.0) -> list[Example]:
    settings = Settings(engine=EngineSettings(settle_after_ms=int(settle_days * DAY_MS), negative_rate=1.0))
    engine = engine_of(settings, learn_inline=False)
    items = [RawItem(f"s:{at}", encode(event), None, None) for at, event in enumerate(events)]
    return engine.step(items).examples


def test_the_ledger_tells_a_correction_from_a_first_outcome() -> None:
    events = [
        payment(0, 0.0), payment(1, 0.1), payment(2, 0.2, "declined"), payment(3, 0.3),
        label(3, 0.4, True), label(3, 0.5, False),  # put right before it is settled: one outcome
        label(0, 1.0, True),
        payment(4, 5.0),  # the windows of the first four close
        label(0, 6.0, False), label(1, 6.1, True), label(2, 6.2, True), label(0, 6.3, True),
    ]  # fmt: skip
    told = [(e.key, e.fraud, e.origin.corrects) for e in examples_of(events)]
    assert told == [
        (0, True, False), (1, False, False), (3, False, False),
        (0, False, True), (1, True, True), (2, True, False), (0, True, True),
    ]  # fmt: skip


def learnt(corrections: bool) -> OnlineLearner:
    """Good payments, three for ten frauds, are called fraud first and cleared some time later; or never were."""
    rows, fraud = stream(N, base=-4.0)
    draw = np.random.default_rng(1)
    kept = fraud | (draw.random(N) < RATE)
    wrong = set(draw.choice(np.flatnonzero(~fraud), int(0.3 * fraud.sum()), replace=False).tolist())
    learner = OnlineLearner(FEATURES, negative_rate=RATE)
    for i in range(N):
        if corrections and i in wrong:
            learner.learn(rows[i], True, key=i)
        elif kept[i]:
            learner.learn(rows[i], bool(fraud[i]), key=i)
        if corrections and i - LATER in wrong:
            learner.learn(rows[i - LATER], False, key=i - LATER, origin=TAKEN_BACK)
    return learner


def test_disputes_won_leave_the_risk_a_probability() -> None:
    unseen, fraud = stream(60_000, seed=99, base=-4.0)
    for corrections in (False, True):
        learner = learnt(corrections)
        risk = Snapshot.from_bytes(learner.snapshot()).score(unseen).risk
        assert risk.sum() == pytest.approx(fraud.sum(), rel=0.09)
        assert expected_calibration_error(fraud, risk) < 0.01
        # A payment that was called fraud and is none is one payment, not the ten a sampled one stands for.
        told = learner.report("v", 1).standings[0]
        assert told.frauds / told.settled == pytest.approx(stream(N, base=-4.0)[1].mean(), rel=0.1)


def test_every_memory_holds_a_payment_once_with_its_last_label_and_its_first_risk() -> None:
    window, ring, costs = SettledWindow(1, 3), CalibrationRing(), CostWindow(CostSettings())
    for key in (5, 6):
        window.add(np.array([0.3]), True, 1.0, key, NOWHERE)
        ring.add(np.full(4, 0.3), True, 1.0, key)
        costs.add(key, 0.3, 10.0, True, 1.0, key)
    window.add(np.array([0.9]), False, 1.0, 5, TAKEN_BACK)
    ring.add(np.full(4, 0.9), False, 1.0, 5, TAKEN_BACK)
    costs.add(9, 0.9, 10.0, False, 1.0, 5)
    assert window.read().fraud.tolist() == [False, True]
    assert window.read().risks.tolist() == [[0.3], [0.3]]
    assert [row[0] for row in ring._rows] == [0.3, 0.3]
    assert [row[-2:] for row in ring._rows] == [(0.0, 1.0), (1.0, 1.0)]
    assert costs.recent()[:, 1].tolist() == [0.3, 0.3]
    assert costs.recent()[:, 3].tolist() == [0.0, 1.0]


def test_a_fraud_that_is_gone_and_was_none_is_not_counted_as_a_good_payment_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("models.blend.KEPT", 2)
    window, ring = SettledWindow(1, 2), CalibrationRing()
    for key in (5, 6, 7):
        window.add(np.array([0.3]), True, 1.0, key, NOWHERE)
        ring.add(np.full(4, 0.3), True, 1.0, key)
    assert not window.add(np.array([0.9]), False, 1.0, 5, TAKEN_BACK)
    ring.add(np.full(4, 0.9), False, 1.0, 5, TAKEN_BACK)
    assert window.read().fraud.tolist() == [True, True]
    # A good payment that proves to be fraud had mostly not been sampled: it counts.
    assert window.add(np.array([0.2]), True, 1.0, 5, TAKEN_BACK)
    assert window.read().risks[:, 0].tolist() == [0.3, 0.2]


def test_a_label_held_back_and_then_put_right_is_not_taught_by_trust() -> None:
    rows, fraud = stream(2_600, base=-2.0)
    learner = OnlineLearner(FEATURES, negative_rate=0.5)
    for i, row in enumerate(rows):
        flood = i >= 2_200 and i % 4 == 0
        origin = Origin("A>B", i, i + 1, i + 2, "analyst", "mallory") if flood else NOWHERE
        learner.learn(row, flood or bool(fraud[i]), key=i, origin=origin)
    held = [e.key for e in learner.oversight.held]
    assert len(held) > 20
    before = learner.examples
    for key in held[:10]:
        origin = Origin("A>B", key, key + 1, 3_000, "dispute", "", corrects=True)
        assert not learner.learn(rows[key], False, key=key, origin=origin)
    assert [e.key for e in learner.oversight.held] == held[10:]
    learner.trust("actor:mallory", "alice", "the rest is right", 5)
    assert learner.examples == before + len(held) - 10


def test_the_learners_process_learns_corrections_and_holds_back_as_an_inline_one_does(tmp_path: Path) -> None:
    rows, fraud = stream(2_700, base=-2.0)
    rows = rows.astype(np.float32).astype(np.float64)
    found: list[Example] = []
    for i, row in enumerate(rows):
        flood = i >= 2_200 and i % 5 == 0
        origin = Origin("A>B", i, i + 1, i + 2, "analyst" if flood else "chargeback", "eve" if flood else "")
        found.append(Example(row, flood or bool(fraud[i]), i, 1.0, origin))
        if i % 40 == 39:
            old = found[i - 30]
            back = old.origin._replace(known_at=i, corrects=True, source="dispute", actor="")
            found.append(old._replace(fraud=not old.fraud, origin=back))
    with embedded(tmp_path / "valkey") as url:
        send(url, found)
        learner = process(url, tmp_path / "learner")
        for _ in range(4):
            learner.step()
        learner = process(url, tmp_path / "learner")  # killed: it goes on from what it had saved
        learn_all(learner)
        learnt = learner._learner
    inline = OnlineLearner(FEATURES, negative_rate=0.5)
    for example in found:
        inline.learn(example.vector, example.fraud, example.weight, example.key, example.origin)
    assert len(inline.oversight.held) > 20
    assert learnt.snapshot() == inline.snapshot()
    assert learnt.report("v", 1) == inline.report("v", 1)
