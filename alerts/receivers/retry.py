"""The plan of attempts for one message. Pure: no clock, no dice."""

from __future__ import annotations

import hashlib
from datetime import UTC
from email.utils import parsedate_to_datetime

SCHEDULE_S = (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 28_800)
"""Seconds to wait after the 1st, 2nd, … failed attempt: eleven attempts within a day."""
JITTER = 0.2
LONGEST_MS = 24 * 3600 * 1000


def delay_ms(message_id: str, failed: int) -> int | None:
    """Milliseconds to wait after the `failed`-th failed attempt (1, 2, …); None when no attempt is left.

    Jitter of ±20 % keeps messages from returning in step. It is derived from id and attempt, so that a
    restarted sender plans the same.
    """
    if failed > len(SCHEDULE_S):
        return None
    dice = hashlib.sha256(f"{message_id}\x1f{failed}".encode()).digest()
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
