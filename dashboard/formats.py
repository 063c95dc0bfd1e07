"""Values as people read them: money with currency, times in UTC with local on hover, ages, tokens.

Functions that return HTML escape what they are given: tokens and texts come from outside.
"""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

# ISO 4217: minor units of the currencies that do not have two.
_EXPONENT = dict.fromkeys(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF"),
    0,
) | dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)


def money(minor: int | float, currency: str) -> str:
    """`1234567, "JPY"` → `JPY 1,234,567`."""
    exponent = _EXPONENT.get(currency, 2)
    return f"{currency} {minor / 10**exponent:,.{exponent}f}"


def usd(amount: float | None) -> str:
    """US dollars, whole from 1,000 on; None is a dash."""
    if amount is None:
        return "–"
    return f"USD {amount:,.0f}" if amount >= 1000 else f"USD {amount:,.2f}"


def moment(ms: int) -> datetime:
    """The time as a datetime in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def utc(ms: int, seconds: bool = True) -> str:
    """`11-23 14:05:09`; the year is left out on a screen that shows days."""
    return moment(ms).strftime("%m-%d %H:%M:%S" if seconds else "%m-%d %H:%M")


def utc_html(ms: int, timezone: str | None) -> str:
    """UTC on the page, the full date and the reader's own time on hover."""
    try:
        local = moment(ms).astimezone(ZoneInfo(timezone or "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        local = moment(ms)
    full = f"{moment(ms):%Y-%m-%d %H:%M:%S} UTC · {local:%Y-%m-%d %H:%M:%S %Z}"
    return f'<time title="{escape(full)}">{utc(ms)} UTC</time>'


def age(ms: float) -> str:
    """A span in its two largest units: `45s`, `3m 20s`, `2h 05m`, `4d 3h`. Negative spans count as none."""
    seconds = max(int(ms / 1000), 0)
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m {seconds % 60:02d}s"
    if seconds < 86_400:
        return f"{seconds // 3600}h {seconds % 3600 // 60:02d}m"
    return f"{seconds // 86_400}d {seconds % 86_400 // 3600}h"


def short(token: str, keep: int = 14) -> str:
    """A token for a narrow column: its beginning and its end."""
    return token if len(token) <= keep else f"{token[: keep - 5]}…{token[-4:]}"


def id_html(token: str) -> str:
    """A whole id; one click selects it."""
    return f'<span class="tg-id">{escape(token)}</span>'


def amount_of(context: dict[str, str | float | int | None]) -> str:
    """The payment's amount in its own currency, or in dollars when only those are known."""
    currency = context.get("currency")
    for name in ("amount_minor", "amount"):
        minor = context.get(name)
        if isinstance(minor, (int, float)) and isinstance(currency, str):
            return money(minor, currency)
    dollars = context.get("amount_usd")
    return usd(float(dollars) if isinstance(dollars, (int, float)) else None)


def plain(text: str) -> str:
    """Text from outside in a Markdown line: every sign that Markdown reads as its own is escaped."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()<>#+-.!|:$~" else c for c in text)
