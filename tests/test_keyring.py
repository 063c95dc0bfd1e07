"""The key ring: its file, its rotations, its signatures, and that no secret shows."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.custody.data_keys import MemoryDataKeys
from alerts.custody.envelope import Sealer
from alerts.custody.keyring import KINDS, KeyRing, keyring_path
from alerts.custody.private_files import append_private, create_private
from alerts.custody.pseudonym import Pseudonyms
from alerts.custody.signing import Signer
from models.errors import CustodyError

NOW = 1_790_000_000_000
RING = KeyRing.for_tests()


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
    holders = [
        ring,
        ring.pseudonym[0],
        Pseudonyms(ring),
        ring.signer("model"),
        Sealer(ring, MemoryDataKeys(), lambda: NOW),
    ]
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
@settings(deadline=None)
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
