"""The report of a back-test as tables: for the terminal, a page in Markdown, and one with charts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dataflow.evaluation.report import Table, markdown_page

TITLE = "Back-test"
ALERTS, ACTIONS, RULES = "Alerts and actions", "Changes of action", "Rule by rule"
_GROUP = ["payments", "USD", "frauds", "USD of frauds", "good", "USD of good", "unknown"]
_SOURCES = {
    "labels": "by {labels:,} labels in the recording (a payment without one is good once its outcome window closed)",
    "truth": "by the simulator's ground truth",
    "none": "unknown: no payment of the recording has a label",
}


def write_report(directory: Path, result: Mapping[str, Any]) -> list[Path]:
    """Write backtest.md and backtest.html; returns their paths."""
    from dataflow.evaluation.page import document

    directory.mkdir(parents=True, exist_ok=True)
    page, charts = directory / "backtest.md", directory / "backtest.html"
    page.write_text(markdown_page(TITLE, about(result), tables(result)), encoding="utf-8")
    figures = {ALERTS: _money_chart(result), RULES: _rules_chart(result)}
    charts.write_text(document(TITLE, about(result), tables(result), figures), encoding="utf-8")
    return [page, charts]


def about(result: Mapping[str, Any]) -> str:
    """What was replayed, what was proposed and how much of it changes, in a few sentences."""
    known, proposed = result["outcomes"], result["proposed"]
    differing = [name for name, sides in proposed.items() if sides["differs"]]
    what = f"Proposed: other {' and '.join(differing)}." if differing else "Nothing else is proposed."
    cost, changed = result["cost"], result["changed"]
    refused = result["dead_lettered"] + result["undecodable"]
    parts = [
        f"{result['payments']:,} payments from {result['first']} to {result['last']} (UTC), each decided by what holds "
        f"and by what is proposed; {refused:,} entries could not be decided.",
        what,
        f"Outcomes are known {_SOURCES[known['source']].format(**known)}"
        if known["source"] != "none"
        else f"Outcomes are {_SOURCES['none']}",
    ]
    parts[-1] += f": {known['frauds']:,} frauds, {known['good']:,} good, {known['open']:,} open."
    if differing:
        parts.append(
            f"{changed['payments']:,} payments change action or alert: {result['stricter']['payments']:,} become "
            f"stricter, {result['milder']['payments']:,} milder. Missed frauds, reviews and wrongly stopped payments "
            f"cost {cost['before']:,.2f} US dollars as it is and {cost['after']:,.2f} as proposed "
            f"({cost['change']:+,.2f})."
        )
    return " ".join(parts)


def tables(result: Mapping[str, Any]) -> Iterator[Table]:
    """All tables of the report, in its order; those of changes only where something changes."""
    yield _sides(result)
    if result["actions"]:
        rows = [[f"{row['before']} to {row['after']}", *_group(row)] for row in result["actions"]]
        yield Table(ACTIONS, "", ["", *_GROUP], rows)
    yield rule_table(result)
    overlaps = _overlaps(result)
    if overlaps.rows:
        yield overlaps
    for way in ("stricter", "milder"):
        if result["largest"][way]:
            yield _largest(result, way)


def terminal_tables(result: Mapping[str, Any]) -> Iterator[Table]:
    """The same for a terminal: fewer columns, and only rules that hit."""
    kept = {"": 0, "payments": 1, "USD": 2, "frauds": 3, "good": 5, "unknown": 7, "precision": 8, "recall": 9}
    sides = _sides(result)
    yield Table(ALERTS, sides.text, [*kept], [[row[at] for at in kept.values()] for row in sides.rows])
    for table in list(tables(result))[1:]:
        yield _narrow_rules(result) if table.title == RULES else table


def _narrow_rules(result: Mapping[str, Any]) -> Table:
    whole = rule_table(result)
    wanted = (
        "rule",
        "action",
        "hits",
        "frauds",
        "good",
        "precision",
        "recall",
        "decides",
        "hits before",
        "state",
    )
    kept = [at for at, name in enumerate(whole.header) if name in wanted]
    hitting = {row["id"] for row in result["rules"] if row["hits"] or row["hits_before"]}
    silent = [row["id"] for row in result["rules"] if row["id"] not in hitting]
    rows = [[row[at] for at in kept] for row in whole.rows if row[0] in hitting]
    text = "Decides: action or alert would be another without the rule (of a shadow rule: with it)."
    text += f" Without a hit: {', '.join(silent)}." if silent else ""
    return Table(RULES, text, [whole.header[at] for at in kept], rows)


def rule_table(result: Mapping[str, Any]) -> Table:
    """Rule by rule, those that decide most first; `-`: not defined."""
    text = (
        "Precision: frauds among hits of known outcome, with a 95 % interval (Wilson). Recall: of all frauds; of its "
        "typology: of the frauds of the rule's own kind. Decides: action or alert would be another without the rule "
        "(of a shadow rule: with it)."
    )
    header = ["rule", "title", "action", "typology", "hits", "frauds", "good", "precision", "recall"]
    named = any(row["typology_recall"] is not None for row in result["rules"])
    header += ["recall of its typology"] if named else []
    header += ["USD of frauds", "USD of good", "decides", "frauds it decides", "recall it decides"]
    changing = any(sides["differs"] for sides in result["proposed"].values())
    header += ["hits before", "state"] if changing else []
    rows = []
    for row in sorted(
        result["rules"], key=lambda row: (-row["decides"]["payments"], -row["hits"], row["id"])
    ):
        shown = [
            row["id"], row["title_en"], row["action"] + (" (shadow)" if row["shadow"] else ""), row["typology"],
            f"{row['hits']:,}", f"{row['frauds']:,}", f"{row['good']:,}", _precision(row), _share(row["recall"]),
        ]  # fmt: skip
        shown += [_share(row["typology_recall"])] if named else []
        decides = row["decides"]
        shown += [
            f"{row['fraud_usd']:,.0f}", f"{row['good_usd']:,.0f}", f"{decides['payments']:,}",
            f"{decides['frauds']:,}", _share(decides["recall"]),
        ]  # fmt: skip
        shown += [f"{row['hits_before']:,}", row["state"]] if changing else []
        rows.append(shown)
    return Table(RULES, text, header, rows)


def _sides(result: Mapping[str, Any]) -> Table:
    names = {"alerts": "alerted", "held_or_stricter": "held", "declined": "declined"}
    changing = any(sides["differs"] for sides in result["proposed"].values())
    rows = []
    for key, name in names.items():
        sides = result[key]
        for side in ("before", "after") if changing else ("after",):
            words = {"before": ", as it is", "after": ", as proposed"}[side] if changing else ""
            measured = [_share(sides[side]["precision"]), _share(sides[side]["recall"])]
            rows.append([name + words, *_group(sides[side]), *measured])
        if changing:
            rows.append([f"newly {name}", *_group(sides["new"]), "", ""])
            rows.append([f"no longer {name}", *_group(sides["gone"]), "", ""])
    merged = f"{result['alerts']['merged_after']:,}"
    text = (
        "Held: held or stricter; declined: declined or frozen. Merged by problem, the alerted payments are "
    )
    text += f"{merged} alerts"
    text += f" ({result['alerts']['merged_before']:,} as it is)." if changing else "."
    return Table(ALERTS, text, ["", *_GROUP, "precision", "recall"], rows)


def _overlaps(result: Mapping[str, Any]) -> Table:
    rows = [
        [row["id"], other["rule"], f"{other['hits']:,}", _share(other["share"])]
        for row in result["rules"]
        for other in row["overlap"][:3]
    ]
    text = "The rules that hit the same payments most often, at most three each."
    return Table("Overlap", text, ["rule", "with", "payments", "share of the rule's hits"], rows)


def _largest(result: Mapping[str, Any], way: str) -> Table:
    rows = []
    for change in result["largest"][way]:
        sides = [change["before"], change["after"]]
        rows.append([
            change["id"], f"{change['usd']:,.2f}", change["outcome"],
            *(f"{side['action']}{' + alert' if side['alert'] else ''}" for side in sides),
            *(", ".join(side["rules"]) for side in sides),
        ])  # fmt: skip
    header = ["payment", "USD", "outcome", "as it is", "as proposed", "rules as it is", "rules as proposed"]
    return Table(f"Largest payments that become {way}", "", header, rows)


def _group(row: Mapping[str, Any]) -> list[str]:
    numbers = [f"{row['payments']:,}", f"{row['usd']:,.0f}", f"{row['frauds']:,}", f"{row['fraud_usd']:,.0f}"]
    return [*numbers, f"{row['good']:,}", f"{row['good_usd']:,.0f}", f"{row['open']:,}"]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _precision(row: Mapping[str, Any]) -> str:
    between = row["precision_interval"]
    return "-" if between is None else f"{row['precision']:.1%} [{between[0]:.0%}, {between[1]:.0%}]"


def _money_chart(result: Mapping[str, Any]) -> Any:
    from dataflow.evaluation.page import empty_figure

    figure = empty_figure("US dollars alerted", "", barmode="stack")
    alerts = result["alerts"]
    names = {"after": "as proposed", "before": "as it is", "gone": "no longer", "new": "newly"}
    for outcome, column in (("fraud", "fraud_usd"), ("good", "good_usd"), ("unknown", "open_usd")):
        values = [alerts[side][column] for side in names]
        figure.add_bar(x=values, y=[*names.values()], name=outcome, orientation="h")
    figure.update_yaxes(automargin=True)
    return figure


def _rules_chart(result: Mapping[str, Any]) -> Any | None:
    from dataflow.evaluation.page import empty_figure

    rows = [row for row in result["rules"] if row["precision"] is not None]
    if not rows:
        return None
    figure = empty_figure("hits", "precision")
    figure.update_xaxes(type="log")
    figure.update_yaxes(range=[-0.05, 1.05])
    intervals = [row["precision_interval"] for row in rows]
    figure.add_scatter(
        x=[row["hits"] or row["hits_before"] for row in rows],
        y=[row["precision"] for row in rows],
        text=[row["id"] for row in rows],
        hovertext=[row["title_en"] for row in rows],
        mode="markers+text",
        textposition="top center",
        error_y={
            "array": [high - row["precision"] for row, (_, high) in zip(rows, intervals, strict=True)],
            "arrayminus": [row["precision"] - low for row, (low, _) in zip(rows, intervals, strict=True)],
        },
        name="rules",
    )  # fmt: skip
    return figure
