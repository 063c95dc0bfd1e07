"""Why: reasons of a decision in English and Chinese, from the same arrays the decision was made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from models.catalogue.feature import Feature, Unit
from models.columns import Column, Float, attribute_of
from models.decision import Reason
from models.features import CATALOGUE, INDEX, NAMES
from models.rules.compiled import CompiledRule

TOP = 5
_UNITS = {
    "usd": (" USD", " 美元"), "km/h": (" km/h", " km/h"), "deviations": (" σ", " σ"), "ratio": (" ×", " ×"),
    "share": (" %", "%"),
}  # fmt: skip
_SPANS = ((86_400.0, "days", "天"), (3600.0, "h", "小时"), (60.0, "min", "分钟"), (1.0, "s", "秒"))
_LARGE_EN = ((1e12, " trillion"), (1e9, " billion"), (1e6, " million"))
_LARGE_ZH = ((1e12, " 万亿"), (1e8, " 亿"), (1e4, " 万"))
_LEAST = 0.01
_SHOWN_AS: dict[str, tuple[Unit, Callable[[float], float]]] = {"log_amount": ("usd", math.expm1)}
"""Features whose own scale says nothing to people: the unit they are told in, and the way there."""


def number(value: float) -> str:
    """A number for people: 3 significant digits, thousands separated."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _short(value: float) -> tuple[str, str]:
    """A number in few digits, (English, Chinese): large ones with their word, tiny ones as less than _LEAST."""
    if 0.0 < abs(value) < _LEAST:
        return (f"less than {_LEAST}", f"不到 {_LEAST}") if value > 0.0 else ("about 0", "约 0")
    if abs(value) < 1e6:
        return number(value), number(value)
    return _worded(value, _LARGE_EN), _worded(value, _LARGE_ZH)


def _worded(value: float, words: tuple[tuple[float, str], ...]) -> str:
    size, word = next(pair for pair in words if abs(value) >= pair[0])
    return number(value / size) + word


def _measure(value: float, unit: Unit) -> tuple[str, str]:
    """Value with its unit, (English, Chinese)."""
    if unit == "flag":
        return ("yes", "是") if value else ("no", "否")
    if unit == "hour":
        return f"{value:02.0f}:00", f"{value:.0f} 时"
    if unit == "nats":
        return _surprise(value)
    if unit in ("seconds", "days"):
        return _span(value * (86_400.0 if unit == "days" else 1.0))
    en, zh = _short(value * 100.0 if unit == "share" else value)
    after_en, after_zh = _UNITS.get(unit, ("", ""))
    # 235 万美元: no space after a Chinese numeral.
    return en + after_en, zh + (after_zh.lstrip() if zh[-1] in "万亿" else after_zh)


def _span(seconds: float) -> tuple[str, str]:
    size, name_en, name_zh = next((s for s in _SPANS if seconds >= s[0]), _SPANS[-1])
    en, zh = _short(seconds / size)
    return f"{en} {'day' if name_en == 'days' and en == '1' else name_en}", f"{zh} {name_zh}"


def _surprise(nats: float) -> tuple[str, str]:
    """How much rarer than if every hour were alike: nats tell people nothing."""
    en, zh = _short(math.exp(min(abs(nats), 30.0)))
    if en == "1":
        return "as common as any", "与其他时刻相当"
    return (
        (f"{en} times rarer than an even spread", f"概率为均匀分布的 1/{zh}")
        if nats > 0.0
        else (f"{en} times commoner than an even spread", f"概率为均匀分布的 {zh} 倍")
    )


def model_reasons(
    rows: Float, shares: Float, names: Sequence[str] = NAMES, brief: bool = False
) -> list[list[Reason]]:
    """Reasons of the models' part for k payments: rows [k, F], shares of the log-odds [k, F + 1] (Snapshot.shares).

    names: of the rows' columns; those after the catalogue are attributes.
    The TOP largest are named one by one, the rest is one reason "other", so that the shares add up to the whole. brief:
    texts name the feature and leave the numbers to `observed` and `usual`.
    """
    order = np.argsort(-np.abs(shares), axis=1, kind="stable")
    out = []
    for row, share, ordered in zip(rows, shares, order.tolist(), strict=True):
        top = ordered[:TOP]
        reasons = [_feature_reason(row, at, float(share[at]), names, brief) for at in top if share[at] != 0.0]
        rest = math.fsum(share[ordered[TOP:]].tolist())
        if rest != 0.0:
            reasons.append(
                Reason(
                    code="other", kind="feature", text_en="all other features together", text_zh="其余特征合计",
                    share=rest,
                )
            )  # fmt: skip
        out.append(reasons)
    return out


def _feature_reason(row: Float, index: int, share: float, names: Sequence[str], brief: bool) -> Reason:
    if index == len(names):
        return Reason(
            code="anomaly", kind="feature", text_en="unlike past payments as a whole", text_zh="整体上与以往交易不同",
            share=share,
        )  # fmt: skip
    value = float(row[index])
    attribute = attribute_of(names[index])
    if attribute is not None:
        en, zh = _short(value) if math.isfinite(value) else ("not known", "未知")
        return Reason(
            code=names[index], kind="feature", share=share, observed=value if math.isfinite(value) else None,
            text_en=f"attribute {attribute}: {en}", text_zh=f"属性 {attribute}：{zh}",
        )  # fmt: skip
    feature = CATALOGUE[index]
    if not math.isfinite(value):
        return Reason(
            code=feature.name, kind="feature", share=share,
            text_en=f"{feature.en}: not known", text_zh=f"{feature.zh}：未知",
        )  # fmt: skip
    usual = None
    if feature.usual is not None:
        base, divisor = feature.usual
        reference = float(row[INDEX[base]]) / divisor
        usual = reference if math.isfinite(reference) else None
    text_en, text_zh = (feature.en, feature.zh) if brief else _worded_feature(feature, value, usual)
    return Reason(
        code=feature.name,
        kind="feature",
        text_en=text_en,
        text_zh=text_zh,
        observed=value,
        usual=usual,
        share=share,
    )


def _worded_feature(feature: Feature, value: float, usual: float | None) -> tuple[str, str]:
    """The feature with its value and what is usual, (English, Chinese)."""
    unit, turned = _SHOWN_AS.get(feature.name, (feature.unit, float))
    en, zh = _measure(turned(value), unit)
    text_en, text_zh = f"{feature.en}: {en}", f"{feature.zh}：{zh}"
    if usual is not None:
        usual_en, usual_zh = _measure(turned(usual), unit)
        text_en, text_zh = f"{text_en}, usual is {usual_en}", f"{text_zh}，平时为 {usual_zh}"
    return text_en, text_zh


def rule_reason(rule: CompiledRule, columns: Mapping[str, Column], row: int, brief: bool = False) -> Reason:
    """The reason a rule gives: its title and the comparisons that made it true; brief: the title."""
    if brief:
        return Reason(code=rule.id, kind="rule", text_en=rule.title_en, text_zh=rule.title_zh)
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
