"""Signatures that say "we wrote this": HMAC-SHA-256 over checkpoints and model snapshots.

Nothing is loaded that this does not accept. Verification takes the same time wherever a signature is wrong.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from models.errors import CustodyError

SIGNATURE_BYTES = 32


class Signer:
    """Signs with `key` (at least 32 bytes); accepts signatures of `key` and of the keys it replaced.

    >>> signer = Signer(b"k" * 32)
    >>> signer.verify(b"checkpoint", signer.sign(b"checkpoint"))
    True
    >>> signer.verify(b"other bytes", signer.sign(b"checkpoint"))
    False
    """

    __slots__ = ("_keys",)

    def __init__(self, key: bytes, accepted: Sequence[bytes] = ()) -> None:
        if len(key) < 32:
            raise CustodyError(f"a signing key has at least 32 bytes, this one {len(key)}")
        self._keys = (key, *accepted)

    def sign(self, data: bytes) -> bytes:
        """The signature, 32 bytes."""
        return hmac.digest(self._keys[0], data, "sha256")

    def verify(self, data: bytes, signature: bytes) -> bool:
        """True when one of the keys made this signature over exactly these bytes."""
        good = False
        for key in self._keys:
            good |= hmac.compare_digest(hmac.digest(key, data, "sha256"), signature)
        return good

    def __repr__(self) -> str:
        return f"Signer({len(self._keys)} keys)"

    def __reduce__(self) -> str:
        raise TypeError("a signer holds keys and is not pickled")
