"""The report of `tidegate evaluate`: a page in Markdown and one with charts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dataflow.evaluate import METRICS, Scored
from dataflow.evaluate_detail import Flags

TITLES = {
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "card_precision_100": "card precision@100",
}
_CURVE_POINTS = 400


def write_report(
    directory: Path, result: Mapping[str, Any], curves: Mapping[str, tuple[Scored, Flags]]
) -> list[Path]:
    """Write evaluation.md and evaluation.html; curves: by model the scores and the rows they are measured on."""
    directory.mkdir(parents=True, exist_ok=True)
    page, charts = directory / "evaluation.md", directory / "evaluation.html"
    page.write_text(markdown(result), encoding="utf-8")
    charts.write_text(_html(result, curves), encoding="utf-8")
    return [page, charts]


def markdown(result: Mapping[str, Any]) -> str:
    """The page in Markdown."""
    lines = [f"# Evaluation, protocol {result['protocol']}", ""]
    lines += [f"{result['transactions']:,} transactions, {result['frauds']:,} frauds, one pass.", ""]
    lines += ["| | " + " | ".join(TITLES[name] for name in METRICS) + " |", "|---|---|---|---|"]
    for number, fold in enumerate(result["folds"]):
        lines.append(_row(f"fold {number}", fold))
    lines.append(_row("mean", result["mean"]))
    if result["baseline"]:
        lines.append(_row(f"baseline ({result['baseline_of']})", result["baseline"]))
        lines.append(_row("ratio", result["ratio"]))
    detail = result["detail"]
    lines += [
        "",
        "## What an alert budget catches",
        "",
        "| share looked at | alerts a day | recall | precision |",
    ]
    lines.append("|---|---|---|---|")
    for row in detail["budgets"]:
        lines.append(
            f"| {row['share']:.1%} | {row['alerts_per_day']:,.0f} | {_of(row['recall'])} | {_of(row['precision'])} |"
        )
    lines += [
        "",
        "## Is the risk a probability?",
        "",
        f"Expected calibration error {_of(detail['calibration_error'])}.",
    ]
    lines += ["", "| payments | stated risk | observed |", "|---|---|---|"]
    for row in detail["reliability"]:
        lines.append(f"| {row['payments']:,.0f} | {row['risk']:.4f} | {row['observed']:.4f} |")
    if "cost" in detail:
        best = detail["cost"]["best"]
        lines += ["", "## Cost", ""]
        lines.append(
            f"A missed fraud costs its amount, an alert {detail['cost']['review_usd']:.2f} US dollars. Without alerts a "
            f"payment costs {detail['cost']['nothing_alerted']:.4f}; least, {best['cost_usd']:.4f}, at a risk of "
            f"{best['threshold']:.4f} ({best['alert_share']:.2%} of payments alerted)."
        )
    return "\n".join(lines) + "\n"


def _row(name: str, values: Mapping[str, float | None]) -> str:
    return f"| {name} | " + " | ".join(_of(values.get(metric)) for metric in METRICS) + " |"


def _of(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _html(result: Mapping[str, Any], curves: Mapping[str, tuple[Scored, Flags]]) -> str:
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    figure = make_subplots(
        rows=2, cols=2, subplot_titles=("Precision and recall", "Stated and observed risk", "Cost", "Folds")
    )
    for name, (data, rows) in curves.items():
        recall, precision = _precision_recall(data.fraud[rows], data.score[rows])
        figure.add_trace(go.Scatter(x=recall, y=precision, name=name), row=1, col=1)
    bins = result["detail"]["reliability"]
    figure.add_trace(
        go.Scatter(x=[b["risk"] for b in bins], y=[b["observed"] for b in bins], mode="markers+lines", name="bins"),
        row=1, col=2,
    )  # fmt: skip
    figure.add_trace(
        go.Scatter(x=[1e-4, 1], y=[1e-4, 1], mode="lines", line={"dash": "dot"}, name="exact"), row=1, col=2
    )
    if "cost" in result["detail"]:
        curve = result["detail"]["cost"]["curve"]
        figure.add_trace(
            go.Scatter(x=[p["alert_share"] for p in curve], y=[p["cost_usd"] for p in curve], name="cost"),
            row=2, col=1,
        )  # fmt: skip
    for metric in METRICS:
        values = [fold.get(metric) for fold in result["folds"]]
        figure.add_trace(go.Bar(x=list(range(len(values))), y=values, name=TITLES[metric]), row=2, col=2)
    figure.update_xaxes(title="recall", row=1, col=1)
    figure.update_yaxes(title="precision", row=1, col=1)
    figure.update_xaxes(title="stated risk", type="log", row=1, col=2)
    figure.update_yaxes(title="observed fraud rate", type="log", row=1, col=2)
    figure.update_xaxes(title="share of payments alerted", type="log", row=2, col=1)
    figure.update_yaxes(title="US dollars a payment", row=2, col=1)
    figure.update_xaxes(title="fold", row=2, col=2)
    figure.update_layout(height=900, title=f"Evaluation, protocol {result['protocol']}")
    text: str = figure.to_html(include_plotlyjs=True, full_html=True)
    return text


def _precision_recall(fraud: Flags, score: np.ndarray) -> tuple[list[float], list[float]]:
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(fraud[order])
    last = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)
    chosen = last[np.unique(np.linspace(0, len(last) - 1, _CURVE_POINTS).astype(int))]
    frauds = max(int(fraud.sum()), 1)
    return (hits[chosen] / frauds).tolist(), (hits[chosen] / (chosen + 1)).tolist()
