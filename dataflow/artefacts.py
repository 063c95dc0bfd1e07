"""Model snapshots out of the store, read only when we signed them."""

from __future__ import annotations

from collections.abc import Callable

from alerts.custody.signing import SIGNATURE_BYTES, Signer
from alerts.redis_link import RedisLink
from models.errors import SnapshotError


def artefact_of(link: RedisLink, signer: Signer, prefix: str = "tg:") -> Callable[[str], bytes]:
    """Fetch a snapshot by version and refuse it unless we signed it."""

    def fetch(version: str) -> bytes:
        with link.speaking() as client:
            data = client.get(f"{prefix}artefact:{version}")
        if data is None:
            return b""
        if not signer.verify(data[SIGNATURE_BYTES:], data[:SIGNATURE_BYTES]):
            raise SnapshotError(f"model snapshot {version}: not signed with our key")
        return bytes(data[SIGNATURE_BYTES:])

    return fetch
