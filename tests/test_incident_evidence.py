"""Evidence of an incident: everything is in it, and any change of the file is found and located."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from alerts.memory_store import MemoryStore
from alerts.response.archiving import PART_BYTES, archive_of
from alerts.response.clock import Clock
from alerts.response.core import ResponseCore
from alerts.response.evidence import changes, sealed
from alerts.response.gathering import gathered
from alerts.response.incident import noted
from alerts.response.review import Review
from dataflow.assemble import engine_of
from dataflow.committing import alerted, commit_of
from dataflow.settings import Settings
from dataflow.simulate import Simulator
from dataflow.sources.files import RawItem
from models.engine_settings import CAPACITIES
from models.errors import IncidentError, RefusedError
from models.events import encode

KEY = Ed25519PrivateKey.from_private_bytes(b"e" * 32)
TRUSTED = [base64.b64encode(KEY.public_key().public_bytes_raw()).decode()]
PARTS: list[tuple[str, Any]] = [
    ("incident", {"id": "in_1", "n": 1.5}),
    *[("decision", {"n": n}) for n in range(9)],
]
LINES = sealed("in_1", PARTS, KEY, "ana", 5)
DATA = b"".join(line + b"\n" for line in LINES)


def found(data: bytes) -> set[int]:
    return {finding.line for finding in changes(data, TRUSTED)}


def file_of(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def test_what_nobody_changed_is_intact() -> None:
    assert changes(DATA, TRUSTED) == []
    assert "not trusted" in changes(DATA, ["b3RoZXI="])[0].what


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_any_byte(at: int, flip: int) -> None:
    changed = bytearray(DATA)
    changed[at] ^= flip
    assert changes(bytes(changed), TRUSTED)


@given(st.integers(0, len(LINES) - 2), st.data())
def test_an_edited_line_is_located(at: int, data: st.DataObject) -> None:
    line = bytearray(LINES[at])
    place = data.draw(st.integers(0, len(line) - 1))
    line[place] = 0x58 if line[place] != 0x58 else 0x59
    assert at + 1 in found(file_of([*LINES[:at], bytes(line), *LINES[at + 1 :]]))


@given(st.integers(0, len(LINES) - 2), st.integers(0, len(LINES) - 2))
def test_what_is_gone_added_moved_or_repeated_is_located(at: int, other: int) -> None:
    assert found(file_of([*LINES[:at], *LINES[at + 1 :]])) == {at + 1}
    assert found(file_of([*LINES[:at], b'{"body":1,"part":"event"}', *LINES[at:]])) == {at + 1}
    assert found(file_of([*LINES[:at], LINES[at], *LINES[at:]]))
    if at != other:
        swapped = list(LINES)
        swapped[at], swapped[other] = swapped[other], swapped[at]
        assert found(file_of(swapped)) == {min(at, other) + 1}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        DATA[:-1],
        DATA + b"x",
        DATA + b"\n",
        file_of(LINES[:-1]),
        b"\xff\xfe\n",
        b"[" * 9999 + b"\n",
    ],
)
def test_what_is_no_evidence(data: bytes) -> None:
    assert changes(data, TRUSTED)


def test_a_seal_by_somebody_else_is_not_trusted() -> None:
    forged = sealed("in_1", PARTS[:3], Ed25519PrivateKey.generate(), "eve", 5)
    assert "not trusted" in changes(file_of(forged), TRUSTED)[0].what
    # Their lines under our old signature.
    seal = msgspec.json.decode(LINES[-1])
    seal["lines"] = msgspec.json.decode(forged[-1])["lines"]
    line = msgspec.json.encode(dict(sorted(seal.items())))
    assert "signature of the seal is wrong" in changes(file_of([*forged[:-1], line]), TRUSTED)[0].what


def test_everything_about_an_incident_is_gathered() -> None:
    engine = engine_of(
        Settings(), learn_inline=False, capacities={k: min(v, 20_000) for k, v in CAPACITIES.items()}
    )
    store = MemoryStore()
    events = list(Simulator(3, customers=800, scenarios=("card_testing",)).events(1.0))
    items = [RawItem(f"{n}-0", encode(event), None, None) for n, event in enumerate(events, 1)]
    commit = commit_of(engine, engine.step(items), lambda letter: letter, 9)
    store.commit(commit)
    store.keep_events(alerted(items, commit.hits))
    core = ResponseCore(store)
    alerts = store.alerts(("open",), "newest", 3)
    clock = Clock(9, store.stream_time())
    incident, _ = core.declare(
        "card_testing", {}, "ana", "senior", "seen", clock, alerts=[*(a.id for a in alerts), "al_x"]
    )
    measure, _ = core.propose(
        "suspend", {"bin": "400000"}, "stop it", "ana", "senior", clock, incident=incident.id
    )
    parts = list(gathered(core, incident.id, {"rules.toml": "规则"}))
    by = {name: [body for part, body in parts if part == name] for name in dict(parts)}
    ids = {id_ for alert in alerts for id_ in alert.event_ids}
    assert {body["id"] for body in by["event"]} == ids  # type: ignore[index]
    assert {body["id"] for body in by["decision"]} == ids  # type: ignore[index]
    assert by["missing"] == [{"alert": "al_x"}]
    assert by["measure"][0]["measure"]["id"] == measure.id  # type: ignore[index]
    assert [body["action"] for body in by["audit"]] == ["declared", "proposed", "measure"]  # type: ignore[index]
    assert by["configuration"][0]["text"] == "规则"  # type: ignore[index]
    assert by["chain"][0]["seq"] == len(store.audit_chain(0, 10**6))  # type: ignore[index]
    assert changes(file_of(sealed(incident.id, parts, KEY, "ana", 9)), TRUSTED) == []
    with pytest.raises(IncidentError, match="no incident in_x"):
        list(gathered(core, "in_x", {}))
    with pytest.raises(RefusedError):
        core.export_noted(incident.id, "al", "analyst", 9)


@given(st.text(max_size=60), st.integers(1, 900))
def test_a_review_of_any_size_is_archived_whole(text: str, times: int) -> None:
    core = ResponseCore(MemoryStore())
    incident, _ = core.declare("data_leak", {}, "ana", "senior", "seen", Clock(9, 9))
    long = text * times
    after = noted(incident, incident.timeline[-1], review=Review(sections={"timeline": long}))
    owed = [one.audit.after or {} for one in archive_of(after, "ana", "senior") if one.audit is not None]
    pieces = [part["text"] for part in owed if part["section"] == "timeline"]
    assert "".join(pieces) == long
    assert all(len(msgspec.json.encode(piece)) <= PART_BYTES + 2 for piece in pieces)
