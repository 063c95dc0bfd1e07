"""`tidegate alert` over a real store: every step of an alert's life by hand, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from alerts.alert import Alert
from alerts.lifecycle import TRANSITIONS
from alerts.redis_store import RedisStore
from dataflow.cli import main
from dataflow.commands.alert import STEPS
from dataflow.embedded import embedded
from tests.sending import raise_alerts

Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as running:
        yield running


@pytest.fixture
def store(url: str) -> RedisStore:
    redis.Redis.from_url(url).flushall()
    return RedisStore(url)


@pytest.fixture
def alert(store: RedisStore) -> Alert:
    return raise_alerts(store, 1, 1)[0]


@pytest.fixture
def run(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("REDIS_URL", url)
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str]:
        code = main(["alert", *words])
        said = capsys.readouterr()
        return code, said.out if "--json" in words and code == 0 else said.out + said.err

    return call


def by(name: str, role: str = "senior") -> tuple[str, ...]:
    return ("--actor", name, "--role", role)


def facts(answer: tuple[int, str]) -> dict[str, Any]:
    code, said = answer
    assert code == 0, said
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def test_every_step_is_one_of_the_core() -> None:
    assert {verb for verb, _ in STEPS.values()} == TRANSITIONS.keys() - {"claim", "wake"}


def test_an_alert_goes_its_way_and_the_trail_names_who_and_why(
    run: Run, alert: Alert, store: RedisStore
) -> None:
    id_ = alert.id
    assert facts(run("ack", id_, *by("ana", "analyst"), "--json"))["acknowledged_by"] == "ana"
    assert facts(run("assign", id_, "--to", "bo", *by("lin"), "--json"))["assigned_to"] == "bo"
    assert facts(run("list", "--assigned-to", "bo", "--json"))["alerts"][0]["status"] == "acknowledged"
    assert facts(run("assign", id_, "--nobody", *by("lin"), "--json"))["assigned_to"] is None
    assert facts(run("escalate", id_, "--reason", "too big", *by("ana"), "--json"))["status"] == "escalated"
    assert facts(run("snooze", id_, "--for", "5m", *by("ana"), "--json"))["snoozed_by"] == "ana"
    assert facts(run("reopen", id_, *by("ana"), "--json"))["status"] == "open"
    done = facts(run("resolve", id_, "fraud", *by("ana"), "--json"))
    assert (done["status"], done["verdict"], done["resolved_by"]) == ("resolved", "fraud", "ana")
    assert facts(run("list", "--json"))["alerts"] == [], "what is resolved waits for nobody"
    assert facts(run("list", "--status", "resolved", "--severity", "S1", "--json"))["alerts"][0]["id"] == id_
    assert facts(run("undo", id_, *by("ana"), "--json"))["status"] == "open"
    trail = facts(run("show", id_, "--json"))["audit"]
    assert [(e["actor"], e["action"], e["reason"]) for e in trail if e["actor"] != "tidegate"] == [
        ("ana", "acknowledged", ""), ("lin", "assigned", ""), ("lin", "assigned", ""), ("ana", "escalated", "too big"),
        ("ana", "snoozed", ""), ("ana", "reopened", ""), ("ana", "resolved", ""), ("ana", "undone", ""),
    ]  # fmt: skip
    code, said = run("show", id_)
    assert code == 0
    assert "14 payments in 1 h" in said
    assert "ana (senior)  escalated: too big" in said


def test_under_four_eyes_a_second_person_confirms_or_refuses(run: Run, alert: Alert, tmp_path: Path) -> None:
    (tmp_path / "tidegate.toml").write_text('[four_eyes]\nseverities = ["S1"]\n')
    id_ = alert.id
    code, said = run("resolve", id_, "legitimate", *by("ana"))
    assert (code, "proposed: legitimate by ana" in said, "a second person" in said) == (0, True, True)
    code, said = run("confirm", id_, *by("ana"))
    assert (code, "you proposed this verdict yourself" in said) == (2, True)
    code, said = run("confirm", id_, *by("cy", "analyst"))
    assert (code, "role 'analyst' may not alert confirm" in said) == (2, True)
    code, said = run("refuse", id_, *by("bo"))
    assert (code, "needs a reason" in said) == (2, True)
    assert facts(run("refuse", id_, "--reason", "look again", *by("bo"), "--json"))["status"] == "open"
    facts(run("resolve", id_, "fraud", *by("ana"), "--json"))
    assert facts(run("withdraw", id_, *by("ana"), "--json"))["status"] == "open"
    facts(run("resolve", id_, "fraud", *by("ana"), "--json"))
    done = facts(run("confirm", id_, *by("bo"), "--json"))
    assert (done["verdict"], done["resolved_by"], done["confirmed_by"]) == ("fraud", "ana", "bo")


def test_what_cannot_be_is_said_and_nothing_is_written(run: Run, alert: Alert, store: RedisStore) -> None:
    store.claim(alert.id, "wang", 4_000_000_000_000, 60_000, "senior")
    version = store.alert(alert.id).version  # type: ignore[union-attr]
    for words, told, wanted in (
        (("ack", "al_none"), "there is no alert al_none", 2),
        (("show", "al_none"), "`tidegate alert list` shows what there is", 2),
        (("confirm", alert.id), "it is open, this needs proposed", 2),
        (("assign", alert.id, "--to", " "), "--nobody takes an assignment back", 2),
        (
            ("assign", alert.id, "--to", "bo", *by("ana", "analyst")),
            "it takes commander or on_call or senior",
            2,
        ),
        (("snooze", alert.id, "--for", "900d"), "a snooze of S1 ends in the future", 2),
        (("list", "--limit", "0"), "--limit is 0", 2),
        (("ack", alert.id, "--if-version", str(version - 1)), f"is at version {version}", 1),
    ):
        code, said = run(*words)
        assert (code, told in said) == (wanted, True), said
    assert store.alert(alert.id).version == version  # type: ignore[union-attr]
    code, said = run("ack", alert.id, "--if-version", str(version))
    assert (code, "note: wang has it open until" in said) == (0, True), (
        "a claim is told, and stands in nobody's way"
    )
