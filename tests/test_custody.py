"""Envelopes, sealed bytes and the data keys behind them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.custody.data_keys import FileDataKeys, MemoryDataKeys
from alerts.custody.envelope import (
    DATA_KEY_LIFE_MS,
    Sealer,
    field_names,
    open_bytes,
    open_envelope,
)
from alerts.custody.keyring import KeyRing
from models.clear_data import is_envelope
from models.errors import CustodyError
from models.events import ClearFields, Heartbeat

NOW = 1_790_000_000_000
CLEAR = ClearFields(payer_name="CANARY-Anna", pan="4111111111111111", email="canary@example.com")
RING = KeyRing.for_tests()

clear_fields = st.builds(
    ClearFields,
    payer_name=st.none() | st.text(max_size=80),
    payee_name=st.none() | st.text(max_size=80),
    address=st.none() | st.text(max_size=200),
    account=st.none() | st.text(max_size=34),
    ip=st.none() | st.ip_addresses().map(str),
)


def event(event_id: str = "tx-1", envelope: str | None = None) -> Heartbeat:
    return Heartbeat(id=event_id, event_time=NOW, received_at=NOW, component="c", envelope=envelope)


def sealer(ring: KeyRing = RING) -> tuple[Sealer, MemoryDataKeys]:
    directory = MemoryDataKeys()
    return Sealer(ring, directory, lambda: NOW), directory


# envelopes


@given(clear_fields, st.text(min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_an_envelope_gives_back_what_it_was_given(clear: ClearFields, event_id: str) -> None:
    seal, directory = sealer()
    envelope = seal.seal(event_id, clear)
    assert is_envelope(envelope)
    assert open_envelope(event(event_id, envelope), RING, directory) == clear
    assert set(field_names(envelope)) == set(msgspec.to_builtins(clear))


def test_an_event_without_envelope_opens_to_nothing() -> None:
    assert open_envelope(event(), RING, MemoryDataKeys()) is None


def test_an_envelope_moved_to_another_event_does_not_open() -> None:
    seal, directory = sealer()
    envelope = seal.seal("tx-1", CLEAR)
    with pytest.raises(CustodyError, match="tx-2: does not open"):
        open_envelope(event("tx-2", envelope), RING, directory)


@cache
def sealed_once() -> tuple[MemoryDataKeys, str]:
    seal, directory = sealer()
    return directory, seal.seal("tx-1", CLEAR)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_changed_byte_of_an_envelope_goes_unnoticed(data: st.DataObject) -> None:
    # Sealed once: an envelope is random, and what Hypothesis draws may depend on nothing that changes by itself.
    directory, envelope = sealed_once()
    position = data.draw(st.integers(0, len(envelope) - 1))
    other = data.draw(st.sampled_from("0123456789abcdefABCXYZ+/=.").filter(lambda c: c != envelope[position]))
    with pytest.raises(CustodyError) as caught:
        open_envelope(event("tx-1", envelope[:position] + other + envelope[position + 1 :]), RING, directory)
    assert "CANARY" not in str(caught.value)


def test_another_field_set_does_not_open() -> None:
    seal, directory = sealer()
    version, key_id, fields, text = seal.seal("tx-1", CLEAR).split(".")
    changed = f"{version}.{key_id}.{int(fields, 16) ^ 1:x}.{text}"
    with pytest.raises(CustodyError, match="does not open"):
        open_envelope(event("tx-1", changed), RING, directory)


def test_another_ring_does_not_open_and_a_public_ring_cannot() -> None:
    seal, directory = sealer()
    sealed = event("tx-1", seal.seal("tx-1", CLEAR))
    with pytest.raises(CustodyError, match="another key ring"):
        open_envelope(sealed, KeyRing.generate(NOW), directory)
    with pytest.raises(CustodyError, match="not in this"):
        open_envelope(sealed, RING.public(), directory)


def test_a_public_ring_can_seal_for_the_whole_ring() -> None:
    seal, directory = sealer(RING.public())
    assert open_envelope(event("tx-1", seal.seal("tx-1", CLEAR)), RING, directory) == CLEAR


def test_a_record_of_a_data_key_cannot_be_passed_off_as_another() -> None:
    seal, directory = sealer()
    envelope = seal.seal("tx-1", CLEAR)
    key_id = envelope.split(".")[1]
    record = directory.get(key_id)
    assert record is not None
    directory.put(msgspec.structs.replace(record, created=record.created + 1))
    with pytest.raises(CustodyError, match="does not open"):
        open_envelope(event("tx-1", envelope), RING, directory)


def test_a_missing_data_key_is_named() -> None:
    seal, _ = sealer()
    with pytest.raises(CustodyError, match="is not in the directory"):
        open_envelope(event("tx-1", seal.seal("tx-1", CLEAR)), RING, MemoryDataKeys())


def test_equal_fields_never_give_equal_envelopes_and_lengths_say_little() -> None:
    seal, _ = sealer()
    assert len({seal.seal("tx-1", CLEAR) for _ in range(200)}) == 200
    one = seal.seal("tx-1", ClearFields(payer_name="Li"))
    other = seal.seal("tx-1", ClearFields(payer_name="CANARY-Wolfeschlegelstein"))
    assert len(one) == len(other)


def test_a_data_key_ends_by_age_by_use_and_by_a_clock_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alerts.custody.envelope.DATA_KEY_USES", 3)
    now = [NOW]
    seal = Sealer(RING, MemoryDataKeys(), lambda: now[0])

    def key() -> str:
        return seal.seal("tx-1", CLEAR).split(".")[1]

    first = [key(), key(), key(), key()]
    assert first[0] == first[1] == first[2] != first[3]
    now[0] += DATA_KEY_LIFE_MS - 1
    assert key() == first[3]
    now[0] += 1
    aged = key()
    assert aged != first[3]
    now[0] -= 10
    assert key() != aged


def test_bytes_are_bound_to_their_context() -> None:
    seal, directory = sealer()
    sealed = seal.seal_bytes(b"\xff\x00 CANARY", "a.jsonl:3")
    assert open_bytes(sealed, "a.jsonl:3", RING, directory) == b"\xff\x00 CANARY"
    with pytest.raises(CustodyError):
        open_bytes(sealed, "a.jsonl:4", RING, directory)
    with pytest.raises(CustodyError):
        open_bytes(seal.seal("a.jsonl:3", CLEAR), "a.jsonl:3", RING, directory)


def test_old_envelopes_open_after_a_rotation_and_never_after_retirement() -> None:
    seal, directory = sealer()
    old = event("tx-1", seal.seal("tx-1", CLEAR))
    rotated = RING.rotate("sealing", NOW)
    new_sealer = Sealer(rotated, directory, lambda: NOW)
    new = event("tx-2", new_sealer.seal("tx-2", CLEAR))
    assert open_envelope(old, rotated, directory) == open_envelope(new, rotated, directory) == CLEAR
    retired = rotated.retire("sealing", 1)
    with pytest.raises(CustodyError, match="retired"):
        open_envelope(old, retired, directory)
    assert open_envelope(new, retired, directory) == CLEAR


def test_other_entropy_is_for_the_published_ring_only() -> None:
    with pytest.raises(CustodyError, match="published test ring"):
        Sealer(KeyRing.generate(NOW), MemoryDataKeys(), lambda: NOW, entropy=bytes)


# data keys


def test_data_keys_outlive_the_process_and_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "data-keys.jsonl"
    first = Sealer(RING, FileDataKeys(path), lambda: NOW).seal("tx-1", CLEAR)
    with path.open("ab") as file:
        file.write(b'{"v":1,"id":"torn')
    second = Sealer(RING, FileDataKeys(path), lambda: NOW).seal("tx-1", CLEAR)
    for envelope in (first, second):
        assert open_envelope(event("tx-1", envelope), RING, FileDataKeys(path)) == CLEAR
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_keys_of_another_door_are_found_later(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "data-keys.jsonl"
    reader = FileDataKeys(path)
    assert reader.get("0" * 24) is None
    envelope = Sealer(RING, FileDataKeys(path), lambda: NOW).seal("tx-1", CLEAR)
    assert open_envelope(event("tx-1", envelope), RING, reader) == CLEAR
