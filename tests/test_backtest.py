"""Back-tests: what is decided beside the engine is what a replay of its own would decide, and is counted right."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from itertools import combinations
from typing import Any

import msgspec
import pytest

from alerts.alert import needs_alert
from dataflow.assemble import engine_of
from dataflow.backtest.proposal import Proposal
from dataflow.backtest.result import result_of
from dataflow.backtest.rules import wilson
from dataflow.backtest.run import Backtest
from dataflow.replay import replay
from dataflow.settings import Settings, load_settings
from models.costs import CostMatrix
from models.decision import ACTIONS, Decision
from models.engine import Engine
from models.errors import RuleError, SnapshotError
from models.risk import Thresholds, decide
from models.rules.pack import CORE, default_pack, load_pack
from models.rules.rule import Pack
from models.serving import Snapshot
from tests.streams import record

EDGES = Thresholds(medium=0.02, high=0.1, critical=0.6, high_action="DECLINE")
# Streams whose rules and thresholds stay as they are from the first event to the last.
STEADY = ("account", "commerce", "merchant", "laundering")
COSTS = CostMatrix()


def changed_pack() -> Pack:
    """The first pack with one rule gone, one stricter, one in shadow, and two rules of another pack."""
    text = CORE.read_text("utf-8").replace("\r\n", "\n")
    head, *rules = text.split("[[rule]]")
    kept = ["[[rule]]" + rule for rule in rules if '"R022"' not in rule]
    kept = [
        rule.replace("expression = 'step_up if", "expression = 'decline if").replace(
            'expression = "step_up if', 'expression = "decline if'
        )
        if '"R031"' in rule
        else rule
        for rule in kept
    ]
    kept = [
        rule.replace('severity = "', 'shadow = true\nseverity = "', 1) if '"R034"' in rule else rule
        for rule in kept
    ]
    more = record.SWAPPED_PACK.split("[[rule]]")[1:]
    return load_pack(head + "".join(kept) + "".join("[[rule]]" + rule for rule in more))


def engine(pack: Pack | None = None, *, learning: bool = True, **changes: Any) -> Engine:
    """An engine in which every payment takes its course, so that what is learnt does not depend on the rules."""
    settings: Settings = load_settings(record.SETTINGS)
    made = engine_of(settings, learn_inline=learning, enforced=False, **changes)
    if pack is not None:
        made.load_rules(pack)
    return made


def backtest(name: str, engine_: Engine, *, batch: int = 512, **proposed: Any) -> Backtest:
    made = Backtest(engine_, Proposal(engine_, **proposed))
    made.run([record.path_of(name)], batch=batch)
    return made


def found(made: Backtest) -> dict[str, Any]:
    result = result_of(made, made.outcomes(), COSTS, 10_000)
    for measured in ("seconds", "transactions_per_second"):
        del result[measured]
    return result


# The second opinion


@pytest.mark.parametrize("name", record.NAMES)
def test_what_changes_nothing_changes_nothing(name: str) -> None:
    fresh = record.fresh_engine()
    proposed = {"pack": default_pack(), "thresholds": fresh.thresholds} if name in STEADY else {}
    made = backtest(name, fresh, **proposed)
    result = found(made)
    assert made.summary["digest"] == record.golden()[name]["digest"], "looking on changes no decision"
    assert result["digest"] == dict.fromkeys(("before", "after"), made.summary["digest"])
    assert result["changed"]["payments"] == 0
    assert result["actions"] == []
    assert result["largest"] == {"stricter": [], "milder": []}
    assert result["cost"]["change"] == 0.0
    assert {row["state"] for row in result["rules"]} <= {"same"}
    assert [row["hits_before"] for row in result["rules"]] == [row["hits"] for row in result["rules"]]
    assert result["alerts"]["before"] == result["alerts"]["after"]
    assert result["alerts"]["merged_after"] == record.golden()[name]["alerts"]


@pytest.mark.parametrize("name", STEADY)
def test_beside_is_as_a_replay_of_its_own(name: str) -> None:
    made = backtest(name, engine(), pack=changed_pack(), thresholds=EDGES)
    own = engine(changed_pack())
    own.thresholds = EDGES
    assert found(made)["digest"]["after"] == replay([record.path_of(name)], own)["digest"]
    assert found(made)["digest"]["before"] == replay([record.path_of(name)], engine())["digest"]
    assert found(made)["changed"]["payments"] > 0


def test_another_model_beside_is_as_a_replay_with_it() -> None:
    learner = engine()
    replay([record.path_of("card")], learner)
    model = learner.snapshot
    assert model.examples > 0
    made = backtest("commerce", engine(learning=False), snapshot=model)
    own = engine(learning=False)
    own.snapshot = model
    assert found(made)["digest"]["after"] == replay([record.path_of("commerce")], own)["digest"]
    assert found(made)["proposed"]["model"]["after"] == [model.version]
    other = Snapshot.untrained(("amount_usd",))
    with pytest.raises(SnapshotError, match="learnt with 1 features"):
        Proposal(own, snapshot=other)


@pytest.mark.parametrize("name", ["card", "merchant"])
def test_the_batch_size_changes_nothing(name: str) -> None:
    results = [
        found(backtest(name, engine(), batch=batch, pack=changed_pack(), thresholds=EDGES))
        for batch in (7, 97, 4096)
    ]
    assert results[0] == results[1] == results[2]


def test_a_pack_that_does_not_fit_the_features_is_refused_with_its_place() -> None:
    text = record.SWAPPED_PACK.replace("cross_border and amount_usd", "cross_bordr and amount_usd")
    with pytest.raises(RuleError, match=r"^new\.toml:\d+:\d+: .*cross_bordr"):
        Proposal(engine(), pack=load_pack(text.replace("cross_border = ", "cross_bordr = "), name="new.toml"))


# The counting


def slowly(name: str, before: Engine, after: Engine) -> tuple[list[tuple[Decision, Decision]], list[int]]:
    """Decisions of two full replays, and what became of each payment by reading the file once more: 1, 0 or −1."""
    sides: list[list[Decision]] = [[], []]
    for side, made in zip(sides, (before, after), strict=True):
        replay(
            [record.path_of(name)], made, on_output=lambda output, side=side: side.extend(output.decisions)
        )
    with gzip.open(record.path_of(name)) as file:
        events = [json.loads(line) for line in file]
    payments = {e["id"]: e for e in events if e["type"] == "transaction"}
    labels = {e["transaction_id"]: e["fraud"] for e in events if e["type"] == "label"}
    last = max(e["received_at"] for e in payments.values())
    outcomes = []
    for decision in sides[0]:
        payment = payments[decision.id]
        settled = payment["received_at"] <= last - before.settings.settle_after_ms
        if settled and decision.id in labels:
            outcomes.append(int(labels[decision.id]))
        else:
            outcomes.append(0 if settled and payment.get("authorisation") != "declined" else -1)
    return list(zip(*sides, strict=True)), outcomes


@pytest.mark.parametrize("name", ["laundering", "commerce"])
def test_every_number_is_that_of_a_slow_count(name: str) -> None:
    pack = changed_pack()
    result = found(backtest(name, engine(), pack=pack, thresholds=EDGES))
    own = engine(pack)
    own.thresholds = EDGES
    pairs, outcomes = slowly(name, engine(), own)
    frauds = outcomes.count(1)

    def group(chosen: Callable[[Decision, Decision], bool]) -> tuple[int, float, int, int, int]:
        at = [row for row, pair in enumerate(pairs) if chosen(*pair)]
        usd = sum(float(pairs[row][0].context["amount_usd"]) for row in at)  # type: ignore[arg-type]
        known = [outcomes[row] for row in at]
        return len(at), usd, known.count(1), known.count(0), known.count(-1)

    def same(
        told: dict[str, Any], chosen: Callable[[Decision, Decision], bool], payments: str = "payments"
    ) -> None:
        n, usd, bad, good, unknown = group(chosen)
        assert (told[payments], told["frauds"], told["good"], told["open"]) == (n, bad, good, unknown)
        assert told["usd"] == pytest.approx(usd, abs=0.005 * n + 0.01)
        if "precision" in told:
            assert told["precision"] == (bad / (bad + good) if bad + good else None)
            assert told["recall"] == (bad / frauds if frauds else None)

    def rank(decision: Decision) -> int:
        return ACTIONS.index(decision.action)

    assert result["payments"] == len(pairs)
    same(result["outcomes"], lambda *_: True)
    same(result["alerts"]["before"], lambda old, _: needs_alert(old))
    same(result["alerts"]["after"], lambda _, new: needs_alert(new))
    same(result["alerts"]["new"], lambda old, new: needs_alert(new) and not needs_alert(old))
    same(result["alerts"]["gone"], lambda old, new: needs_alert(old) and not needs_alert(new))
    same(result["held_or_stricter"]["after"], lambda _, new: rank(new) >= 2)
    same(result["declined"]["gone"], lambda old, new: rank(old) >= 3 > rank(new))
    same(result["stricter"], lambda old, new: (rank(new), needs_alert(new)) > (rank(old), needs_alert(old)))
    same(result["milder"], lambda old, new: (rank(new), needs_alert(new)) < (rank(old), needs_alert(old)))
    moves = {(old.action, new.action) for old, new in pairs if old.action != new.action}
    assert {(row["before"], row["after"]) for row in result["actions"]} == moves
    for row in result["actions"]:
        same(row, lambda old, new, row=row: (old.action, new.action) == (row["before"], row["after"]))
    together = [{hit.id for hit in new.rules} for _, new in pairs]
    by_id = {rule.id: rule for rule in pack.rules}
    assert {row["id"] for row in result["rules"]} == {*by_id, "R022"}
    for row in result["rules"]:
        rule = row["id"]
        if rule not in by_id:
            assert (row["state"], row["hits"]) == ("removed", 0)
            same(row, lambda old, _: "R022" in {hit.id for hit in old.rules}, "hits_before")
            continue
        same(row, lambda _, new, rule=rule: rule in {hit.id for hit in new.rules}, "hits")
        same(row["alone"], lambda _, new, rule=rule: alone(new, rule))
        same(row["decides"], lambda _, new, rule=rule: decides(new, rule))
        for other in row["overlap"]:
            assert other["hits"] == sum({rule, other["rule"]} <= ids for ids in together)
        best = max((sum({rule, o} <= ids for ids in together) for o in by_id if o != rule), default=0)
        assert (row["overlap"][0]["hits"] if row["overlap"] else 0) == best
    states = {row["id"]: row["state"] for row in result["rules"]}
    assert (states["R031"], states["R034"], states["S001"], states["R001"]) == (
        "changed",
        "changed",
        "new",
        "same",
    )
    costs = [sum(map(cost, (pair[side] for pair in pairs), outcomes)) for side in (0, 1)]
    assert [result["cost"]["before"], result["cost"]["after"]] == pytest.approx(costs, abs=1.0)
    assert sum(len(rows) for rows in result["largest"].values()) == result["changed"]["payments"]


def alone(decision: Decision, rule: str) -> bool:
    live = {hit.id for hit in decision.rules if not hit.shadow}
    return rule in {hit.id for hit in decision.rules} and live <= {rule}


def decides(decision: Decision, rule: str) -> bool:
    """Action or alert would be another without the rule; with it, if it is in shadow."""
    if rule not in {hit.id for hit in decision.rules}:
        return False
    turned = [
        msgspec.structs.replace(hit, shadow=False) if hit.id == rule else hit
        for hit in decision.rules
        if hit.shadow or hit.id != rule
    ]
    action = decide(EDGES, decision.risk, turned, []).action
    other = msgspec.structs.replace(decision, action=action, rules=turned)
    return (other.action, needs_alert(other)) != (decision.action, needs_alert(decision))


def cost(decision: Decision, outcome: int) -> float:
    usd = float(decision.context["amount_usd"])  # type: ignore[arg-type]
    if outcome < 0:
        return 0.0
    if needs_alert(decision):
        return COSTS.review + (0.0 if outcome else COSTS.declined_share * usd + COSTS.declined_fixed)
    return COSTS.missed_share * usd + COSTS.chargeback_fee if outcome else 0.0


def test_what_was_declined_and_has_no_label_is_not_called_good() -> None:
    """Neither side may count in favour of a rule what nobody can know."""
    fresh = record.fresh_engine()
    assert fresh.settings.enforced
    made = backtest("card", fresh)
    unknown = made.outcomes().outcome[~made.payments.happened]
    assert unknown.size > 0
    assert not (unknown == 0).any(), "the simulator labels frauds only"
    labelled = found(made)["declined"]["before"]
    assert labelled["open"] > 0
    assert labelled["good"] == 0


@pytest.mark.parametrize(("hits", "of"), [*combinations(range(0, 60, 7), 2)])
def test_the_interval_holds_the_proportion(hits: int, of: int) -> None:
    between = wilson(hits, of)
    assert between is not None
    assert 0.0 <= between[0] <= hits / of <= between[1] <= 1.0
    assert wilson(0, 0) is None


def test_wilsons_interval_is_the_published_one() -> None:
    """Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263 and 15 of 148, method 3."""
    assert wilson(81, 263) == pytest.approx([0.2553, 0.3662], abs=5e-5)
    assert wilson(15, 148) == pytest.approx([0.0624, 0.1605], abs=5e-5)
    assert wilson(0, 20) == pytest.approx([0.0, 0.1611], abs=5e-5)
