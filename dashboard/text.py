"""All words of the console: one table, each key with its English and its Chinese text.

Placeholders are str.format names and the same in both languages. Ids, codes and tokens are not translated.
"""

from __future__ import annotations

from typing import Protocol

from dashboard.settings import Language
from dashboard.words import (
    backtests,
    case,
    containing,
    drills,
    frame,
    incidents,
    lists,
    models,
    monitoring,
    names,
    overview,
    plans,
    queue,
    quiet,
    reviewing,
    routing,
    rules,
    tabletop,
)

PLACES = (
    frame,
    overview,
    queue,
    case,
    incidents,
    containing,
    reviewing,
    drills,
    tabletop,
    routing,
    quiet,
    lists,
    plans,
    monitoring,
    models,
    rules,
    backtests,
    names,
)
EN: dict[str, str] = {key: pair[0] for place in PLACES for key, pair in place.WORDS.items()}
ZH: dict[str, str] = {key: pair[1] for place in PLACES for key, pair in place.WORDS.items()}


class Translate(Protocol):
    """`t("rate")`, `t("budget", value=…)` → the text in the reader's language."""

    def __call__(self, key: str, /, **values: object) -> str: ...


def translator(language: Language) -> Translate:
    """The texts of one language. An unknown key is a mistake of ours and raises KeyError."""
    table = ZH if language == "zh" else EN

    def translate(key: str, /, **values: object) -> str:
        text = table[key]
        return text.format(**values) if values else text

    return translate


def name_of(t: Translate, kind: str, value: str) -> str:
    """The name of a word of the engine (`action`, `HOLD`); one that has no name yet stays as it is."""
    key = f"{kind}.{value}"
    return t(key) if key in EN else value
