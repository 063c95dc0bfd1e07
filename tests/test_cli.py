"""The command line as its users meet it: one process a command."""

from __future__ import annotations

import csv
import importlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from alerts.redis_store import RedisStore
from dataflow import cli
from dataflow.embedded import embedded
from dataflow.scored import scored_stream
from dataflow.sources.files import RawItem
from models.events import Control, Label, encode

ROOT = Path(__file__).resolve().parent.parent


def tidegate(
    *words: object, cwd: Path, given: bytes = b"", **environ: str
) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("REDIS_", "TIDEGATE_"))}
    done = subprocess.run(
        [sys.executable, "-m", "dataflow.cli", *map(str, words)],
        cwd=cwd, env={**env, "PYTHONPATH": str(ROOT), **environ},
        input=given, capture_output=True, timeout=100, check=False,
    )  # fmt: skip
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def last_json(done: subprocess.CompletedProcess[str], code: int = 0) -> dict:
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def refused(done: subprocess.CompletedProcess[str], code: int = 2) -> str:
    assert done.returncode == code
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1, "one line says it all"
    return done.stderr


@pytest.fixture(scope="module")
def stream(tmp_path_factory) -> Path:
    """A small recorded stream with two lines that are no events."""
    folder = tmp_path_factory.mktemp("stream")
    made = tidegate(
        "simulate", "--seed", 5, "--days", 1.5, "--customers", 200, "--out", "s.jsonl", "--json", cwd=folder
    )
    manifest = last_json(made)
    path = folder / "s.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == sum(manifest["events"].values())
    path.write_bytes(
        b"".join([*lines[:50], b"{not json\n", *lines[50:], b'{"type":"transaction","id":"x"}\n'])
    )
    return path


# help


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_and_option_has_help(name):
    module = importlib.import_module(f"dataflow.commands.{name}")
    assert name == module.NAME
    parsers = [cli.parser_of([name])]
    seen = 0
    while parsers:
        parser = parsers.pop()
        for action in parser._actions:
            if isinstance(action.choices, dict):
                parsers += action.choices.values()
            else:
                assert action.help, f"{parser.prog}: {action.dest} has no help"
                seen += 1
    assert seen > 2


def test_help_lists_the_commands_and_is_quick_about_it(tmp_path):
    shown = tidegate("--help", cwd=tmp_path)
    assert shown.returncode == 0
    assert all(
        f"\n    {name} " in shown.stdout for name in ("simulate", "ingest", "replay", "evaluate", "status")
    )
    assert tidegate("--version", cwd=tmp_path).stdout.startswith("tidegate ")


def test_a_replay_loads_neither_console_nor_bytewax(stream):
    code = (
        "import sys; from dataflow.cli import main; main(['replay', 's.jsonl', '--limit', '5', '--json']);"
        "print([m for m in ('streamlit', 'bytewax', 'plotly', 'redis') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=stream.parent, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stderr.strip() == "[]"


# replay


def test_replay_twice_gives_one_digest_and_the_counts_add_up(stream):
    first = last_json(tidegate("replay", "s.jsonl", "--json", "--out", "d.jsonl", cwd=stream.parent))
    again = last_json(
        tidegate(
            "replay",
            "s.jsonl",
            "--json",
            "--batch",
            7,
            "--out",
            "f.jsonl",
            "--with-features",
            cwd=stream.parent,
        )
    )
    assert first["digest"] == again["digest"]
    assert first["undecodable"] == 2
    assert first["balanced"]
    assert first["events_in"] == first["transactions"] + first["behaviours"] + first["labels"] + 2
    assert first["transactions"] == first["decided"] + first["dead_lettered"] + first["duplicates"]
    assert {"alerts", "seconds", "transactions_per_second", "peak_mb"} <= first.keys()

    ids = [
        event["id"]
        for event in map(json.loads, (line for line in stream.read_bytes().splitlines() if b"not json" not in line))
        if event["type"] == "transaction" and event["id"] != "x"
    ]  # fmt: skip
    lines = [json.loads(line) for line in (stream.parent / "d.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == ids
    assert all(line.keys() == {"id", "risk", "band", "action", "rules"} for line in lines)
    with_features = [json.loads(line) for line in (stream.parent / "f.jsonl").read_text().splitlines()]
    assert all(len(line.pop("features")) >= 45 for line in with_features)
    assert with_features == lines


def test_limit_counts_transactions_not_events(stream):
    summary = last_json(tidegate("replay", "s.jsonl", "--limit", 60, "--json", cwd=stream.parent))
    assert summary["transactions"] == 60
    assert summary["events_in"] > 60


def test_without_json_a_person_reads_a_table(stream):
    done = tidegate("replay", "s.jsonl", "--limit", 20, cwd=stream.parent)
    assert done.returncode == 0
    assert "digest" in done.stdout
    assert "{" not in done.stdout


def test_a_packed_stream_replays_as_the_plain_one(stream, tmp_path):
    import gzip

    (tmp_path / "s.jsonl.gz").write_bytes(gzip.compress(stream.read_bytes()))
    plain = last_json(tidegate("replay", "s.jsonl", "--json", cwd=stream.parent))
    packed = last_json(tidegate("replay", "s.jsonl.gz", "--json", cwd=tmp_path))
    assert packed["digest"] == plain["digest"]
    (tmp_path / "torn.jsonl.gz").write_bytes(gzip.compress(stream.read_bytes())[:2000])
    assert "not a whole gzip file" in refused(tidegate("replay", "torn.jsonl.gz", "--json", cwd=tmp_path))


def test_a_stream_with_models_of_its_own_is_replayed_without_learning(stream, tmp_path):
    control = Control(
        id="c", event_time=1, received_at=1, kind="model", version="0123456789abcdef", actor="learner"
    )
    (tmp_path / "m.jsonl").write_bytes(stream.read_bytes() + encode(control) + b"\n")
    done = tidegate("replay", "m.jsonl", "--json", cwd=tmp_path)
    summary = last_json(done)
    assert summary["learning"] is False
    assert summary["controls"] == 1
    assert "learning is off" in done.stderr


def test_errors_are_one_line_with_a_remedy(stream, tmp_path):
    here = stream.parent
    assert "handbook" in refused(tidegate("replay", "x.csv", "--mapping", "nowhere", cwd=here))
    assert "--mapping" in refused(tidegate("replay", "x.csv", cwd=here))
    assert "check the path" in refused(tidegate("replay", "missing.jsonl", cwd=here))
    assert "--out" in refused(tidegate("replay", "s.jsonl", "--with-features", cwd=here))
    assert "--limit" in refused(tidegate("replay", "s.jsonl", "--limit", 0, cwd=here))
    assert "check the path" in refused(tidegate("replay", "s.jsonl", "--out", "no/such/folder/d", cwd=here))
    (tmp_path / "bad.toml").write_text("[flow]\nbatches = 3\n")
    assert "batches" in refused(tidegate("replay", "s.jsonl", "--config", tmp_path / "bad.toml", cwd=here))
    assert "no such file" in refused(tidegate("replay", "s.jsonl", "--config", "none.toml", cwd=here))


def test_interrupt_and_a_reader_that_leaves(stream):
    endless = [sys.executable, "-m", "dataflow.cli", "bench", "--seconds", "90"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        endless, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=stream.parent,
        # A shell that runs the tests in the background has SIGINT ignored, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as busy:  # fmt: skip
        time.sleep(1.5)
        # One that falls into a callback of a library is lost; people press again.
        for _ in range(60):
            busy.send_signal(signal.SIGINT)
            try:
                busy.wait(1)
                break
            except subprocess.TimeoutExpired:
                continue
        _, said = busy.communicate(timeout=60)
    assert busy.returncode == 130
    assert b"Traceback" not in said

    listing = [sys.executable, "-m", "dataflow.cli", "rules", "list"]
    with subprocess.Popen(
        listing, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=stream.parent
    ) as left:
        left.stdout.close()
        said = left.stderr.read()
        left.wait(60)
    assert left.returncode == 141, said
    assert said == b""


# simulate


def test_simulate_repeats_itself(tmp_path):
    words = (
        "simulate",
        "--seed",
        9,
        "--days",
        0.4,
        "--customers",
        80,
        "--scenario",
        "card_testing",
        "--json",
    )
    one = last_json(tidegate(*words, "--out", "a.jsonl", cwd=tmp_path, PYTHONHASHSEED="1"))
    two = last_json(tidegate(*words, "--out", "b.jsonl.gz", cwd=tmp_path, PYTHONHASHSEED="2"))
    assert one == two
    assert one["scenarios"] == ["card_testing"]
    message = refused(
        tidegate(
            "simulate", "--seed", 1, "--days", 1, "--scenario", "nonsense", "--out", "c.jsonl", cwd=tmp_path
        )
    )
    assert "card_testing" in message
    assert "--days" in refused(
        tidegate("simulate", "--seed", 1, "--days", 0, "--out", "c.jsonl", cwd=tmp_path)
    )
    assert ".jsonl" in refused(tidegate("simulate", "--seed", 1, "--days", 1, "--out", "c.txt", cwd=tmp_path))


# ingest and status


def test_ingest_protects_and_status_reads(tmp_path):
    made = last_json(
        tidegate(
            "simulate",
            "--seed",
            2,
            "--days",
            0.3,
            "--customers",
            100,
            "--raw",
            "--out",
            "raw.jsonl",
            "--json",
            cwd=tmp_path,
        )
    )
    raw = (tmp_path / "raw.jsonl").read_bytes()
    assert b"SYNTH-PERSON" in raw
    assert "tidegate up" in refused(tidegate("ingest", "raw.jsonl", cwd=tmp_path))
    assert "REDIS_URL" in refused(tidegate("status", "--json", cwd=tmp_path), code=3)
    (tmp_path / "var").mkdir(mode=0o700)
    with embedded(tmp_path / "var" / "store") as url:
        # The running embedded store of the data directory is found without being named.
        sent = last_json(tidegate("ingest", "raw.jsonl", "--json", cwd=tmp_path))
        bad = b'{"type":"transaction","id":"CANARY-9","amount":"CANARY-MARY"}\n' + b"x" * 100_000 + b"\n"
        door = tidegate("ingest", "--json", cwd=tmp_path, given=bad, REDIS_URL=url)
        piped = last_json(door, code=1)
        state = last_json(tidegate("status", "--json", cwd=tmp_path))
        store = RedisStore(url)
        with store._link.speaking() as client:
            lines = [fields[b"e"] for _, fields in client.xrange("tg:in")]
            dead = [json.loads(fields[b"d"]) for _, fields in client.xrange("tg:dead:door")]
    assert sent["lines"] == sent["protected"] == made["lines"] == len(lines)
    assert sent["on_disk"] is True
    assert (piped["lines"], piped["protected"], piped["dead_lettered"]) == (2, 0, 2)
    assert [line.split(": ")[:2] for line in door.stderr.splitlines()] == [
        ["stdin:1", "malformed"], ["stdin:2", "oversize"],
    ]  # fmt: skip
    assert "MARY" not in door.stderr
    assert piped["by_reason"] == {"malformed": 1, "oversize": 1}
    assert [letter["place"] for letter in dead] == ["stdin:1", "stdin:2"]
    assert b"SYNTH-" not in b"".join(lines)
    assert "MARY" not in json.dumps(dead)
    assert state["waiting"] == len(lines)
    assert state["dead_lettered_at_the_door"] == 2
    assert state["balanced"] is True
    assert (tmp_path / "var" / "keyring.json").stat().st_mode & 0o777 == 0o600


def test_ingest_of_a_mapped_table_hides_what_bad_cells_held(tmp_path):
    table(tmp_path, rows=40)
    with (tmp_path / "t.csv").open("a") as out:
        out.write("900,2026-01-09T00:00:00,CANARY MARY,c1,0\n")
    with embedded(tmp_path / "store") as url:
        sent = last_json(
            tidegate(
                "ingest",
                "t.csv",
                "--mapping",
                "map.toml",
                "--json",
                "--rate",
                2000,
                cwd=tmp_path,
                REDIS_URL=url,
            ),
            code=1,
        )
        with RedisStore(url)._link.speaking() as client:
            (letter,) = [json.loads(fields[b"d"]) for _, fields in client.xrange("tg:dead:door")]
    assert sent["dead_lettered"] == 1
    assert sent["protected"] == sent["lines"] - 1 >= 40
    assert "column amount" in letter["detail"]
    assert "MARY" not in json.dumps(letter)


# evaluate


def table(folder: Path, rows: int) -> None:
    """A CSV in which large amounts are often fraud, and its mapping."""
    draw = random.Random(4)
    with (folder / "t.csv").open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["no", "at", "amount", "card", "fraud"])
        for row in range(rows):
            fraud = draw.random() < 0.1
            at = f"2026-01-{1 + row * 8 // rows:02d}T{row * 8 * 24 // rows % 24:02d}:00:00"
            amount = draw.uniform(400, 900) if fraud else draw.uniform(5, 60)
            out.writerow([row, at, f"{amount:.2f}", f"c{draw.randrange(30)}", int(fraud)])
    (folder / "map.toml").write_text(
        'name = "t"\nsettle_after = "1d"\n[id]\ncolumn = "no"\nprefix = "T-"\n[time]\ncolumn = "at"\n'
        '[amount]\ncolumn = "amount"\ncurrency = "USD"\n[fields]\ncard = { column = "card", prefix = "T-" }\n'
        'channel = { value = "cnp" }\n[label]\ncolumn = "fraud"\ndelay = "1d"\n'
    )


@pytest.mark.long
def test_evaluate_holdout_learns_what_is_plain_to_see(tmp_path):
    table(tmp_path, rows=3000)
    # A short table: every good payment is learnt, and models come out as soon as they can be calibrated.
    (tmp_path / "tidegate.toml").write_text("[engine]\nnegative_rate = 1.0\npublish_every = 500\n")
    words = ("evaluate", "--data", "t.csv", "--mapping", "map.toml", "--protocol")
    found = last_json(tidegate(*words, "holdout", "--json", cwd=tmp_path))
    assert {"folds", "mean", "std", "baseline", "ratio", "microseconds_per_transaction"} <= found.keys()
    assert len(found["folds"]) == 1
    assert found["transactions"] == 3000
    assert found["mean"]["roc_auc"] > 0.9
    assert found["baseline"] == {}
    assert found["detail"]["rows"] == 600
    assert sum(row["payments"] for row in found["detail"]["reliability"]) == 600
    assert found["detail"]["cost"]["best"]["cost_usd"] < found["detail"]["cost"]["nothing_alerted"]
    low, high = found["detail"]["intervals"]["average_precision"]
    assert low <= found["mean"]["average_precision"] <= high
    beside = last_json(
        tidegate(*words, "holdout", "--baseline", "xgboost", "--report", "page", "--json", cwd=tmp_path)
    )
    assert beside["mean"] == found["mean"], "the baseline may not change what is measured"
    assert beside["baseline"]["average_precision"] > 0.8
    assert beside["ratio"]["roc_auc"] == pytest.approx(
        found["mean"]["roc_auc"] / beside["baseline"]["roc_auc"]
    )
    assert "| ratio |" in (tmp_path / "page" / "evaluation.md").read_text()
    assert "plotly" in (tmp_path / "page" / "evaluation.html").read_text()
    with (tmp_path / "t.csv").open() as file:
        assert found["frauds"] == sum(row["fraud"] == "1" for row in csv.DictReader(file))
    assert "fold 0" in refused(tidegate(*words, "handbook", "--json", cwd=tmp_path))


def test_truth_is_the_last_label_and_cardless_payments_are_not_one_card():
    from dataflow.assemble import engine_of
    from dataflow.settings import Settings
    from dataflow.simulate import Simulator
    from models.events import Transaction

    payments = [e for e in Simulator(3, customers=40).events(1) if isinstance(e, Transaction)][:6]
    now = payments[-1].received_at

    def label(number: int, payment: Transaction, fraud: bool) -> Label:
        return Label(
            id=f"l{number}",
            event_time=now,
            received_at=now,
            transaction_id=payment.id,
            fraud=fraud,
            source="analyst",
        )

    given = [
        *payments,
        label(1, payments[0], True),
        label(2, payments[1], True),
        label(3, payments[0], False),
    ]
    items = [RawItem(f"t:{n}", encode(event), None, None) for n, event in enumerate(given)]
    data, _ = scored_stream([items], engine_of(Settings(), learn_inline=True))
    assert data.fraud.tolist() == [False, True, False, False, False, False]
    if data.card is not None:
        cards = [payment.card for payment in payments]
        assert len(set(data.card.tolist())) == len(set(cards) - {None}) + cards.count(None)


# rules and soak


def test_soak_tells_what_memory_does(tmp_path):
    result = last_json(tidegate("soak", "--json", "--events", 3000, cwd=tmp_path))
    assert result["events"] == 3000
    assert [point["events"] for point in result["points"]] == sorted(
        point["events"] for point in result["points"]
    )
    assert result["points"][-1]["entities"] > result["points"][0]["entities"] > 0
    assert result["growth"].keys() == {"resident_mb", "learner_mb"}
    assert "--events" in refused(tidegate("soak", "--events", 5, cwd=tmp_path))


def test_rules_check_tells_good_from_bad(tmp_path):
    core = (ROOT / "models" / "rules" / "packs" / "core.toml").read_text()
    (tmp_path / "good.toml").write_text(core)
    (tmp_path / "bad.toml").write_text(core.replace("velocity(", "velocty(", 1))
    assert tidegate("rules", "check", "good.toml", cwd=tmp_path).returncode == 0
    both = tidegate("rules", "check", "good.toml", "bad.toml", cwd=tmp_path)
    assert both.returncode == 1
    assert both.stderr.startswith("bad.toml:")
    assert both.stdout.startswith("ok good.toml")
    told = last_json(tidegate("rules", "check", "bad.toml", "--json", cwd=tmp_path), code=1)
    assert told["ok"] is False
    listed = last_json(tidegate("rules", "list", "--json", cwd=tmp_path))
    assert len(listed["rules"]) >= 20
