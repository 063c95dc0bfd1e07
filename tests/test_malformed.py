"""Bad input of every kind ends in the dead letters with a reason and a place, and the events around it go on."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from dataflow.replay import replay
from dataflow.simulate import Simulator
from dataflow.simulation.hostile import JUDGED_LATER, MALFORMED
from dataflow.sources.files import FileSource
from models.decision import DeadLetter
from models.engine import Output
from models.events import MAX_LINE_BYTES, Transaction, encode
from tests.streams import record

REASONS = {"long_text": "oversize", "currency_unknown": "unknown_currency", "future": "future_event"}
CONTROL = {"nul_byte", "control_characters", "line_separator", "control_in_attribute"}


@pytest.fixture(scope="module")
def good() -> list[bytes]:
    events = Simulator(5, customers=20, scenarios=("quiet",)).events(1)
    return [encode(event) for event in events if isinstance(event, Transaction)][:3]


def spoilt(kind: str, line: bytes) -> bytes:
    return MALFORMED[kind](msgspec.json.encode({**msgspec.json.decode(line), "id": "spoilt"}))


def replayed(path: Path, lines: list[bytes]) -> tuple[dict[str, int], list[DeadLetter]]:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    dead: list[DeadLetter] = []

    def keep(output: Output) -> None:
        dead.extend(output.dead)

    return replay([path], record.fresh_engine(), on_output=keep), dead


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_bad_line_is_a_dead_letter_and_the_flow_goes_on(
    kind: str, good: list[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "stream.jsonl"
    summary, dead = replayed(path, [good[0], spoilt(kind, good[0]), good[1]])
    assert summary["decided"] == 2
    assert summary["balanced"]
    (letter,) = dead
    assert letter.place == "stream.jsonl:2"
    assert letter.detail
    assert letter.undecodable == (kind not in JUDGED_LATER)
    expected = REASONS.get(kind, "control_characters" if kind in CONTROL else "malformed")
    assert letter.reason in {expected, "malformed"}
    assert summary["undecodable"] + summary["dead_lettered"] == 1


def test_a_line_of_a_megabyte_is_refused_by_its_size(good: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "stream.jsonl"
    long = spoilt("id_empty", good[0])[:-1] + b',"purpose":"' + b"x" * (1 << 20) + b'"}'
    summary, (letter,) = replayed(path, [good[0], long, good[1]])
    assert len(long) > MAX_LINE_BYTES
    assert (letter.reason, letter.place, summary["decided"]) == ("oversize", "stream.jsonl:2", 2)
    assert str(len(long)) in letter.detail


def test_the_same_id_with_other_content_is_a_conflict_and_with_the_same_a_duplicate(
    good: list[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "stream.jsonl"
    other = msgspec.json.encode({**msgspec.json.decode(good[0]), "amount": 1_234_567})
    summary, (letter,) = replayed(path, [good[0], other, good[0], good[1]])
    assert (letter.reason, letter.place) == ("conflicting_duplicate", "stream.jsonl:2")
    assert letter.event_id == msgspec.json.decode(good[0])["id"]
    assert (summary["decided"], summary["duplicates"], summary["dead_lettered"]) == (2, 1, 1)
    assert summary["balanced"]


def test_the_places_of_a_packed_file_are_its_line_numbers() -> None:
    places = [item.place for batch in FileSource(record.path_of("hostile")) for item in batch]
    assert places[:2] == ["hostile.jsonl.gz:1", "hostile.jsonl.gz:2"]
    assert len(set(places)) == len(places) == record.golden()["hostile"]["events_in"]
