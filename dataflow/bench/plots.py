"""Plots of a measurement: a page that can be looked into (HTML, plotly) and a picture for documents (PNG, matplotlib)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from models.errors import SettingsError

BLUE = "#1f5aa6"


class Plot(NamedTuple):
    """One plot. kind: `bars` (horizontal, texts on y) or `line`; log: whether the values' axis is logarithmic."""

    title: str
    kind: str
    x: list[Any]
    y: list[Any]
    x_title: str
    y_title: str
    log: bool = False


def plot_of(what: str, result: dict[str, Any]) -> Plot:
    """The plot that shows this measurement."""
    if what == "throughput":
        stages = result["stages_us"]
        return Plot(
            f"CPU time an event by stage; full is {result['ratio']:.0%} of the floor", "bars",
            [*stages.values()], [*stages], "µs", "stage",
        )  # fmt: skip
    if what == "latency":
        shares, values = zip(*result["curve"], strict=True)
        beyond = [1.0 / (1.0 - share / 100.0) for share in shares]
        return Plot(
            f"latency at {result['rate']:,.0f} events a second", "line", beyond, list(values),
            "one event in so many is slower (10 = p90, 100 = p99, 1000 = p99.9)", "ms", True,
        )  # fmt: skip
    if what == "recovery":
        return Plot(
            f"recovery with {result['entities']:,} entities", "bars",
            [result["recovery_seconds"]], ["kill to first decision"], "seconds", "",
        )  # fmt: skip
    if what == "scale":
        rates = result["events_per_second"]
        return Plot(
            "events a second by number of processes", "bars", [*rates.values()], [*rates], "events a second",
            "processes",
        )  # fmt: skip
    if what == "growth":
        points = result["points"]
        return Plot(
            "CPU time an event by customers in the state", "line", [p["customers"] for p in points],
            [p["us_per_event"] for p in points], "customers", "µs", True,
        )  # fmt: skip
    costs = sorted(result["microseconds"].items(), key=lambda pair: -pair[1])[:40]
    return Plot(
        f"cost of {what}", "bars", [cost for _, cost in costs], [name for name, _ in costs],
        "µs a transaction", what,
    )  # fmt: skip


def write(what: str, result: dict[str, Any], directory: Path) -> list[Path]:
    """Write `bench-<what>.html` and `.png` into the directory. SettingsError when the extra `bench` is missing."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise SettingsError("--report draws with matplotlib: pip install 'tidegate[bench]'") from None
    mpl.use("Agg")
    plot = plot_of(what, result)
    directory.mkdir(parents=True, exist_ok=True)
    page, picture = directory / f"bench-{what}.html", directory / f"bench-{what}.png"
    _page(plot, page)
    _picture(plot, picture)
    return [page, picture]


def _page(plot: Plot, path: Path) -> None:
    import plotly.graph_objects as go

    if plot.kind == "bars":
        trace = go.Bar(x=plot.x[::-1], y=plot.y[::-1], orientation="h", marker_color=BLUE)
    else:
        trace = go.Scatter(x=plot.x, y=plot.y, mode="lines+markers", line_color=BLUE)
    figure = go.Figure(trace)
    scale = "log" if plot.log else "linear"
    figure.update_layout(title=plot.title, template="plotly_white", height=max(320, 60 + 18 * len(plot.y)))
    figure.update_xaxes(title=plot.x_title, type=scale)
    figure.update_yaxes(title=plot.y_title, type="category" if plot.kind == "bars" else scale)
    figure.write_html(path, include_plotlyjs=True, full_html=True)


def _picture(plot: Plot, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, max(2.5, 1 + 0.22 * len(plot.y)) if plot.kind == "bars" else 4.5), dpi=110)
    axes = figure.subplots()
    if plot.kind == "bars":
        axes.barh([str(name) for name in plot.y[::-1]], plot.x[::-1], color=BLUE)
        axes.tick_params(axis="y", labelsize=8)
    else:
        axes.plot(plot.x, plot.y, color=BLUE, marker="o", markersize=3)
        axes.set_ylabel(plot.y_title)
    if plot.log:
        axes.set_xscale("log")
        axes.set_yscale("log")
    axes.set_xlabel(plot.x_title)
    axes.set_title(plot.title, fontsize=10)
    axes.grid(True, alpha=0.3)
    figure.tight_layout()
    figure.savefig(path)
