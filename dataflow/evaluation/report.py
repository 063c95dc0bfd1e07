"""The report of `tidegate evaluate` as tables: for the terminal, for a page in Markdown, and for the one with charts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dataflow.evaluation.comparison import OURS, PUBLISHED, Model
from dataflow.evaluation.protocol import METRICS, PUBLISHED_HANDBOOK, Fold, measured_rows

TITLES = {
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "card_precision_100": "card precision@100",
}


class Table(NamedTuple):
    """A table with its title and the words that belong to it (may be empty, as may the rows)."""

    title: str
    text: str
    header: list[str]
    rows: list[list[str]]

    def numeric(self, column: int) -> bool:
        """True where every cell is a number, a dash or empty: such columns are set to the right."""
        return all(row[column][:1] in "+-0123456789" for row in self.rows)


def write_report(
    directory: Path, result: Mapping[str, Any], models: Sequence[Model], folds: Sequence[Fold]
) -> list[Path]:
    """Write evaluation.md and evaluation.html of the JSON and the models that were run; returns their paths."""
    from dataflow.evaluation.page import html_page

    directory.mkdir(parents=True, exist_ok=True)
    page, charts = directory / "evaluation.md", directory / "evaluation.html"
    page.write_text(markdown(result), encoding="utf-8")
    charts.write_text(html_page(result, models, measured_rows(folds)), encoding="utf-8")
    return [page, charts]


def markdown(result: Mapping[str, Any]) -> str:
    """The page in Markdown."""
    return markdown_page(title(result), about(result), tables(result))


def markdown_page(heading: str, words: str, shown: Iterable[Table]) -> str:
    """Any page of tables in Markdown."""
    parts = [f"# {heading}", words]
    for table in shown:
        parts.append(f"## {table.title}")
        if table.text:
            parts.append(table.text)
        if table.rows:
            parts.append(markdown_table(table))
    return "\n\n".join(parts) + "\n"


def markdown_table(table: Table) -> str:
    """A table in Markdown, numbers to the right."""
    marks = ["--:" if table.numeric(at) else "---" for at in range(len(table.header))]
    cells = [[cell.replace("|", "\\|") for cell in row] for row in table.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in [table.header, marks, *cells])


def title(result: Mapping[str, Any]) -> str:
    """The report's title."""
    return f"Evaluation, protocol {result['protocol']}"


def about(result: Mapping[str, Any]) -> str:
    """What was run, in a sentence or two."""
    detail = result["detail"]
    return (
        f"One pass over {result['transactions']:,} transactions ({result['frauds']:,} frauds), each scored before its "
        f"label is learnt; {result['not_scored']:,} entries could not be scored. Measured on {detail['rows']:,} "
        f"transactions with {detail['frauds']:,} frauds. {result['microseconds_per_transaction']} µs a transaction, "
        f"{result['peak_mb']:,.0f} MB at most. In brackets: 95 % bootstrap intervals."
        + "".join(f" Note: {doubt}" for doubt in result.get("doubts", ()))
    )


def tables(result: Mapping[str, Any]) -> Iterator[Table]:
    """All tables of the report, in its order."""
    yield _ranking(result)
    if len(result["folds"]) > 1:
        yield _folds(result)
    if any(row["name"] == PUBLISHED for row in result["baselines"]):
        rows = [[name, *_values(row)] for name, row in PUBLISHED_HANDBOOK.items()]
        text = "Means over the four folds as the book prints them; each model learnt 7 days and 15 features."
        yield Table("What the book publishes", text, ["", *TITLES.values()], rows)
    yield _budgets(result)
    if "cost" in result["detail"]:
        yield _cost(result)
    yield _calibration(result["detail"])
    if "ablation" in result:
        yield _ablation(result["ablation"])


def _ranking(result: Mapping[str, Any]) -> Table:
    ours = {**result, "intervals": result["detail"]["intervals"]}
    rows = [["mean", OURS, *_sure(ours, "mean", "intervals")]]
    if len(result["folds"]) > 1:
        rows.append(["spread over folds", OURS, *_values(result["std"])])
    for baseline in result["baselines"]:
        rows.append(["mean", baseline["name"], *_sure(baseline, "mean", "intervals")])
    for baseline in result["baselines"]:
        name = f"{OURS} / {baseline['name']}"
        rows.append(["ratio", name, *_sure(baseline, "ratio", "ratio_intervals")])
    return Table("Ranking", "", ["", "model", *TITLES.values()], rows)


def _folds(result: Mapping[str, Any]) -> Table:
    models = [(OURS, result["folds"])]
    models += [(row["name"], row["folds"]) for row in result["baselines"] if row["folds"]]
    rows = [
        [str(number), name, *_values(folds[number])]
        for number in range(len(result["folds"]))
        for name, folds in models
    ]
    return Table("Fold by fold", "", ["fold", "model", *TITLES.values()], rows)


def _run(result: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The models that were run, with their details."""
    others = [(row["name"], row["detail"]) for row in result["baselines"] if row["detail"] is not None]
    return [(OURS, result["detail"]), *others]


def _budgets(result: Mapping[str, Any]) -> Table:
    models = _run(result)
    header = ["share looked at", "alerts a day"]
    header += [f"{what}, {name}" for name, _ in models for what in ("recall", "precision")]
    rows = []
    for at, budget in enumerate(result["detail"]["budgets"]):
        row = [f"{budget['share']:.1%}", f"{budget['alerts_per_day']:,.1f}"]
        for _, detail in models:
            row += [number(detail["budgets"][at][what]) for what in ("recall", "precision")]
        rows.append(row)
    precise = ", ".join(f"{value:.3f} at {k}" for k, value in result["detail"]["precision_at"].items())
    text = f"Share of frauds among the riskiest payments of all days together: {precise}." if precise else ""
    return Table("What an alert budget catches", text, header, rows)


def _cost(result: Mapping[str, Any]) -> Table:
    cost = result["detail"]["cost"]
    rows = [["no alerts", "0.00%", number(cost["nothing_alerted"])]]
    for name, detail in _run(result):
        best = detail["cost"]["best"]
        rows.append([f"{name}, best threshold", f"{best['alert_share']:.2%}", number(best["cost_usd"])])
    fair = cost["by_amount"]
    rows.append([f"{OURS}, payment by payment", f"{fair['alert_share']:.2%}", number(fair["cost_usd"])])
    matrix = cost["matrix"]
    text = (
        f"A missed fraud costs {matrix['missed_share']:g} × its amount + {matrix['chargeback_fee']:g} US dollars, an "
        f"alert {matrix['review']:g}, a good payment stopped {matrix['declined_share']:g} × its amount + "
        f"{matrix['declined_fixed']:g} more (settings, [costs.matrix]). The best threshold is chosen with hindsight; "
        "payment by payment raises an alert where the risk makes that the lower expected cost, and needs no hindsight."
    )
    return Table("Cost", text, ["policy", "payments alerted", "US dollars a payment"], rows)


def _calibration(detail: Mapping[str, Any]) -> Table:
    text = (
        f"Expected calibration error {number(detail['calibration_error'])} over ten bins of equally many payments, "
        f"{number(detail['calibration_error_riskiest'])} among the riskiest hundredth. Frauds stated by the risk over "
        f"frauds observed: {number(detail['stated_over_observed'])}. Each bin holds half of what those before it leave."
    )
    rows = [
        [f"{row['payments']:,.0f}", number(row["risk"]), number(row["observed"])]
        for row in detail["reliability"]
    ]
    return Table("Is the risk a probability?", text, ["payments", "stated risk", "observed"], rows)


def _ablation(table: Mapping[str, Any]) -> Table:
    rows = [["(none)", str(table["features"]), "", *_values(table["mean"]), *[""] * len(METRICS)]]
    for row in table["groups"]:
        changes = [_signed(row["change"][metric]) for metric in METRICS]
        rows.append(
            [row["group"], str(row["features"]), str(row["in_data"]), *_values(row["mean"]), *changes]
        )
    header = [
        "without",
        "features",
        "in this data",
        *TITLES.values(),
        *[f"change of {t}" for t in TITLES.values()],
    ]
    text = f"Model: {table['model']}. A group that is not in this data changes nothing."
    return Table("What each group of features is worth", text, header, rows)


def _sure(row: Mapping[str, Any], values: str, intervals: str) -> list[str]:
    out = []
    for metric in METRICS:
        text = number(row[values].get(metric))
        between = row[intervals].get(metric)
        out.append(f"{text} [{between[0]:.3f}, {between[1]:.3f}]" if between else text)
    return out


def _values(row: Mapping[str, float | None]) -> list[str]:
    return [number(row.get(metric)) for metric in METRICS]


def number(value: float | None) -> str:
    """Four decimals, or a dash for what is not defined."""
    return "-" if value is None else f"{value:.4f}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.4f}"
