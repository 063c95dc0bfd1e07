"""Data → plotly Figure; the models have theirs in model_charts.py. Nothing here reads a store or draws on a page.

Every trace sets its colour (plotly's traces do not follow the page's theme), every live figure keeps its zoom
(`uirevision`) and has a fixed vertical range where the scale is known.
"""

from __future__ import annotations

from html import escape
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard import theme
from dashboard.formats import moment
from dashboard.measures import Minutes, number, risk_quantile
from models.decision import ACTIONS, Decision, Reason

CONFIG = {"displayModeBar": False, "responsive": True}


def dress(figure: Any, height: int, dark: bool, key: str) -> Any:
    """Colours, fonts and margins of every chart; `key` keeps its zoom between drawings."""
    ink, grid = theme.ink(dark), theme.grid(dark)
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": theme.FONTS, "size": 13, "color": ink},
        hoverlabel={"font": {"family": theme.FONTS}},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "bgcolor": "rgba(0,0,0,0)"},
        uirevision=key,
        hovermode="x unified",
        separators=".,",
    )
    axis = {"gridcolor": grid, "zeroline": False, "automargin": True, "title_font_size": 13}
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    return figure


def risk_over_time(
    minutes: Minutes, thresholds: dict[str, float], names: dict[str, str], span: tuple[int, int], dark: bool
) -> Any:
    """Risk p50 and p99 with the lower edges of the bands. names: `p50`, `p99`, `risk` and each band."""
    times = [moment(at) for at in minutes]
    figure = go.Figure()
    for q, name, colour in ((0.99, "p99", theme.VERMILION), (0.5, "p50", theme.BLUE)):
        figure.add_trace(
            go.Scatter(
                x=times,
                y=[risk_quantile(fields, q) for fields in minutes.values()],
                name=names[name],
                mode="lines",
                line={"color": colour, "width": 2},
                hovertemplate="%{y:.2f}",
            )
        )
    for band, edge in thresholds.items():
        figure.add_hline(
            y=edge,
            line={"color": theme.GREY, "width": 1, "dash": "dash"},
            annotation={
                "text": f"{escape(names[band])} {edge:g}",
                "font": {"color": theme.ink(dark), "size": 11},
                "xanchor": "right",
                "yanchor": "bottom",
            },
        )
    figure.update_yaxes(range=[0, 1.04], tickformat=".1f", title=names["risk"])
    figure.update_xaxes(range=[moment(span[0]), moment(span[1])])
    return dress(figure, 268, dark, "risk")


def outcomes_over_time(
    minutes: Minutes, step_minutes: int, names: dict[str, str], span: tuple[int, int], dark: bool
) -> Any:
    """Payments per minute above, and below it what was not simply approved, stacked by action.

    Two panels, since the few interventions would be a hair line on the scale of all payments.
    """
    times = [moment(at) for at in minutes]
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.36, 0.64], vertical_spacing=0.08)
    figure.add_trace(
        go.Scatter(
            x=times,
            y=[fields.get("decided", 0.0) / step_minutes for fields in minutes.values()],
            name=names["decided"],
            mode="lines",
            line={"color": theme.BLUE, "width": 2},
            hovertemplate="%{y:,.1f}",
        ),
        row=1,
        col=1,
    )
    for action in ACTIONS[1:]:
        figure.add_trace(
            go.Bar(
                x=times,
                y=[fields.get(action, 0.0) / step_minutes for fields in minutes.values()],
                name=names[action],
                marker={"color": theme.ACTION_COLOUR[action], "line": {"width": 0}},
                hovertemplate="%{y:,.2f}",
            ),
            row=2,
            col=1,
        )
    figure.update_layout(barmode="stack", bargap=0.15)
    figure.update_yaxes(rangemode="tozero")
    figure.update_xaxes(range=[moment(span[0]), moment(span[1])])
    return dress(figure, 268, dark, "outcomes")


def reason_bars(reasons: list[Reason], language: str, dark: bool) -> Any:
    """One bar a reason, its text above it: share of the log-odds, right for fraud, left against it."""
    figure = go.Figure()
    rows = list(range(len(reasons)))
    figure.add_trace(
        go.Bar(
            x=[r.share for r in reasons],
            y=rows,
            orientation="h",
            width=0.36,
            text=[f"{r.share:+.2f}" for r in reasons],
            textposition="outside",
            cliponaxis=False,
            marker={"color": [theme.VERMILION if r.share > 0 else theme.BLUE for r in reasons]},
            customdata=[escape(r.code) for r in reasons],
            hovertemplate="%{customdata}: %{x:+.3f}<extra></extra>",
            showlegend=False,
        )
    )
    for row, reason in enumerate(reasons):
        text = reason.text_zh if language == "zh" else reason.text_en
        limit = 30 if language == "zh" else 58
        figure.add_annotation(
            x=0,
            xref="paper",
            y=row - 0.42,
            text=escape(text if len(text) <= limit else text[: limit - 1] + "…"),
            hovertext=escape(text),
            showarrow=False,
            xanchor="left",
            align="left",
            font={"size": 13, "color": theme.ink(dark)},
        )
    reach = max((abs(r.share) for r in reasons), default=1.0) * 1.3 or 1.0
    against = min((r.share for r in reasons), default=0.0)
    low = 1.3 * against - 0.12 * reach if against < 0 else 0.0
    figure.update_xaxes(range=[low, reach], showticklabels=False, showgrid=False)
    figure.update_yaxes(range=[len(reasons) - 0.6, -0.85], showticklabels=False, showgrid=False)
    dress(figure, 20 + 44 * max(len(reasons), 1), dark, "reasons")
    figure.update_layout(hovermode="closest")
    return figure


def timeline(payments: list[Decision], here: str, names: dict[str, str], dark: bool) -> Any:
    """Payments of one card or customer over time by amount in USD; the ringed one is the case's."""
    figure = go.Figure()
    for action in ACTIONS:
        rows = [(d, number(d.context.get("amount_usd"))) for d in payments if d.action == action]
        points = [(d, usd) for d, usd in rows if usd is not None]
        if not points:
            continue
        figure.add_trace(
            go.Scatter(
                x=[moment(d.event_time) for d, _ in points],
                y=[usd for _, usd in points],
                name=names[action],
                mode="markers",
                marker={
                    "color": theme.ACTION_COLOUR[action],
                    "symbol": theme.ACTION_MARKER[action],
                    "size": [15 if d.id == here else 9 for d, _ in points],
                    "line": {
                        "color": theme.ink(dark),
                        "width": [2 if d.id == here else 0 for d, _ in points],
                    },
                },
                customdata=[[escape(d.id), d.risk] for d, _ in points],
                hovertemplate="%{x|%m-%d %H:%M:%S} · USD %{y:,.2f} · %{customdata[1]:.2f}"
                "<br>%{customdata[0]}",
            )
        )
    times = [d.event_time for d in payments]
    if times:
        # At least an hour, or a lone payment would stand on a scale of microseconds.
        pad = max((max(times) - min(times)) // 20, 1_800_000)
        figure.update_xaxes(range=[moment(min(times) - pad), moment(max(times) + pad)])
    figure.update_yaxes(rangemode="tozero", title="USD", tickformat=",.0f")
    dress(figure, 200, dark, f"timeline:{here}")
    figure.update_layout(hovermode="closest")
    return figure
