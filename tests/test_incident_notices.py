"""Notification clocks of incidents as they are kept: facts from notes, said once, in the review, by command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from alerts.emergency.plan_book import shipped_book
from alerts.memory_store import MemoryStore
from alerts.notices.facts import FLAGS, MOMENTS, Profile
from alerts.notices.of_incident import NoticeClocks, facts_of
from alerts.response.acts import Know, Move, Note, NoticeNotApplicable, NoticeSent
from alerts.response.applying import applied
from alerts.response.clock import Clock
from alerts.response.core import ResponseCore
from alerts.response.incident import Impacts, Incident
from alerts.response.planned import plans_by
from alerts.response.severity import cny_per_usd
from alerts.response.signals import Signals
from dataflow.cli import main
from dataflow.embedded import embedded
from models.errors import IncidentError

T = 1_795_573_800_000  # 2026-11-25 02:30 UTC
MINUTE = 60_000
WHO = {"actor": "ann", "role": "compliance", "reason": "as told"}


def core() -> ResponseCore:
    return ResponseCore(MemoryStore(), plan_of=plans_by(shipped_book), notices=NoticeClocks(Profile()))


def at(minutes: float) -> Clock:
    return Clock(T + int(minutes * MINUTE), T + int(minutes * MINUTE), 1.0)


def leak(response: ResponseCore, when: float = 0, **facts: Any) -> Incident:
    one, _ = response.declare("data_leak", {}, "ann", "compliance", "a backup was open", at(when))
    if facts:
        response.perform(Know(incident=one.id, **WHO, facts=facts), at(0))
    return response.incident(one.id)


def step(response: ResponseCore, minutes: float) -> list[str]:
    """Let time do its part; what was said of notices."""
    now = T + int(minutes * MINUTE)
    effects = response.step(now, Signals(at=now, now=now), watched=False)
    changes = [effect.change for effect in effects.owed if effect.change is not None]
    return [c.text_en for c in changes if c.kind == "notice" and c.labels.get("mark") == "notice"]


def test_notes_become_facts_by_their_names() -> None:
    response = core()
    one = leak(
        response, personal_data=True, persons=12, records=6000, known="2026-11-25T10:00+08:00", classified=T + 1,
        cause="a backup was open", loss_cny=10.5,
    )  # fmt: skip
    # Such values are refused today; an older incident may hold them.
    odd = {"card_data": "perhaps", "outage_min": "long", "determined": "soon"}
    one = msgspec.structs.replace(one, facts={**one.facts, **odd})
    facts = facts_of(one, "zh")
    assert facts.title == "数据泄露"
    assert (facts.occurred, facts.known, facts.classified, facts.determined) == (
        T,
        T - 30 * MINUTE,
        T + 1,
        None,
    )
    assert (facts.persons, facts.records, facts.loss_cny, facts.outage_min) == (12, 6000, 10.5, None)
    assert facts.flags == {"personal_data": True}
    assert facts.content == {"cause": "a backup was open"}
    impacts = Impacts(customers=7, loss_usd=1000.0, outage_min=3.5, payments_failed=9)
    response.perform(Know(incident=one.id, **WHO, impacts=impacts), at(1))
    facts = facts_of(response.incident(one.id))
    assert (facts.customers, facts.payments_failed, facts.outage_min, facts.loss_cny) == (7, 9, 3.5, 10.5)
    assert (
        facts_of(msgspec.structs.replace(response.incident(one.id), facts={})).loss_cny
        == 1000.0 * cny_per_usd()
    )


values = st.one_of(st.booleans(), st.integers(-(10**20), 10**20), st.floats(), st.text(max_size=30))
names = st.sampled_from(
    [*FLAGS, *MOMENTS, "customers", "records", "persons", "loss_cny", "outage_min", "cause", "other"]
)


@given(st.dictionaries(names, values, max_size=8))
def test_no_note_breaks_the_clocks(told: dict[str, Any]) -> None:
    one = Incident(
        id="in_1", version=1, kind="data_leak", scope={}, title="x", phase="declare", severity="S1", urgency="high",
        source="hand", detected_at=T, facts=told,
    )  # fmt: skip
    clocks = NoticeClocks(Profile())
    assert msgspec.convert(msgspec.to_builtins(facts_of(one)), type(facts_of(one))) == facts_of(one)
    assert len(clocks.lines(one, T)) == len(clocks.of(one, T))


def test_what_is_soon_due_and_what_is_late_is_said_once_each() -> None:
    response = core()
    one = leak(response, records=6000, personal_data=False)
    assert step(response, 1) == []
    said = {m: step(response, m) for m in (89, 90, 91, 120, 121, 122, 600)}
    about = {m: [t for t in texts if "CN-PBOC-NBPI-1" in t] for m, texts in said.items()}
    assert [m for m, texts in about.items() if texts] == [90, 121]
    assert "is due by 2026-11-25 04:30 UTC" in about[90][0]
    assert "is LATE since" in about[121][0]
    assert all("CN-CAC" not in text for texts in said.values() for text in texts), "not decided, so not late"
    lines = [e.text for e in response.incident(one.id).timeline if e.kind == "overdue" and "NBPI" in e.text]
    assert len(lines) == 2


def test_a_notice_that_went_out_is_quiet_and_stands_in_audit_and_review() -> None:
    response = core()
    one = leak(response, records=6000, personal_data=False)
    sent = NoticeSent(
        incident=one.id,
        **WHO,
        deadline="CN-PBOC-NBPI-1",
        digest="d" * 64,
        missing=["cause"],
        at=T + 130 * MINUTE,
    )
    with pytest.raises(IncidentError, match="yet to come"):
        response.perform(sent, at(100))
    response.perform(sent, at(140))
    waived = NoticeNotApplicable(incident=one.id, **WHO, deadline="CN-CAC-OTHER")
    response.perform(waived, at(140))
    assert [t for t in step(response, 200) if "NBPI" in t] == []
    entries = response.store.audit_of("incident", one.id, 50)
    (recorded,) = [e for e in entries if e.action == "notice_sent"]
    assert (recorded.after["deadline"], recorded.after["sent_at"]) == ("CN-PBOC-NBPI-1", T + 130 * MINUTE)
    for phase in ("contain", "recover", "review"):
        response.perform(Move(incident=one.id, **WHO | {"role": "commander"}, to=phase), at(150))
    review = response.incident(one.id).review
    assert review is not None
    told = review.sections["notifications"]
    assert "CN-PBOC-NBPI-1 to PBOC branch in charge: sent" in told
    assert "10 min late (as told)" in told
    assert "CN-CAC-OTHER" in told
    assert "waived" in told


def test_an_incident_that_was_none_owes_nothing_and_one_that_owes_stays_listed() -> None:
    response = core()
    one = leak(response, relatively_major=True, personal_data=False)
    response.perform(Move(incident=one.id, **WHO | {"role": "commander"}, to="dismissed"), at(5))
    assert step(response, 500) == []
    assert response.notices is not None
    assert response.notices.of(response.incident(one.id), T) == []
    two = leak(response, 6, relatively_major=True, handling_ended=T, personal_data=False)
    late = msgspec.structs.replace(response.incident(two.id), phase="closed", ended_at=T)
    assert response.notices.open(late, T + 20 * 24 * 60 * MINUTE), (
        "the summary of the handling is owed for 30 days"
    )
    # It can be told as sent after the closure too; nothing else can be said of what has ended.
    final = NoticeSent(incident=two.id, **WHO, deadline="CN-CAC-30D", digest="d" * 64)
    assert "CN-CAC-30D" in applied(late, final, T + 1).notices
    with pytest.raises(IncidentError, match="closed"):
        applied(late, Note(incident=two.id, **WHO), T + 1)


# the commands


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as address:
        yield address


def test_from_the_command_line(tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    redis.Redis.from_url(url).flushall()
    config = tmp_path / "t.toml"
    config.write_text(f'[store]\nurl = "{url}"\n[console]\nactor = "ann"\nrole = "commander"\n')

    def run(*arguments: str) -> tuple[int, dict[str, Any]]:
        code = main([*arguments, "--config", str(config), "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out.splitlines()[-1]) if out else {"error": err}

    code, declared = run(
        "incident", "declare", "corridor_surge", "--scope", "corridor=CN>US", "--reason", "seen"
    )
    assert code == 0, declared
    id_ = declared["id"]
    facts = ["--fact", "fraud_through_channel=true", "--fact", "cause=a leaked set of cards"]
    assert run("incident", "know", id_, *facts)[0] == 0
    code, told = run("notice", "list", id_)
    assert (code, told["worst"]) == (0, "due")
    assert {one["id"]: one["owed"] for one in told["notices"]}["CN-PBOC-NBPI-1"] == "yes"
    draft = run("notice", "draft", "CN-PBOC-NBPI-1", id_, "--language", "zh")[1]
    assert "a leaked set of cards" in draft["text"]
    assert "通道欺诈激增" in draft["text"]
    assert run("notice", "sent", "CN-PBOC-NBPI-1", id_)[0] == 2  # gaps, no reason
    code, sent = run("notice", "sent", "CN-PBOC-NBPI-1", id_, "--reason", "by telephone", "--language", "zh")
    assert (code, sent["digest"]) == (0, draft["digest"])
    assert run("notice", "waive", "CN-NOTHING", id_, "--reason", "x")[0] == 2
    assert run("notice", "waive", "CN-CAC-OTHER", id_, "--reason", "counted")[0] == 0
    states = {one["id"]: one["state"] for one in run("notice", "list", id_)[1]["notices"]}
    assert (states["CN-PBOC-NBPI-1"], states["CN-CAC-OTHER"]) == ("sent", "waived")
    assert run("notice", "list")[0] == 2
    assert run("notice", "list", "in_nothing")[0] == 2
    # What the plan has prepared, proposed in the incident's scope.
    presets = run("contain", "preset", id_)[1]
    assert [one["id"] for one in presets["presets"]] == ["challenge_corridor", "lower_limit", "stop_corridor"]
    code, measure = run("contain", "preset", id_, "lower_limit", "--wait", "0")
    assert (code, measure["verb"], measure["above_usd"]) == (0, "limit", 500.0)
    assert (measure["scope"], measure["minutes"], measure["incident"]) == ({"corridor": "CN>US"}, 240, id_)
    assert run("contain", "preset", id_, "nothing")[0] == 2
    main(["incident", "show", id_, "--config", str(config)])
    assert "notice CN-PBOC-NBPI-1 to PBOC branch in charge: sent" in capsys.readouterr().out
