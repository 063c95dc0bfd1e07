"""What the learner reports → plotly Figure: quality over time, calibration, cost against alerts.

Nothing here reads a store or draws on a page; see charts.py for what all figures share.
"""

from __future__ import annotations

import math
from html import escape
from typing import Any, NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard import theme
from dashboard.charts import dress
from dashboard.formats import moment
from models.learner_report import CalibrationBin, CostCurve
from models.prequential import QualityPoint

_Z = 1.96
"""Of a two-sided interval of 95 %."""
_MOST_SEEN = 4.0
"""The cost chart shows this many times the alerts of the best point and of today's threshold: the rest is plain."""


class Event(NamedTuple):
    """Something to mark on the time line. kind: drift, poisoning or change; at: ms."""

    at: int
    kind: str
    text: str


def quality_over_time(
    points: list[QualityPoint], events: list[Event], names: dict[str, str], dark: bool
) -> Any:
    """Average precision and recall at budget of what was served, with marks for drift and changes of the champion.

    names: `ap`, `recall`, `drift`, `poisoning` and `change`.
    """
    times = [moment(p.time) for p in points]
    figure = go.Figure()
    lines = (
        ("ap", [p.average_precision for p in points], theme.BLUE),
        ("recall", [p.recall_at_budget for p in points], theme.GREEN),
    )
    for name, values, colour in lines:
        figure.add_trace(
            go.Scatter(
                x=times, y=values, name=names[name], mode="lines+markers", hovertemplate="%{y:.3f}",
                line={"color": colour, "width": 2}, marker={"size": 5 if len(points) < 60 else 1},
            )
        )  # fmt: skip
    for kind, (symbol, colour) in theme.EVENT_MARKER.items():
        found = [event for event in events if event.kind == kind]
        if not found:
            continue
        figure.add_trace(
            go.Scatter(
                x=[moment(event.at) for event in found], y=[1.02] * len(found), name=names[kind], mode="markers",
                marker={"symbol": symbol, "color": colour, "size": 11},
                customdata=[_wrapped(event.text) for event in found], hovertemplate="%{customdata}",
            )
        )  # fmt: skip
        for event in found:
            figure.add_shape(
                type="line", x0=moment(event.at), x1=moment(event.at), y0=0, y1=1.0,
                line={"color": colour, "width": 1, "dash": "dot"}, layer="below",
            )  # fmt: skip
    figure.update_xaxes(tickformat="%m-%d", hoverformat="%Y-%m-%d %H:%M")
    figure.update_yaxes(
        range=[-0.04, 1.07], tickvals=[0, 0.25, 0.5, 0.75, 1], ticktext=["0", "", "0.5", "", "1"]
    )
    return dress(figure, 258, dark, "quality")


def calibration(bins: list[CalibrationBin], names: dict[str, str], dark: bool) -> Any:
    """Observed against expected share of fraud on logarithmic axes, with 95 % intervals; the diagonal is calibrated.

    A bin without fraud stands hollow at the upper end of its interval. names: `expected`, `observed`, `ideal`, `bins`,
    `none`.
    """
    seen = [b for b in bins if b.payments > 0 and b.expected > 0]
    rows = [(b, *interval(b.observed * b.payments, b.payments)) for b in seen]
    floor = min(
        [b.expected for b in seen] + [low for b, low, _ in rows if b.observed > 0 and low > 0] + [1e-3]
    )
    floor = 10.0 ** math.floor(math.log10(floor) - 0.2)
    ticks = [10.0**n for n in range(round(math.log10(floor)), 1)]
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(
            x=[floor, 1], y=[floor, 1], name=names["ideal"], mode="lines", hoverinfo="skip",
            line={"color": theme.GREY, "width": 1, "dash": "dash"},
        )
    )  # fmt: skip
    for name, some, symbol in (("bins", True, "circle"), ("none", False, "circle-open")):
        part = [row for row in rows if (row[0].observed > 0) == some]
        if not part:
            continue
        at = [b.observed if some else min(high, 1.0) for b, _, high in part]
        figure.add_trace(
            go.Scatter(
                x=[b.expected for b, _, _ in part], y=at, name=names[name], mode="lines+markers" if some else "markers",
                line={"color": theme.BLUE, "width": 1.5},
                marker={"symbol": symbol, "size": 8, "color": theme.BLUE},
                error_y={
                    "type": "data", "symmetric": False, "color": theme.BLUE, "thickness": 1, "width": 3,
                    "array": [min(high, 1.0) - y for (_, _, high), y in zip(part, at, strict=True)],
                    "arrayminus": [y - max(low, floor) for (_, low, _), y in zip(part, at, strict=True)],
                },
                customdata=[[b.payments, b.observed * b.payments, b.observed] for b, _, _ in part],
                hovertemplate=f"{escape(names['expected'])} %{{x:.3%}} · {escape(names['observed'])} "
                "%{customdata[2]:.3%}<br>%{customdata[1]:,.0f} / %{customdata[0]:,.0f}<extra></extra>",
            )
        )  # fmt: skip
    axis = {
        "type": "log",
        "range": [math.log10(floor) - 0.12, 0.12],
        "tickvals": ticks,
        "ticktext": [_share(v) for v in ticks],
    }
    figure.update_xaxes(title=names["expected"], **axis)
    figure.update_yaxes(title=names["observed"], **axis)
    dress(figure, 258, dark, "calibration")
    figure.update_layout(hovermode="closest")
    return figure


def interval(frauds: float, payments: float) -> tuple[float, float]:
    """95 % interval of a share of fraud, of `frauds` among `payments`: Byar's approximation to Poisson's exact limits.

    Breslow and Day, "Statistical Methods in Cancer Research", volume II (IARC 1987), formula 2.13.
    """
    more = frauds + 1.0
    low = 0.0 if frauds <= 0 else frauds * max(1 - 1 / (9 * frauds) - _Z / (3 * math.sqrt(frauds)), 0.0) ** 3
    high = more * (1 - 1 / (9 * more) + _Z / (3 * math.sqrt(more))) ** 3
    return low / payments, high / payments


def cost_trade_off(curve: CostCurve, names: dict[str, str], dark: bool) -> Any:
    """Cost a day over alerts a day, with recall and precision on the right; marks the best point and today's.

    Cost within the alert budget is a full line, beyond it a dotted one. names: `cost`, `over`, `recall`, `precision`,
    `alerts`, `share`, `best` and `now`.
    """
    points = sorted(
        {p.threshold: p for p in [*curve.points, curve.best]}.values(), key=lambda p: p.alerts_per_day
    )
    now = max(
        (p for p in points if p.threshold >= curve.in_force),
        key=lambda p: p.alerts_per_day,
        default=points[0],
    )
    widest = _MOST_SEEN * max(curve.best.alerts_per_day, now.alerts_per_day, 1.0)
    seen = [p for p in points if p.alerts_per_day <= widest]
    allowed = [p for p in seen if p.allowed]
    # The dotted line begins where the full one ends.
    beyond = allowed[-1:] + [p for p in seen if not p.allowed]
    figure = make_subplots(specs=[[{"secondary_y": True}]])
    lines = (
        ("cost", allowed, [p.cost_per_day for p in allowed], theme.VERMILION, "solid"),
        ("over", beyond, [p.cost_per_day for p in beyond], theme.VERMILION, "dot"),
        ("recall", seen, [p.recall for p in seen], theme.BLUE, "solid"),
        ("precision", seen, [p.precision for p in seen], theme.GREEN, "solid"),
    )
    for name, part, values, colour, dash in lines:
        if name == "over" and len(part) < 2:
            continue
        money = name in ("cost", "over")
        figure.add_trace(
            go.Scatter(
                x=[p.alerts_per_day for p in part], y=values, name=names[name], mode="lines",
                line={"color": colour, "width": 2, "dash": dash}, customdata=[p.threshold for p in part],
                hovertemplate="USD %{y:,.0f} · ≥ %{customdata:.3f}" if money else "%{y:.0%}",
            ),
            secondary_y=not money,
        )  # fmt: skip
    # The two texts stand inside, one below the other: they may lie side by side, and above is the legend.
    for point, text, height in (
        (curve.best, f"{names['best']} {curve.best.threshold:.2f}", 0.99),
        (now, f"{names['now']} {curve.in_force:.2f}", 0.88),
    ):
        figure.add_vline(
            x=point.alerts_per_day,
            line={"color": theme.GREY, "width": 1, "dash": "dash"},
            annotation={
                "text": escape(text),
                "font": {"color": theme.ink(dark), "size": 11},
                "bgcolor": theme.ground(dark),
                "xanchor": "left",
                "yanchor": "top",
                "y": height,
                "yref": "y domain",
            },
        )
    figure.update_xaxes(title=names["alerts"], rangemode="tozero")
    figure.update_yaxes(title=names["cost"], rangemode="tozero", tickformat=",.0f", secondary_y=False)
    figure.update_yaxes(
        title=names["share"],
        range=[0, 1.04],
        tickvals=[0, 0.25, 0.5, 0.75, 1],
        tickformat=".0%",
        showgrid=False,
        secondary_y=True,
    )
    return dress(figure, 268, dark, "costs")


def _share(value: float) -> str:
    return f"{100 * value:g}%"


def _wrapped(text: str, width: int = 60) -> str:
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + len(word) >= width:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    return "<br>".join(escape(each) for each in [*lines, line])
