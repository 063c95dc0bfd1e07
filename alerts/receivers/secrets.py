"""Secrets of receivers: from an environment variable or a file only its owner can read, never from the settings."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from models.errors import SettingsError


def secret_text(
    place: str,
    variable: str | None,
    file: str | None,
    environ: Mapping[str, str] | None,
    what: str = "secret",
) -> str:
    """The text of a secret, not empty. Raises SettingsError, which never shows it.

    what: the settings' stem, as in `secret_env` and `secret_file`.
    """
    if (variable is None) == (file is None):
        raise SettingsError(f"{place}: give either {what}_env or {what}_file")
    if variable is not None:
        source, text = (
            f"environment variable {variable}",
            (os.environ if environ is None else environ).get(variable, ""),
        )
    else:
        source, text = file or "", _private_text(place, Path(file or ""))
    if not text.strip():
        raise SettingsError(f"{place}: {source} holds no {what}")
    return text.strip()


def _private_text(place: str, path: Path) -> str:
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise SettingsError(f"{place}: {path} can be read by others; chmod 600 it")
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"{place}: {path} cannot be read as a secret file") from None


def signing_keys(
    place: str, variable: str | None, file: str | None, environ: Mapping[str, str] | None
) -> list[bytes]:
    """Keys of Standard Webhooks: `whsec_` and base64, several parted by blanks while one replaces another."""
    return [
        _key(place, variable or file or "", word)
        for word in secret_text(place, variable, file, environ).split()
    ]


def _key(place: str, source: str, word: str) -> bytes:
    try:
        key = base64.b64decode(word.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not word.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise SettingsError(f"{place}: {source} must hold whsec_ followed by base64 of 24 to 64 bytes")
    return key


def checked_url(place: str, url: str, allow_private: bool) -> str:
    """`url` if it can be sent to: https with a host, http only together with allow_private. Raises SettingsError.

    The message does not show the url: those of chat services carry their token.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  reading it checks it
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        raise SettingsError(f"{place}: the url cannot be read; expected https://HOST[:PORT]/PATH") from None
    if not parts.hostname or parts.username or parts.password:
        raise SettingsError(f"{place}: the url needs a host and must not carry a user or password")
    if parts.scheme != "https" and not (parts.scheme == "http" and allow_private):
        raise SettingsError(f"{place}: use https (http only together with allow_private = true)")
    return url
