"""Key ring, pseudonyms, envelopes and signatures: what must hold for everything built on them."""

from __future__ import annotations

import hmac
import json
import os
import pickle
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
from alerts.custody.keyring import KINDS, KeyRing, keyring_path
from alerts.custody.private_files import append_private, create_private
from alerts.custody.pseudonym import (
    PURPOSES,
    Pseudonyms,
    normal_ip,
    normal_pan,
    normal_phone,
    same_content,
)
from alerts.custody.signing import Signer
from models.clear_data import CONTENT_FORM, find_clear, is_envelope, luhn
from models.errors import CustodyError, EventError
from models.events import ClearFields, Heartbeat, Transaction

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
@settings(max_examples=60)
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


@given(st.data())
@settings(max_examples=60)
def test_no_changed_byte_of_an_envelope_goes_unnoticed(data: st.DataObject) -> None:
    seal, directory = sealer()
    envelope = seal.seal("tx-1", CLEAR)
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


# pseudonyms


def test_a_token_is_128_bits_of_hmac_under_its_purpose_and_epoch() -> None:
    epoch, key = RING.purpose_key("card")
    letters = bytes.maketrans(b"0123456789abcdef", b"bcdfghjkmnpqstvx")
    digest = hmac.digest(key, b"4111111111111111", "sha256").hex()[:32].encode().translate(letters).decode()
    assert Pseudonyms(RING).token("card", "4111111111111111") == f"card_{epoch}_{digest}"


@given(st.text(max_size=60))
@settings(max_examples=60)
def test_tokens_are_stable_and_cannot_be_linked_over_purposes_epochs_or_rings(value: str) -> None:
    rotated = RING.rotate("pseudonym", NOW)
    bodies = []
    for pseudonyms in (Pseudonyms(RING), Pseudonyms(rotated), Pseudonyms(KeyRing.generate(NOW))):
        for purpose in PURPOSES:
            token = pseudonyms.token(purpose, value)
            assert token == pseudonyms.token(purpose, value)
            bodies.append(token.rpartition("_")[2])
    assert len(set(bodies)) == len(bodies)
    assert Pseudonyms(rotated, epoch=1).token("card", value) == Pseudonyms(RING).token("card", value)


@given(st.text(max_size=40), st.text(max_size=40))
def test_different_values_have_different_tokens_that_read_as_no_clear_data(one: str, other: str) -> None:
    pseudonyms = Pseudonyms(RING)
    first, second = pseudonyms.token("content", one), pseudonyms.token("content", other)
    assert (first == second) == (one == other)
    assert CONTENT_FORM.fullmatch(first)
    assert find_clear(event(first)) is None


def test_content_of_two_epochs_cannot_be_judged() -> None:
    old, new = Pseudonyms(RING), Pseudonyms(RING.rotate("pseudonym", NOW))
    assert same_content(old.token("content", "a"), old.token("content", "a")) is True
    assert same_content(old.token("content", "a"), old.token("content", "b")) is False
    assert same_content(old.token("content", "a"), new.token("content", "a")) is None


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7 ", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
    ],
)
def test_one_address_has_one_spelling(written: str, normal: str) -> None:
    assert normal_ip(written) == normal


@pytest.mark.parametrize(
    "text", ["", "1.2.3", "256.1.1.1", "1.2.3.4.", "1.2.3.04", "CANARY", "1.2.3.4/8", "::g"]
)
def test_what_is_no_address_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(EventError, match=r"\$\.clear\.ip") as caught:
        normal_ip(text)
    assert not text or text not in str(caught.value)


@given(st.ip_addresses())
def test_every_address_is_taken_and_stays_as_it_is(address: object) -> None:
    assert normal_ip(normal_ip(str(address))) == normal_ip(str(address))


def test_phone_numbers_in_two_spellings_are_one() -> None:
    assert normal_phone("+49 (151) 555-0100") == normal_phone("0049 151 5550100") == "+491515550100"
    assert normal_phone("0151 5550100") == "01515550100"


@given(st.text("0123456789", min_size=11, max_size=18), st.integers(0, 18), st.integers(1, 9))
def test_one_wrong_digit_of_a_card_number_is_always_found(payload: str, position: int, change: int) -> None:
    number = next(payload + check for check in "0123456789" if luhn(payload + check))
    assert normal_pan(" ".join(number)) == number
    position %= len(number)
    wrong = number[:position] + str((int(number[position]) + change) % 10) + number[position + 1 :]
    with pytest.raises(EventError, match="Luhn"):
        normal_pan(wrong)


# clear data where it does not belong


def payment(**fields: object) -> Transaction:
    base = {
        "id": "tx",
        "event_time": NOW,
        "received_at": NOW,
        "amount": 1,
        "currency": "EUR",
        "channel": "cnp",
    }
    return Transaction(**(base | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"purpose": "4111111111111111"}, "$.purpose"),
        ({"purpose": "pay x4111111111111111y"}, "$.purpose"),
        ({"purpose": "4111 1111 1111 1111"}, "$.purpose"),
        ({"order_id": "5555-5555-5555-4444"}, "$.order_id"),
        ({"device": "3782 822463 10005"}, "$.device"),
        ({"card": "30569309025904"}, "$.card"),
        ({"id": "6011111111111117"}, "$.id"),
        ({"payer": "canary@example.com"}, "$.payer"),
        ({"decline_code": "see a.b@example.co"}, "$.decline_code"),
        ({"attributes": {"4111111111111111": 1.0}}, "$.attributes[...]"),
        ({"attributes": {"canary@example.com": 1.0}}, "$.attributes[...]"),
        ({"attributes": {"x": 4111111111111111.0}}, "$.attributes[...]"),
        ({"attributes": {"x": -5555555555554444.0}}, "$.attributes[...]"),
        ({"amount": 378282246310005}, "$.amount"),
        ({"ip": "203.0.113.7"}, "$.ip"),
        ({"ip": "2001:db8::1"}, "$.ip"),
        ({"envelope": "CANARY-Anna"}, "$.envelope"),
        ({"content": "CANARY-Anna"}, "$.content"),
    ],
)
def test_clear_data_is_found_and_its_place_named(fields: dict[str, object], place: str) -> None:
    found = find_clear(payment(**fields))
    assert found is not None
    assert found.endswith(f"`{place}`")
    assert "4111" not in found
    assert "canary" not in found.lower()


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "4111111111111112"},
        {"id": "1790000000000"},
        {"order_id": "ORD-2026-000123"},
        {"uetr": "97ed4827-7b6f-4491-a06f-b548d5a7512d"},
        {"device": "a4111111111111111bcdef0123456789"},
        {"purpose": "invoice 2026-11-23 10:00:00 @ desk"},
        {"attributes": {"x": 1e300, "y": 0.4111111111111111}},
    ],
)
def test_ordinary_ids_and_numbers_are_left_alone(fields: dict[str, object]) -> None:
    assert find_clear(payment(**fields)) is None


# the key ring file


def test_the_ring_is_made_once_with_private_modes(tmp_path: Path) -> None:
    path = tmp_path / "data" / "keyring.json"
    first = KeyRing.load_or_create(path, NOW)
    again = KeyRing.load_or_create(path, NOW + 1)
    assert msgspec.json.encode(first) == msgspec.json.encode(again)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["keyring.json"]
    assert not create_private(path, b"another")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o660])
def test_an_open_ring_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "data" / "keyring.json"
    KeyRing.load_or_create(path, NOW)
    path.chmod(mode)
    with pytest.raises(CustodyError, match=f"chmod 600 {path}"):
        KeyRing.load(path)


def test_an_open_directory_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "data" / "keyring.json"
    KeyRing.load_or_create(path, NOW)
    path.parent.chmod(0o750)
    with pytest.raises(CustodyError, match=f"chmod 700 {path.parent}"):
        KeyRing.load(path)


def test_a_ring_of_another_owner_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "data" / "keyring.json"
    KeyRing.load_or_create(path, NOW)
    monkeypatch.setattr(os, "geteuid", lambda: 123_456)
    with pytest.raises(CustodyError, match="owned by user"):
        KeyRing.load(path)


def test_a_linked_or_missing_ring_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data" / "keyring.json"
    KeyRing.load_or_create(path, NOW)
    link = path.with_name("link.json")
    link.symlink_to(path)
    for wrong in (link, path.with_name("none.json")):
        with pytest.raises(CustodyError, match="cannot open"):
            KeyRing.load(wrong)


@pytest.mark.parametrize("spoil", ["truncate", "unknown", "no_active", "short", "state"])
def test_a_damaged_ring_is_refused_and_no_secret_is_shown(tmp_path: Path, spoil: str) -> None:
    path = tmp_path / "data" / "keyring.json"
    KeyRing.load_or_create(path, NOW)
    data = path.read_bytes()
    ring = json.loads(data)
    key = ring["pseudonym"][0]
    secret = key["secret"]
    if spoil == "unknown":
        key[secret] = 1
    elif spoil == "no_active":
        key["state"] = "retired"
    elif spoil == "short":
        key["secret"] = "QUJD"
    elif spoil == "state":
        key["state"] = secret
    path.write_bytes(data[:-40] if spoil == "truncate" else json.dumps(ring).encode())
    with pytest.raises(CustodyError, match="restore") as caught:
        KeyRing.load(path)
    assert secret not in str(caught.value)
    assert str(path) in str(caught.value)


def test_rotation_is_saved_whole_and_loads_again(tmp_path: Path) -> None:
    path = tmp_path / "data" / "keyring.json"
    ring = KeyRing.load_or_create(path, NOW)
    for kind in KINDS:
        ring = ring.rotate(kind, NOW + 1)
    ring = ring.retire("pseudonym", 1)
    ring.save(path)
    loaded = KeyRing.load(path)
    assert repr(loaded) == repr(ring)
    assert loaded.active("pseudonym").version == 2
    with pytest.raises(CustodyError, match="retired"):
        Pseudonyms(loaded, epoch=1)
    with pytest.raises(CustodyError, match="rotate before"):
        loaded.retire("signing", 2)
    assert path.stat().st_mode & 0o777 == 0o600


def test_secrets_show_nowhere() -> None:
    ring = KeyRing.generate(NOW)
    holders = [ring, ring.pseudonym[0], Pseudonyms(ring), ring.signer("model"), sealer(ring)[0]]
    texts = " ".join(f"{holder!r} {holder}" for holder in holders)
    for kind in KINDS:
        secret = ring.active(kind).secret
        assert secret is not None
        assert repr(secret) not in texts
        assert secret.hex() not in texts
    for holder in holders:
        with pytest.raises(TypeError):
            pickle.dumps(holder)


def test_the_environment_names_the_ring(tmp_path: Path) -> None:
    assert keyring_path(tmp_path, {}) == tmp_path / "keyring.json"
    assert keyring_path(tmp_path, {"TIDEGATE_KEYRING": "/elsewhere/ring.json"}) == Path(
        "/elsewhere/ring.json"
    )


def test_appending_follows_no_link(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    append_private(directory / "real", b"1")
    (directory / "link").symlink_to(directory / "real")
    with pytest.raises(CustodyError, match="cannot open"):
        append_private(directory / "link", b"2")


# signatures


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_a_signature_is_good_for_its_bytes_and_purpose_only(data: bytes, other: bytes) -> None:
    signer = RING.signer("checkpoint")
    signature = signer.sign(data)
    assert signer.verify(data, signature)
    assert signer.verify(other, signature) == (other == data)
    assert not RING.signer("model").verify(data, signature)
    assert not KeyRing.generate(NOW).signer("checkpoint").verify(data, signature)
    assert not signer.verify(data, signature[:-1])


def test_signatures_survive_a_rotation_until_the_key_is_retired() -> None:
    signature = RING.signer("checkpoint").sign(b"state")
    rotated = RING.rotate("signing", NOW)
    assert rotated.signer("checkpoint").verify(b"state", signature)
    assert rotated.signer("checkpoint").sign(b"state") != signature
    assert not rotated.retire("signing", 1).signer("checkpoint").verify(b"state", signature)


def test_a_short_signing_key_is_refused() -> None:
    with pytest.raises(CustodyError, match="at least 32 bytes"):
        Signer(b"short")
