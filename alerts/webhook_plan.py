"""Webhook receivers as settings, and the plan of attempts for one message. Pure: no clock, no dice."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from alerts.alert import Severity
from models.errors import SettingsError

SCHEDULE_S = (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 28_800)
"""Seconds to wait after the 1st, 2nd, … failed attempt: eleven attempts within a day."""
JITTER = 0.2
LONGEST_MS = 24 * 3600 * 1000


class WebhookReceiver(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Somebody who wants to hear of alerts.

    url: https, or http together with allow_private. The signing secret (`whsec_` and base64, several
    separated by blanks while one replaces another) stands in the environment variable `secret_env` or in
    `secret_file`, a file only its owner can read. min_severity: S1 hears pages only, S4 hears everything.
    allow_private: the receiver may live on a private, loopback or link-local address.
    """

    url: str
    secret_env: str | None = None
    secret_file: str | None = None
    min_severity: Severity = "S2"
    allow_private: bool = False

    def hears(self, severity: str) -> bool:
        """True for `min_severity` and what is worse."""
        return severity <= self.min_severity


def digest(receiver: WebhookReceiver) -> str:
    """Changes whenever the receiver's settings change."""
    return hashlib.sha256(msgspec.json.encode(receiver)).hexdigest()[:16]


def signing_keys(receiver: WebhookReceiver, environ: Mapping[str, str] | None = None) -> list[bytes]:
    """Check a receiver's settings and read its secrets. Raises SettingsError, which never shows a secret."""
    try:
        parts = urlsplit(receiver.url)
        place = f"webhook {parts.scheme}://{parts.hostname}:{parts.port or ''}".rstrip(":")
    except ValueError:
        raise SettingsError("webhook: a url cannot be read; expected https://HOST[:PORT]/PATH") from None
    if not parts.hostname or parts.username or parts.password:
        raise SettingsError(f"{place}: the url needs a host and must not carry a user or password")
    if parts.scheme != "https" and not (parts.scheme == "http" and receiver.allow_private):
        raise SettingsError(f"{place}: use https (http only together with allow_private = true)")
    if (receiver.secret_env is None) == (receiver.secret_file is None):
        raise SettingsError(f"{place}: give either secret_env or secret_file")
    if receiver.secret_env is not None:
        source = f"environment variable {receiver.secret_env}"
        text = (os.environ if environ is None else environ).get(receiver.secret_env, "")
    else:
        source, text = receiver.secret_file or "", _private_text(place, Path(receiver.secret_file or ""))
    keys = [_key(place, source, word) for word in text.split()]
    if not keys:
        raise SettingsError(f"{place}: {source} holds no secret; expected whsec_ followed by base64")
    return keys


def _private_text(place: str, path: Path) -> str:
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise SettingsError(f"{place}: {path} can be read by others; chmod 600 it")
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"{place}: {path} cannot be read as a secret file") from None


def _key(place: str, source: str, word: str) -> bytes:
    try:
        key = base64.b64decode(word.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not word.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise SettingsError(f"{place}: {source} must hold whsec_ followed by base64 of 24 to 64 bytes")
    return key


def delay_ms(webhook_id: str, failed: int) -> int | None:
    """Milliseconds to wait after the `failed`-th failed attempt (1, 2, …); None when no attempt is left.

    Jitter of ±20 % keeps messages from returning in step. It is derived from id and attempt, so that a
    restarted sender plans the same.
    """
    if failed > len(SCHEDULE_S):
        return None
    dice = hashlib.sha256(f"{webhook_id}\x1f{failed}".encode()).digest()
    unit = int.from_bytes(dice[:8]) / 2**64
    return round(SCHEDULE_S[failed - 1] * 1000 * (1 - JITTER + 2 * JITTER * unit))


def asked_delay_ms(retry_after: str | None, now: int) -> int:
    """What a Retry-After header (seconds or a date, RFC 9110 §10.2.3) asks for, at most a day; 0 for none."""
    if retry_after is None:
        return 0
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]) * 1000, LONGEST_MS)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(round(moment.timestamp() * 1000) - now, 0), LONGEST_MS)
