"""The words of the console: both languages whole, and every key that the code asks for exists."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import get_args

import pytest

from alerts.alert import Status, Verdict
from dashboard.text import EN, PLACES, ZH, name_of, translator
from models.decision import ACTIONS, BANDS

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
