"""Letters: checked before they are needed, rendered without running anything, gaps marked and named."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.emergency.letters import GAPS, Letters, draft, placeholders, rendered
from alerts.emergency.plan import AUDIENCES
from alerts.emergency.plan_book import shipped_book
from models.errors import PlanError

LETTERS = shipped_book().letters
FIELDS = [one.name for one in LETTERS.field]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("audience", AUDIENCES)
def test_a_letter_names_every_gap_and_shows_it(audience: str, language: str) -> None:
    empty = draft(LETTERS, audience, {}, language)
    labels = {one.name: one.text.in_(language) for one in LETTERS.field}
    whole = empty.subject + empty.body
    assert empty.missing
    for name in empty.missing:
        assert GAPS[language].format(labels[name]) in whole
    full = draft(LETTERS, audience, dict.fromkeys(FIELDS, "known"), language)
    assert full.missing == []
    assert GAPS[language].split("{}")[0] not in full.subject + full.body
    assert "{" not in full.body
    one_less = {name: "known" for name in FIELDS if name != empty.missing[0]}
    assert draft(LETTERS, audience, one_less, language).missing == [empty.missing[0]]


@pytest.mark.parametrize("audience", AUDIENCES)
def test_a_letter_to_any_audience_says_what_its_plan_says(audience: str) -> None:
    for versions in shipped_book().plans.values():
        words = versions[-1].message[audience]
        assert words.zh in draft(LETTERS, audience, {"message": words.zh}, "zh").body


@pytest.mark.parametrize(
    "text",
    [
        "{{ ().__class__ }}", "{{ name.real }}", "{{ name() }}", "{{ name | safe }}", "{% for x in name %}{% endfor %}",
        "{% set a = 1 %}", "{% include 'x' %}", "{{ 1 + 1 }}", "{{ name[0] }}", "{{ name", "{% if name %}",
        "{% import 'os' as o %}", "{{ 'x' * 9999999 }}", "{% macro m() %}{% endmacro %}", "{{ name ~ name }}",
    ],
)  # fmt: skip
def test_a_template_may_hold_names_and_nothing_that_runs(text: str) -> None:
    with pytest.raises(ValueError, match="template, line 1"):
        placeholders(text)
    with pytest.raises(ValueError, match="template, line 1"):
        rendered(text, {}, {}, "en")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip))
def test_a_value_is_text_and_never_a_template(value: str) -> None:
    text, missing = rendered("<{{ name }}>", {"name": value}, {}, "en")
    assert (text, missing) == (f"<{value}>", [])


@pytest.mark.parametrize("value", ["{{ name }}", "{% if %}", "{{ 7*7 }}"])
def test_a_value_with_braces_stays_as_it_is(value: str) -> None:
    assert rendered("{{ name }}", {"name": value}, {}, "en")[0] == value


def test_an_if_asks_without_leaving_a_gap() -> None:
    text = "{% if name %}a {{ name }}{% else %}none{% endif %}"
    assert rendered(text, {}, {}, "en") == ("none", [])
    assert rendered(text, {"name": " "}, {}, "en") == ("none", [])
    assert rendered(text, {"name": "b"}, {}, "en") == ("a b", [])


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("letter", 0, "body", "en"), "{{ nobody_knows }}", "there is no field 'nobody_knows'"),
        (("letter", 0, "body", "zh"), "没有占位符", "one language only"),
        (("letter", 0, "subject", "en"), "{{ title.upper() }}", "only {{ name }}"),
        (("letter", 0, "audience"), "partner", "give one to each"),
        (("field", 0, "name"), "title", "twice"),
    ],
)
def test_letters_that_cannot_be_used_are_refused(path: tuple[str | int, ...], value: str, said: str) -> None:
    given_ = msgspec.to_builtins(LETTERS)
    place = given_
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(msgspec.ValidationError, match=said.replace("{", r"\{")):
        msgspec.convert(given_, Letters)


def test_a_field_no_letter_knows_is_an_error_not_silence() -> None:
    with pytest.raises(PlanError, match="no field 'typo'"):
        draft(LETTERS, "customer", {"typo": "x"}, "en")
