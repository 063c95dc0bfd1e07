"""What a back-test changes → plotly Figure: payments and dollars by what became of them."""

from __future__ import annotations

from html import escape
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard import theme
from dashboard.charts import dress

OUTCOMES = (
    ("frauds", "fraud_usd", theme.VERMILION),
    ("good", "good_usd", theme.BLUE),
    ("open", "open_usd", theme.GREY),
)


def change_bars(rows: list[tuple[str, dict[str, Any]]], names: dict[str, str], dark: bool) -> Any:
    """Bars of groups of payments, stacked by outcome: numbers on the left, US dollars on the right.

    rows: (label, group as dataflow/backtest/result.py tells it), from top to bottom. names: `frauds`, `good`, `open`,
    `payments` and `usd`.
    """
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.04)
    labels = [escape(label) for label, _ in rows]
    for count, money, colour in OUTCOMES:
        for column, field, form in ((1, count, "%{x:,.0f}"), (2, money, "USD %{x:,.0f}")):
            figure.add_trace(
                go.Bar(
                    x=[group[field] for _, group in rows], y=labels, orientation="h", name=names[count],
                    legendgroup=count, showlegend=column == 1, marker={"color": colour, "line": {"width": 0}},
                    hovertemplate=form,
                ),
                row=1, col=column,
            )  # fmt: skip
    figure.update_layout(barmode="stack", bargap=0.3)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(rangemode="tozero", tickformat=",.0f", nticks=6)
    figure.update_xaxes(title=names["payments"], col=1)
    figure.update_xaxes(title=names["usd"], col=2)
    dress(figure, 84 + 26 * len(rows), dark, "changes")
    figure.update_layout(hovermode="y unified")
    return figure
