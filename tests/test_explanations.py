"""Reasons as people read them: every feature of the catalogue, at usual, extreme and missing values."""

from __future__ import annotations

import math
import re
from typing import get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.catalogue.feature import Feature, Unit
from models.columns import Float
from models.decision import Decision, Reason
from models.features import CATALOGUE, INDEX, NAMES
from models.reasons import model_reasons
from models.serving import Snapshot
from tests.streams import record
from tests.test_counterfactual import lines_of

USUAL: dict[str, float] = {
    "usd": 1234.567, "count": 7.0, "seconds": 4000.0, "days": 12.345, "ratio": 3.14159, "share": 0.0123,
    "deviations": 4.567, "km/h": 912.3, "flag": 1.0, "nats": 1.23, "hour": 23.0,
}  # fmt: skip
# The outermost values a formula can give: amounts are bounded by the door, times by the age of the system.
EXTREME: dict[str, tuple[float, ...]] = {
    "usd": (0.0, 0.01, 1e12), "count": (0.0, 1.37, 1e9), "seconds": (0.0, 0.001, 1e9), "days": (0.0, 1e-7, 36_500.0),
    "ratio": (0.0, 1e-9, 1e14), "share": (0.0, 1e-7, 1.0), "deviations": (-1e6, -1e-9, 1e13),
    "km/h": (0.0, 0.3, 1.2e6), "flag": (0.0, 1.0), "nats": (-3.2, 0.0, 6.0), "hour": (0.0, 9.0),
}  # fmt: skip
ENDS: dict[str, tuple[str, str]] = {
    "usd": (r" USD", r" ?美元"), "count": (r"(\d|illion)", r"[\d万亿]"),
    "seconds": (r" (s|min|h|days?)", r" (秒|分钟|小时|天)"),
    "days": (r" (s|min|h|days?)", r" (秒|分钟|小时|天)"), "ratio": (r" ×", r" ?×"), "share": (r"\d %", r"\d%"),
    "deviations": (r" σ", r" ?σ"), "km/h": (r" km/h", r" ?km/h"), "flag": (r"(yes|no)", r"[是否]"),
    "nats": (r"(spread|any)", r"(相当|倍|\d)"), "hour": (r"\d\d:00", r"\d+ 时"),
}  # fmt: skip
BAD = re.compile(
    r"nan|inf|e[+-]\d|(?<![.\d])\d{4}|\d,\d{3},\d{3},\d{3}|[1-9]\d*\.\d{3,}|0\.\d{5,}", re.IGNORECASE
)
"""No number, exponents, four digits in a row, or more digits than anybody reads."""


def told(feature: Feature, value: float, others: float = math.nan) -> Reason:
    row: Float = np.full(len(NAMES), others)
    row[INDEX[feature.name]] = value
    shares = np.zeros((1, len(NAMES) + 1))
    shares[0, INDEX[feature.name]] = 0.5
    ((reason,),) = model_reasons(row[None, :], shares)
    return reason


def check(feature: Feature, reason: Reason) -> None:
    for text, opening in ((reason.text_en, f"{feature.en}: "), (reason.text_zh, f"{feature.zh}：")):
        assert text.startswith(opening)
        assert not BAD.search(text.removeprefix(opening)), text
    # The units' own letters are the same everywhere; anything else has to be of the text's language.
    assert not re.search(r"[\u4e00-\u9fff：，。]", reason.text_en), reason.text_en
    assert not re.search(r"[a-z]{2,}", reason.text_zh.removeprefix(feature.zh).replace("km/h", "")), (
        reason.text_zh
    )


def unit_of(feature: Feature) -> str:
    return "usd" if feature.name == "log_amount" else feature.unit


def test_every_unit_has_its_values_here() -> None:
    assert set(USUAL) == set(EXTREME) == set(ENDS) == set(get_args(Unit))
    assert {feature.unit for feature in CATALOGUE} == set(USUAL)


@pytest.mark.parametrize("feature", CATALOGUE, ids=lambda feature: feature.name)
def test_every_feature_reads_well(feature: Feature) -> None:
    for value in (USUAL[feature.unit], *EXTREME[feature.unit]):
        shown = math.log1p(value) if feature.name == "log_amount" else value
        reason = told(feature, shown)
        check(feature, reason)
        end_en, end_zh = ENDS[unit_of(feature)]
        assert re.search(f"{end_en}$", reason.text_en), reason.text_en
        assert re.search(f"{end_zh}$", reason.text_zh), reason.text_zh
        assert (reason.observed, reason.usual) == (shown, None)


@pytest.mark.parametrize("feature", CATALOGUE, ids=lambda feature: feature.name)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_missing_is_not_known(feature: Feature, value: float) -> None:
    reason = told(feature, value)
    assert (reason.text_en, reason.text_zh) == (f"{feature.en}: not known", f"{feature.zh}：未知")
    assert (reason.observed, reason.usual, reason.share) == (None, None, 0.5)


COMPARED = [feature for feature in CATALOGUE if feature.usual is not None]


@pytest.mark.parametrize("feature", COMPARED, ids=lambda feature: feature.name)
@pytest.mark.parametrize("reference", [0.0, 1.0, 43.0, 1e9])
def test_the_usual_value_stands_beside_the_observed_one(feature: Feature, reference: float) -> None:
    assert feature.usual is not None
    base, divisor = feature.usual
    reason = told(feature, USUAL[feature.unit], reference)
    assert reason.usual == (USUAL[feature.unit] if base == feature.name else reference) / divisor
    check(feature, reason)
    assert ", usual is " in reason.text_en
    assert "，平时为 " in reason.text_zh
    for text in (reason.text_en, reason.text_zh):
        assert not re.search(r"平时为 不", text) or reference / divisor < 0.01


def test_a_few_sentences_word_by_word() -> None:
    by_name = {feature.name: feature for feature in CATALOGUE}

    def both(name: str, value: float, others: float = math.nan) -> tuple[str, str]:
        reason = told(by_name[name], value, others)
        return reason.text_en, reason.text_zh

    assert both("card_count_1h", 14, 20) == (
        "payments of the card in 1 h: 14, usual is 0.0278",
        "该卡 1 小时内交易数：14，平时为 0.0278",
    )
    assert both("card_count_1h", 2, 3)[0].endswith("2, usual is less than 0.01")
    assert both("amount_usd", 2_345_678, 41.239) == (
        "amount: 2.35 million USD, usual is 41.2 USD",
        "金额：235 万美元，平时为 41.2 美元",
    )
    assert both("log_amount", math.log1p(250)) == (
        "size of the amount (log): 250 USD",
        "金额（对数）：250 美元",
    )
    assert both("card_seconds_since_last", 86_400.0) == (
        "time since the card's last payment: 1 day",
        "距该卡上一笔交易：1 天",
    )
    assert both("card_days_since_fraud", 0.125)[0].endswith("known as fraud: 3 h")
    assert both("hour_local", 3.0) == ("local hour: 03:00", "当地时刻：3 时")
    assert both("hour_unusual_customer", math.log(4))[0].endswith(": 4 times rarer than an even spread")
    assert both("device_fraud_rate", 0.0512)[0].endswith(": 5.12 %")


@given(st.sampled_from(CATALOGUE), st.floats(-1e15, 1e15))
def test_no_value_of_any_feature_breaks_a_sentence(feature: Feature, value: float) -> None:
    if feature.unit not in ("deviations", "nats"):
        value = abs(value)
    if feature.unit == "hour":
        value = float(int(value) % 24)
    elif feature.unit in ("seconds", "days", "share", "nats"):
        value = math.fmod(value, 40_000.0) if feature.unit != "share" else math.fmod(value, 1.0)
    elif feature.name == "log_amount":
        value = math.fmod(value, 35.0)
    check(feature, told(feature, value))


def test_shares_of_a_long_list_still_add_up() -> None:
    shares = np.array([[(-1) ** index / (index + 1) for index in range(len(NAMES) + 1)]])
    (reasons,) = model_reasons(np.ones((1, len(NAMES))), shares)
    assert math.fsum(r.share for r in reasons) == pytest.approx(shares.sum())
    assert reasons[-1].code == "other"


def test_the_reasons_of_a_decision_add_up_to_its_risk() -> None:
    """In log-odds, from what every payment starts at, through calibration and blend, before and after a model learns."""
    engine = record.fresh_engine()
    engine.settings = msgspec.structs.replace(engine.settings, explain_all=True)
    bases = {engine.snapshot.version: engine.snapshot}
    decisions: list[Decision] = []
    lines = lines_of("card")
    for start in range(0, len(lines), 100):
        output = engine.step(lines[start : start + 100])
        bases |= {s.version: s for s in map(Snapshot.from_bytes, output.published)}
        decisions += output.decisions
    assert {d.versions.model for d in decisions} & {v for v, s in bases.items() if s.examples}
    for decision in decisions:
        base, _ = bases[decision.versions.model].shares(np.zeros((1, len(engine.settings.features))))
        told = base + math.fsum(r.share for r in decision.reasons if r.kind == "feature")
        assert told == pytest.approx(math.log(decision.risk) - math.log1p(-decision.risk), abs=1e-6)
