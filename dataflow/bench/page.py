"""docs/benchmarks.md: what was measured, by which command, on what machine."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import Any

Result = Mapping[str, Any]

_NOTE = """
Made by `make bench`. Ratios of runs side by side say more than absolute figures: a machine of another kind, or with
neighbours, gives others. `tidegate bench --help` says what each measurement is.
"""


def page(results: Mapping[str, Result], args: argparse.Namespace) -> str:
    """The page. Every table stands under the command that makes it again."""
    machine = next(iter(results.values()))["machine"]
    libraries = ", ".join(f"{name} {version}" for name, version in machine["libraries"].items())
    loads = [result["machine"]["load"] for result in results.values()]
    parts = [
        "# Benchmarks",
        _NOTE.strip(),
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['os']}, "
        f"Python {machine['python']}; {libraries}. Runnable processes over a minute, after each: "
        f"{', '.join(str(load) for load in loads)}.",
    ]
    for what, result in results.items():
        title, body = _SECTIONS[what]
        options = _options(what, args)
        parts += [f"## {title}", f"    tidegate bench --what {what}{options} --json", body(result)]
        if args.report is not None:
            picture = os.path.relpath(args.report / f"bench-{what}.png", args.page.parent)
            parts.append(f"![{title}]({picture})")
    return "\n\n".join(parts) + "\n"


def _options(what: str, args: argparse.Namespace) -> str:
    if what in ("recovery", "growth"):
        return f" --entities {args.entities}"
    return f" --seconds {args.seconds:g}" + (" --console" if what == "latency" and args.console else "")


def _throughput(r: Result) -> str:
    rows = [
        ("floor", r["floor_per_second"], *r["cpu_us"]["floor"].values()),
        ("full", r["full_per_second"], *r["cpu_us"]["full"].values()),
    ]
    stages = ", ".join(f"{stage} {spent:g}" for stage, spent in r["stages_us"].items())
    return (
        f"The full flow ({r['features']} features, {r['rules']} rules) takes **{r['ratio']:.0%} of the floor's rate**; "
        f"{r['events']:,} events in {len(r['laps'])} laps.\n\n"
        + _table(("", "events a second", "CPU µs an event, flow", "store"), rows)
        + f"\n\nCPU µs an event by stage of the loop: {stages}."
    )


def _latency(r: Result) -> str:
    rows = [(name, ms) for name, ms in r["latency_ms"].items()]
    beside = "learner, sender, clerk and console" if r["console"] else "learner, sender and clerk"
    most = f"; the most it took was {r['maximum_per_second']:,.0f}" if r["maximum_per_second"] else ""
    return (
        f"{r['rate']:,.0f} events a second for {r['measured_s']:g} s, beside {beside}{most}. "
        f"Shed: {r['shed']}. The generator was late with {r['behind']:,} of {r['events']:,} events; they count from when "
        "they were due.\n\n" + _table(("percentile", "ms"), rows)
    )


def _recovery(r: Result) -> str:
    return (
        f"**{r['recovery_seconds']:g} s** from SIGKILL to the first decision on an event that came after it, with "
        f"{r['entities']:,} entities in the state ({r['checkpoint_mb']:g} MB of checkpoints)."
    )


def _scale(r: Result) -> str:
    rows = [
        (processes, rate, " + ".join(map(str, r["cpu_us"][processes])))
        for processes, rate in r["events_per_second"].items()
    ]
    ratios = ", ".join(f"{n} processes **{ratio:g}** times one" for n, ratio in r["scale"].items())
    return f"{ratios}; decisions {'equal' if r['equal'] else 'NOT EQUAL'}.\n\n" + _table(
        ("processes", "events a second", "CPU µs an event, by process"), rows
    )


def _growth(r: Result) -> str:
    names = ("customers", "entities", "us_per_event", "memory_mb")
    return _table(
        ("customers", "entities", "CPU µs an event", "memory, MB"),
        [tuple(point[name] for name in names) for point in r["points"]],
    )


def _parts(r: Result) -> str:
    costs = sorted(r["microseconds"].items(), key=lambda pair: -pair[1])[:12]
    groups = r.get("groups")
    text = _table(("dearest", "CPU µs a transaction"), costs)
    return (
        text if groups is None else _table(("entity", "CPU µs a transaction"), groups.items()) + "\n\n" + text
    )


def _table(header: tuple[str, ...], rows: Any) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


_SECTIONS = {
    "throughput": ("Throughput beside the floor", _throughput),
    "latency": ("Latency at half of the maximum", _latency),
    "recovery": ("Recovery after a kill", _recovery),
    "scale": ("Several processes", _scale),
    "growth": ("Growth", _growth),
    "features": ("Cost of the features", _parts),
    "rules": ("Cost of the rules", _parts),
    "models": ("Cost of the models", _parts),
}
