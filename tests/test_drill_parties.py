"""Records of drills for parties: each holds what the party may see and nothing of anybody else, and verifies."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from alerts.drills.book import drill_book
from alerts.drills.course import Told
from alerts.drills.history import DrillRun, keep
from alerts.drills.parties import PURPOSE, plan_used, record_for, shipped_parties, takes_part
from alerts.emergency.settings import EmergencySettings
from alerts.memory_store import MemoryStore
from alerts.redis_store import RedisStore
from alerts.response.evidence import changes, sealed
from dataflow.cli import main
from dataflow.drill.export import exported
from dataflow.embedded import embedded
from dataflow.settings import Settings
from models.errors import PlanError, RefusedError, SettingsError
from tests.console_drills import run_of

BOOK = EmergencySettings().book()
PARTIES = shipped_parties().party
KEY = Ed25519PrivateKey.from_private_bytes(b"drill" + b"k" * 27)
TRUSTED = [base64.b64encode(KEY.public_key().public_bytes_raw()).decode()]
NOW = 1_790_000_000_000
ACTOR = "CANARY-lin-wei"


def run(drill: str = "card_testing") -> DrillRun:
    """One that owed a notice to everybody."""
    one = run_of(
        drill, NOW, actor=ACTOR, seed=987_654, id_=f"{drill}-1", mttd_s=12.5, loss_before_containment=401.42
    )
    contacts = {contact for party in PARTIES for contact in party.contacts}
    told = [Told(deadline=f"D-{contact}", contact=contact, sent_s=5.0) for contact in sorted(contacts)]
    course = msgspec.structs.replace(one.card.course, notices=told)
    return msgspec.structs.replace(one, card=msgspec.structs.replace(one.card, course=course))


def parts_of(party: Any, one: DrillRun) -> list[tuple[str, dict[str, Any]]]:
    drill = drill_book().named(one.drill)
    return list(record_for(party, one, drill, plan_used(one, BOOK)))  # type: ignore[arg-type]


@pytest.mark.parametrize("drill", [one.id for one in drill_book().drill])
@pytest.mark.parametrize("party", PARTIES, ids=lambda party: party.id)
def test_a_party_sees_what_it_may_and_no_name_token_or_other_party(party: Any, drill: str) -> None:
    one = run(drill)
    parts = parts_of(party, one)
    text = json.dumps(parts, ensure_ascii=False)
    assert ACTOR not in text
    assert "987654" not in text
    assert "@" not in text
    others = {contact for other in PARTIES for contact in other.contacts} - set(party.contacts)
    assert not [contact for contact in others if f'"{contact}"' in text or f"D-{contact}" in text]
    assert {body["name"] for name, body in parts if name == "measured"} == set(party.measured)
    assert {body["step"] for name, body in parts if name == "step"} == set(party.steps)
    assert {body["deadline"] for name, body in parts if name == "notice"} == {
        f"D-{c}" for c in party.contacts
    }
    assert any(name == "result" for name, _ in parts) == party.passed
    assert any(name == "containment" for name, _ in parts) == party.measures
    told = parts[0][1]
    assert told["plan"]["sha256"] == plan_used(one, BOOK).digest
    assert told["run"] == one.id
    assert told["simulated"] is True


@given(cut=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_any_change_is_found_and_neither_kind_of_seal_stands_for_the_other(cut: int, bit: int) -> None:
    lines = sealed("card_testing-1", parts_of(PARTIES[0], run()), KEY, "senior", NOW, PURPOSE)
    data = b"".join(line + b"\n" for line in lines)
    assert changes(data, TRUSTED, PURPOSE) == []
    assert changes(data, TRUSTED), "it is no evidence of an incident"
    changed = bytearray(data)
    changed[cut % len(data)] ^= 1 << bit
    assert changes(bytes(changed), TRUSTED, PURPOSE)


def test_who_has_no_part_gets_no_record_and_is_told_why() -> None:
    one = run_of("card_testing", NOW)
    mastercard = shipped_parties().named("mastercard")
    assert not takes_part(mastercard, plan_used(one, BOOK), one)
    with pytest.raises(PlanError, match=r"mastercard has no part in card_testing: plan card_testing 1\.0"):
        parts_of(mastercard, one)
    with pytest.raises(SettingsError, match="no party 'bank': choose from acquirer"):
        shipped_parties().named("bank")
    with pytest.raises(PlanError, match=r"has no version 0\.9"):
        plan_used(msgspec.structs.replace(one, plan="card_testing 0.9"), BOOK)


def test_parties_of_the_data_file_are_contacts_of_the_directory() -> None:
    for party in PARTIES:
        for contact in party.contacts:
            assert BOOK.contacts.named(contact) is not None, contact
    named = [contact for party in PARTIES for contact in party.contacts]
    assert len(named) == len(set(named)), "a contact is one party"


def test_an_export_asks_for_the_right_and_stands_in_the_audit_chain(tmp_path: Path) -> None:
    store, settings = MemoryStore(), Settings(data_dir=str(tmp_path / "var"))
    one = run_of("card_testing", NOW, actor=ACTOR)
    keep(store, one, "senior")
    with pytest.raises(RefusedError, match="may not drill_export request"):
        exported(settings, store, one.id, "visa", "ana", "analyst", NOW)
    with pytest.raises(SettingsError, match=f"the newest are: {one.id}"):
        exported(settings, store, "other", "visa", "ana", "senior", NOW)
    data = exported(settings, store, one.id, "visa", ACTOR, "senior", NOW)
    assert ACTOR.encode() not in data
    entry = store.audit_of("drill", one.id, 9)[-1]
    assert (entry.action, entry.actor, (entry.after or {})["party"]) == ("exported", ACTOR, "visa")


def test_the_command_writes_a_private_file_that_verifies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with embedded(tmp_path / "valkey") as url:
        monkeypatch.setenv("REDIS_URL", url)
        one = run()
        keep(RedisStore(url), one, "senior")
        out = tmp_path / "visa.jsonl"
        assert main(["drill", "export", one.id, "--party", "visa", "--out", str(out), "--json"]) == 0
        told = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert told["lines"] == len(out.read_text().splitlines())
        assert out.stat().st_mode & 0o777 == 0o600
        assert main(["drill", "verify", str(out)]) == 0
        assert main(["incident", "verify", str(out)]) == 1
        out.write_text(out.read_text().replace("12.5", "2.5"))
        assert main(["drill", "verify", str(out), "--json"]) == 1
        findings = json.loads(capsys.readouterr().out.splitlines()[-1])["findings"]
        assert findings[0]["what"] == "this line was changed or added"
        assert main(["drill", "export", one.id, "--party", "visa"]) == 2
        assert main(["drill", "verify"]) == 2
