"""`tidegate evaluate` as its users meet it, on a small table: protocols, baselines, ablation and report."""

from __future__ import annotations

import csv
import datetime as dt
import json
import random
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dataflow import cli
from dataflow.evaluation.groups import GROUPS
from dataflow.evaluation.protocol import METRICS

DAYS, ROWS = 30, 1500
START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
MAPPING = """
name = "shop"
settle_after = "2d"
[id]
column = "no"
prefix = "T-"
[time]
column = "at"
[amount]
column = "amount"
currency = "USD"
[fields]
card = { column = "card", prefix = "C-" }
merchant = { column = "shop", prefix = "M-" }
channel = { value = "cnp" }
[label]
column = "fraud"
delay = "2d"
"""
# A short table: every good payment is learnt, and models come out as soon as they can be calibrated.
SETTINGS = "[engine]\nnegative_rate = 1.0\npublish_every = 400\n[costs.matrix]\nreview = 2.5\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    """A folder with 30 days of payments in which large amounts are often fraud, its mapping and settings."""
    folder = tmp_path_factory.mktemp("shop")
    draw = random.Random(4)
    with (folder / "t.csv").open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["no", "at", "amount", "card", "shop", "fraud"])
        for row in range(ROWS):
            fraud = draw.random() < 0.06
            at = START + dt.timedelta(days=DAYS * row / ROWS)
            amount = draw.uniform(50, 900) if fraud else draw.uniform(5, 80)
            card, merchant = draw.randrange(150), draw.randrange(8)
            out.writerow([row, at.strftime("%Y-%m-%dT%H:%M:%S"), f"{amount:.2f}", card, merchant, int(fraud)])
    (folder / "map.toml").write_text(MAPPING)
    (folder / "tidegate.toml").write_text(SETTINGS)
    return folder


@pytest.fixture
def evaluate(shop, monkeypatch, capsys) -> Callable[..., dict]:
    """Runs the command in the shop's folder; returns its JSON."""
    monkeypatch.chdir(shop)

    def run(*words: object) -> dict:
        given = [
            "evaluate",
            "--data",
            "t.csv",
            "--mapping",
            "map.toml",
            "--json",
            "--rounds",
            "20",
            *map(str, words),
        ]
        code = cli.main(given)
        out, err = capsys.readouterr()
        assert code == 0, err
        assert out.count("\n") == 1, "the JSON is all of stdout"
        return json.loads(out)

    return run


@pytest.fixture
def refusal(shop, monkeypatch, capsys) -> Callable[..., str]:
    """Runs the command, which must end with one line and exit code 2 before anything is scored."""
    monkeypatch.chdir(shop)
    monkeypatch.setattr(
        "dataflow.scored.scored_stream", lambda *_: pytest.fail("scored before it was refused")
    )

    def run(*words: object) -> str:
        assert cli.main(["evaluate", "--data", "t.csv", "--mapping", "map.toml", *map(str, words)]) == 2
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        return err

    return run


def test_weekly_folds_with_both_baselines_an_ablation_and_a_report(evaluate, shop):
    words = ["--protocol", "handbook", "--start", "2026-03-02", "--folds", 2]
    found = evaluate(
        *words, "--baseline", "book-logistic", "--baseline", "xgboost", "--ablation", "--report", "page"
    )
    assert len(found["folds"]) == 2
    assert found["transactions"] == ROWS
    assert [row["name"] for row in found["baselines"]] == [
        "the book's logistic regression",
        "XGBoost offline",
    ]
    assert found["baseline"] == found["baselines"][0]["mean"]
    for row in found["baselines"]:
        assert len(row["folds"]) == 2
        for name in METRICS:
            assert row["ratio"][name] == pytest.approx(found["mean"][name] / row["mean"][name])
            low, high = row["intervals"][name]
            assert 0 <= low <= high <= 1
        assert row["mean"]["roc_auc"] > 0.8, row["name"]
        assert len(row["detail"]["budgets"]) == len(found["detail"]["budgets"])
    table = found["ablation"]
    assert [row["group"] for row in table["groups"]] == [group.name for group in GROUPS]
    by_group = {row["group"]: row for row in table["groups"]}
    assert by_group["geography"]["in_data"] == 0
    assert by_group["geography"]["mean"] == table["mean"]
    assert by_group["amount"]["change"]["average_precision"] == min(
        row["change"]["average_precision"] for row in table["groups"]
    )
    page = (shop / "page" / "evaluation.md").read_text("utf-8")
    for row in found["baselines"]:
        assert f"| mean | {row['name']} | {row['mean']['roc_auc']:.4f} [" in page
        assert f"| ratio | tidegate / {row['name']} | {row['ratio']['roc_auc']:.4f} [" in page
    assert f"| amount | {by_group['amount']['features']} |" in page
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in page.splitlines() if line.startswith("| 1 ")}
    assert len(widths) == 1
    charts = (shop / "page" / "evaluation.html").read_text("utf-8")
    assert charts.count("Plotly.newPlot(") == 5
    assert not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=", charts), "the page needs no network"


def test_holdout_is_deterministic_and_its_details_add_up(evaluate, shop):
    found = evaluate()
    again = evaluate("--protocol", "holdout", "--learn-share", 0.8)
    for result in (found, again):
        for name in ("seconds", "peak_mb", "microseconds_per_transaction"):
            assert result.pop(name) > 0
    assert found == again
    assert (found["protocol"], found["baseline"], found["baselines"]) == ("holdout", {}, [])
    detail = found["detail"]
    assert detail["rows"] == ROWS // 5
    assert sum(row["payments"] for row in detail["reliability"]) == ROWS // 5
    assert detail["cost"]["matrix"]["review"] == 2.5, "the costs are the settings'"
    assert detail["cost"]["best"]["cost_usd"] <= detail["cost"]["by_amount"]["cost_usd"] * 1.5
    for name, (low, high) in detail["intervals"].items():
        assert low <= found["mean"][name] <= high
    with (shop / "t.csv").open() as file:
        frauds = [int(row["fraud"]) for row in csv.DictReader(file)]
    assert found["frauds"] == sum(frauds)
    assert detail["frauds"] == sum(frauds[-ROWS // 5 :])


def test_our_own_ablation_runs_the_stream_without_the_features(evaluate, monkeypatch):
    from dataflow.evaluation import groups
    from models.features import INDEX

    amounts = [
        column for name, column in INDEX.items() if "amount" in name or "usd" in name or "unusual" in name
    ]
    monkeypatch.setattr(
        groups, "columns_by_group", lambda *_: {"amounts": amounts, "device": [INDEX["device_is_new"]]}
    )
    found = evaluate("--ablation", "--ablation-model", "ours")
    table = found["ablation"]
    assert (table["model"], table["mean"]) == ("ours", found["mean"])
    without, device = table["groups"]
    assert without["change"]["average_precision"] < -0.2, "only amounts tell frauds here"
    assert device["in_data"] == 0
    assert device["mean"] == found["mean"]


def test_blind_columns_never_reach_a_model(shop):
    from dataflow.assemble import engine_of
    from dataflow.scored import scored_stream
    from dataflow.settings import load_settings
    from dataflow.sources.files import FileSource
    from dataflow.sources.mapping import load_mapping
    from models.features import INDEX

    mapping = load_mapping(shop / "map.toml")
    engine = engine_of(load_settings(shop / "tidegate.toml"), learn_inline=True, mapping=mapping)
    engine.blind = [INDEX["amount_usd"], INDEX["card_count_1d"]]
    seen: list[np.ndarray] = []
    engine.watch = seen.append
    learnt: list[np.ndarray] = []
    learn = engine.learner.learn
    engine.learner.learn = lambda x, *rest, **more: (learnt.append(x), learn(x, *rest, **more))
    scored_stream(FileSource(shop / "t.csv", mapping, limit=600), engine)
    for vectors in (np.concatenate(seen), np.stack(learnt)):
        assert np.isnan(vectors[:, engine.blind]).all()
        assert np.isfinite(vectors[:, INDEX["log_amount"]]).all()


def test_people_get_tables(shop, monkeypatch, capsys):
    monkeypatch.chdir(shop)
    monkeypatch.setenv("COLUMNS", "200")
    words = [
        "evaluate",
        "--data",
        "t.csv",
        "--mapping",
        "map.toml",
        "--baseline",
        "book-logistic",
        "--rounds",
        "10",
    ]
    assert cli.main(words) == 0
    out = capsys.readouterr().out
    for title in ("Ranking", "What an alert budget catches", "Cost", "Is the risk a probability?"):
        assert title in out
    assert "tidegate / the book's logistic regression" in out


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--folds", "2"], "--folds"),
        (["--start", "2026-03-02"], "--start"),
        (["--learn-share", "1"], "--learn-share is 1.0"),
        (["--protocol", "handbook", "--learn-share", ".5"], "--learn-share"),
        (["--protocol", "handbook", "--start", "3/2/26"], "'3/2/26'"),
        (["--protocol", "handbook", "--folds", "0"], "--folds is 0"),
        (["--protocol", "handbook", "--folds", "2", "--baseline", "published"], "published"),
        (["--baseline", "published"], "published"),
        (["--rounds", "0"], "--rounds"),
        (["--report", "t.csv"], "t.csv"),
    ],
)
def test_what_does_not_go_together_is_refused_before_scoring(refusal, words, what):
    assert what in refusal(*words)


@pytest.mark.parametrize(("package", "option"), [("sklearn", "book-logistic"), ("xgboost", "xgboost")])
def test_a_missing_package_is_told_before_scoring(refusal, monkeypatch, package, option):
    monkeypatch.setitem(sys.modules, package, None)
    assert f"needs the package {package}" in refusal("--baseline", option)
