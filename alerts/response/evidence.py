"""The evidence of an incident as one file that proves any change: JSON lines under a signature. Pure.

Every line but the last is `{"part": …, "body": …}` in canonical JSON (alerts/custody/audit.py). The last is the seal: the
SHA-256 of every line before it, in order, and an Ed25519 signature (RFC 8032) over all of that, by the key that
signs roots of the audit chain. Who holds the public key finds any edit, deletion, insertion or reordering, and its place.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from alerts.custody.audit import canonical

PURPOSE = b"tidegate incident evidence 1\n"
"""What a seal signs besides the file: one that was made for something else proves nothing here."""
Part = tuple[str, object]
"""What a line holds (`incident`, `decision`, …) and its body, JSON values."""


class Seal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last line. lines: SHA-256 (hex) of each line before it; key, signature: base64."""

    part: str
    incident: str
    at: int
    by: str
    lines: list[str]
    key: str
    signature: str = ""


class Finding(msgspec.Struct, frozen=True):
    """Something that is not as it was sealed. line: its number, from 1; 0: the file as a whole."""

    line: int
    what: str


def sealed(
    incident: str, parts: Iterable[Part], key: Ed25519PrivateKey, by: str, at: int, purpose: bytes = PURPOSE
) -> list[bytes]:
    """The lines of the file, without newlines. incident: the id of what it is about (of a drill, its run)."""
    lines = [canonical({"part": name, "body": body}) for name, body in parts]
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    seal = Seal("seal", incident, at, by, [hashlib.sha256(line).hexdigest() for line in lines], public)
    signature = base64.b64encode(key.sign(_signed(seal, purpose))).decode()
    return [*lines, _line(msgspec.structs.replace(seal, signature=signature))]


def changes(data: bytes, trusted: Sequence[str], purpose: bytes = PURPOSE) -> list[Finding]:
    """Everything in the bytes of a file that is not as it was sealed. trusted: public keys, base64."""
    lines = data.split(b"\n")
    if lines.pop() != b"":
        return [Finding(0, "the file does not end where its last line ends: something was cut off or added")]
    if not lines:
        return [Finding(0, "the file is empty")]
    try:
        seal = msgspec.json.decode(lines[-1], type=Seal)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return [Finding(len(lines), f"the last line is no seal: {error}")]
    if lines[-1] != _line(seal):
        return [Finding(len(lines), "the seal is not written as it was")]
    if seal.key not in trusted:
        return [Finding(len(lines), f"it is sealed with a key that is not trusted: {seal.key}")]
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(seal.key, validate=True))
        public.verify(base64.b64decode(seal.signature, validate=True), _signed(seal, purpose))
    except (InvalidSignature, ValueError):
        return [Finding(len(lines), "the signature of the seal is wrong")]
    if base64.b64encode(base64.b64decode(seal.signature)).decode() != seal.signature:
        return [Finding(len(lines), "the signature of the seal is not written as it was")]
    return _differences(lines[:-1], seal.lines)


def _differences(lines: Sequence[bytes], wanted: Sequence[str]) -> list[Finding]:
    have = [hashlib.sha256(line).hexdigest() for line in lines]
    if have == list(wanted):
        return []
    known, there = set(wanted), set(have)
    out = [
        Finding(n, "this line was changed or added")
        for n, digest in enumerate(have, 1)
        if digest not in known
    ]
    missing = [n for n, digest in enumerate(wanted, 1) if digest not in there]
    out += [Finding(n, f"what stood in line {n} is gone") for n in missing]
    if not out:
        first = next(
            (n for n, (a, b) in enumerate(zip(have, wanted, strict=False), 1) if a != b), len(wanted) + 1
        )
        out.append(Finding(first, "lines were put in another order, or repeated, from here on"))
    return sorted(out, key=lambda one: (one.line, one.what))


def _signed(seal: Seal, purpose: bytes) -> bytes:
    body = msgspec.structs.asdict(seal)
    del body["signature"]
    return purpose + canonical(body)


def _line(seal: Seal) -> bytes:
    return canonical(msgspec.structs.asdict(seal))
