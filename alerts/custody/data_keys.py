"""Where sealed data keys are kept: found by id, never changed, worth nothing without the private sealing key.

A record is written and on disk before the first envelope names it. The file is append-only JSON lines of mode
0600; several door processes may append to one file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from alerts.custody.private_files import append_private, read_private

FILE_NAME = "data-keys.jsonl"


class SealedDataKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A 32-byte data key under HPKE.

    id: 24 hex digits, drawn. recipient: version of the sealing key. created: ms since the epoch.
    """

    v: int = 1
    id: str
    recipient: int
    created: int
    sealed: bytes


class DataKeyDirectory(Protocol):
    """Puts and finds sealed data keys."""

    def put(self, record: SealedDataKey) -> None:
        """Keep the record; it is durable when this returns. Raises CustodyError when it cannot be kept."""

    def get(self, key_id: str) -> SealedDataKey | None:
        """The record, or None."""


class MemoryDataKeys:
    """A directory that ends with the process: tests, benchmarks, replays."""

    def __init__(self) -> None:
        self._records: dict[str, SealedDataKey] = {}

    def put(self, record: SealedDataKey) -> None:
        """See DataKeyDirectory."""
        self._records[record.id] = record

    def get(self, key_id: str) -> SealedDataKey | None:
        """See DataKeyDirectory."""
        return self._records.get(key_id)


class FileDataKeys:
    """A directory in one append-only file, read again when an id is not known yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._records: dict[str, SealedDataKey] = {}

    def put(self, record: SealedDataKey) -> None:
        """See DataKeyDirectory."""
        append_private(self._path, _encoder.encode(record))
        self._records[record.id] = record

    def get(self, key_id: str) -> SealedDataKey | None:
        """See DataKeyDirectory."""
        if key_id not in self._records and self._path.exists():
            for line in read_private(self._path).split(b"\n"):
                try:
                    record = _decoder.decode(line)
                except msgspec.MsgspecError:
                    # A line torn by a crash: its key was never used, for use begins after the write returned.
                    continue
                self._records[record.id] = record
        return self._records.get(key_id)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(SealedDataKey)
