"""`tidegate backtest` as its users meet it: what it prints, writes and refuses."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from alerts.custody.keyring import KeyRing, keyring_path
from alerts.custody.private_files import make_private_directory
from dataflow import cli
from dataflow.simulate import Simulator
from dataflow.simulation.manifest import truth_path, write_stream
from models.engine_settings import EngineSettings
from models.errors import SettingsError
from models.risk import Thresholds
from models.rules.pack import default_pack
from models.serving import Snapshot
from tests.streams import record

STREAM = record.path_of("commerce")
CONFIG = record.SETTINGS
Backtest = Callable[..., tuple[int, str, str]]


@pytest.fixture
def backtest(capsys: pytest.CaptureFixture[str]) -> Backtest:
    """Runs the command; exit code, stdout, stderr."""

    def run(*words: object, config: Path = CONFIG) -> tuple[int, str, str]:
        code = cli.main(["backtest", *map(str, words), "--config", str(config)])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    path = tmp_path / "new.toml"
    path.write_text(record.SWAPPED_PACK, encoding="utf-8")
    return path


def test_json_is_the_last_line_and_the_pages_say_the_same(
    backtest: Backtest, pack: Path, tmp_path: Path
) -> None:
    code, out, err = backtest(STREAM, "--rules", pack, "--json", "--report", tmp_path / "r", "--top", 2)
    assert (code, out.count("\n")) == (0, 1)
    result = json.loads(out)
    assert result["proposed"]["rules"]["differs"]
    assert not result["proposed"]["thresholds"]["differs"]
    assert result["learning"]
    assert {row["id"]: row["state"] for row in result["rules"]}["S002"] == "new"
    assert all(len(changes) <= 2 for changes in result["largest"].values())
    page = (tmp_path / "r" / "backtest.md").read_text("utf-8")
    html = (tmp_path / "r" / "backtest.html").read_text("utf-8")
    assert "wrote" in err
    for text in (page, html):
        assert f"{result['payments']:,} payments" in text
        assert f"{result['changed']['payments']:,} payments change" in text
        assert "Large cross-border payment" in text
    assert html.count("Plotly.newPlot") == 2
    assert "https://cdn" not in html.split("</script>")[-1]


def test_people_get_tables_that_fit_a_terminal(backtest: Backtest) -> None:
    code, out, _ = backtest(STREAM, "--thresholds", "medium=0.001")
    assert code == 0
    words, *drawn = out.splitlines()
    assert "Proposed: other thresholds." in words
    assert "APPROVE" in out
    assert max(map(len, drawn)) <= 80


def test_each_rule_of_the_pack_as_it_is(backtest: Backtest) -> None:
    code, out, _ = backtest(STREAM, "--per-rule")
    assert code == 0
    header, marks, *rows = out.splitlines()
    assert header.startswith("| rule | title | action | typology | hits | frauds | good | precision |")
    assert "state" not in header
    assert len({row.split("|")[1].strip() for row in rows}) == len(default_pack().rules) == len(rows)
    assert {line.count(" | ") for line in (header, marks)} == {row.count(" | ") for row in rows}


def test_the_simulators_truth_can_stand_for_the_labels(backtest: Backtest, tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    manifest = write_stream(path, Simulator(3, customers=60, scenarios=("card_testing",)), 2)
    assert sum(manifest.frauds.values()) > 0
    _, out, _ = backtest(path, "--truth", "--json", "--per-rule")
    outcomes = json.loads(out)["outcomes"]
    assert (outcomes["source"], outcomes["open"]) == ("truth", 0)
    assert outcomes["frauds"] == sum(manifest.frauds.values())
    assert all(
        row["typology_recall"] is None or 0 <= row["typology_recall"] <= 1 for row in json.loads(out)["rules"]
    )
    truth_path(path).write_text("{}\n")
    code, _, err = backtest(path, "--truth")
    assert code == 2
    assert "s.jsonl.truth:1:" in err


def test_a_limit_and_a_table_through_a_mapping(backtest: Backtest, tmp_path: Path) -> None:
    table, mapping = tmp_path / "t.csv", tmp_path / "map.toml"
    with table.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["no", "at", "amount", "fraud"])
        out.writerows([n, f"2026-03-{1 + n // 10:02d}T00:00:00", 900, int(n % 4 == 0)] for n in range(200))
    mapping.write_text(
        'name = "shop"\nsettle_after = "2d"\n[id]\ncolumn = "no"\n[time]\ncolumn = "at"\n[amount]\n'
        'column = "amount"\ncurrency = "USD"\n[fields]\nchannel = { value = "cnp" }\n[label]\ncolumn = "fraud"\n'
        'delay = "1d"\n'
    )
    rules = tmp_path / "large.toml"
    rules.write_text(
        record.SWAPPED_PACK.replace("cross_border and ", "").replace("cross_border = false", "risk = 2")
    )
    rules.write_text(rules.read_text().replace("risk = 2, amount_usd = 500", "amount_usd = 5"))
    code, text, _ = backtest(table, "--mapping", mapping, "--rules", rules, "--limit", 120, "--json")
    assert code == 0
    result = json.loads(text)
    row = next(row for row in result["rules"] if row["id"] == "S002")
    assert (result["payments"], row["hits"]) == (120, 120)
    assert row["precision"] == pytest.approx(0.25, abs=0.03)


def refused(answer: tuple[int, str, str], *words: str) -> None:
    code, out, err = answer
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    for word in words:
        assert word in err


def test_what_cannot_be_read_is_refused_with_its_place(
    backtest: Backtest, pack: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(record.SWAPPED_PACK.replace("amount_usd > 400", "amount_usd >> 400"))
    refused(backtest(STREAM, "--rules", bad), "bad.toml:20:55: expected a column")
    bad.write_text(record.SWAPPED_PACK.replace("amount_usd", "amont_usd"))
    refused(backtest(STREAM, "--rules", bad), "bad.toml:", "amont_usd", "amount_usd")
    refused(backtest(STREAM, "--rules", tmp_path / "none.toml"), "none.toml", "No such file")
    refused(backtest(tmp_path / "none.jsonl", "--rules", pack), "none.jsonl", "No such file")
    refused(backtest(STREAM, "--truth"), f"{STREAM.name}.truth", "--truth is for streams")
    refused(backtest(STREAM, "--limit", 0), "--limit is 0")
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"type":"transaction"}\nnothing\n')
    refused(backtest(lines), "no payment to decide", "lines.jsonl:1", "amount")
    torn = tmp_path / "torn.jsonl.gz"
    torn.write_bytes(STREAM.read_bytes()[:500])
    refused(backtest(torn), "torn.jsonl.gz", "not a whole gzip file")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("medum=0.1", "did you mean 'medium'"),
        ("medium=much", "medium is 'much'"),
        ("medium", "medium: cannot be read"),
        ("medium=0.5,high=0.4", "thresholds must rise"),
        ("high_action=block", "Invalid enum value 'BLOCK'"),
    ],
)
def test_band_edges_that_cannot_be_are_refused(backtest: Backtest, given: str, words: str) -> None:
    refused(backtest(STREAM, "--thresholds", given), words)


def test_band_edges_come_in_words_or_in_a_file(tmp_path: Path) -> None:
    from dataflow.backtest.given import thresholds_of

    base, file = Thresholds(), tmp_path / "t.toml"
    wanted = Thresholds(medium=0.02, high_action="DECLINE")
    assert thresholds_of(" medium = 0.02, high_action=decline", base) == wanted
    file.write_text('medium = 0.02\nhigh_action = "DECLINE"\n')
    assert thresholds_of(str(file), base) == wanted
    file.write_text(
        'data_dir = "x"\n[engine]\npublish_every = 5\n[engine.thresholds]\nmedium = 0.02\nhigh_action = "DECLINE"\n'
    )
    assert thresholds_of(str(file), base) == wanted
    for text, words in (
        ("[engine.thresholds]\nmedim = 0.02\n", r"t\.toml:2:1: there is no threshold 'medim'; did you mean"),
        ("medium = 'x'\n", r"t\.toml: Expected `float`"),
        ("medium = = 2\n", r"t\.toml: not valid TOML.*line 1, column"),
        ("", "no band edges"),
    ):
        file.write_text(text)
        with pytest.raises(SettingsError, match=words):
            thresholds_of(str(file), base)


def test_a_model_is_taken_only_if_it_is_whole_fits_and_bears_our_signature(
    backtest: Backtest, tmp_path: Path
) -> None:
    config, model = tmp_path / "tidegate.toml", tmp_path / "model"
    config.write_text(f'data_dir = "{tmp_path / "var"}"\n')
    snapshot = Snapshot.untrained(EngineSettings().features, 0.5)
    model.write_bytes(snapshot.data)
    code, out, _ = backtest(STREAM, "--model", model, "--json", config=config)
    assert code == 0
    assert json.loads(out)["proposed"]["model"]["after"] == [snapshot.version]
    assert json.loads(out)["alerts"]["after"]["payments"] == json.loads(out)["payments"]
    model.write_bytes(snapshot.data[:-1])
    refused(backtest(STREAM, "--model", model, config=config), str(model), "torn")
    model.write_bytes(Snapshot.untrained(("amount_usd",)).data)
    refused(backtest(STREAM, "--model", model, config=config), "learnt with 1 features")
    model.write_bytes(KeyRing.generate(1).signer("model").sign(snapshot.data) + snapshot.data)
    refused(backtest(STREAM, "--model", model, config=config), "not there to check it with")
    make_private_directory(tmp_path / "var")
    ring = KeyRing.load_or_create(keyring_path(tmp_path / "var"), 1)
    refused(backtest(STREAM, "--model", model, config=config), "not signed with the key")
    model.write_bytes(ring.signer("model").sign(snapshot.data) + snapshot.data)
    assert backtest(STREAM, "--model", model, "--limit", 5, config=config)[0] == 0


def test_ctrl_c_ends_it_with_130_and_writes_nothing(tmp_path: Path) -> None:
    """A pipe nobody writes to keeps it waiting in the middle of its work."""
    pipe = tmp_path / "s.jsonl"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "dataflow.cli", "backtest", str(pipe), "--report", str(tmp_path / "r")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    with pipe.open("wb") as sending:  # returns once it reads
        sending.write(b'{"type":"transaction"}\n')
        sending.flush()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"interrupted\n")
    assert not list(tmp_path.glob("r/*"))
