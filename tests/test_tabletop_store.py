"""Training at the table in both stores and by the command: one change at a time, nobody for another, all audited."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from alerts.custody.audit import AuditEntry
from alerts.memory_store import MemoryStore
from alerts.redis_store import RedisStore
from alerts.tabletop.core import Tabletop
from alerts.tabletop.exercise import load_exercises
from alerts.tabletop.sitting import Sitting, put
from dataflow.cli import main
from dataflow.embedded import embedded
from models.errors import IncidentError, PlanError, RefusedError, StoreError
from tests.test_tabletop import BOOK, DAY_MS, T0, TABLES

ID = "card_testing"
AnyStore = MemoryStore | RedisStore


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as address:
        yield address


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest, url: str) -> AnyStore:
    redis.Redis.from_url(url).flushall()
    return MemoryStore() if request.param == "memory" else RedisStore(url)


def training(store: AnyStore) -> Tabletop:
    return Tabletop(store, load_exercises(), BOOK)


def finished(table: Tabletop, person: str = "lin", at: int = T0) -> Sitting:
    one = table.begin(ID, person, "analyst", at)
    while (question := put(one, TABLES[ID])) is not None:
        one = table.answer(one.id, question.question.id, question.right, person, "analyst", at + 1000)
    return one


def entries(store: AnyStore, id_: str) -> list[AuditEntry]:
    return [link.entry for link in store.audit_chain(0, 1000) if link.entry.object_id == id_]


def test_a_sitting_is_kept_step_by_step_and_audited(store: AnyStore) -> None:
    table = training(store)
    done = finished(table)
    assert table.sitting(done.id) == done
    assert [entry.action for entry in entries(store, done.id)] == ["began", "completed"]
    last = entries(store, done.id)[-1]
    assert last.after is not None
    assert (last.actor, last.after["score"], last.after["passed"], last.after["expires_on"]) == (
        "lin", 1.0, True, "2027-11-25",
    )  # fmt: skip
    assert last.after["plan_sha256"] == TABLES[ID].plan.digest
    assert not store.owed()
    assert [(one.person, one.state) for one in table.standings(T0 + DAY_MS)] == [("lin", "current")]
    assert [one.state for one in table.standings(T0 + 400 * DAY_MS)] == ["lapsed"]
    with pytest.raises(IncidentError, match="has ended: it is done"):
        table.answer(done.id, "first", ["1"], "lin", "analyst", T0 + 2000)


def test_who_comes_back_goes_on_and_two_tabs_cannot_both_answer(store: AnyStore) -> None:
    table = training(store)
    one = table.begin(ID, "lin", "analyst", T0)
    assert table.begin(ID, "lin", "analyst", T0 + 5) == one
    assert table.begin(ID, "mei", "analyst", T0 + 5).id != one.id
    first = table.answer(one.id, "first", ["1"], "lin", "analyst", T0 + 9)
    with pytest.raises(IncidentError, match="is not put now"):
        table.answer(one.id, "first", ["4"], "lin", "analyst", T0 + 9)
    with pytest.raises(StoreError, match="was changed elsewhere"):
        table._keep(one, first, "", "analyst", T0)
    later = table.begin(ID, "lin", "analyst", T0 + 5 * 3_600_000)
    assert (later.answers, table.sitting(one.id).state) == ([], "abandoned"), "its time was over"


def test_what_a_killed_process_left_owed_is_settled_by_the_next(store: AnyStore) -> None:
    table, append = training(store), store.append_audit

    def killed(entry: AuditEntry, once: str = "") -> int:
        raise KeyboardInterrupt

    store.append_audit = killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        table.begin(ID, "lin", "analyst", T0)
    store.append_audit = append  # type: ignore[method-assign]
    (one,) = table.sittings()
    assert entries(store, one.id) == []
    from alerts.response.core import ResponseCore

    ResponseCore(store).settle()
    assert [entry.action for entry in entries(store, one.id)] == ["began"]


def test_rights_and_names_are_asked_for(store: AnyStore) -> None:
    table = training(store)
    one = table.begin(ID, "lin", "auditor", T0)
    with pytest.raises(RefusedError, match="nobody answers for another"):
        table.answer(one.id, "first", ["1"], "mei", "senior", T0)
    with pytest.raises(RefusedError, match="nobody answers for another"):
        table.abandon(one.id, "mei", "senior", T0)
    assert table.abandon(one.id, "lin", "senior", T0).state == "abandoned"
    with pytest.raises(RefusedError, match="may not drill tabletop"):
        table.begin(ID, "lin", "guest", T0)
    with pytest.raises(PlanError, match="there is no exercise 'flood': choose from account_takeover"):
        table.begin("flood", "lin", "senior", T0)
    with pytest.raises(IncidentError, match="there is no sitting"):
        table.answer("tt_none", "first", [], "lin", "senior", T0)


@pytest.fixture
def here(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    redis.Redis.from_url(url).flushall()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", url)
    return tmp_path


def test_the_command_takes_answers_from_a_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drill", "training"]) == 0
    assert "nobody has finished an exercise yet" in capsys.readouterr().out
    assert main(["drill", "tabletop", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["exercises"]
    assert {row["id"] for row in listed} == set(TABLES)
    assert not any(row["wrong"] for row in listed)
    right = {one.question.id: one.right for one in TABLES[ID].questions}
    (here / "a.json").write_text(json.dumps(right))
    said: dict[str, Any]
    assert main(["drill", "tabletop", ID, "--answers", "a.json", "--actor", "lin", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["person"], said["score"], said["passed"]) == ("lin", 1.0, True)
    (here / "b.json").write_text(json.dumps({**right, "contain": ["suspend_all"]}))
    assert main(["drill", "tabletop", ID, "--answers", "b.json", "--actor", "mei"]) == 1
    assert "It stops 900 good payments a minute" in capsys.readouterr().out
    assert main(["drill", "training", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["training"]
    assert [(row["person"], row["state"]) for row in told] == [("mei", "failed"), ("lin", "current")]
    (here / "c.json").write_text('{"first": 1}')
    assert main(["drill", "tabletop", ID, "--answers", "c.json"]) == 2
    assert "c.json: Expected `array`" in capsys.readouterr().err
    assert main(["drill", "tabletop", "flood"]) == 2


def test_the_command_asks_at_the_terminal(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    questions = len(TABLES[ID].questions)
    monkeypatch.setattr("sys.stdin", io.StringIO("nine\n0\n99\n1\n" + "\n" * (questions - 1)))
    assert main(["drill", "tabletop", ID, "--actor", "lin"]) == 1
    out = capsys.readouterr().out
    assert out.count("give one number from 1 to 5") == 3
    assert "[+5 min] What they share is plain now" in out
    assert "not passed" in out
    monkeypatch.setattr("sys.stdin", io.StringIO("1\n"))
    assert main(["drill", "tabletop", ID, "--actor", "mei"]) == 2
    assert "the answers end here" in capsys.readouterr().err
