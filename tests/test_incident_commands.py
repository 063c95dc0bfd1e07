"""`tidegate incident` and `contain` on a real store: people lead an incident to its end, each act with its right."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from alerts.redis_store import RedisStore
from alerts.response.review import SECTIONS
from alerts.routing.plan import default_plan
from dataflow.cli import main
from dataflow.commands import showing
from dataflow.embedded import embedded
from dataflow.response.watching import Watch
from tests.sending import advance, sender_of

WHO = ("--actor", "ana", "--role", "commander")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as address:
        yield address


class Shell:
    """The commands in one process, with what they say."""

    def __init__(self, capsys: pytest.CaptureFixture[str], url: str) -> None:
        self._capsys, self.store = capsys, RedisStore(url)

    def __call__(self, *words: str, code: int = 0) -> str:
        assert main(list(words)) == code, self._capsys.readouterr().err
        said = self._capsys.readouterr()
        return said.out if code == 0 else said.err or said.out

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self(*words, "--json", code=code).splitlines()[-1])


@pytest.fixture
def shell(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    redis.Redis.from_url(server).flushall()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", server)
    return Shell(capsys, server)


def test_an_incident_from_declaration_to_closure(shell: Shell, tmp_path: Path) -> None:
    assert "no incident is at work" in shell("incident", "list")
    made = shell.json(
        "incident", "declare", "data_leak", "--reason", "a file was found", "--scope", "partner=psp-1",
        "--exposed-usd", "50000", "--rate", "0.1", *WHO,
    )  # fmt: skip
    id_ = made["id"]
    assert (made["severity"], made["phase"]) == ("S2", "declare")
    assert "NOT ACKNOWLEDGED" in shell("incident", "list")
    for words in (
        ("ack", id_), ("assign", id_, "scribe", "bo"), ("note", id_, "--reason", "two partners"),
        ("decide", id_, "tell the partner", "--reason", "they owe it to theirs"),
        ("report", id_, "--reason", "contained so far"), ("handover", id_, "bo", "--reason", "watch psp-1"),
        ("know", id_, "--records", "6000", "--fact", "personal_data=true", "--fact", "note_source=audit"),
        ("grade", id_, "S1", "--reason", "the press calls"),
        ("step", id_, "1"), ("step", id_, "1", "--verify", "--actor", "cem", "--role", "senior"),
        ("phase", id_, "investigate"), ("phase", id_, "recover"), ("phase", id_, "review"),
        ("action", id_, "a1", "--text", "encrypt exports", "--owner", "cem", "--due", "2026-10-01"),
    ):  # fmt: skip
        shell("incident", *words, *(() if "--actor" in words else WHO))
    case = shell.json("incident", "show", id_)
    assert case["incident"]["commander"] == "bo"
    assert case["incident"]["plan"]["id"] == "data_leak"
    assert case["incident"]["facts"] == {"personal_data": True, "note_source": "audit"}
    assert case["incident"]["steps"]["1"]["verified_by"] == "cem"
    assert {"root_cause", "plan_decision"} <= set(case["missing"])
    assert "paged scribe: bo" in shell("incident", "show", id_)
    assert "not complete: root_cause, what_worked" in shell("incident", "close", id_, *WHO, code=2)
    shell("incident", "phase", id_, "plan-update", *WHO)
    assert "not complete" in shell("incident", "close", id_, *WHO, code=2)
    for section in SECTIONS:
        shell("incident", "write", id_, section, "--reason", f"on {section}", *WHO)
    shell("incident", "plan", id_, "changed", "--plan-version", "2", "--answers", "a1", "--reason", "r", *WHO)
    assert shell.json("incident", "close", id_, *WHO)["phase"] == "closed"
    assert "no incident is at work" in shell("incident", "list")
    assert shell.json("incident", "list", "--all")["incidents"][0]["id"] == id_
    assert "LATE 2026-10-01 cem: a1" in shell("incident", "actions")
    shell("incident", "done", id_, "a1", "2026-10-02", *WHO)
    assert shell.json("incident", "actions")["actions"] == []
    assert shell.json("audit", "verify")["intact"]


def test_an_incident_that_no_route_takes_to_anybody_says_so(shell: Shell) -> None:
    made = shell.json("incident", "declare", "data_leak", "--reason", "a file was found", *WHO)
    assert made["tells"] == "nobody was told: no route"
    assert "no answer yet" in shell("incident", "show", made["id"])
    now = time.time_ns() // 1_000_000
    advance(sender_of(shell.store, default_plan([])), now, now + 60_000)
    said = shell("incident", "show", made["id"])
    assert "nobody was told: no route" in said
    assert "no answer yet" not in said


def test_the_evidence_verifies_until_somebody_edits_it(shell: Shell, tmp_path: Path) -> None:
    id_ = shell.json("incident", "declare", "store_loss", "--reason", "a disk died", *WHO)["id"]
    file = tmp_path / "evidence.jsonl"
    assert shell.json("incident", "evidence", id_, "--out", str(file), *WHO)["lines"] > 8
    assert file.stat().st_mode & 0o777 == 0o600
    assert shell.json("incident", "verify", str(file))["intact"]
    key = shell.json("audit", "key")["key"]
    file.write_bytes(file.read_bytes().replace(b"a disk died", b"a disk lied"))
    told = shell.json("incident", "verify", str(file), "--key", key, code=1)
    assert not told["intact"]
    assert next(f["what"] for f in told["findings"]) == "this line was changed or added"
    assert "may not incident evidence" in shell(
        "incident", "evidence", id_, "--out", str(file), "--role", "analyst", code=2
    )
    assert shell.store.audit_of("incident", id_, 9)[-1].action == "exported"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("incident", "show", "in_x"), "there is no incident in_x"),
        (("incident", "declare", "earthquake", "--reason", "x"), "choose from card_testing"),
        (("incident", "declare", "data_leak", "--reason", " "), "a declaration has a reason"),
        (("incident", "declare", "data_leak", "--reason", "x", "--scope", "psp"), "give KEY=VALUE"),
        (
            ("incident", "declare", "data_leak", "--reason", "x", "--scope", "foo=1"),
            "'foo' is not one of corridor",
        ),
        (("incident", "declare", "data_leak", "--reason", "x", "--role", "king"), "choose from analyst"),
        (
            ("incident", "declare", "data_leak", "--reason", "x", "--role", "auditor"),
            "may not incident declare: it takes",
        ),
        (
            ("incident", "declare", "data_leak", "--reason", "x", "--role", "auditor"),
            "; --role ROLE says in which you act",
        ),
        (("incident", "declare", "data_leak", "--reason", "x", "--actor", "a" * 200), "1 to 128"),
        (("incident", "phase", "in_x", "lunch"), "there is no phase 'lunch'"),
        (("incident", "know", "in_x", "--records", "-1"), "--records is -1"),
        (("contain", "propose", "hold", "--reason", "x", "--scope", "moon=1"), "'moon' is not one of"),
        (
            ("contain", "propose", "hold", "--reason", "x", "--scope", "bin=1", "--scope", "bin=2"),
            "given twice",
        ),
        (("contain", "approve", "cm_x"), "there is no containment cm_x"),
        (("contain", "undo", "cm_x", "--reason", "x"), "there is no containment cm_x"),
        (("contain", "propose", "rollback", "--reason", "x", "--model", "m0"), "'m0' is not kept"),
    ],
)
def test_what_is_refused_says_why(shell: Shell, words: tuple[str, ...], why: str) -> None:
    assert why in shell(*words, code=2)
    assert shell.store.documents("incident", live=False) == shell.store.documents("measure", live=False) == []


def test_a_proposal_is_refused_and_undo_is_for_what_is_in_force(shell: Shell) -> None:
    one = shell.json("contain", "propose", "suspend", "--reason", "x", "--actor", "ana", "--role", "senior")
    assert "use `contain refuse`" in shell("contain", "undo", one["id"], "--reason", "x", code=2)
    assert shell.json("contain", "refuse", one["id"], "--reason", "too wide", *WHO)["state"] == "rejected"
    assert "no containment waits" in shell("contain", "list")
    assert "rejected: suspend: the whole service" in shell("contain", "list", "--all")


def test_the_watch_looks_only_once_the_past_is_read_in_and_tells_its_pace(shell: Shell, server: str) -> None:
    store, now = shell.store, int(time.time() * 1000)
    store.beat("simulator", {"status": "warm-up"}, now)
    watch = Watch(store)
    assert watch.look(now)["status"] == "warm-up"
    assert store.document("watch", "detectors") is None, "history is not watched"
    store.beat("simulator", {"status": "live"}, now)
    told = watch.look(now + 1000)
    assert (told["status"], told["incidents"], told["speed"]) == ("live", 0, 1.0)
    store.beat("incidents", {"speed": 200.0}, now)
    assert Watch(store).look(now)["speed"] == 200.0, "a new watch goes on at the pace it was told"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("know", "--fact", "nonsense=1"), "a fact 'nonsense'"),
        (("know", "--fact", "personal_dat=true"), "allowed are: personal_data"),
        (("know", "--fact", "personal_data=perhaps"), "personal_data is true or false"),
        (("know", "--fact", "determined=soon"), "is a moment in ms or ISO 8601"),
        (("step", "nope"), "has no step 'nope': 1, 2"),
    ],
)
def test_a_typing_mistake_in_an_incident_changes_nothing(
    shell: Shell, words: tuple[str, ...], why: str
) -> None:
    id_ = shell.json("incident", "declare", "data_leak", "--reason", "seen", *WHO)["id"]
    assert why in shell("incident", words[0], id_, *words[1:], *WHO, code=2)
    case = shell.json("incident", "show", id_)["incident"]
    assert (case["facts"], case["steps"]) == ({}, {})
    recovery = case["plan"]["steps"][-1]
    shell("incident", "step", id_, recovery, *WHO)


@pytest.mark.parametrize(
    ("entity", "token", "why"),
    [
        ("card", "tok", "no card token of ours"),
        ("bin", "4111", "6 to 8 digits"),
        ("corridor", "CNUS", "give CN>US"),
        ("issuer_country", "usa", "in two capitals"),
    ],
)
def test_a_list_takes_no_token_that_no_event_carries(shell: Shell, entity: str, token: str, why: str) -> None:
    words = ("--source", "desk", "--confidence", "80", "--days", "3", "--reason", "x", *WHO)
    assert why in shell("lists", "add", "block", entity, token, *words, code=2)
    assert shell.store.kept_lists() == []
    shell("lists", "add", "block", "card", "H-C17", "--form", "plain", *words)
    shell("lists", "add", "block", "card", "card_1_" + "bcdfghjk" * 4, *words)


def test_evidence_goes_into_any_folder_of_ours(shell: Shell, tmp_path: Path) -> None:
    id_ = shell.json("incident", "declare", "store_loss", "--reason", "a disk died", *WHO)["id"]
    tmp_path.chmod(0o755)
    shell("incident", "evidence", id_, "--out", "evidence.jsonl", *WHO)
    assert (tmp_path / "evidence.jsonl").stat().st_mode & 0o777 == 0o600
    assert "choose another path" in shell("incident", "evidence", id_, "--out", "no/where", *WHO, code=2)
    assert "choose another path" in shell("incident", "evidence", id_, "--out", str(tmp_path), *WHO, code=2)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_tables_show_moments_names_and_no_empty_rows(capsys: pytest.CaptureFixture[str]) -> None:
    told = {
        "ends_at": 1_795_627_612_577, "wait_until": 5000, "pid": 12345, "payments": 12345, "reason": "", "by": None,
        "times": {"seen": 0, "stream_time": 1_795_627_612_577},
    }  # fmt: skip
    showing.show(told, "told", as_json=False)
    rows = [line.strip("│ ").split("│") for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert {name.strip(): value.strip() for name, value in rows} == {
        "ends_at": "2026-11-25 17:26:52Z", "wait_until": "5,000", "pid": "12345", "payments": "12,345",
        "times seen": "0", "times stream_time": "2026-11-25 17:26:52Z",
    }  # fmt: skip
    showing.show({"measures": []}, "told", as_json=False)
    assert capsys.readouterr().out == "told: nothing to show\n"


def test_a_dry_run_that_covers_nothing_says_so(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["contain", "dry-run", "hold", "--scope", "merchant=m-none"]) == 0
    assert "NOTHING IS COVERED: none of 0 decisions" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("route", "check", "nofile.toml"), "nofile.toml: the routing file cannot be read: No such"),
        (("notice", "list", "--facts", "/dev/null"), "/dev/null: the file of facts is empty"),
    ],
)
def test_a_file_is_named_once(
    shell: Shell, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], why: str
) -> None:
    assert main(list(words)) in (1, 2)
    said = capsys.readouterr().err
    assert why in said
    assert said.count(words[-1]) == 1
