"""Champion and challengers: who is promoted, who is not, who is taken back, and what is told of them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.assemble import engine_of
from dataflow.settings import load_settings
from dataflow.sources.files import FileSource, RawItem
from models import events, quality, standings
from models.champions import CHECK, COLUMNS, KNOWN_GOOD, Champions, Policy
from models.costs import CostSettings
from models.errors import SnapshotError
from models.events import Control, Label, Transaction
from models.freezing import freeze, thaw
from models.learner_report import Change, LearnerReport
from models.oversight import Oversight
from models.reporting import Points, report_of
from models.risk import Thresholds
from models.rows import corridor_of
from models.serving import MODELS, Snapshot
from models.settled import Origin, Settled, SettledWindow
from models.snapshot import BASE, CANDIDATES, CHAMPIONS, STACK, decode, encode
from tests.streams import record
from tests.test_learners import stream, taught, trained

Risks = np.ndarray
QUICK = Policy(block=50, cool_down=2000, probation=4000, barred=4000, fewest_frauds=50)
EVERY = 200
"""Examples between two checks of a quick policy."""


def examples(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.random.Generator]:
    """True log-odds, labels and weights of n settled examples, one good payment in ten sampled."""
    generator = np.random.default_rng(seed)
    logit = generator.normal(-5.5, 2.0, 12 * n)
    fraud = generator.random(12 * n) < 1 / (1 + np.exp(-logit))
    kept = np.flatnonzero(fraud | (generator.random(12 * n) < 0.1))[:n]
    assert len(kept) == n
    return logit[kept], fraud[kept], np.where(fraud[kept], 1.0, 10.0), generator


def said(logit: np.ndarray, noises: tuple[float, ...], generator: np.random.Generator) -> Risks:
    """What candidates say that err by so much, partly alike among neighbours; base rate; no known good snapshot."""
    n = len(logit)
    columns = [
        logit + generator.normal(0, e, n) + np.repeat(generator.normal(0, e / 3, n // 100 + 1), 100)[:n]
        for e in noises
    ]
    risks = 1 / (1 + np.exp(-np.stack(columns, axis=1)))
    return np.column_stack([risks, np.full(n, 0.025), np.full(n, np.nan)])


def fed(
    champions: Champions, risks: Risks, fraud: np.ndarray, weight: np.ndarray, every: int
) -> list[Change]:
    """The changes made while these examples settle."""
    before = champions.made
    for i, row in enumerate(risks):
        champions.add(row, bool(fraud[i]), float(weight[i]), key=-1)
        if champions.settled % every == 0:
            champions.check(champions.settled)
    return list(champions.changes)[-(champions.made - before) :] if champions.made > before else []


def run(noises: tuple[float, ...], n: int, seed: int, policy: Policy | None = None) -> list[Change]:
    logit, fraud, weight, generator = examples(n, seed)
    champions = Champions(policy)
    return fed(champions, said(logit, noises, generator), fraud, weight, CHECK if policy is None else EVERY)


# Promotion


@pytest.mark.slow
def test_equally_good_models_are_hardly_ever_promoted() -> None:
    """1.5 % of 200 longer runs (48,000 examples) saw a promotion; a run in twenty is far out of that."""
    runs = [run((0.5,) * 4, 20_000, seed) for seed in range(40)]
    assert sum(bool(changes) for changes in runs) <= 2


@pytest.mark.parametrize("seed", range(5))
def test_a_truly_better_challenger_is_promoted_within_ten_thousand_examples_and_stays(seed: int) -> None:
    changes = run((0.8, 0.8, 0.4, 0.8), 20_000, seed)
    assert [(c.kind, c.before, c.after) for c in changes] == [("promoted", STACK, "forest")]
    # No sooner than the blocks of the test are full and three checks agree.
    assert 7000 <= changes[0].at <= 10_000
    assert "z " in changes[0].reason
    assert "frauds" in changes[0].reason
    assert changes[0].actor == "learner"


def test_a_trial_tells_how_near_a_challenger_is() -> None:
    logit, fraud, weight, generator = examples(4000)
    risks, champions = said(logit, (1.2, 1.2, 0.3, 1.2), generator), Champions(QUICK)
    assert champions.trial("forest") is None
    for start in range(0, len(risks), EVERY):
        part = slice(start, start + EVERY)
        before = champions.trial("forest")
        if fed(champions, risks[part], fraud[part], weight[part], EVERY):
            break
    assert before is not None
    assert (before.passed, before.passes_needed, before.waits) == (
        QUICK.consecutive - 1,
        QUICK.consecutive,
        0,
    )
    assert champions.champion == "forest"
    assert champions.trial("forest") is None
    assert champions.trial(BASE) is None
    after = champions.trial(STACK)
    assert after is not None
    assert after.z is not None
    assert after.gain is not None
    assert after.z < -QUICK.z
    assert after.gain < 0.0
    assert (after.passed, after.waits, after.blocks) == (0, QUICK.cool_down, QUICK.blocks)


def test_a_worse_challenger_is_never_promoted() -> None:
    assert run((0.4, 0.8, 0.8, 0.8), 20_000, 3) == []


def test_better_log_loss_alone_does_not_promote_what_ranks_worse() -> None:
    logit, fraud, weight, generator = examples(12_000)
    risks = said(logit, (0.3,) * 4, generator)
    # The champion ranks better and is badly calibrated; the challenger knows little but says it honestly.
    risks[:, 0] = 1 / (1 + np.exp(-(logit + 2.5)))
    risks[:, 1:4] = 1 / (1 + np.exp(-(logit[:, None] + generator.normal(0, 0.6, (12_000, 3)))))
    champions = Champions(QUICK)
    assert fed(champions, risks, fraud, weight, EVERY) == []
    blocks = champions._losses()
    assert champions.advantage("forest", STACK, blocks) > QUICK.z, "log-loss alone would have promoted it"


def test_few_frauds_promote_nothing() -> None:
    logit, fraud, weight, generator = examples(10_000)
    risks = said(logit, (0.8, 0.3, 0.8, 0.8), generator)
    policy = msgspec.structs.replace(QUICK, fewest_frauds=1000)
    assert fed(Champions(policy), risks, fraud, weight, EVERY) == []
    assert fed(Champions(QUICK), risks, fraud, weight, EVERY) != []


def test_models_that_take_turns_do_not_make_the_champion_flap() -> None:
    """Two models, each better for 1,500 examples in turn: faster than the test looks, so nothing changes often."""
    logit, fraud, weight, generator = examples(40_000, 5)
    one, other = said(logit, (0.8, 0.4, 1.5, 1.5), generator), said(logit, (0.4, 0.8, 1.5, 1.5), generator)
    turns = (np.arange(40_000) // 1500) % 2 == 0
    changes = fed(Champions(QUICK), np.where(turns[:, None], one, other), fraud, weight, EVERY)
    assert len(changes) <= 40_000 // QUICK.cool_down // 2
    times = [change.at for change in changes if change.kind == "promoted"]
    assert all(b - a >= QUICK.cool_down for a, b in pairwise(times))


# Rollback and fallback


def promoted(policy: Policy = QUICK) -> tuple[Champions, np.random.Generator]:
    logit, fraud, weight, generator = examples(6000, 8)
    champions = Champions(policy)
    changes = []
    risks = said(logit, (0.8, 0.3, 0.9, 0.9), generator)
    for i in range(6000):
        champions.add(risks[i], bool(fraud[i]), float(weight[i]))
        if champions.settled % EVERY == 0 and champions.check(i):
            changes = list(champions.changes)
            break
    assert [c.after for c in changes] == ["logistic"]
    return champions, generator


def test_a_promotion_that_proves_wrong_is_taken_back_and_barred() -> None:
    champions, _ = promoted()
    logit, fraud, weight, generator = examples(3000, 9)
    at = champions.settled
    changes = fed(champions, said(logit, (0.4, 0.9, 1.2, 1.2), generator), fraud, weight, EVERY)
    assert [(c.kind, c.before, c.after) for c in changes] == [("rolled_back", "logistic", STACK)]
    assert changes[0].at - at <= 2000
    # Better again, it has to wait.
    logit, fraud, weight, generator = examples(9000, 10)
    again = fed(champions, said(logit, (0.8, 0.3, 1.2, 1.2), generator), fraud, weight, EVERY)
    assert [c.after for c in again] == ["logistic"]
    assert again[0].at - changes[0].at >= QUICK.barred


@pytest.mark.parametrize("left", [KNOWN_GOOD, "boosted", BASE])
def test_a_champion_far_below_its_own_past_gives_way_to_what_is_still_good(left: str) -> None:
    logit, fraud, weight, generator = examples(6000, 12)
    healthy = said(logit, (0.5,) * 4, generator)
    champions = Champions(QUICK)
    assert fed(champions, healthy, fraud, weight, EVERY) == []
    assert champions.healthy
    logit, fraud, weight, generator = examples(3000, 13)
    broken = said(-logit - 6, (0.5,) * 4, generator)  # every candidate has turned round
    good = said(logit, (0.5,) * 4, generator)[:, 0]
    if left != BASE:
        broken[:, COLUMNS.index(left)] = good
    changes = fed(champions, broken, fraud, weight, EVERY)
    assert [(c.kind, c.before, c.after) for c in changes] == [("rolled_back", STACK, left)]
    assert "past" in changes[0].reason
    assert [mark.name for mark in champions.marks] == [STACK]


def test_a_champion_that_falls_is_kept_and_told_of_when_nothing_is_better() -> None:
    logit, fraud, weight, generator = examples(6000, 12)
    champions = Champions(QUICK)
    fed(champions, said(logit, (0.3,) * 4, generator), fraud, weight, EVERY)
    logit, fraud, weight, generator = examples(3000, 13)
    blunt = np.log(0.025) + 0.15 * (logit - logit.mean())  # all equally dull, a little better than nothing
    assert fed(champions, said(blunt, (0.0,) * 4, generator), fraud, weight, EVERY) == []
    assert len(champions.marks) == 1
    assert not champions.healthy
    assert champions.marks[0].text_en.startswith(STACK)


# Pins


def test_a_pin_overrules_the_tests_until_it_is_released() -> None:
    champions, _ = promoted()
    pinned = champions.pin("boosted", "alice", "try it", 5)
    assert (pinned.kind, pinned.before, pinned.after, pinned.actor) == (
        "pinned",
        "logistic",
        "boosted",
        "alice",
    )
    logit, fraud, weight, generator = examples(9000, 9)
    assert fed(champions, said(logit, (0.4, 0.4, 0.4, 2.0), generator), fraud, weight, EVERY) == []
    assert champions.champion == "boosted"
    champions.pin("forest", "bob", "rather this", 6)
    released = champions.release("bob", "done", 7)
    assert (released.kind, released.after) == ("released", "logistic")
    with pytest.raises(SnapshotError, match="no candidate is pinned"):
        champions.release("bob", "again", 8)
    with pytest.raises(SnapshotError, match="stack, logistic, forest, boosted, base, known_good"):
        champions.pin("anomaly", "bob", "no candidate", 9)
    assert champions.champion == "logistic"


@settings(max_examples=10, deadline=None)
@given(cut=st.integers(1, 1999), pin=st.integers(0, 1999))
def test_a_copy_made_at_any_time_goes_on_alike(cut: int, pin: int) -> None:
    logit, fraud, weight, generator = examples(2000, 8)
    risks = said(logit, (0.8, 0.3, 0.9, 0.9), generator)
    straight, resumed = Champions(QUICK), Champions(QUICK)
    for i in range(2000):
        for champions in (straight, resumed):
            champions.add(
                risks[i], bool(fraud[i]), float(weight[i]), key=i % 1500, origin=Origin("A>B", 1, 2, 3)
            )
            if i == pin:
                champions.pin("forest", "alice", "for now", i)
            if i % EVERY == 0:
                champions.check(i)
        if i == cut:
            resumed = pickle.loads(pickle.dumps(resumed))
    assert (straight.champion, straight.pinned) == (resumed.champion, resumed.pinned) != (STACK, None)
    assert list(straight.changes) == list(resumed.changes)
    watch = Oversight(("f",), 0.1, CostSettings(), Thresholds(), False)
    one, other = (
        report_of(c, Points(), watch, version="", examples=1, frauds=1, at=1, rate=0.1)
        for c in (straight, resumed)
    )
    assert msgspec.json.encode(one) == msgspec.json.encode(other)


# Measures


def window(n: int = 3000, weigh: Callable[[np.ndarray], np.ndarray] | None = None) -> Settled:
    logit, fraud, weight, generator = examples(n, 4)
    kept = SettledWindow(len(COLUMNS), size=n)
    weight = weight if weigh is None else weigh(fraud)
    for i, row in enumerate(said(logit, (0.2, 0.5, 0.9, 1.5), generator)):
        corridor = ("CN>US:USD:cnp", "DE>FR:EUR:transfer", "")[min(i % 7, 2)]
        labelled = i * 10 + 3_600_000 * (i % 3) if fraud[i] else 0
        kept.add(row, bool(fraud[i]), float(weight[i]), i, Origin(corridor, i * 10, labelled, i * 20))
    return kept.read()


def test_unweighted_measures_are_those_of_quality() -> None:
    settled = window(weigh=lambda fraud: np.ones(len(fraud)))
    for column, name in enumerate(CANDIDATES):
        found, risk = standings.standing(name, settled, column), settled.risks[:, column]
        assert found.roc_auc == pytest.approx(quality.roc_auc(settled.fraud, risk))
        assert found.average_precision == pytest.approx(quality.average_precision(settled.fraud, risk))
        assert found.recall == pytest.approx(quality.recall_at_budget(settled.fraud, risk, 15))
        assert found.calibration_error == pytest.approx(
            quality.expected_calibration_error(settled.fraud, risk), abs=2e-3
        )
        given_ = np.where(settled.fraud, risk, 1 - risk)
        assert found.log_loss == pytest.approx(-np.log(given_).mean())
        assert (found.settled, found.frauds) == (3000, settled.fraud.sum())


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000))
def test_a_weight_counts_as_so_many_payments(seed: int) -> None:
    """Weighted measures of a sample are those of the table in which every row stands as often as it weighs."""
    generator = np.random.default_rng(seed)
    n = 400
    risk = np.round(generator.random(n), 2)
    fraud, weight = generator.random(n) < risk, generator.integers(1, 5, n)
    risks = np.repeat(risk[:, None], len(COLUMNS), axis=1)
    nothing, nowhere = np.full(n, np.nan), np.array([""] * n, dtype=object)
    sample = Settled(risks, fraud, weight.astype(float), nothing, nowhere)
    whole = Settled(*(np.repeat(column, weight, axis=0) for column in (risks, fraud)),
                    np.ones(weight.sum()), np.repeat(nothing, weight), np.repeat(nowhere, weight))  # fmt: skip
    one, other = (standings.standing("x", s, 0) for s in (sample, whole))
    for name in ("settled", "frauds", "log_loss", "roc_auc", "average_precision", "recall"):
        assert getattr(one, name) == pytest.approx(getattr(other, name)), name
    assert one.calibration_error == pytest.approx(other.calibration_error, abs=5e-3)


def test_the_better_candidate_stands_better() -> None:
    settled = window()
    found = [standings.standing(name, settled, i) for i, name in enumerate(CANDIDATES)]
    assert [s.log_loss for s in found] == sorted(s.log_loss for s in found)
    assert [s.average_precision for s in found] == sorted((s.average_precision for s in found), reverse=True)
    silent = standings.standing(KNOWN_GOOD, settled, COLUMNS.index(KNOWN_GOOD))
    assert (silent.settled, silent.log_loss) == (0, None)


def test_corridors_are_told_largest_first_and_bounded() -> None:
    settled = window()
    found = standings.corridor_standings(settled, COLUMNS, 0, 0.1)
    assert {c.corridor for c in found} == {"CN>US:USD:cnp", "DE>FR:EUR:transfer"}, (
        "what has no corridor is left out"
    )
    assert [c.settled for c in found] == sorted((c.settled for c in found), reverse=True)
    for told in found:
        rows = settled.corridors == told.corridor
        assert told.settled == round(settled.weight[rows].sum())
        assert told.observed == pytest.approx(told.frauds / told.settled, rel=1e-2)
        assert set(told.log_loss) == {*CANDIDATES, BASE}
    assert len(standings.corridor_standings(settled, COLUMNS, 0, 0.1, most=1)) == 1


def test_calibration_bins_hold_every_payment_and_rise() -> None:
    settled = window()
    bins = standings.calibration_bins(settled, 0)
    assert sum(b.payments for b in bins) == pytest.approx(settled.weight.sum())
    assert [b.expected for b in bins] == sorted(b.expected for b in bins)
    assert sum(b.observed * b.payments for b in bins) == pytest.approx(settled.weight[settled.fraud].sum())
    assert len(bins) > 5
    assert standings.calibration_bins(settled, COLUMNS.index(KNOWN_GOOD)) == []


def test_label_delays_are_hours_of_labelled_payments_only() -> None:
    found = standings.label_delay(window())
    assert 0.0 <= found["p10"] <= found["p50"] <= found["p90"] <= 2.0
    assert standings.label_delay(SettledWindow(1).read()) == {}


def test_a_label_that_comes_again_corrects_the_window_and_tests_nobody() -> None:
    kept = SettledWindow(1, size=3)
    assert kept.add(np.array([0.1]), False, 10.0, 5, Origin())
    assert not kept.add(np.array([0.9]), True, 1.0, 5, Origin())
    assert (kept.read().fraud.tolist(), kept.read().weight.tolist(), kept.read().risks.tolist()) == (
        [True],
        [1.0],
        [[0.1]],
    )
    for key in (6, 7, 8):
        assert kept.add(np.array([0.2]), False, 10.0, key, Origin())
    assert kept.add(np.array([0.3]), True, 1.0, 5, Origin()), "it has left the window: taken as new"
    assert kept.read().risks[:, 0].tolist() == [0.2, 0.2, 0.3]


# What serves


@pytest.fixture(scope="module")
def by_champion() -> dict[str, Snapshot]:
    body = decode(trained()[0])
    return {
        name: Snapshot.from_bytes(encode(msgspec.structs.replace(body, champion=name))) for name in CHAMPIONS
    }


def test_every_champion_serves_what_it_was_tested_by_and_challengers_only_watch(by_champion) -> None:
    rows, fraud = stream(4000, seed=31)
    stack = by_champion[STACK]
    tested = stack.candidates(stack.raw(rows))
    for column, (name, served) in enumerate(by_champion.items()):
        scores = served.score(rows)
        assert served.champion == name
        assert scores.risk.tobytes() == tested[:, column].copy().tobytes()
        for model in MODELS:
            assert scores.by_model[model].tobytes() == stack.score(rows).by_model[model].tobytes()
    assert len({s.version for s in by_champion.values()}) == len(CHAMPIONS)
    assert len(set(by_champion[BASE].score(rows).risk)) == 1
    for name in ("logistic", "forest"):
        served = by_champion[name].score(rows)
        assert served.risk.mean() == pytest.approx(fraud.mean(), rel=0.35)
        assert quality.roc_auc(fraud, served.risk) == pytest.approx(
            quality.roc_auc(fraud, served.by_model[name])
        )


@pytest.mark.parametrize("champion", CHAMPIONS)
def test_reasons_add_up_whoever_serves(by_champion, champion: str) -> None:
    served = by_champion[champion]
    for row in stream(200, seed=32)[0]:
        base, shares = served.contributions(row)
        risk = float(served.score(row[None, :]).risk[0])
        assert base + sum(share for _, share in shares) == pytest.approx(np.log(risk / (1 - risk)), abs=1e-6)
        assert champion != BASE or shares == []


def test_an_unknown_champion_is_refused() -> None:
    body = msgspec.structs.replace(decode(trained()[0]), champion="oracle")
    with pytest.raises(SnapshotError, match="no champion 'oracle'"):
        Snapshot.from_bytes(encode(body))


def test_what_challengers_say_changes_no_decision_of_the_same_champion() -> None:
    """Other weights for the challengers' own calibration, the same risk of the stack, bit for bit."""
    body = decode(trained()[0])
    loud = msgspec.structs.replace(body.calibration, alone=((9.0, 3.0),) * len(MODELS), base=2.0)
    rows, _ = stream(1000, seed=33)
    one = Snapshot.from_bytes(trained()[0]).score(rows)
    other = Snapshot.from_bytes(encode(msgspec.structs.replace(body, calibration=loud))).score(rows)
    assert one.risk.tobytes() == other.risk.tobytes()


# In the learner


def test_a_learner_serves_what_is_pinned_also_after_a_restart_and_says_so() -> None:
    learner = taught(12_000)
    before = Snapshot.from_bytes(learner.snapshot())
    assert (before.champion, learner.champions.champion) == (STACK, STACK)
    learner.choose("forest", "alice", "looks calmer", 77)
    resumed = type(learner).from_state(learner.to_state())
    after = Snapshot.from_bytes(resumed.snapshot())
    assert after.champion == "forest"
    assert after.version != before.version
    rows, _ = stream(50, seed=3)
    assert after.candidates(after.raw(rows)).tobytes() == before.candidates(before.raw(rows)).tobytes()
    report = resumed.report(after.version, 99)
    assert (report.champion, report.pinned, report.version) == (
        "forest",
        "alice: looks calmer",
        after.version,
    )
    assert [(c.kind, c.actor, c.at) for c in report.changes] == [("pinned", "alice", 77)]
    resumed.choose("auto", "alice", "enough", 100)
    assert resumed.snapshot() == before.data


def test_a_known_good_snapshot_is_kept_and_can_be_pinned() -> None:
    learner = taught(500)
    with pytest.raises(SnapshotError, match="confirmed as good"):
        learner.choose(KNOWN_GOOD, "alice", "stop learning", 1)
    learner = taught(25_000)
    assert learner._known_good is not None, "some 7,500 examples: healthy at several checks"
    learner.choose(KNOWN_GOOD, "alice", "stop learning", 1)
    frozen = learner.snapshot()
    rows, fraud = stream(1500, seed=40)
    for row, label in zip(rows, fraud, strict=True):
        learner.learn(row, bool(label))
    assert learner.snapshot() == frozen
    assert Snapshot.from_bytes(frozen).champion == STACK


def test_the_report_is_whole_and_goes_through_its_encoding() -> None:
    learner = taught(25_000)
    report = learner.report("v", 5)
    assert {s.name for s in report.standings} >= {*CANDIDATES, BASE}
    by_name = {s.name: s for s in report.standings}
    assert by_name[STACK].log_loss < by_name[BASE].log_loss
    assert by_name[STACK].settled == pytest.approx(25_000, rel=0.4)
    assert report.points
    assert report.calibration
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(report), type=LearnerReport) == report


# In the stream


def chosen(name: str, at: int) -> bytes:
    return events.encode(
        Control(
            id=f"c-{name}",
            event_time=at,
            received_at=at,
            kind="champion",
            version=name,
            actor="alice",
            reason="try",
        )
    )


def items(*inserted: tuple[float, str]) -> list[RawItem]:
    """The recorded stream in which models change, with choices at shares of it."""
    lines = [item.line or b"" for part in FileSource(record.path_of("card")) for item in part]
    for share, name in sorted(inserted, reverse=True):
        at = int(share * len(lines))
        lines.insert(at + 1, chosen(name, events.decode(lines[at]).received_at))
    return [RawItem(str(i), line, None, None) for i, line in enumerate(lines)]


@pytest.mark.parametrize("batch", [37, 1000])
def test_a_choice_in_the_stream_serves_from_the_next_row_on_whatever_the_batch(batch: int) -> None:
    stream_ = items((0.8, "forest"), (0.9, "auto"), (0.95, "auto"), (0.96, "anomaly"))
    engine, decisions, dead = record.fresh_engine(), [], []
    for start in range(0, len(stream_), batch):
        output = engine.step(stream_[start : start + batch])
        decisions += output.decisions
        dead += output.dead
        assert output.choices == []
    assert [letter.reason for letter in dead] == ["control_refused"] * 2
    assert "nothing to release" in dead[0].detail
    assert "no candidate 'anomaly'" in dead[1].detail
    assert [(c.kind, c.after) for c in engine.learner.champions.changes] == [
        ("pinned", "forest"),
        ("released", STACK),
    ]
    plain = record.fresh_engine().step(items()).decisions
    same = [a.risk == b.risk for a, b in zip(decisions, plain, strict=True)]
    share = len(same)
    assert all(same[: int(0.75 * share)])
    assert not any(same[int(0.84 * share) : int(0.86 * share)])
    assert engine.counters.balanced()
    if batch != 37:
        return
    other = record.fresh_engine()
    again = [
        d for start in range(0, len(stream_), 501) for d in other.step(stream_[start : start + 501]).decisions
    ]
    assert again == decisions


def test_without_a_learner_a_choice_is_handed_on_and_changes_nothing() -> None:
    engine = engine_of(load_settings(record.SETTINGS), learn_inline=False)
    plain = engine_of(load_settings(record.SETTINGS), learn_inline=False)
    output, untouched = engine.step(items((0.5, "forest"), (0.5, "auto"))), plain.step(items())
    assert {c.event.version for c in output.choices} == {"auto", "forest"}
    assert [c.number for c in output.choices] == [1, 2]
    assert [d.risk for d in output.decisions] == [d.risk for d in untouched.decisions]
    assert 0 <= output.choices[0].after == output.choices[1].after < len(output.examples)


def test_examples_say_where_they_come_from_and_when_their_label_came() -> None:
    engine, stream_ = record.fresh_engine(), items()
    whole = engine.step(stream_).examples
    other = record.fresh_engine()
    parts = [
        e for start in range(0, len(stream_), 23) for e in other.step(stream_[start : start + 23]).examples
    ]
    assert [e.origin for e in parts] == [e.origin for e in whole]
    by_id = {}
    labels: dict[str, int] = {}
    for item in stream_:
        event = events.decode(item.line)
        if isinstance(event, Transaction):
            by_id.setdefault(event.id, (len(by_id), event))
        elif isinstance(event, Label):
            labels[event.transaction_id] = event.received_at
    numbered = dict(by_id.values())
    assert any(e.origin.labelled_at for e in whole)
    for example in whole:
        payment, origin = numbered[example.key], example.origin
        assert origin.corridor == corridor_of(payment)
        assert origin.paid_at == payment.received_at
        assert origin.known_at >= max(origin.labelled_at, origin.paid_at)
        if origin.labelled_at:
            assert origin.labelled_at <= labels[payment.id]
        else:
            assert not example.fraud
    resumed = record.fresh_engine()
    half = len(stream_) // 2
    first = resumed.step(stream_[:half]).examples
    arrays, meta = freeze(resumed)
    thawed = record.fresh_engine()
    thaw(thawed, {name: np.array(array) for name, array in arrays.items()}, meta)
    rest = thawed.step(stream_[half:]).examples
    assert [e.origin for e in [*first, *rest]] == [e.origin for e in whole]
