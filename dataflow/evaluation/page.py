"""The report as one HTML file that needs no network: its tables, and the curves with plotly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from dataflow.evaluation.comparison import Model
from dataflow.evaluation.protocol import Flags, Float
from dataflow.evaluation.report import TITLES, Table, about, tables, title

_CURVE_POINTS = 400
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; color: #1d2733 }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums }
th, td { border-bottom: 1px solid #d5dbe3; padding: .25rem .75rem; text-align: left }
.n { text-align: right }
"""


def html_page(result: Mapping[str, Any], models: Sequence[Model], rows: Flags) -> str:
    """The page; models: those that were run, rows: the transactions they are measured on."""
    charts = {
        "Ranking": _precision_recall(models, rows),
        "Fold by fold": _folds(result),
        "Cost": _cost(result["detail"]),
        "Is the risk a probability?": _reliability(result["detail"]),
        "What each group of features is worth": _ablation(result),
    }
    return document(title(result), about(result), tables(result), charts)


def document(heading: str, words: str, shown: Iterable[Table], charts: Mapping[str, Any]) -> str:
    """An HTML page that needs no network. charts: plotly figures (or None) by the title of the table they follow."""
    parts = [f"<h1>{escape(heading)}</h1>", f"<p>{escape(words)}</p>"]
    plotted = False
    for table in shown:
        parts.append(_table(table))
        figure = charts.get(table.title)
        if figure is not None:
            # The library goes into the page once, with the first chart.
            parts.append(
                figure.to_html(full_html=False, include_plotlyjs=not plotted, div_id=f"chart-{len(parts)}")
            )
            plotted = True
    head = f'<meta charset="utf-8"><title>{escape(heading)}</title><style>{_STYLE}</style>'
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en">\n<head>{head}</head>\n<body>\n{body}\n</body>\n</html>\n'


def _table(table: Table) -> str:
    lines = [
        f"<h2>{escape(table.title)}</h2>",
        f"<p>{escape(table.text)}</p>" if table.text else "",
        "<table>",
    ]
    for kind, row in [("th", table.header), *(("td", row) for row in table.rows)]:
        cells = (
            f"<{kind}{' class=n' if table.numeric(at) else ''}>{escape(cell)}</{kind}>"
            for at, cell in enumerate(row)
        )
        lines.append("<tr>" + "".join(cells) + "</tr>")
    return "\n".join([*lines, "</table>"])


def empty_figure(x: str, y: str, **layout: Any) -> Any:
    """A figure with titled axes and nothing in it."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.update_layout(height=420, template="plotly_white", margin={"t": 30}, **layout)
    figure.update_xaxes(title=x)
    figure.update_yaxes(title=y)
    return figure


def _precision_recall(models: Sequence[Model], rows: Flags) -> Any:
    figure = empty_figure("recall", "precision")
    for model in models:
        recall, precision = precision_recall(model.data.fraud[rows], model.data.score[rows])
        figure.add_scatter(x=recall, y=precision, name=model.name)
    return figure


def precision_recall(fraud: Flags, score: Float) -> tuple[list[float], list[float]]:
    """Recall and precision from the highest threshold on, at most 400 points."""
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(fraud[order])
    last = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)
    # Most of the curve lies among the riskiest payments.
    chosen = last[np.unique(np.geomspace(1, len(last), _CURVE_POINTS).astype(np.int64)) - 1]
    return (hits[chosen] / max(int(fraud.sum()), 1)).tolist(), (hits[chosen] / (chosen + 1)).tolist()


def _folds(result: Mapping[str, Any]) -> Any:
    figure = empty_figure("fold", "", barmode="group")
    for metric, name in TITLES.items():
        values = [fold.get(metric) for fold in result["folds"]]
        figure.add_bar(x=[str(number) for number in range(len(values))], y=values, name=name)
    return figure


def _cost(detail: Mapping[str, Any]) -> Any | None:
    if "cost" not in detail:
        return None
    figure = empty_figure("share of payments alerted", "US dollars a payment")
    figure.update_xaxes(type="log")
    points = [point for point in detail["cost"]["curve"] if point["alert_share"] > 0]
    figure.add_scatter(
        x=[point["alert_share"] for point in points],
        y=[point["cost_usd"] for point in points],
        customdata=[point["threshold"] for point in points],
        hovertemplate="%{y:.3f} USD at %{x:.3%} alerted, threshold %{customdata:.4f}",
        name="by threshold",
    )
    figure.add_hline(y=detail["cost"]["nothing_alerted"], line_dash="dot", annotation_text="no alerts")
    return figure


def _reliability(detail: Mapping[str, Any]) -> Any:
    figure = empty_figure("stated risk", "observed share of frauds")
    figure.update_xaxes(type="log")
    figure.update_yaxes(type="log")
    bins = [row for row in detail["reliability"] if row["risk"] > 0 and row["observed"] > 0]
    figure.add_scatter(
        x=[row["risk"] for row in bins],
        y=[row["observed"] for row in bins],
        mode="markers+lines",
        name="bins",
    )
    ends = [min((row["risk"] for row in bins), default=0.01), 1.0]
    figure.add_scatter(x=ends, y=ends, mode="lines", line={"dash": "dot"}, name="exact")
    return figure


def _ablation(result: Mapping[str, Any]) -> Any | None:
    if "ablation" not in result:
        return None
    figure = empty_figure("change of average precision without the group", "")
    groups = [row for row in result["ablation"]["groups"] if row["change"]["average_precision"] is not None]
    figure.add_bar(
        x=[row["change"]["average_precision"] for row in groups],
        y=[row["group"] for row in groups],
        orientation="h",
    )
    figure.update_yaxes(autorange="reversed", automargin=True)
    return figure
