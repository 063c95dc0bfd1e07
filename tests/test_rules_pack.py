"""Rule packs: loading, places in the file, examples, evaluation, and the pack that is shipped."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.columns import ROW_COLUMNS, Column, Interner
from models.errors import RuleError
from models.features import RULE_KINDS
from models.rules.compiled import CompiledPack, compile_pack
from models.rules.explain import Cause
from models.rules.pack import CORE, default_pack, load_pack
from models.rules.report import check_files
from models.rules.rule import SOURCE_KINDS, TYPOLOGIES
from models.rules.toml_places import places, string_offsets

RULE = '''\
# a comment with [[rule]] in it
name = "test"

[[rule]]
id = "R1"
title_en = "Small declines"
title_zh = "小额被拒"
expression = 'decline if velocity(count, by=card, window="10m", where=declined) >= 5 and amount_usd < 5'
severity = "high"
typology = "T01"
source = { kind = "expert", reference = "a test" }
runbook = """
Look at it."""
hits = [
    { amount_usd = 3, "velocity(count, by=card, window=\\"600s\\", where=declined)" = 6 }, # [ { "
]
misses = [{ amount_usd = 3 }]
'''
VELOCITY = "velocity(count,card,600000,declined)"
DAY = 86_400_000


def compiled(text: str, interner: Interner | None = None) -> CompiledPack:
    return compile_pack(load_pack(text, features=RULE_KINDS), interner or Interner(), RULE_KINDS)


def refused(text: str) -> str:
    with pytest.raises(RuleError) as error:
        load_pack(text, name="p.toml", features=RULE_KINDS)
    return str(error.value)


def times(n: int, at: int = 0) -> np.ndarray:
    return np.full(n, at, dtype=np.int64)


def test_a_pack_answers_for_every_rule_and_row() -> None:
    pack = compiled(RULE)
    assert [spec.column for spec in pack.velocities] == [VELOCITY]
    assert pack.needs == {VELOCITY, "amount_usd"}
    nan = float("nan")
    columns: dict[str, Column] = {
        "amount_usd": np.array([1.0, 9.0, nan, nan, 1.0]),
        VELOCITY: np.array([5.0, 5.0, 5.0, 2.0, nan]),
    }
    answers = pack.evaluate(columns, times(5))
    assert answers.dtype == np.int8
    assert answers.tolist() == [[1, 0, -1, 0, -1]]
    rule = pack.rules[0]
    assert (rule.id, rule.action, rule.severity, rule.typology, rule.shadow) == (
        "R1", "DECLINE", "high", "T01", False,
    )  # fmt: skip
    assert rule.explain(columns, 0) == [
        Cause('velocity(count, by=card, window="10m", where=declined)', 5.0, ">=", 5.0),
        Cause("amount_usd", 1.0, "<", 5.0),
    ]
    assert rule.explain(columns, 1) == []


def test_explanations_speak_of_texts_and_of_the_branch_that_held() -> None:
    interner = Interner()
    condition = 'payer_country != "CN" and (amount_usd > 100 or not declined) and currency in ("USD", "EUR")'
    start, end = RULE.index("'decline"), RULE.index("severity")
    text = RULE[:start] + f"'hold if {condition}'\n" + RULE[end : RULE.index("hits")]
    pack = compiled(text, interner)
    columns: dict[str, Column] = {
        "payer_country": interner.column(["DE"]),
        "currency": interner.column(["EUR"]),
        "amount_usd": np.array([3.0]),
        "declined": np.array([0.0]),
    }
    assert pack.evaluate(columns, times(1)).tolist() == [[1]]
    assert pack.rules[0].explain(columns, 0) == [
        Cause("payer_country", "DE", "!=", "CN"),
        Cause("declined", 0.0, "==", 0.0),
        Cause("currency", "EUR", "in", "USD, EUR"),
    ]


def test_a_rule_is_in_force_from_its_first_day_to_the_day_before_its_last() -> None:
    pack = compiled(RULE + "effective_from = 1970-01-02\neffective_to = 1970-01-04\nshadow = true\n")
    columns: dict[str, Column] = {"amount_usd": np.ones(4), VELOCITY: np.full(4, 9.0)}
    at = np.array([DAY - 1, DAY, 3 * DAY - 1, 3 * DAY], dtype=np.int64)
    assert pack.evaluate(columns, at).tolist() == [[0, 1, 1, 0]]
    assert pack.rules[0].shadow


def test_the_version_is_of_the_content_and_not_of_its_spacing() -> None:
    first = load_pack(RULE)
    spaced = RULE.replace(" = ", "   =  ").replace("# a comment", "# another")
    assert load_pack(spaced).version == first.version
    swapped = RULE.replace("velocity(count, by=card", "velocity(count, by=card ").replace(
        ">= 5 and", ">=  5 and"
    )
    assert load_pack(swapped).rules[0].version == first.rules[0].version
    other = load_pack(RULE.replace("amount_usd < 5", "amount_usd < 6"))
    assert other.version != first.version
    assert other.rules[0].version != first.rules[0].version
    reworded = load_pack(RULE.replace("Look at it", "Look again"))
    assert reworded.version != first.version
    assert reworded.rules[0].version == first.rules[0].version
    assert len(first.version) == 16


@pytest.mark.parametrize(
    ("old", "new", "at", "says"),
    [
        ("amount_usd < 5", "amount_us < 5", "8:90", "did you mean 'amount_usd'"),
        ('severity = "high"', 'severity = "hgih"', "9:12", "did you mean 'high'"),
        ('typology = "T01"', 'typology = "T99"', "10:12", "typology is one of"),
        ('kind = "expert"', 'kind = "rumour"', "11:19", "kind is one of"),
        ('source = { kind = "expert", reference = "a test" }', "", "4:1", "where it comes from"),
        ('title_zh = "小额被拒"', "", "4:1", "'title_zh' is missing"),
        ("runbook =", "runbok =", "12:1", "did you mean 'runbook'"),
        ('id = "R1"', 'id = "R 1"', "5:6", "an id has"),
        ("{ amount_usd = 3, ", "{ amount_usd = 30, ", "15:5", "this hit of rule R1 fails"),
        ("[{ amount_usd = 3 }]", "[{ amount_us = 3 }]", "17:13", "unknown column 'amount_us'"),
        ("[{ amount_usd = 3 }]", '[{ "velocity(count, by=ip, window=\'1h\')" = 3 }]', "17:13", "not use"),
        ("[{ amount_usd = 3 }]", '[{ amount_usd = "3" }]', "17:13", "is a number"),
        ('name = "test"', 'nmae = "test"', "2:1", "did you mean 'name'"),
        ('severity = "high"', "severity = high", "9:12", "not valid TOML"),
        ("'decline if", "'approve if", "8:15", "cannot approve"),
        ('severity = "high"', 'severity = "high"\nconfidence = "M"', "10:14", "verified = false"),
        ('severity = "high"', 'severity = "high"\neffective_from = "2020"', "10:18", "a date without time"),
    ],
)  # fmt: skip
def test_a_bad_pack_is_refused_at_its_place(old: str, new: str, at: str, says: str) -> None:
    assert old in RULE
    message = refused(RULE.replace(old, new))
    assert message.startswith(f"p.toml:{at}: ")
    assert says in message


def test_a_miss_that_hits_is_refused() -> None:
    turned = RULE.replace("misses = [{ amount_usd = 3 }]", "").replace("hits = [", "misses = [")
    assert refused(turned).startswith("p.toml:15:5: this miss of rule R1 fails")


def test_an_id_is_given_once() -> None:
    twice = RULE + RULE[RULE.index("[[rule]]\nid") :]
    assert refused(twice).startswith("p.toml:19:6: the id 'R1' is taken")


def test_places_are_right_in_every_kind_of_string() -> None:
    for quoted in (
        "'''\nhold if\n  amount_us > 5'''",
        '"""hold if \\\n      amount_us > 5"""',
        '"hold\\u0020if \\tamount_us > 5"',
    ):
        start, end = RULE.index("'decline"), RULE.index("\nseverity")
        text = RULE[:start] + quoted + RULE[end:]
        at = text.index("amount_us ")
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        assert refused(text).startswith(f"p.toml:{line}:{column}: unknown name 'amount_us'")
        assert refused(text.replace("\n", "\r\n")).startswith(f"p.toml:{line}:{column}: ")


@given(st.text(alphabet="ab \\\"'\n\t#[]{}=,é中", max_size=30))
@settings(max_examples=200, deadline=None)
def test_offsets_follow_any_string(value: str) -> None:
    import json

    literal = json.dumps(value)
    text = f"a = [1, {{ b = {literal}, c = ']' }}]\n[x.\"y z\"]\nd = {literal}\n"
    found = places(text)
    assert tomllib.loads(text)["x"]["y z"]["d"] == value
    for path in (("a", 1, "b"), ("x", "y z", "d")):
        start = found[path].value
        assert text.startswith(literal, start)
        offsets = string_offsets(text, start)
        assert len(offsets) == len(value) + 1
        for character, offset in zip(value, offsets, strict=False):
            assert text[offset] in (character, "\\")


def test_a_name_the_engine_does_not_know_is_refused_when_compiled() -> None:
    pack = load_pack(
        RULE.replace("amount_usd < 5", "bananas < 5").replace("amount_usd = 3", "bananas = 3"), name="p.toml"
    )
    with pytest.raises(RuleError, match=r"^p\.toml:8:90: unknown name 'bananas'"):
        compile_pack(pack, Interner(), RULE_KINDS)


def test_check_files_says_one_line_a_file(tmp_path: Path) -> None:
    good, bad, bytes_ = tmp_path / "good.toml", tmp_path / "bad.toml", tmp_path / "bytes.toml"
    good.write_text(RULE, encoding="utf-8")
    bad.write_text(RULE.replace("by=card", "by=cart", 1), encoding="utf-8")
    bytes_.write_bytes(b"\xff\xfe")
    lines = check_files([good, bad, bytes_, tmp_path / "absent.toml"])
    assert lines[0].startswith(f"ok {good}: 1 rules (0 shadow), 1 typologies, 2 examples")
    assert lines[1].startswith(f"{bad}:8:")
    assert "did you mean 'card'" in lines[1]
    assert "not UTF-8" in lines[2]
    assert "cannot read" in lines[3]


# --- the shipped pack ---


def test_the_shipped_pack_is_whole() -> None:
    pack = default_pack()
    assert len(pack.rules) >= 60
    assert {rule.typology for rule in pack.rules} == set(TYPOLOGIES)
    for rule in pack.rules:
        assert rule.source.kind in SOURCE_KINDS, rule.id
        assert rule.source.reference, rule.id
        assert rule.hits, rule.id
        assert rule.misses, rule.id
        assert rule.confidence != "M" or rule.verified is False, rule.id
        # The five of a kind: an analyst reads why a rule may not act yet where the rule says where it comes from.
        legal = rule.confidence is not None
        assert not rule.shadow or legal or "in shadow" in rule.source.reference.lower(), rule.id
    assert check_files([CORE])[0].startswith("ok ")


def test_rules_of_listed_countries_name_those_of_the_list() -> None:
    lists = tomllib.loads((CORE.parents[2] / "data" / "fatf.toml").read_text(encoding="utf-8"))
    assert lists["as_of"] < lists["review_by"]
    assert lists["source"]
    tiers = [tier for tier in lists.values() if isinstance(tier, dict)]
    assert len(tiers) == 3
    rules = {rule["id"]: rule for rule in tomllib.loads(CORE.read_text(encoding="utf-8"))["rule"]}
    for tier in tiers:
        rule = rules[tier["rule"]]
        assert sorted(set(re.findall(r'"([A-Z]{2})"', rule["expression"]))) == sorted(tier["countries"])
        assert (rule["confidence"], rule["verified"]) == (tier["confidence"], tier["verified"])
        assert str(lists["as_of"]) in rule["source"]["reference"]


@pytest.mark.parametrize("rule", default_pack().rules, ids=lambda rule: rule.id)
def test_without_data_a_shipped_rule_is_not_true(rule: object) -> None:
    pack = compile_pack(default_pack(), Interner(), RULE_KINDS)
    columns: dict[str, Column] = {
        name: np.array([-1], dtype=np.int32) if ROW_COLUMNS.get(name) == "text" else np.array([float("nan")])
        for name in pack.needs
    }
    number = default_pack().rules.index(rule)  # type: ignore[arg-type]
    assert pack.evaluate(columns, times(1, 1_780_000_000_000))[number, 0] == -1


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_answers_do_not_depend_on_the_batch(n: int, seed: int) -> None:
    interner = Interner()
    pack = compile_pack(default_pack(), interner, RULE_KINDS)
    random = np.random.default_rng(seed)
    columns: dict[str, Column] = {}
    for name in pack.needs:
        if ROW_COLUMNS.get(name) == "text":
            columns[name] = random.integers(-1, len(interner.codes), n).astype(np.int32)
        else:
            values = random.choice([0.0, 1.0, 5.0, 30.0, 1000.0, 9000.0, 1e6], n)
            columns[name] = np.where(random.random(n) < 0.2, np.nan, values)
    at = random.integers(1_100_000_000_000, 1_780_000_000_000, n)
    whole = pack.evaluate(columns, at)
    for row in range(n):
        one = {name: values[row : row + 1] for name, values in columns.items()}
        assert whole[:, row].tolist() == pack.evaluate(one, at[row : row + 1])[:, 0].tolist()
        for number, rule in enumerate(pack.rules):
            if whole[number, row] == 1:
                assert rule.explain(columns, row)


@given(st.integers(0, len(RULE)), st.integers(0, 6), st.text(alphabet="[]{}\"'=.,#\n\\ a1é", max_size=4))
@settings(max_examples=300, deadline=None)
def test_a_damaged_pack_is_a_pack_or_a_rule_error(at: int, cut: int, put: str) -> None:
    damaged = RULE[:at] + put + RULE[at + cut :]
    try:
        pack = load_pack(damaged, name="p.toml")
    except RuleError as error:
        pack = None
        place = str(error).split(":", 3)
        assert place[0] == "p.toml"
        assert 1 <= int(place[1]) <= damaged.count("\n") + 1
    assert pack is None or len(pack.rules) >= 1


@pytest.mark.parametrize(
    "value", ["1" * 400, "1" * 6000, "inf", "nan", "[" * 3000 + "]" * 3000, "1979-05-27", "{ a = 1 }"]
)
def test_values_no_column_can_have_are_refused(value: str) -> None:
    assert refused(RULE.replace("[{ amount_usd = 3 }]", f"[{{ amount_usd = {value} }}]")).startswith(
        "p.toml:"
    )
