"""`tidegate evaluate --protocol holdout` on odd tables: numbers where there are any, else words with place and remedy."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from dataflow import cli
from tests.test_evaluate_cli import MAPPING

ROWS = 4000
NAMES = ("no", "at", "amount", "card", "shop", "fraud")
Row = dict[str, object]
Run = Callable[..., tuple[int, dict, str]]


def table(seed: int = 5, share: float = 0.08) -> list[Row]:
    """Payments over 20 days; frauds are large."""
    draw, found = random.Random(seed), []
    for row in range(ROWS):
        seconds = row * 20 * 86_400 // ROWS
        fraud = draw.random() < share
        amount = draw.uniform(50, 900) if fraud else draw.uniform(5, 80)
        at = f"2026-03-{1 + seconds // 86_400:02d}T{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:00"
        values = (
            row,
            at,
            f"{amount:.2f}",
            f"c{draw.randrange(90)}",
            f"s{draw.randrange(9)}",
            int(fraud),
        )
        found.append(dict(zip(NAMES, values, strict=True)))
    return found


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(rows: list[Row], mapping: str = MAPPING, settings: str = "") -> tuple[int, dict, str]:
        with Path("t.csv").open("w", newline="") as file:
            out = csv.DictWriter(file, NAMES)
            out.writeheader()
            out.writerows(rows)
        Path("map.toml").write_text(mapping)
        Path("tidegate.toml").write_text(settings)
        words = ["evaluate", "--data", "t.csv", "--mapping", "map.toml", "--rounds", "10", "--json"]
        code = cli.main(words)
        said = capsys.readouterr()
        if code:
            assert (said.out, said.err.count("\n")) == ("", 1)
            return code, {}, said.err
        return code, json.loads(said.out, parse_constant=pytest.fail), said.err

    return run


def changed(rows: list[Row], **columns: Callable[[int, Row], object]) -> list[Row]:
    return [
        {**row, **{name: value(at, row) for name, value in columns.items()}} for at, row in enumerate(rows)
    ]


def test_a_short_table_has_a_model_before_it_is_measured_and_is_told_how_to_learn_more(run: Run) -> None:
    _, found, err = run(table())
    assert found["mean"]["roc_auc"] > 0.7
    assert ["set negative_rate = 1.0" in doubt for doubt in found["doubts"]] == [True]
    assert err == f"note: {found['doubts'][0]}\n"
    _, more, _ = run(table(), settings="[engine]\nnegative_rate = 1.0\n")
    assert more["doubts"] == []
    assert more["mean"]["average_precision"] > 0.9


@pytest.mark.parametrize("order", ["reversed", "shuffled"])
def test_rows_out_of_order_are_told_whether_they_are_refused_or_taken(run: Run, order: str) -> None:
    rows = table()
    rows = rows[::-1] if order == "reversed" else random.Random(2).sample(rows, len(rows))
    code, _, err = run(rows)
    assert code == 2
    assert "t.csv:" in err
    assert "earlier than a row before it; sort the file" in err
    _, found, err = run(rows, MAPPING.replace('column = "at"', 'column = "at"\norder = "any"'))
    assert found["transactions"] == ROWS
    assert "Sort the data by time" in err


def test_single_rows_that_are_wrong_are_counted_and_the_first_is_named(run: Run) -> None:
    rows = changed(
        table(), amount=lambda at, row: "NaN" if at % 60 == 7 else row["amount"],
        fraud=lambda at, row: "perhaps" if at % 60 == 9 else row["fraud"],
        no=lambda at, row: row["no"] - 1 if at % 60 == 11 else row["no"],  # type: ignore[operator]
    )  # fmt: skip
    _, found, err = run(rows)
    wrong = sum(at % 60 in (7, 9, 11) for at in range(ROWS))
    assert (found["transactions"], found["not_scored"]) == (ROWS - wrong, wrong)
    assert f"{wrong} entries were refused" in err
    assert "t.csv:9: " in err
    assert found["mean"]["roc_auc"] > 0.6


def test_without_frauds_where_it_is_measured_nothing_is_made_up(run: Run) -> None:
    rows = changed(table(), fraud=lambda at, row: row["fraud"] if at < ROWS // 2 else 0)
    _, found, _ = run(rows)
    assert (found["mean"]["roc_auc"], found["mean"]["average_precision"]) == (None, None)
    assert found["detail"]["stated_over_observed"] is None
    assert run(changed(rows, fraud=lambda *_: 0))[0] == 2
    _, found, _ = run(changed(rows, fraud=lambda *_: 1))
    assert (found["mean"]["roc_auc"], found["mean"]["average_precision"]) == (None, 1.0)


def test_payments_without_a_card_are_cards_of_their_own(run: Run) -> None:
    _, found, _ = run(changed(table(), card=lambda at, row: "" if at % 3 else row["card"]))
    assert found["mean"]["card_precision_100"] > 0.0
    without = MAPPING.replace('card = { column = "card", prefix = "C-" }\n', "")
    assert run(table(), without)[1]["mean"]["card_precision_100"] is None
