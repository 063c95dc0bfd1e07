"""API keys: who may ask, and for what.

A key is `tgk_<name>_<secret>` with 256 random bits. Kept is its SHA-256 only, in a file of mode 0600 or in the
environment variable TIDEGATE_API_KEYS; the same form in both, one key a word: `name:scope+scope:sha256`. A slow hash
would add nothing: these secrets cannot be guessed as passwords can.

Scopes: `score` sends transactions and other events, `labels` sends labels, `read` looks decisions up, `metrics` reads
the metrics where they are not open.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

import msgspec

from alerts.custody.private_files import create_private, read_private, replace_private
from models.errors import SettingsError

Scope = Literal["score", "labels", "read", "metrics"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
VARIABLE = "TIDEGATE_API_KEYS"
FIRST = "local"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NOBODY = hashlib.sha256(secrets.token_bytes(32)).hexdigest()


class ApiKey(msgspec.Struct, frozen=True):
    """A key as it is kept. name: what logs and metrics call it."""

    name: str
    scopes: frozenset[Scope]
    sha256: str

    def line(self) -> str:
        """Its word in the file or in the environment."""
        return f"{self.name}:{'+'.join(scope for scope in SCOPES if scope in self.scopes)}:{self.sha256}"


def parse(text: str, where: str) -> dict[str, ApiKey]:
    """Keys by name. Raises SettingsError naming the place, never the text."""
    keys: dict[str, ApiKey] = {}
    for number, word in enumerate(text.split(), 1):
        name, _, rest = word.partition(":")
        scopes, _, digest = rest.partition(":")
        asked = frozenset(scopes.split("+"))
        if not _NAME.fullmatch(name) or not asked <= set(SCOPES) or not _DIGEST.fullmatch(digest):
            raise SettingsError(
                f"{where}: key {number} is not name:scope+scope:sha256 (scopes: {', '.join(SCOPES)}); "
                "make one with `tidegate serve --add-key NAME`"
            )
        if name in keys:
            raise SettingsError(f"{where}: two keys are called {name}; remove one")
        keys[name] = ApiKey(name, asked, digest)  # type: ignore[arg-type]
    return keys


def new_key(name: str, scopes: frozenset[Scope]) -> tuple[str, ApiKey]:
    """A drawn key: what its owner gets, once, and what is kept."""
    if not _NAME.fullmatch(name):
        raise SettingsError(f"a key's name is made of a-z, 0-9 and -, at most 32 characters: {name!r} is not")
    if not scopes or not scopes <= set(SCOPES):
        raise SettingsError(f"scopes are some of {', '.join(SCOPES)}, separated by commas")
    clear = f"tgk_{name}_{secrets.token_urlsafe(32)}"
    return clear, ApiKey(name, scopes, hashlib.sha256(clear.encode()).hexdigest())


class KeyFile:
    """The keys of a file and of the environment; a changed file counts from the next request on."""

    def __init__(self, path: Path, environ: Mapping[str, str] | None = None) -> None:
        self.path = path
        environ = os.environ if environ is None else environ
        self._given = parse(environ.get(VARIABLE, ""), f"environment variable {VARIABLE}")
        self._seen: tuple[int, int] | None = None
        self._keys: dict[str, ApiKey] = {}
        self.reload()

    def reload(self) -> None:
        """Read the file if it changed. Raises SettingsError and CustodyError; the keys of before stay in force."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            self._seen, self._keys = None, dict(self._given)
            return
        mark = (found.st_mtime_ns, found.st_ino)
        if mark != self._seen:
            text = read_private(self.path).decode("utf-8", "replace")
            self._keys = {**parse(text, str(self.path)), **self._given}
            self._seen = mark

    def all(self) -> list[ApiKey]:
        """Every key in force."""
        return [self._keys[name] for name in sorted(self._keys)]

    def owner(self, clear: str) -> ApiKey | None:
        """The key that `clear` is, compared in constant time; None when it is none."""
        # A name holds no underscore; a secret may.
        kind, _, rest = clear.partition("_")
        name = rest.partition("_")[0] if kind == "tgk" else ""
        key = self._keys.get(name)
        digest = hashlib.sha256(clear.encode("utf-8", "replace")).hexdigest()
        same = hmac.compare_digest(digest, _NOBODY if key is None else key.sha256)
        return key if same else None

    def add(self, key: ApiKey) -> None:
        """Keep a new key in the file."""
        self.reload()
        if key.name in self._keys:
            raise SettingsError(f"there is a key called {key.name}: revoke it first, or choose another name")
        self._write([*self._own(), key])

    def revoke(self, name: str) -> None:
        """Take a key out of the file."""
        kept = [key for key in self._own() if key.name != name]
        if len(kept) == len(self._own()):
            where = f"it stands in {VARIABLE}" if name in self._given else "see `tidegate serve --keys`"
            raise SettingsError(f"{self.path} has no key called {name}: {where}")
        self._write(kept)

    def first(self) -> Path | None:
        """Where no key is at all, make one for this machine; the file that holds it in clear, mode 0600."""
        self.reload()
        if self._keys:
            return None
        clear, key = new_key(FIRST, frozenset(SCOPES))
        path = self.path.parent / f"{FIRST}.key"
        path.unlink(missing_ok=True)
        create_private(path, clear.encode() + b"\n")
        self.add(key)
        return path

    def _own(self) -> list[ApiKey]:
        self.reload()
        return [key for key in self.all() if key.name not in self._given]

    def _write(self, keys: list[ApiKey]) -> None:
        replace_private(self.path, "".join(f"{key.line()}\n" for key in keys).encode())
        self.reload()
