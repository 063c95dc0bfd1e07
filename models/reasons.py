"""Why: reasons of a decision in English and Chinese, from the same arrays the decision was made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from models.columns import Column, Float
from models.decision import Reason
from models.features import CATALOGUE, INDEX
from models.rules.compiled import CompiledRule

TOP = 5
_UNITS = {"usd": " USD", "days": " d", "km/h": " km/h", "deviations": " σ", "ratio": " ×"}


def number(value: float) -> str:
    """A number for people: 3 significant digits, thousands separated."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _measure(value: float, unit: str) -> tuple[str, str]:
    """Value with its unit, (English, Chinese)."""
    if unit == "flag":
        return ("yes", "是") if value else ("no", "否")
    if unit == "share":
        return f"{value * 100:.3g} %", f"{value * 100:.3g}%"
    if unit == "seconds":
        for size, en, zh in ((86_400.0, "d", "天"), (3600.0, "h", "小时"), (60.0, "min", "分钟")):
            if value >= size:
                return f"{number(value / size)} {en}", f"{number(value / size)} {zh}"
        return f"{number(value)} s", f"{number(value)} 秒"
    text = number(value) + _UNITS.get(unit, "")
    return text, text


def feature_reasons(row: Float, shares: Sequence[tuple[int, float]]) -> list[Reason]:
    """Reasons of the model's part. shares: (feature index, share of log-odds), index −1 is the anomaly detector.

    The TOP largest are named one by one, the rest is one reason "other", so that the shares add up to the whole.
    """
    ordered = sorted(shares, key=lambda pair: (-abs(pair[1]), pair[0]))
    reasons = [_feature_reason(row, index, share) for index, share in ordered[:TOP] if share != 0.0]
    rest = math.fsum(share for _, share in ordered[TOP:])
    if rest != 0.0:
        reasons.append(
            Reason(
                code="other",
                kind="feature",
                text_en="all other features together",
                text_zh="其余特征合计",
                share=rest,
            )
        )
    return reasons


def _feature_reason(row: Float, index: int, share: float) -> Reason:
    if index < 0:
        return Reason(
            code="anomaly", kind="feature", text_en="unlike past payments as a whole", text_zh="整体上与以往交易不同",
            share=share,
        )  # fmt: skip
    feature = CATALOGUE[index]
    value = float(row[index])
    if math.isnan(value):
        return Reason(
            code=feature.name, kind="feature", share=share,
            text_en=f"{feature.en}: not known", text_zh=f"{feature.zh}：未知",
        )  # fmt: skip
    en, zh = _measure(value, feature.unit)
    usual = None
    if feature.usual is not None:
        base, divisor = feature.usual
        reference = float(row[INDEX[base]]) / divisor
        usual = None if math.isnan(reference) else reference
    text_en, text_zh = f"{feature.en}: {en}", f"{feature.zh}：{zh}"
    if usual is not None:
        usual_en, usual_zh = _measure(usual, feature.unit)
        text_en, text_zh = f"{text_en}, usual is {usual_en}", f"{text_zh}，平时为 {usual_zh}"
    return Reason(
        code=feature.name,
        kind="feature",
        text_en=text_en,
        text_zh=text_zh,
        observed=value,
        usual=usual,
        share=share,
    )


def rule_reason(rule: CompiledRule, columns: Mapping[str, Column], row: int) -> Reason:
    """The reason a rule gives: its title and the comparisons that made it true."""
    causes = rule.explain(columns, row)
    facts = "; ".join(
        f"{c.expression} = {_shown(c.observed)} ({c.operator} {_shown(c.threshold)})" for c in causes[:6]
    )
    first = next(
        (c for c in causes if isinstance(c.observed, float) and isinstance(c.threshold, float)), None
    )
    return Reason(
        code=rule.id, kind="rule",
        text_en=f"{rule.title_en}: {facts}" if facts else rule.title_en,
        text_zh=f"{rule.title_zh}：{facts}" if facts else rule.title_zh,
        observed=first.observed if first else None,  # type: ignore[arg-type]
        usual=first.threshold if first else None,  # type: ignore[arg-type]
    )  # fmt: skip


def _shown(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)


def as_columns(matrix: Float) -> dict[str, Float]:
    """Feature columns by name, for the rules; contiguous, because each is read many times."""
    turned = np.ascontiguousarray(matrix.T)
    return {feature.name: turned[index] for index, feature in enumerate(CATALOGUE)}
