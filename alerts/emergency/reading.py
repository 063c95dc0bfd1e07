"""TOML files of the emergency plan: text in, checked structs out; a refusal names file, line and column."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from models.errors import PlanError, RuleError
from models.rules.origin import Origin
from models.rules.toml_places import places

T = TypeVar("T")

_AT = re.compile(r"^(?P<message>.*?)(?: - at `(?P<path>\$[^`]*)`)?$", re.DOTALL)
_PART = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]|\[\.\.\.\]")
_UNKNOWN = re.compile(r"unknown field `([^`]+)`")


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text in both languages of the product."""

    en: str
    zh: str

    def __post_init__(self) -> None:
        if not self.en.strip() or not self.zh.strip():
            raise ValueError("give the text in both languages, `en` and `zh`")

    def in_(self, language: str) -> str:
        """The text in a language; English stands for every other one than `zh`."""
        return self.zh if language == "zh" else self.en


def read_text(path: Path) -> str:
    """A file's text. Raises PlanError when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8").replace("\r\n", "\n")
    except OSError as error:
        raise PlanError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise PlanError(f"{path}: not UTF-8 text (byte {error.start})") from None


def decoded(text: str, name: str, kind: type[T]) -> T:
    """`text` as a `kind`. Raises PlanError `name:line:column: what is wrong - at `$.where``."""
    try:
        parsed: dict[str, Any] = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
        raise PlanError(f"{name}: not valid TOML: {error}") from None
    try:
        return msgspec.convert(parsed, kind)
    except msgspec.ValidationError as error:
        raise PlanError(_placed(str(error), text, name)) from None


def read_as(path: Path, kind: type[T]) -> T:
    """The file as a `kind`. Raises PlanError."""
    return decoded(read_text(path), path.name, kind)


def _placed(message: str, text: str, name: str) -> str:
    """Put line and column before what msgspec says; the nearest table stands for a key that is not there."""
    found = _AT.match(message)
    assert found is not None
    path: tuple[str | int, ...] = ()
    for key, number in _PART.findall(found["path"] or "$"):
        path += (key,) if key else ((int(number),) if number else ())
    unknown = _UNKNOWN.search(message)
    spots = places(text)
    here = (*path, unknown[1]) if unknown else path
    while here and here not in spots:
        here = here[:-1]
    offset = spots[here].key if here else 0
    try:
        raise Origin(name, text).error(offset, message)
    except RuleError as error:
        return str(error)
