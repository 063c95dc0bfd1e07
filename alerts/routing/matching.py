"""Matchers of routes and silences, and lengths of time, as people write them.

A matcher is one line: `corridor=CN>*`, `partner!=acme|bolt`, `severity<=S2` (S2 or worse: S1 is the worst),
`severity>=S3` (S3 or milder). `*` and `?` stand for any text and any one character, `|` parts alternatives.
Regular expressions are not offered: a silence can be written by anybody who may silence, and an expression can
be written to take for ever.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from functools import lru_cache

import msgspec

from alerts.routing.change import Change
from models.errors import SettingsError

_FORM = re.compile(r"\s*([a-z][a-z_]*)\s*(!=|<=|>=|=)\s*(.*?)\s*")
_LENGTH = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_SEVERITIES = ("S1", "S2", "S3", "S4")
MAX_MATCHERS = 20
MAX_PATTERN = 200


class Matcher(msgspec.Struct, frozen=True):
    """One condition on a Change. `text` is how it is written."""

    label: str
    operator: str
    patterns: tuple[str, ...]

    @property
    def text(self) -> str:
        """As people write it, without needless blanks: the same condition has the same text."""
        return f"{self.label}{self.operator}{'|'.join(self.patterns)}"

    def fits(self, change: Change) -> bool:
        """Whether `change` meets the condition; a label it does not have counts as empty text."""
        value = change.value(self.label)
        if self.operator == "<=":
            return value <= self.patterns[0]
        if self.operator == ">=":
            return value >= self.patterns[0]
        found = any(fits(value, pattern) for pattern in self.patterns)
        return found != (self.operator == "!=")


def matcher(text: str, where: str) -> Matcher:
    """Read a matcher. Raises SettingsError with `where` in front.

    >>> matcher("severity <= S2", "route").text
    'severity<=S2'
    """
    form = _FORM.fullmatch(text)
    if form is None or len(text) > MAX_PATTERN:
        raise SettingsError(
            f"{where}: {text[:60]!r} is no matcher: write label=value, label!=value, severity<=S2 (S2 or worse) "
            f"or severity>=S3 (S3 or milder), "
            f"with * and ? as wildcards and | between alternatives, {MAX_PATTERN} characters at most",
            zh=f"{text[:60]!r} 不是匹配条件：请写 label=value、label!=value、severity<=S2（S2 及更严重）"
            f"或 severity>=S3（S3 及更轻），"
            f"* 与 ? 为通配符，| 分隔多个取值，最长 {MAX_PATTERN} 个字符",
        )
    label, operator, value = form[1], form[2], form[3].strip('"')
    if operator in ("<=", ">=") and (label != "severity" or value not in _SEVERITIES):
        raise SettingsError(
            f"{where}: {text!r}: {operator} goes with severity and S1, S2, S3 or S4 only",
            zh=f"{text!r}：{operator} 只能用于 severity，取值 S1、S2、S3 或 S4",
        )
    return Matcher(label, operator, tuple(part.strip() for part in value.split("|")))


def matchers(texts: Iterable[str], where: str) -> tuple[Matcher, ...]:
    """Read several; all of them have to fit. Raises SettingsError."""
    found = tuple(matcher(text, where) for text in texts)
    if len(found) > MAX_MATCHERS:
        raise SettingsError(
            f"{where}: {len(found)} matchers; {MAX_MATCHERS} at most",
            zh=f"匹配条件有 {len(found)} 个，最多 {MAX_MATCHERS} 个",
        )
    return found


def all_fit(conditions: Iterable[Matcher], change: Change) -> bool:
    """Whether `change` meets all of them; no condition is met by everything."""
    return all(condition.fits(change) for condition in conditions)


@lru_cache(4096)
def _expression(pattern: str) -> re.Pattern[str]:
    # The brackets of fnmatch would surprise: only * and ? are special here. fnmatch makes its * atomic, so
    # that no pattern can backtrack without end.
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]")))


def fits(value: str, pattern: str) -> bool:
    """Whether a text is what a pattern of a matcher says."""
    if "*" in pattern or "?" in pattern:
        return _expression(pattern).match(value) is not None
    return value == pattern


def length_ms(text: str, where: str) -> int:
    """Milliseconds of a length of time written as `30s`, `5m`, `4h`, `1d` or `1h30m`. Raises SettingsError.

    >>> length_ms("1h30m", "group_wait")
    5400000
    """
    form = _LENGTH.fullmatch(text.strip())
    if form is None or not text.strip():
        raise SettingsError(
            f"{where}: {text!r} is no length of time: write 30s, 5m, 4h, 1d or 1h30m",
            zh=f"{text!r} 不是时长：请写 30s、5m、4h、1d 或 1h30m",
        )
    days, hours, minutes, seconds = (int(part or 0) for part in form.groups())
    return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000


def length_text(ms: int) -> str:
    """The inverse of `length_ms`, to whole seconds.

    >>> length_text(5_400_000)
    '1h30m'
    """
    parts, rest = [], ms // 1000
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        if rest >= size:
            parts.append(f"{rest // size}{unit}")
            rest %= size
    return "".join(parts) or "0s"
