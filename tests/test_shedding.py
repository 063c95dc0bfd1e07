"""Shedding: the order, the way back, and decisions that do not change."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.custody.keyring import KeyRing
from dataflow.bench.load import Load
from dataflow.bench.loop import Loop, items_of
from dataflow.checkpoint import Checkpoints
from dataflow.scoring import Scorer, now_ms
from dataflow.settings import Settings
from dataflow.shedding import CALM_MS, Shedding
from dataflow.sources.stream import Packet
from models.decision import Decision, digest_line
from models.shedding import Shed

AFTER = 250


def test_the_order_is_advice_enrichment_texts() -> None:
    shedding = Shedding(AFTER)
    waits = (0, 249, 250, 499, 500, 999, 1000, 60_000)
    assert [shedding.observe(wait, at).left for at, wait in enumerate(waits)] == [
        "", "", "advice", "advice", "enrichment", "enrichment", "texts", "texts"
    ]  # fmt: skip


def test_far_behind_is_told_at_once_and_comes_back_step_by_step() -> None:
    shedding, levels = Shedding(AFTER), []
    assert shedding.observe(60_000, 0) == Shed.TEXTS
    for now in range(0, 4 * CALM_MS, 100):
        level = shedding.observe(0, now)
        if not levels or levels[-1] != level:
            levels.append(level)
    assert levels == [Shed.TEXTS, Shed.ENRICHMENT, Shed.ADVICE, Shed.NOTHING]


def test_zero_never_sheds() -> None:
    assert Shedding(0).observe(1 << 40, 0) == Shed.NOTHING


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 3000)), max_size=60))
def test_never_less_than_the_wait_asks_for_and_never_given_back_in_a_hurry(
    steps: list[tuple[int, int]],
) -> None:
    shedding, now, lowered = Shedding(AFTER), 0, -CALM_MS
    for wait, later in steps:
        now, before = now + later, shedding.level
        level = shedding.observe(wait, now)
        assert level >= max(at for at in Shed if at == 0 or wait >= shedding.limit(at))
        assert level >= before - 1
        if level < before:
            assert now - lowered >= CALM_MS
            lowered = now


@pytest.fixture(scope="module")
def loop() -> Loop:
    load = Load(customers=300)
    made = Loop(Settings(), load)
    made.train(lambda: made.trained or load.events > 6000)
    made.lines = load.take(3000)  # type: ignore[attr-defined]
    return made


def bare(decision: Decision) -> Decision:
    reasons = [msgspec.structs.replace(r, text_en="", text_zh="") for r in decision.reasons]
    feature = [r for r in reasons if r.kind != "rule"]
    return msgspec.structs.replace(decision, reasons=feature, counterfactual=None, features=None, shed="")


def test_no_level_changes_a_decision_and_each_leaves_out_what_it_says(loop: Loop) -> None:
    made: dict[Shed, list[Decision]] = {}
    for level in Shed:
        engine = loop.successor()
        engine.shed = level
        made[level] = engine.step(items_of(loop.lines)).decisions  # type: ignore[attr-defined]
    whole = made[Shed.NOTHING]
    explained = [at for at, decision in enumerate(whole) if decision.reasons]
    assert any(whole[at].counterfactual is not None for at in explained)
    for level, decisions in made.items():
        assert list(map(digest_line, decisions)) == list(map(digest_line, whole))
        assert list(map(bare, decisions)) == list(map(bare, whole))
        for at in explained:
            decision = decisions[at]
            assert decision.shed == level.left
            assert [reason.code for reason in decision.reasons] == [r.code for r in whole[at].reasons]
            assert all(reason.text_en and reason.text_zh for reason in decision.reasons)
            assert level < Shed.ADVICE or decision.counterfactual is None
            assert (decision.features is None) == (level >= Shed.ENRICHMENT)
            briefer = [len(r.text_en) for r in decision.reasons] != [
                len(r.text_en) for r in whole[at].reasons
            ]
            assert briefer == (level == Shed.TEXTS)
        assert not any(decision.shed for at, decision in enumerate(decisions) if at not in set(explained))


def test_the_scorer_sheds_by_the_wait_of_the_oldest_entry_and_counts(loop: Loop, tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "c", KeyRing.for_tests().signer("checkpoint"))
    scorer = Scorer(
        loop.successor(), checkpoints, lambda _: b"", lambda letter: letter, None, Shedding(AFTER)
    )
    lines = loop.lines  # type: ignore[attr-defined]
    fresh = Packet(items_of(lines[:100]), ("1-0", ""), [now_ms() + 60_000])
    late = Packet(items_of(lines[100:]), ("2-0", ""), [now_ms() - 60_000, now_ms()])
    control = Packet([], ("2-0", "1-0"), [0], True)
    (first, second, third), _ = scorer.on_batch([fresh, late, control])
    assert (first.shed, first.shed_decisions) == (Shed.NOTHING, 0)
    assert second.shed == third.shed == Shed.TEXTS
    said = [msgspec.json.decode(line, type=Decision) for line in second.commit.decisions]
    assert second.shed_decisions == sum(decision.shed == "texts" for decision in said) > 0
    assert all(decision.rules or decision.band != "low" for decision in said if decision.shed)
