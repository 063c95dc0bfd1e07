"""Any single change of an exported audit chain is found and located, with public data only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import redis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from alerts.custody.audit import GENESIS, AuditLink, line_of, linked
from alerts.custody.audit_root import AuditRoot, checked_root, root_line, signed_root
from alerts.custody.audit_verify import verify
from alerts.redis_store import RedisStore
from dataflow.cli import main
from dataflow.embedded import embedded
from models.errors import CustodyError
from tests.test_audit_trail import AT, chain_of, entry

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
LINKS = chain_of([entry(n, f"in_{n % 3}") for n in range(12)])
LINES = [line_of(link) for link in LINKS]
ROOT = signed_root(LINKS[-1], KEY, AT)
places = st.integers(0, len(LINES) - 1)


def located(lines: list[bytes], *roots: AuditRoot) -> set[int]:
    """Links that findings name."""
    return {finding.seq for finding in verify(lines, roots)}


def test_what_nobody_changed_is_intact() -> None:
    assert verify(LINES, [ROOT, signed_root(LINKS[4], KEY, AT)]) == []
    assert verify([]) == []


@given(places, st.data())
def test_any_byte_of_any_line(place: int, data: st.DataObject) -> None:
    line = bytearray(LINES[place])
    at = data.draw(st.integers(0, len(line) - 1))
    line[at] ^= data.draw(st.integers(1, 255))
    changed = [*LINES[:place], bytes(line), *LINES[place + 1 :]]
    assert place + 1 in located(changed)


@given(places, st.sampled_from(["actor", "reason", "at", "after", "action"]))
def test_an_edit_with_its_own_hash_made_right(place: int, field: str) -> None:
    link = LINKS[place]
    other = {"actor": "eve", "reason": "none", "at": 1, "after": None, "action": "undone"}[field]
    forged = linked(link.seq, msgspec.structs.replace(link.entry, **{field: other}), link.previous)
    changed = [*LINES[:place], line_of(forged), *LINES[place + 1 :]]
    assert located(changed, ROOT) == {place + 1}


@given(places)
def test_a_deletion(place: int) -> None:
    assert place + 1 in located([*LINES[:place], *LINES[place + 1 :]], ROOT)


@given(places, st.booleans())
def test_an_insertion(place: int, copied: bool) -> None:
    new = LINES[place] if copied else line_of(linked(place + 1, entry(99), LINKS[place].previous))
    assert place + 1 in located([*LINES[:place], new, *LINES[place:]])


@given(st.sampled_from([0, -1, -7, 13, 10**9, 10**30]), st.integers(0, len(LINES)))
def test_an_insertion_under_a_number_that_no_link_has(seq: int, place: int) -> None:
    """Also where its hash is right, and whatever it costs to write such a number: finding it costs nothing."""
    new = line_of(linked(seq, entry(99), LINKS[place - 1].hash if place else GENESIS))
    findings = verify([*LINES[:place], new, *LINES[place:]], [ROOT])
    # Behind the end the very next number is a link like any other: the chain goes on after its newest root.
    assert bool(findings) != (seq == 13 and place == 12)
    assert len(findings) < 100


@given(places, places)
def test_another_order(one: int, two: int) -> None:
    changed = list(LINES)
    changed[one], changed[two] = changed[two], changed[one]
    assert bool(located(changed)) == (one != two)
    if one != two:
        assert {one + 1, two + 1} & located(changed)


@given(st.integers(0, len(LINES) - 1))
def test_a_chain_cut_short(length: int) -> None:
    assert located(LINES[:length], ROOT) == {length + 1}


@given(places)
def test_a_chain_set_back_and_gone_on_with(place: int) -> None:
    """All hashes are recomputed from `place` on: only roots tell, and they say between which links."""
    links: list[AuditLink] = LINKS[:place]
    for n in range(place, 15):
        links = [*links, linked(n + 1, entry(100 + n), links[-1].hash if links else GENESIS)]
    findings = verify([line_of(link) for link in links], [signed_root(LINKS[4], KEY, AT), ROOT])
    assert [finding.kind for finding in findings] == ["rewritten"] * (2 if place <= 4 else 1)


def test_a_root_is_worth_what_its_key_is() -> None:
    trusted = [ROOT.key]
    assert checked_root(root_line(ROOT), trusted) == ROOT
    stranger = signed_root(LINKS[-1], Ed25519PrivateKey.from_private_bytes(b"x" * 32), AT)
    for wrong in (
        root_line(stranger),
        root_line(msgspec.structs.replace(ROOT, seq=3)),
        root_line(msgspec.structs.replace(ROOT, signature="AAAA")),
        b"{}",
        b"\xff",
    ):
        with pytest.raises(CustodyError):
            checked_root(wrong, trusted)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as address:
        yield address


def test_the_command_finds_what_was_changed_in_the_store(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = redis.Redis.from_url(url)
    monkeypatch.setenv("REDIS_URL", url)
    monkeypatch.chdir(tmp_path)
    store = RedisStore(url)
    for n in range(5):
        store.append_audit(entry(n))
    chain, root = tmp_path / "chain.jsonl", tmp_path / "roots.jsonl"

    def tell(*arguments: str) -> tuple[int, dict[str, object]]:
        code = main(["audit", *arguments, "--json"])
        told: dict[str, object] = json.loads(capsys.readouterr().out.splitlines()[-1])
        return code, told

    assert tell("export", "--out", str(chain))[1]["links"] == 5
    assert tell("root", "--out", str(root))[1]["link"] == 5
    key = str(tell("key")[1]["key"])
    assert tell("verify", "--root", str(root))[0] == 0
    assert tell("verify", "--chain", str(chain), "--root", str(root), "--key", key)[0] == 0
    raw.xdel("tg:audit", "2-0")
    code, told = tell("verify", "--root", str(root))
    assert code == 1
    assert {finding["seq"] for finding in told["findings"]} == {2}  # type: ignore[attr-defined,index]
    raw.flushall()
    store.append_audit(entry(0))
    code, told = tell("verify", "--root", str(root))
    assert (code, told["findings"][0]["kind"]) == (1, "truncated")  # type: ignore[index]
