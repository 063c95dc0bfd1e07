"""Signed roots of the audit chain: number and hash of one link under an Ed25519 signature (RFC 8032).

A root is copied out of reach of whoever might change the store. It proves what the chain was up to its link; with it a
chain that was cut short, set back or written anew is found out. The signing key is derived from the key ring's signing
key; the public key is all that verifying takes.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from alerts.custody.audit import AuditLink, canonical
from models.errors import CustodyError

PURPOSE = "audit-root"


class AuditRoot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is signed: link `seq` has `hash`, at `at` (ms). key: the public key, signature: over all else; base64."""

    seq: int
    hash: str
    at: int
    key: str
    signature: str = ""


def signed_root(link: AuditLink, key: Ed25519PrivateKey, at: int) -> AuditRoot:
    """The root of a chain that ends (at the moment) in `link`."""
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    root = AuditRoot(link.seq, link.hash, at, public)
    return msgspec.structs.replace(root, signature=base64.b64encode(key.sign(_signed(root))).decode())


def checked_root(line: bytes, trusted: Sequence[str]) -> AuditRoot:
    """A root from its line, if one of the trusted public keys (base64) signed it; CustodyError if not."""
    try:
        root = msgspec.json.decode(line, type=AuditRoot)
        if root.key not in trusted:
            raise CustodyError(f"root of link {root.seq}: signed with a key that is not trusted: {root.key}")
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(root.key, validate=True))
        key.verify(base64.b64decode(root.signature, validate=True), _signed(root))
    except InvalidSignature:
        raise CustodyError(f"root of link {root.seq}: the signature is wrong") from None
    except ValueError as error:
        raise CustodyError(f"not a signed root: {error}") from None
    return root


def root_line(root: AuditRoot) -> bytes:
    """The root as one line of a file."""
    return canonical(msgspec.structs.asdict(root))


def _signed(root: AuditRoot) -> bytes:
    body = msgspec.structs.asdict(root)
    del body["signature"]
    return b"tidegate audit root 1\n" + canonical(body)
