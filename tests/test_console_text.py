"""The words of the console: both languages whole, and every key that the code asks for exists."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest

from alerts.alert import Status, Verdict
from dashboard.notices import worded
from dashboard.text import EN, PLACES, ZH, name_of, translator
from models.decision import ACTIONS, BANDS
from models.errors import StoreError

ROOM = Path(__file__).parent.parent / "dashboard"
LATIN_IN_BOTH = {"entity.bin"}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_tables_have_equal_keys_and_no_key_twice() -> None:
    assert EN.keys() == ZH.keys()
    assert sum(len(place.WORDS) for place in PLACES) == len(EN)


@pytest.mark.parametrize("key", sorted(EN))
def test_both_texts_are_there_with_the_same_placeholders(key: str) -> None:
    assert EN[key].strip()
    assert ZH[key].strip()
    assert placeholders(EN[key]) == placeholders(ZH[key])
    if key not in LATIN_IN_BOTH:
        assert re.search(r"[\u4e00-\u9fff]", ZH[key]), "the Chinese text has no Chinese in it"
        assert not re.search(r"[\u4e00-\u9fff]", EN[key])


def test_every_key_asked_for_exists() -> None:
    asked = set()
    for file in ROOM.rglob("*.py"):
        asked |= set(re.findall(r'\bt\(\s*"([a-z_0-9.]+)"', file.read_text(encoding="utf-8")))
    assert len(asked) > 60
    assert asked <= EN.keys()


def test_every_word_of_the_engine_has_a_name() -> None:
    words = {
        "action": ACTIONS,
        "band": BANDS,
        "status": get_args(Status),
        "verdict": get_args(Verdict),
        "severity": ("S1", "S2", "S3", "S4"),
        "typology": tuple(f"T{n:02d}" for n in range(1, 21)),
    }
    for kind, values in words.items():
        for value in values:
            assert name_of(translator("zh"), kind, value) != value


def test_an_unknown_word_stays_as_it_is_and_an_unknown_key_is_an_error() -> None:
    assert name_of(translator("en"), "typology", "T99") == "T99"
    with pytest.raises(KeyError):
        translator("en")("no.such.key")


REFUSED = {"IncidentError", "RefusedError"}


def refusals(source: str) -> list[tuple[int, bool]]:
    """Lines at which somebody is refused something in words of ours, and whether in Chinese too."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)):
            continue
        call = node.exc
        if getattr(call.func, "id", "") in REFUSED and isinstance(call.args[0], ast.Constant | ast.JoinedStr):
            found.append((node.lineno, len(call.args) > 1 or any(one.arg == "zh" for one in call.keywords)))
    return found


def test_whatever_people_are_refused_is_said_in_both_languages() -> None:
    assert refusals('raise RefusedError(f"{1}")') == [(1, False)]
    files = sorted((ROOM.parent / "alerts").rglob("*.py"))
    told = {(path.name, line): both for path in files for line, both in refusals(path.read_text("utf-8"))}
    assert len(told) > 50
    assert [place for place, both in told.items() if not both] == []


def test_an_error_without_a_chinese_text_is_quoted_as_what_it_is() -> None:
    here = SimpleNamespace(language="zh", t=translator("zh"))
    assert worded(here, StoreError("no answer")) == "系统提示（原文）：no answer"  # type: ignore[arg-type]
    assert worded(here, StoreError("no answer", zh="没有响应")) == "没有响应"  # type: ignore[arg-type]
    here = SimpleNamespace(language="en", t=translator("en"))
    assert worded(here, StoreError("no answer", zh="没有响应")) == "no answer"  # type: ignore[arg-type]
