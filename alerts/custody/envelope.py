"""Envelopes: the clear fields of one event, sealed for the holder of the private sealing key.

    envelope     e1.<data key id>.<field set>.<base64 of nonce and ciphertext>
    sealed bytes d1.<data key id>.<base64 of nonce and ciphertext>

AES-256-GCM under a data key that lives in the memory of one door process for ten minutes or 2^20 uses and is
itself sealed by HPKE (RFC 9180: DHKEM X25519, HKDF-SHA256, AES-256-GCM). Associated data binds version, data
key id, field set and event id: an envelope moved to another event does not open. The plain text is padded to
a multiple of 64 bytes so that its length says little.

Nonces are 96 random bits. With at most 2^20 uses of a key two are equal with a probability below 2^-56, and
unlike a counter they stay unique when a process forks (NIST SP 800-38D, 8.2.2 and 8.3, allows 2^32 uses).
"""

from __future__ import annotations

import binascii
import functools
import os
from collections.abc import Callable
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from alerts.custody.data_keys import DataKeyDirectory, SealedDataKey
from alerts.custody.keyring import KeyRing
from models.decision import DeadLetter
from models.errors import CustodyError
from models.events import ClearFields

DATA_KEY_LIFE_MS = 10 * 60 * 1000
DATA_KEY_USES = 2**20
PAD_BYTES = 64

_NONCE = 12
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class Sealer:
    """Seals under data keys of its own. clock: ms since the epoch. Needs only the public half of the ring.

    `entropy` may be replaced for repeatable recordings, and only with the published test ring.
    """

    def __init__(
        self,
        ring: KeyRing,
        directory: DataKeyDirectory,
        clock: Callable[[], int],
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        if entropy is not os.urandom and not ring.published:
            raise CustodyError("another source of entropy is allowed with the published test ring only")
        self._recipient, self._public = ring.sealing_public()
        self._directory = directory
        self._clock = clock
        self._entropy = entropy
        self._uses = DATA_KEY_USES
        self._born = 0
        self._key_id = ""
        self._cipher: AESGCM

    def seal(self, event_id: str, clear: ClearFields, plain: bytes | None = None) -> str:
        """The envelope of an event's clear fields. `plain`: their JSON, where the caller has it already."""
        if plain is None:
            plain = _encoder.encode(clear)
        # JSON may end in blanks, so the padding needs no format of its own.
        plain = plain.ljust(-(-len(plain) // PAD_BYTES) * PAD_BYTES)
        cipher, key_id = self._current()
        fields = field_set(clear)
        nonce = self._entropy(_NONCE)
        sealed = nonce + cipher.encrypt(nonce, plain, _envelope_data(key_id, fields, event_id))
        return f"e1.{key_id}.{fields}.{binascii.b2a_base64(sealed, newline=False).decode()}"

    def seal_bytes(self, data: bytes, context: str) -> str:
        """Any bytes, bound to `context`: only who names the same context opens them."""
        cipher, key_id = self._current()
        nonce = self._entropy(_NONCE)
        sealed = nonce + cipher.encrypt(nonce, data, _bytes_data(key_id, context))
        return f"d1.{key_id}.{binascii.b2a_base64(sealed, newline=False).decode()}"

    def _current(self) -> tuple[AESGCM, str]:
        now = self._clock()
        # A clock that was set back also ends the key: its age could not be told.
        if self._uses >= DATA_KEY_USES or not 0 <= now - self._born < DATA_KEY_LIFE_MS:
            self._renew(now)
        self._uses += 1
        return self._cipher, self._key_id

    def _renew(self, now: int) -> None:
        key_id, key = self._entropy(12).hex(), self._entropy(32)
        sealed = _SUITE.encrypt(key, self._public, info=_key_info(key_id, self._recipient, now))
        self._directory.put(SealedDataKey(id=key_id, recipient=self._recipient, created=now, sealed=sealed))
        self._cipher, self._key_id, self._born, self._uses = AESGCM(key), key_id, now, 0

    def __repr__(self) -> str:
        return f"Sealer(recipient={self._recipient}, data key {self._key_id or 'not drawn yet'})"

    def __reduce__(self) -> str:
        raise TypeError("a sealer holds a data key and is not pickled")


def open_envelope(event: Any, ring: KeyRing, directory: DataKeyDirectory) -> ClearFields | None:
    """The clear fields of `event`; None when it carries no envelope.

    Raises CustodyError when the envelope does not open or the data key is not in the directory.
    """
    if event.envelope is None:
        return None
    place = f"event {event.id}"
    version, key_id, fields, text = _split(event.envelope, 4, place)
    if version != "e1":
        raise CustodyError(f"{place}: envelope of an unknown version; a newer Tidegate made it")
    plain = _open(text, key_id, _envelope_data(key_id, fields, event.id), ring, directory, place)
    try:
        clear = _decoder.decode(plain)
    except msgspec.MsgspecError:
        raise CustodyError(
            f"{place}: the envelope opens but holds no clear fields this version knows"
        ) from None
    if field_set(clear) != fields:
        raise CustodyError(f"{place}: the envelope holds other fields than it names")
    return clear


def open_bytes(sealed: str, context: str, ring: KeyRing, directory: DataKeyDirectory) -> bytes:
    """What `seal_bytes` sealed under the same context. Raises CustodyError when it does not open."""
    version, key_id, text = _split(sealed, 3, context)
    if version != "d1":
        raise CustodyError(f"{context}: sealed bytes of an unknown version; a newer Tidegate made them")
    return _open(text, key_id, _bytes_data(key_id, context), ring, directory, context)


def dead_letter_context(place: str) -> str:
    """The context that the bytes of a dead letter are sealed under."""
    return f"dead letter {place}"


def open_dead_letter(letter: DeadLetter, ring: KeyRing, directory: DataKeyDirectory) -> bytes | None:
    """The bytes a dead letter keeps; None when it keeps none."""
    if letter.data is None:
        return None
    return open_bytes(letter.data, dead_letter_context(letter.place), ring, directory)


def field_set(clear: ClearFields) -> str:
    """The filled fields as a bit mask in hexadecimal, first field lowest (new ones only at the end)."""
    return _mask(tuple(map(type, msgspec.structs.astuple(clear))))


@functools.cache
def _mask(kinds: tuple[type, ...]) -> str:
    return f"{sum(1 << position for position, kind in enumerate(kinds) if kind is not type(None)):x}"


def field_names(envelope: str) -> tuple[str, ...]:
    """Which clear fields an envelope holds, read from outside without any key."""
    mask = int(_split(envelope, 4, "envelope")[2], 16)
    return tuple(name for bit, name in enumerate(ClearFields.__struct_fields__) if mask >> bit & 1)


def _open(
    text: str, key_id: str, associated: bytes, ring: KeyRing, directory: DataKeyDirectory, place: str
) -> bytes:
    record = directory.get(key_id)
    if record is None:
        raise CustodyError(f"{place}: data key {key_id} is not in the directory; restore data-keys.jsonl")
    try:
        sealed = binascii.a2b_base64(text, strict_mode=True)
        info = _key_info(key_id, record.recipient, record.created)
        key = _SUITE.decrypt(record.sealed, ring.sealing_private(record.recipient), info=info)
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], associated)
    except (InvalidTag, ValueError):
        raise CustodyError(
            f"{place}: does not open: changed, moved from elsewhere, or sealed for another key ring"
        ) from None


def _split(sealed: str, parts: int, place: str) -> list[str]:
    found = sealed.split(".")
    if len(found) != parts:
        raise CustodyError(f"{place}: not in the form of sealed data")
    return found


def _key_info(key_id: str, recipient: int, created: int) -> bytes:
    return f"tidegate data key 1|{key_id}|{recipient}|{created}".encode()


def _envelope_data(key_id: str, fields: str, event_id: str) -> bytes:
    # The parts before the id have no `|` in them, so no two different quadruples give the same bytes.
    return f"tidegate envelope 1|{key_id}|{fields}|{event_id}".encode()


def _bytes_data(key_id: str, context: str) -> bytes:
    return f"tidegate bytes 1|{key_id}|{context}".encode()


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ClearFields)
