"""How a measure of drills changes from run to run → plotly Figure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go

from alerts.drills.history import DrillRun
from dashboard import theme
from dashboard.charts import dress
from dashboard.formats import moment

COLOURS = (
    theme.BLUE,
    theme.ORANGE,
    theme.GREEN,
    theme.PURPLE,
    theme.SKY,
    theme.VERMILION,
    theme.GREY,
    "#B8A700",
)
DASHES = ("solid", "dot", "dash", "dashdot")


def drill_trend(runs: Sequence[DrillRun], metric: str, words: dict[str, str], dark: bool) -> Any:
    """A line a scenario, oldest first; a run that missed a target is a cross. words: `axis`, `target`, each scenario."""
    figure = go.Figure()
    drills = sorted({run.drill for run in runs})
    for number, drill in enumerate(drills):
        mine = [run for run in runs if run.drill == drill and run.card.measured.get(metric) is not None]
        colour = COLOURS[number % len(COLOURS)]
        figure.add_trace(
            go.Scatter(
                x=[moment(run.at) for run in mine],
                y=[run.card.measured[metric] for run in mine],
                name=escape(words[drill]),
                mode="lines+markers",
                line={"color": colour, "width": 2, "dash": DASHES[number % len(DASHES)]},
                marker={
                    "color": colour, "size": 9,
                    "symbol": ["circle" if run.card.passed else "x" for run in mine],
                },
                customdata=[words["passed" if run.card.passed else "missed"] for run in mine],
                hovertemplate="%{y:,.4g} · %{customdata}",
            )
        )  # fmt: skip
    limits = {run.card.targets.get(metric) for run in runs}
    if len(limits) == 1 and (most := limits.pop()) is not None:
        figure.add_hline(
            y=most,
            line={"color": theme.GREY, "width": 1, "dash": "dash"},
            annotation={
                "text": f"{escape(words['target'])} ≤ {most:g}",
                "font": {"color": theme.ink(dark), "size": 11}, "xanchor": "right", "yanchor": "bottom",
            },
        )  # fmt: skip
    figure.update_yaxes(rangemode="tozero", title=escape(words["axis"]))
    dress(figure, 260, dark, f"drills:{metric}")
    figure.update_layout(hovermode="closest")
    return figure
