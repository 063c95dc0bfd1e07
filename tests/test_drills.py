"""Drills: each meets its targets through the real parts, the same way each time; cards, history, trend, due dates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from alerts.drills.book import drill_book, due_drills
from alerts.drills.card import Card, Played, card_of
from alerts.drills.history import DrillRun, keep, last_runs, runs, trends
from alerts.memory_store import MemoryStore
from alerts.redis_store import RedisStore
from alerts.response.clock import Clock
from alerts.response.core import ResponseCore
from alerts.response.measure import Measure
from alerts.response.severity import severity_table
from dataflow.cli import main
from dataflow.commands.drill import DRILLS
from dataflow.drill.play import play
from dataflow.embedded import embedded
from dataflow.settings import Settings
from models.decision import Decision, Reason, Versions
from models.errors import SettingsError

SETTINGS = Settings()
PLANS = SETTINGS.emergency.book()
BOOK = drill_book()
DAY = 86_400_000
T0 = 1_788_220_800_000


def test_the_command_knows_every_drill_and_every_drill_its_plan() -> None:
    assert set(DRILLS) == {one.id for one in BOOK.drill}
    for one in BOOK.drill:
        assert one.preset in [preset.id for preset in PLANS.plan(one.kind).containment]
    with pytest.raises(SettingsError, match="no drill 'flood': choose from card_testing"):
        BOOK.named("flood")


@pytest.mark.parametrize("name", DRILLS)
def test_a_drill_meets_its_targets(name: str) -> None:
    card = play(BOOK.named(name), BOOK, PLANS, SETTINGS, seed=1)
    assert card.missed == []
    assert card.passed
    measured = card.measured
    assert set(measured) >= {
        "mttd_s", "mtta_s", "mttc_s", "mttr_s", "loss_before_containment", "good_payments_blocked",
    }  # fmt: skip
    assert all(value is not None for value in measured.values())
    assert 0 <= (measured["mttd_s"] or 0) <= 60
    assert 0 <= (measured["mttc_s"] or 0) <= 1
    if name in ("card_testing", "account_takeover", "partner_compromise", "corridor_surge", "payment_outage"):
        assert (measured["loss_before_containment"] or 0) > 0
    assert (measured["lost"], measured["doubled"], measured["false_alarms"]) == (0, 0, 0)
    assert measured["notification_lateness_s"] == 0


def test_the_same_seed_is_the_same_drill() -> None:
    first, again, other = (play(BOOK.named("data_leak"), BOOK, PLANS, SETTINGS, seed) for seed in (9, 9, 10))
    assert first == again
    assert first != other


def decision(id_: str, action: Any, *, contained: bool = False, **context: Any) -> Decision:
    why = [Reason(code="containment", kind="containment", text_en="x", text_zh="x")] if contained else []
    return Decision(
        id=id_, event_time=T0, risk=0.5, band="high", action=action, versions=Versions("m", "r", "l", "f"),
        reasons=why, context={"amount_usd": 10.0, **context},
    )  # fmt: skip


def played(**more: Any) -> Played:
    core = ResponseCore(MemoryStore())
    incident, _ = core.declare("card_testing", {}, "ana", "senior", "seen", Clock(T0 + 5000, T0))
    measure = Measure(
        id="cm_1", version=3, verb="hold", scope={}, minutes=9, reason="r", proposed_by="ana", proposed_at=T0,
        dual=True, approved_at=T0 + 90_000, effective_at=T0 + 90_400,
    )  # fmt: skip
    return Played(**{"incident": incident, "measures": [measure], "first_bad_at": T0, **more})


def test_a_card_counts_what_got_through_before_and_what_was_stopped_after() -> None:
    decisions = [
        decision("b1", "APPROVE"), decision("b2", "STEP_UP"), decision("b3", "APPROVE", authorisation="declined"),
        decision("g1", "APPROVE"), decision("g2", "HOLD"), decision("b4", "HOLD", contained=True),
        decision("g3", "HOLD", contained=True), decision("g4", "STEP_UP", contained=True), decision("b5", "APPROVE"),
    ]  # fmt: skip
    bad = {"b1", "b2", "b3", "b4", "b5"}
    card = card_of("card_testing", played(bad=bad), decisions, BOOK.targets, severity_table())
    assert (card.measured["loss_before_containment"], card.measured["good_payments_blocked"]) == (10.0, 1)
    assert (card.measured["mttd_s"], card.measured["mttc_s"], card.measured["contained_s"]) == (
        5.0,
        0.4,
        85.4,
    )
    assert not card.passed
    assert card.missed == ["mtta_s is not reached, at most 1800", "mttr_s is not reached, at most 3600"]
    failed = card_of(
        "payment_outage", played(bad=bad, failed=True), decisions, BOOK.targets, severity_table()
    )
    assert failed.measured["loss_before_containment"] == 10.0


def test_nothing_found_misses_everything() -> None:
    nothing = Played(incident=None, measures=[], first_bad_at=T0, lost=2, false_alarms=1)
    card = card_of("restore", nothing, [], BOOK.targets, severity_table())
    assert card.missed == [
        "false_alarms is 1, at most 0", "lost is 2, at most 0", "mttc_s is not reached, at most 1",
        "mttd_s is not reached, at most 60", "mttr_s is not reached, at most 3600",
    ]  # fmt: skip


def run_of(drill: str, at: int, mttd: float, passed: bool = True) -> DrillRun:
    card = Card(scenario=drill, passed=passed, targets={}, measured={"mttd_s": mttd, "mtta_s": None})
    return DrillRun(
        id=f"{drill}-{at}",
        drill=drill,
        at=at,
        seed=1,
        actor="ana",
        book="1",
        plan="card_testing 1",
        card=card,
    )


def test_history_trend_and_due_dates() -> None:
    store = MemoryStore()
    for one in (run_of("restore", T0, 9.0), run_of("restore", T0 + DAY, 5.0, passed=False)):
        keep(store, one, "senior")
        keep(store, one, "senior")
    found = runs(store)
    assert [one.at for one in found] == [T0, T0 + DAY]
    assert runs(store, "card_testing") == []
    trend = trends(found)["restore"]
    assert (trend.runs, trend.passed, trend.last["mttd_s"], trend.before["mttd_s"]) == (2, 1, 5.0, 9.0)
    assert [entry.action for entry in store.audit_of("drill", found[0].id, 9)] == ["drilled"]
    due = {one.drill: one for one in due_drills(BOOK, last_runs(found), T0 + 2 * DAY)}
    assert (due["restore"].due, due["restore"].late) == ("2027-03-01", False)
    assert (due["card_testing"].due, due["card_testing"].last) == ("2026-09-03", None)
    assert {one.drill: one for one in due_drills(BOOK, last_runs(found), T0 + 300 * DAY)}["restore"].late


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as address:
        redis.Redis.from_url(address).flushall()
        yield address


def test_the_command_prints_the_card_and_keeps_it(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", url)
    assert main(["drill", "history"]) == 0
    assert "no drill was played yet" in capsys.readouterr().out
    assert main(["drill", "data_leak", "--seed", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(told) == ["scenario", "passed", "targets", "measured"]
    assert (told["scenario"], told["passed"]) == ("data_leak", True)
    (kept,) = runs(RedisStore(url))
    assert (kept.drill, kept.seed, msgspec.to_builtins(kept.card)["measured"]) == (
        "data_leak",
        3,
        told["measured"],
    )
    assert main(["drill", "history", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["trend"]["data_leak"]["passed"] == 1
    assert main(["drill", "due"]) == 0
    assert "card_testing, never played" in capsys.readouterr().out
    assert main(["drill", "data_leak", "--seed", "-1"]) == 2
    monkeypatch.delenv("REDIS_URL")
    assert main(["drill", "due"]) == 0, "without a running system the store of the data directory is asked"
    assert (tmp_path / "var" / "store").is_dir()
