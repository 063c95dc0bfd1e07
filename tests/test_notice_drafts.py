"""Drafts of notices and the record of what was sent: gaps are named, a record stands once, by who may."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import redis

from alerts.memory_store import MemoryStore
from alerts.notices.clocks import notices_of
from alerts.notices.deadlines import shipped_rules
from alerts.notices.drafting import draft_notice
from alerts.notices.facts import MOMENTS, IncidentFacts, Profile
from alerts.notices.sending import record_sent, record_waived, recorded
from alerts.redis_store import RedisStore
from dataflow.cli import main
from dataflow.embedded import embedded
from models.errors import PlanError, RefusedError

RULES = shipped_rules()
T = 1_795_573_800_000  # 2026-11-25 02:30 UTC
MINUTE = 60_000
LEAK = IncidentFacts(
    incident="in_1", kind="data_leak", severity="S1", title="Data leak", occurred=T, known=T, records=6000,
    flags={"personal_data": True},
)  # fmt: skip
US = Profile(reporter="Example Pay", contact="duty desk, +00 000 0000")
Store = MemoryStore | RedisStore


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as address:
        yield address


@pytest.fixture(params=["memory", "valkey"])
def store(request: pytest.FixtureRequest, url: str) -> Store:
    redis.Redis.from_url(url).flushall()
    return MemoryStore() if request.param == "memory" else RedisStore(url)


# drafts


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("row", RULES.deadline, ids=lambda row: row.id)
def test_a_draft_has_all_mandatory_content_and_names_what_is_missing(row, language) -> None:
    labels = {one.id: one.text.in_(language) for one in RULES.item}
    bare = IncidentFacts(incident="in_1", kind="data_leak", severity="S1", title="leak")
    empty = draft_notice(row.id, bare, Profile(), language)
    given = {one.id for one in RULES.item if one.fact == "title"}
    assert set(empty.missing) == set(row.content) - given
    full = draft_notice(
        row.id, msgspec.structs.replace(bare, content=dict.fromkeys(row.content, "X")), US, language
    )
    assert full.missing == []
    for draft in (empty, full):
        assert all(labels[name] in draft.text for name in row.content)
        assert row.basis.in_(language) in draft.text
        assert row.recipient.in_(language) in draft.text
        assert draft.digest == hashlib.sha256(draft.text.encode()).hexdigest()
    gap = {"en": "[MISSING: ", "zh": "【缺："}[language]
    assert empty.text.count(gap) == len(empty.missing)
    assert gap not in full.text


def test_what_is_known_fills_the_draft_in_the_recipients_own_time() -> None:
    draft = draft_notice("CN-PBOC-NBPI-1", LEAK, US, "zh")
    assert "2026-11-25 10:30 (Asia/Shanghai, UTC+0800)" in draft.text
    assert "6,000" in draft.text
    assert "Example Pay" in draft.text
    assert {"reporter", "contact", "occurred", "records", "kind"}.isdisjoint(draft.missing)
    assert "customers" in draft.missing
    berlin = Profile(jurisdictions=("CN", "DE"), entity=("financial_entity",))
    assert "2026-11-25 03:30 (Europe/Berlin" in draft_notice("EU-DORA-INITIAL", LEAK, berlin, "en").text


def test_zero_is_known_and_a_text_of_people_comes_first() -> None:
    none = msgspec.structs.replace(LEAK, customers=0, content={"records": "about 6,000, still being counted"})
    draft = draft_notice("CN-PBOC-NBPI-1", none, US, "en")
    assert "customers" not in draft.missing
    assert "still being counted" in draft.text


def test_every_fact_an_item_names_is_one_there_is() -> None:
    fields = {*IncidentFacts.__struct_fields__, "reporter", "contact"}
    assert {one.fact for one in RULES.item} <= fields | {""}
    assert {one.start for one in RULES.deadline} <= {*MOMENTS, "sent"}
    used = {name for row in RULES.deadline for name in row.content}
    assert used == {one.id for one in RULES.item}


def test_unknown_notices_and_content_are_refused() -> None:
    with pytest.raises(PlanError, match="no notice 'CN-NOTHING'"):
        draft_notice("CN-NOTHING", LEAK, US, "en")
    with pytest.raises(PlanError, match="content 'typo'"):
        draft_notice("CN-NDSR", msgspec.structs.replace(LEAK, content={"typo": "x"}), US, "en")


# the record


def test_a_notice_is_recorded_once_with_its_digest_and_lateness(store: Store) -> None:
    now = T + 130 * MINUTE
    told = {"actor": "mlro", "role": "compliance", "now": now, "language": "zh"}
    with pytest.raises(PlanError, match=r"lacks .*customers"):
        record_sent(store, "CN-PBOC-NBPI-1", LEAK, US, **told)
    sent = record_sent(store, "CN-PBOC-NBPI-1", LEAK, US, **told, reason="the rest follows")
    assert sent.digest == draft_notice("CN-PBOC-NBPI-1", LEAK, US, "zh").digest
    found, _ = recorded(store, "in_1")
    assert found == {"CN-PBOC-NBPI-1": sent}
    (entry,) = store.audit_of("notice", "in_1:CN-PBOC-NBPI-1", 10)
    assert (entry.action, entry.after["late_ms"], entry.after["due"]) == (
        "sent",
        10 * MINUTE,
        T + 120 * MINUTE,
    )
    with pytest.raises(PlanError, match="was sent already"):
        record_sent(store, "CN-PBOC-NBPI-1", LEAK, US, **told, reason="again")
    after = msgspec.structs.replace(LEAK, sent=found)
    clock = next(one for one in notices_of(after, US, now + 10**9) if one.id == "CN-PBOC-NBPI-1")
    assert (clock.state, clock.late_ms) == ("sent", 10 * MINUTE)
    assert recorded(store, "in_2") == ({}, {})


def test_a_waiver_has_a_reason_and_can_be_taken_back(store: Store) -> None:
    told = {"actor": "mlro", "role": "compliance", "now": T}
    with pytest.raises(PlanError, match="say why"):
        record_waived(store, "CN-PIPL-PERSONS", "in_1", **told, reason=" ")
    record_waived(store, "CN-PIPL-PERSONS", "in_1", **told, reason="data were sealed, keys are safe")
    assert recorded(store, "in_1")[1] == {"CN-PIPL-PERSONS": "data were sealed, keys are safe"}
    record_waived(store, "CN-PIPL-PERSONS", "in_1", **told, reason="a key was read", again=True)
    assert recorded(store, "in_1")[1] == {}
    assert [e.action for e in store.audit_of("notice", "in_1:CN-PIPL-PERSONS", 9)] == ["waived", "owed_again"]
    with pytest.raises(PlanError, match="no notice"):
        record_waived(store, "CN-NOTHING", "in_1", **told, reason="x")


@pytest.mark.parametrize("role", ["analyst", "senior", "on_call", "auditor", "admin"])
def test_who_may_not_send_may_not(role: str) -> None:
    store = MemoryStore()
    with pytest.raises(RefusedError, match="may not notice send"):
        record_sent(store, "CN-NDSR", LEAK, US, actor="a", role=role, now=T, reason="x")
    with pytest.raises(RefusedError, match="may not notice waive"):
        record_waived(store, "CN-NDSR", "in_1", actor="a", role=role, now=T, reason="x")
    assert store.audit_chain(0, 10) == []


def test_nothing_goes_out_in_the_future() -> None:
    with pytest.raises(PlanError, match="yet to come"):
        record_sent(
            MemoryStore(), "CN-NDSR", LEAK, US, actor="a", role="compliance", now=T, sent_at=T + 1, reason="x"
        )  # fmt: skip


# the command


def test_the_command_lists_drafts_and_records(
    tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    redis.Redis.from_url(url).flushall()
    facts, config = tmp_path / "facts.json", tmp_path / "t.toml"
    facts.write_bytes(msgspec.json.encode(LEAK))
    config.write_text(f'[store]\nurl = "{url}"\n[console]\nactor = "mlro"\nrole = "compliance"\n')
    common = ["--facts", str(facts), "--config", str(config)]

    def run(*arguments: str) -> tuple[int, str]:
        return main(["notice", *arguments, *common]), capsys.readouterr().out

    code, out = run("list", "--at", "2026-11-25T12:31+08:00", "--json")
    assert (code, json.loads(out)["worst"]) == (1, "late")
    assert run("list", "--at", "2026-11-25T10:31+08:00")[0] == 0
    assert "1. Reporting organisation: [MISSING" in run("draft", "CN-PBOC-NBPI-1", "--language", "en")[1]
    # What is recorded is recorded by the clock of this machine.
    began = time.time_ns() // 1_000_000 - 4 * 3_600_000
    facts.write_bytes(msgspec.json.encode(msgspec.structs.replace(LEAK, occurred=began, known=began)))
    assert run("sent", "CN-PBOC-NBPI-1")[0] == 2  # gaps and no reason
    assert run("sent", "CN-PBOC-NBPI-1", "--reason", "the rest follows")[0] == 0
    assert run("sent", "CN-PBOC-NBPI-1", "--reason", "the rest follows")[0] == 2
    assert run("waive", "CN-PIPL-PERSONS", "--reason", "sealed")[0] == 0
    told = {one["id"]: one for one in json.loads(run("list", "--json")[1])["notices"]}
    assert told["CN-PIPL-PERSONS"]["state"] == "waived"
    assert told["CN-PBOC-NBPI-1"]["state"] == "sent"
    assert told["CN-PBOC-NBPI-1"]["late_ms"] >= 2 * 3_600_000
    assert run("list", "--at", "2026-11-25T10:31")[0] == 2
    facts.write_text('{"incident": "in_1", "kind": "x", "severity": "S9"}')
    assert run("list")[0] == 2
