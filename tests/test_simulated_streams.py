"""Simulated streams on disk, at the door, and made hostile."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from pathlib import Path

import msgspec
import pytest

from alerts.custody.data_keys import MemoryDataKeys
from alerts.custody.keyring import KeyRing
from dataflow.door import Door
from dataflow.simulate import DEFAULT_START, Simulator, Truth
from dataflow.simulation.hostile import JUDGED_LATER, MALFORMED, hostile_lines, hostile_stream
from dataflow.simulation.manifest import read_lines, read_manifest, truth_path, write_stream
from dataflow.simulation.rhythm import DAY_MS
from models.errors import EventError, SettingsError
from models.events import Transaction, decode, encode

# Written and sent


@pytest.mark.parametrize("name", ["stream.jsonl", "stream.jsonl.gz"])
def test_written_streams_match_their_manifest(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    simulator = Simulator(6, customers=300, scenarios=("mule", "structuring"))
    manifest = write_stream(path, simulator, 3)
    assert read_manifest(path) == manifest
    lines = list(read_lines(path))
    assert hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest() == manifest.sha256
    events = [decode(line) for line in lines]
    assert events == list(simulator.events(3))
    assert sum(manifest.events.values()) == len(events)
    truths = [msgspec.json.decode(line, type=Truth) for line in truth_path(path).read_bytes().splitlines()]
    assert {t.id for t in truths} <= {e.id for e in events}
    assert Counter(t.typology for t in truths if t.kind == "transaction") == manifest.frauds
    before = path.read_bytes()
    assert write_stream(path, Simulator(6, customers=300, scenarios=("mule", "structuring")), 3) == manifest
    assert path.read_bytes() == before


def test_a_stream_is_not_written_under_another_ending(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\.jsonl"):
        write_stream(tmp_path / "stream.csv", Simulator(1, customers=10), 1)
    with pytest.raises(SettingsError, match="no manifest"):
        read_manifest(tmp_path / "stream.jsonl")


def test_raw_lines_pass_the_door_and_keep_who_is_who() -> None:
    """All of them are taken, and the door's tokens tell the same cards, payers and addresses apart."""
    simulator = Simulator(9, customers=250)
    clock = iter(range(DEFAULT_START + 90 * DAY_MS, DEFAULT_START + 91 * DAY_MS))
    door = Door(KeyRing.for_tests(), MemoryDataKeys(), clock=lambda: next(clock))
    pairs: dict[str, set[tuple[object, object]]] = defaultdict(set)
    for event, line in zip(simulator.events(4), simulator.raw_lines(4), strict=True):
        taken = door.protect_line(line, "test:1")
        assert isinstance(taken, bytes), taken
        assert b"SYNTH-" not in taken
        protected = decode(taken)
        for name in ("payer", "payee", "card", "ip", "ship_token"):
            pairs[name].add((getattr(event, name, None), getattr(protected, name, None)))
        if isinstance(event, Transaction):
            assert isinstance(protected, Transaction)
            assert (event.bin, event.last4, event.amount) == (
                protected.bin,
                protected.last4,
                protected.amount,
            )
    for name, found in pairs.items():
        assert len({a for a, _ in found}) == len({b for _, b in found}) == len(found), name


# Hostile


@pytest.fixture(scope="module")
def clean() -> list[bytes]:
    return [encode(e) for e in Simulator(3, customers=700).events(4)]


def test_there_are_many_kinds_of_malformed_lines_and_none_is_taken(clean: list[bytes]) -> None:
    assert len(MALFORMED) >= 25
    line = next(line for line in clean if line.startswith(b'{"type":"transaction"'))
    for kind, spoil in MALFORMED.items():
        spoiled = spoil(line)
        assert spoiled != line
        assert b"\n" not in spoiled, kind
        assert spoil(line) == spoiled
        if kind in JUDGED_LATER:
            decode(spoiled)
            continue
        with pytest.raises(EventError) as refused:
            decode(spoiled)
        assert refused.value.detail, kind


def test_hostile_streams_keep_every_clean_line_and_say_what_they_did(clean: list[bytes]) -> None:
    hostile = list(hostile_lines(clean, 5, with_oversize=True))
    assert [h.line for h in hostile] == list(hostile_stream(clean, 5, with_oversize=True))
    assert [h.line for h in hostile] != list(hostile_stream(clean, 6, with_oversize=True))
    originals = [h.line for h in hostile if h.kind in ("clean", "late")]
    assert sorted(originals) == sorted(clean)
    assert originals != clean
    kinds = Counter(h.kind for h in hostile)
    assert set(MALFORMED) | {"clean", "late", "duplicate", "conflicting_duplicate", "oversize"} == set(kinds)
    assert max(len(h.line) for h in hostile) > 1_000_000
    assert max(len(h.line) for h in hostile_lines(clean, 5)) < 100_000


def test_repetitions_follow_what_they_repeat(clean: list[bytes]) -> None:
    seen: dict[str, bytes] = {}
    for kind, line in hostile_lines(clean, 5):
        if kind in MALFORMED:
            continue
        id_ = decode(line).id
        if kind in ("clean", "late"):
            assert id_ not in seen
            seen[id_] = line
        else:
            assert (seen[id_] == line) == (kind == "duplicate")
