"""Surges of labels: what a flood may do to the models, what an honest stream is spared, how a surge ends."""

from __future__ import annotations

import pickle
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import SnapshotError
from models.learners import OnlineLearner
from models.poisoning import FLOOR, FROZEN, NORMAL, WARM, WEIGHED_DOWN, WINDOW, LabelWatch
from models.quality import Ranking
from models.serving import Snapshot
from models.settled import NOWHERE, Origin
from tests.test_learners import FEATURES, stream

N, FLOOD = 7000, 4000
MOVES = 0.01
"""Most average precision that a flood of flipped labels may cost, in a share of 5 % of the examples."""


def label(source: str = "chargeback", actor: str = "", corridor: str = "A>B", at: int = 1) -> Origin:
    return Origin(corridor, at, at + 1, at + 2, source, actor)


@cache
def rows(seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Examples with their labels, and which of them a flood flips: one in twenty, from FLOOD on."""
    examples, fraud = stream(N, seed=seed, base=-4.0)
    # The largest of one feature: an attack that teaches to hold back a kind of good customers.
    flipped = np.nan_to_num(examples[:, 5]) > 1.6
    flipped[:FLOOD] = False
    return examples, fraud, flipped


def taught(flood: bool, named: bool = True, seed: int = 3) -> OnlineLearner:
    """A learner of honest chargebacks, and of flips by one actor; named: or by nobody one can tell."""
    learner = OnlineLearner(FEATURES, negative_rate=0.5)
    examples, fraud, flipped = rows(seed)
    for i in range(N):
        truth = bool(fraud[i])
        if flood and flipped[i]:
            origin = label("analyst", "mallory", at=i) if named else NOWHERE
            learner.learn(examples[i], not truth, key=i, origin=origin)
        else:
            learner.learn(examples[i], truth, key=i, origin=label(at=i) if truth else NOWHERE)
    return learner


def precision_of(learner: OnlineLearner) -> float:
    unseen, fraud = stream(15_000, seed=99, base=-4.0)
    risk = Snapshot.from_bytes(learner.snapshot()).score(unseen).risk
    return Ranking(fraud, risk).average_precision(np.ones(len(fraud)))


def test_a_flood_of_flipped_labels_moves_the_models_hardly_and_is_told() -> None:
    clean, flooded, unguarded = taught(False), taught(True), taught(True, named=False)
    assert clean.oversight.labels.state == (NORMAL, 0), "an honest stream is held back by nothing"
    assert list(clean.oversight.labels.marks) == []
    honest = precision_of(clean)
    assert abs(honest - precision_of(flooded)) <= MOVES
    assert honest - precision_of(unguarded) > 10 * MOVES, "the flood must be one that does harm"
    report = flooded.report("v", 9)
    assert report.learning == FROZEN
    assert {(s.kind, s.name) for s in report.surges} == {("actor", "mallory")}
    told = [mark for mark in report.marks if mark.kind == "poisoning"]
    assert told
    assert told[0].name == "actor:mallory"
    assert "mallory" in told[0].text_zh
    flips = int(rows()[2].sum())
    assert N - flooded.examples > 0.8 * flips
    assert flooded.examples < clean.examples


def test_it_does_not_matter_where_in_the_stream_the_flood_begins() -> None:
    """Here the first labels of the flood fall into a block in which nothing surges yet, and become part of its past."""
    honest = precision_of(taught(False, seed=12))
    assert abs(honest - precision_of(taught(True, seed=12))) <= MOVES


def test_trust_learns_what_was_held_back_and_makes_the_pace_usual() -> None:
    learner = taught(True)
    before, held = learner.examples, len(learner.oversight.held)
    change = learner.trust("actor:mallory", "alice", "new hire, checked", 5)
    assert (change.kind, change.after, change.actor) == ("trusted", NORMAL, "alice")
    assert "actor:mallory" in change.reason
    assert learner.champions.changes[-1] == change
    assert learner.examples == before + held
    assert not learner.oversight.held
    assert learner.report("v", 5).surges == []
    with pytest.raises(SnapshotError, match="normal"):
        learner.trust("actor:mallory", "alice", "again", 6)


def test_a_learner_that_holds_back_goes_on_after_a_restart_as_if_it_had_never_stopped() -> None:
    straight, examples = taught(True), rows()[0]
    resumed = OnlineLearner.from_state(straight.to_state())
    for learner in (straight, resumed):
        learner.trust("actor:mallory", "alice", "checked", 5)
        for i in range(100):
            learner.learn(
                examples[i], bool(i % 9 == 0), key=N + i, origin=label("analyst", "mallory", at=N + i)
            )
    assert straight.snapshot() == resumed.snapshot()
    assert straight.report("v", 1) == resumed.report("v", 1)


# The watch alone


def offered(watch: LabelWatch, n: int, every: int, origin: Origin, given: float = 0.5) -> list[float]:
    """Shares of n examples, every so manyth of them a fraud label of this origin."""
    return [
        watch.offer(origin, True, given) if i % every == 0 else watch.offer(NOWHERE, False, 0.99)
        for i in range(n)
    ]


def test_a_wave_of_real_fraud_from_a_known_source_is_learnt_though_not_without_end() -> None:
    watch = LabelWatch()
    assert min(offered(watch, 10_000, 12, label())) == 1.0
    wave = offered(watch, 400, 2, label())
    assert watch.state[0] == WEIGHED_DOWN
    assert 0.4 < min(wave) < 1.0, "most of a wave is learnt"


def test_a_flood_by_many_names_is_held_to_what_their_source_may_bring() -> None:
    watch = LabelWatch()
    offered(watch, 5000, 12, label())
    shares = [
        watch.offer(label("analyst", f"m{i % 97}", f"C{i % 50}"), True, 0.5)
        if i % 10 == 0
        else watch.offer(NOWHERE, False, 0.99)
        for i in range(2000)
    ]
    assert ("source", "analyst") in {(s.kind, s.name) for s in watch.surges}
    learnt = sum(shares[WINDOW::10])
    assert learnt <= (2000 - WINDOW) / WINDOW * FLOOR["source"] * 1.5
    assert watch.offer(label(), True, 0.5) == 1.0, "who has a past is not held back for them"


def test_labels_against_the_models_tell_on_an_actor_with_a_past() -> None:
    watch = LabelWatch()
    assert min(offered(watch, 10_000, 25, label("analyst", "bob"), given=0.6)) == 1.0
    assert min(offered(watch, 500, 14, label("analyst", "bob"), given=0.6)) == 1.0, (
        "as many that agree are fine"
    )
    watch = pickle.loads(pickle.dumps(watch))
    assert min(offered(watch, 500, 14, label("analyst", "bob"), given=0.001)) < 1.0
    assert next(s.reason_en.split(":")[0] for s in watch.surges) == "actor"


def test_a_surge_is_over_by_itself_also_when_its_source_falls_silent() -> None:
    watch = LabelWatch()
    offered(watch, 4000, 20, label())
    offered(watch, 300, 3, label("analyst", "eve"))
    assert watch.state[0] == FROZEN
    offered(watch, 2 * WINDOW, 20, label(at=400))
    assert watch.state == (NORMAL, 402)
    assert watch.surges == []
    first, last = watch.marks[0], watch.marks[-1]
    assert (first.kind, last.kind) == ("poisoning", "poisoning")
    assert "normal" in last.text_en


def test_a_new_source_may_begin_and_grows_into_its_pace() -> None:
    watch = LabelWatch()
    offered(watch, 5000, 12, label())
    assert min(offered(watch, 2000, int(WINDOW / FLOOR["actor"]) + 5, label("analyst", "new"))) == 1.0


def test_other_sources_are_not_held_back_with_the_one_that_floods() -> None:
    watch = LabelWatch()
    offered(watch, 5000, 10, label("analyst", "ann"))
    shares = []
    for i in range(1000):
        if i % 4 == 0:
            watch.offer(label("analyst", "eve", ""), True, 0.001)
        elif i % 10 == 1:
            shares.append(watch.offer(label("analyst", "ann"), True, 0.6))
        else:
            watch.offer(NOWHERE, False, 0.99)
    assert {s.name for s in watch.surges} == {"eve"}
    assert min(shares) == 1.0


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "analyst", "chargeback"]), st.sampled_from(["", "a", "b"]), st.booleans(),
            st.floats(0, 1),
        ),
        min_size=20,
        max_size=60,
    ),
    st.integers(1, 5000),
)  # fmt: skip
def test_shares_are_shares_and_a_restart_changes_none(
    pattern: list[tuple[str, str, bool, float]], cut: int
) -> None:
    straight, resumed = LabelWatch(), LabelWatch()
    for i in range(WARM + 1500):
        source, actor, fraud, given_ = pattern[(i * i) % len(pattern)]
        origin = label(source, actor if source else "", at=i)
        shares = [watch.offer(origin, fraud, given_) for watch in (straight, resumed)]
        assert shares[0] == shares[1]
        assert 0.0 <= shares[0] <= 1.0
        if i == cut:
            resumed = pickle.loads(pickle.dumps(resumed))
    assert straight.surges == resumed.surges
    assert straight.state == resumed.state
