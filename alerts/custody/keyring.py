"""The key ring: every secret Tidegate keeps, in one file of mode 0600.

Three kinds of keys, each with versions. `active` is used for new work, `decrypt-only` still opens (or, for
pseudonyms, recomputes) what it made, `retired` has lost its secret: what it sealed can never be read again.

    pseudonym   32 bytes an epoch; one HMAC key per purpose is derived from it (HKDF-SHA-256)
    sealing     X25519; its public half seals data keys (HPKE), its private half opens them
    signing     32 bytes; signs checkpoints and model snapshots

The file is made at first start. `TIDEGATE_KEYRING` names another place for it. Rings are values: rotating
gives a new ring, `save` writes it. No secret shows in repr, str, pickles or errors.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from alerts.custody.private_files import create_private, read_private, replace_private
from alerts.custody.signing import Signer
from models.errors import CustodyError

FILE_NAME = "keyring.json"
ENVIRONMENT = "TIDEGATE_KEYRING"
Kind = Literal["pseudonym", "sealing", "signing"]
State = Literal["active", "decrypt-only", "retired"]
KINDS: tuple[Kind, ...] = ("pseudonym", "sealing", "signing")
_PUBLISHED = b"tidegate PUBLISHED TEST KEY, no secret: "


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One version of one key. created: ms since the epoch. public: sealing keys only (32 bytes raw)."""

    version: int
    state: State
    created: int
    secret: bytes | None = None
    public: bytes | None = None

    def __repr__(self) -> str:
        return f"Key(version={self.version}, state={self.state!r})"

    def __reduce__(self) -> str:
        raise TypeError("keys are not pickled")


class KeyRing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """All keys, newest last. `published` marks the ring whose secrets are in this source: tests only."""

    v: Literal[1] = 1
    published: bool = False
    pseudonym: tuple[Key, ...]
    sealing: tuple[Key, ...]
    signing: tuple[Key, ...]

    @classmethod
    def generate(cls, now: int) -> KeyRing:
        """A ring of fresh keys, all of version 1."""
        pseudonym, sealing, signing = ((_new_key(kind, 1, now, secrets.token_bytes(32)),) for kind in KINDS)
        return cls(pseudonym=pseudonym, sealing=sealing, signing=signing)

    @classmethod
    def for_tests(cls) -> KeyRing:
        """The PUBLISHED TEST RING: anybody can compute its secrets. For recorded streams and tests only."""
        pseudonym, sealing, signing = (
            (_new_key(kind, 1, 0, hashlib.sha256(_PUBLISHED + kind.encode()).digest()),) for kind in KINDS
        )
        return cls(published=True, pseudonym=pseudonym, sealing=sealing, signing=signing)

    @classmethod
    def load(cls, path: Path) -> KeyRing:
        """Read and check the file. Raises CustodyError naming the path, the trouble and the remedy."""
        data = read_private(path)
        try:
            ring = _decoder.decode(data)
        except msgspec.MsgspecError as error:
            # Only the JSON path is repeated: an error text may quote what it met, and here that is a secret.
            place = (
                str(error).rpartition(" - at ")[2] if " - at " in str(error) else "the file is not whole JSON"
            )
            raise CustodyError(f"{path}: not a key ring ({place}); restore it from the backup") from None
        ring._check(path)
        return ring

    @classmethod
    def load_or_create(cls, path: Path, now: int) -> KeyRing:
        """The ring at `path`, made now if there is none; of two first starts one makes it, both load it."""
        if not path.exists():
            create_private(path, _encoder.encode(cls.generate(now)))
        return cls.load(path)

    def save(self, path: Path) -> None:
        """Write the ring in place of the file, atomically."""
        replace_private(path, _encoder.encode(self))

    def active(self, kind: Kind) -> Key:
        """The one active key of a kind."""
        return next(key for key in self._keys(kind) if key.state == "active")

    def rotate(self, kind: Kind, now: int) -> KeyRing:
        """A ring with a fresh active key of this kind; the one before it becomes decrypt-only."""
        keys = self._keys(kind)
        demoted = tuple(
            msgspec.structs.replace(key, state="decrypt-only") if key.state == "active" else key
            for key in keys
        )
        fresh = _new_key(kind, keys[-1].version + 1, now, secrets.token_bytes(32))
        return msgspec.structs.replace(self, **{kind: (*demoted, fresh)})

    def retire(self, kind: Kind, version: int) -> KeyRing:
        """A ring in which that version has lost its secret, for good. The active key cannot be retired."""
        if self.active(kind).version == version:
            raise CustodyError(f"{kind} key {version} is active; rotate before retiring it")
        if version not in {key.version for key in self._keys(kind)}:
            raise CustodyError(f"the key ring has no {kind} key {version}")
        keys = tuple(
            msgspec.structs.replace(key, state="retired", secret=None) if key.version == version else key
            for key in self._keys(kind)
        )
        return msgspec.structs.replace(self, **{kind: keys})

    def public(self) -> KeyRing:
        """The ring a door needs: pseudonym keys and the public halves; it can seal and not open."""
        return msgspec.structs.replace(
            self,
            sealing=tuple(msgspec.structs.replace(key, secret=None) for key in self.sealing),
            signing=tuple(msgspec.structs.replace(key, secret=None) for key in self.signing),
        )

    def purpose_key(self, purpose: str, epoch: int | None = None) -> tuple[int, bytes]:
        """(epoch, 32-byte HMAC key) of a pseudonym purpose; the active epoch unless one is named."""
        key = self.active("pseudonym") if epoch is None else self._find("pseudonym", epoch)
        return key.version, _derive(_secret(key, "pseudonym"), f"pseudonym {key.version} {purpose}")

    def sealing_public(self) -> tuple[int, X25519PublicKey]:
        """(version, public key) that new data keys are sealed to."""
        key = self.active("sealing")
        if key.public is None:
            raise CustodyError(
                f"sealing key {key.version} has no public half; restore the ring from the backup"
            )
        return key.version, X25519PublicKey.from_public_bytes(key.public)

    def sealing_private(self, version: int) -> X25519PrivateKey:
        """The private half that opens data keys sealed to `version`."""
        return X25519PrivateKey.from_private_bytes(_secret(self._find("sealing", version), "sealing"))

    def signer(self, purpose: str) -> Signer:
        """A signer for `checkpoint`, `model` …: a signature for one purpose is worth nothing for another."""
        first = self.active("signing")
        older = [key for key in self.signing if key.secret is not None and key.version != first.version]
        keys = [
            _derive(_secret(key, "signing"), f"signing {key.version} {purpose}") for key in (first, *older)
        ]
        return Signer(keys[0], keys[1:])

    def ed25519(self, purpose: str) -> Ed25519PrivateKey:
        """The key whose signatures anybody can verify; derived from the active signing key."""
        key = self.active("signing")
        label = f"signing {key.version} ed25519 {purpose}"
        return Ed25519PrivateKey.from_private_bytes(_derive(_secret(key, "signing"), label))

    def __repr__(self) -> str:
        parts = [f"{kind} {key.version} {key.state}" for kind in KINDS for key in self._keys(kind)]
        return f"KeyRing({'published test ring: ' if self.published else ''}{', '.join(parts)})"

    def __reduce__(self) -> str:
        raise TypeError("a key ring is not pickled")

    def _keys(self, kind: Kind) -> tuple[Key, ...]:
        keys: tuple[Key, ...] = getattr(self, kind)
        return keys

    def _find(self, kind: Kind, version: int) -> Key:
        for key in self._keys(kind):
            if key.version == version:
                return key
        raise CustodyError(f"the key ring has no {kind} key {version}; load the ring it was made with")

    def _check(self, path: Path) -> None:
        for kind in KINDS:
            keys = self._keys(kind)
            states = [key.state for key in keys]
            versions = [key.version for key in keys]
            sizes = {len(part) for key in keys for part in (key.secret, key.public) if part is not None}
            if states.count("active") != 1 or versions != sorted(set(versions)) or sizes - {32}:
                raise CustodyError(
                    f"{path}: {kind} keys need exactly one active, rising versions and 32 bytes each; "
                    "restore the ring from the backup"
                )


def keyring_path(data_directory: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the ring lies: `TIDEGATE_KEYRING`, or keyring.json in the data directory."""
    named = environ.get(ENVIRONMENT)
    return Path(named) if named else data_directory / FILE_NAME


def _new_key(kind: Kind, version: int, now: int, secret: bytes) -> Key:
    public = (
        X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
        if kind == "sealing"
        else None
    )
    return Key(version=version, state="active", created=now, secret=secret, public=public)


def _secret(key: Key, kind: Kind) -> bytes:
    if key.secret is None:
        why = "is retired" if key.state == "retired" else "is not in this (public) key ring"
        raise CustodyError(f"the secret of {kind} key {key.version} {why}")
    return key.secret


def _derive(secret: bytes, label: str) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=None, info=f"tidegate {label}".encode()).derive(secret)


_decoder = msgspec.json.Decoder(KeyRing)
_encoder = msgspec.json.Encoder()
