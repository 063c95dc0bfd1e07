"""People change the lists: rights, audit, Control events that the engine takes; shared indicators between two houses."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.custody.data_keys import MemoryDataKeys
from alerts.custody.keyring import KeyRing
from alerts.custody.pseudonym import NORMAL, Pseudonyms
from alerts.lists.awaited import Awaited
from alerts.lists.changing import CHUNK_BYTES, add_entries, in_force, remove_entries
from alerts.lists.exchange import Exchange, Indicator, read, written
from alerts.lists.exporting import export_shared
from alerts.lists.importing import import_shared
from alerts.lists.tokens import form_of, normalised, token_of
from alerts.memory_store import MemoryStore
from alerts.redis_store import RedisStore
from dataflow.cli import main
from dataflow.door import Door
from dataflow.embedded import embedded
from models.engine import Engine
from models.errors import CustodyError, RefusedError, StoreError
from models.events import MAX_LINE_BYTES, Control, decode
from models.lists import Listed, Lists
from tests.test_containment import engine, payment
from tests.test_engine_oracle import entries_of
from tests.test_lists import entry as fields_of

NOW = 1_788_220_800_000
DAY = 86_400_000
KEY = bytes(range(32))
CLUB = Exchange("club", "ab" * 16, KEY)
Store = MemoryStore | RedisStore
PAN = "4111 1111 1111 1111"  # a test number of the scheme


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as address:
        yield address


@pytest.fixture(params=["memory", "valkey"])
def store(request: pytest.FixtureRequest, url: str) -> Store:
    redis.Redis.from_url(url).flushall()
    return MemoryStore() if request.param == "memory" else RedisStore(url)


def entry(name: str = "block", entity: str = "card", token: str = "c-1", **more: Any) -> Listed:
    end = {} if more.get("basis") == "law" else {"until": NOW + DAY}
    return msgspec.convert(fields_of(name, entity, token, **{**end, **more}), Listed)


def sent(store: Store, url: str) -> list[Control]:
    """What went into the control lane."""
    if isinstance(store, MemoryStore):
        lines = store.controls
    else:
        lines = [fields[b"e"] for _, fields in redis.Redis.from_url(url).xrange("tg:control")]
    return [decode(line) for line in lines]  # type: ignore[misc]


def engine_after(store: Store, url: str) -> Engine:
    """An engine that took everything in the control lane."""
    made = engine()
    output = made.step(entries_of(list(sent(store, url))))
    assert not output.dead, output.dead
    return made


def who(role: str = "senior") -> dict[str, Any]:
    return {"actor": "ann", "role": role, "now": NOW}


# adding and removing


def test_what_is_added_decides_and_what_is_removed_does_not(store: Store, url: str) -> None:
    add_entries(store, [entry(), entry("watch", "merchant", "m")], **who())
    made = engine_after(store, url)
    assert made.lists.entries() == [one.entry for one in store.kept_lists()]
    assert made.step(entries_of([payment(1, NOW + 1, card="c-1")])).decisions[0].action == "DECLINE"
    remove_entries(store, [("block", "card", "c-1")], **who(), reason="mistaken")
    assert [one.entry.key for one in store.kept_lists()] == [("watch", "merchant", "m")]
    assert engine_after(store, url).lists.entries() == [entry("watch", "merchant", "m")]
    chain = [(e.entry.action, e.entry.actor, e.entry.role, e.entry.reason) for e in store.audit_chain(0, 10)]
    assert chain == [("added", "ann", "senior", "seen"), ("removed", "ann", "senior", "mistaken")]
    facts = store.audit_chain(0, 10)[1].entry
    assert facts.object_id == "block:card:c-1"
    assert facts.before == {"entries": [msgspec.to_builtins(entry())]}


def test_a_large_change_is_several_events_of_bounded_size(store: Store, url: str) -> None:
    many = [entry(token=f"c-{n:05d}", reason="r" * 200) for n in range(400)]
    assert add_entries(store, many, **who()) == 400
    controls = sent(store, url)
    assert len(controls) > 1
    assert all(len(msgspec.json.encode(c)) < MAX_LINE_BYTES for c in controls)
    assert all(len(bytes(c.payload)) < 2 * CHUNK_BYTES for c in controls)
    assert len({c.id for c in controls}) == len(controls)
    assert engine_after(store, url).lists.entries() == many
    assert engine_after(store, url).lists.version == Lists(many).version
    remove_entries(store, [one.key for one in many], **who(), reason="all of them")
    assert len(engine_after(store, url).lists) == 0
    assert store.kept_lists() == []


def test_adding_again_replaces_and_what_is_over_is_forgotten(store: Store, url: str) -> None:
    add_entries(store, [entry(), entry(token="old", until=NOW + 1)], **who())
    later = NOW + 2
    add_entries(store, [entry(confidence=10)], actor="ben", role="senior", now=later)
    kept = store.kept_lists()
    assert [(k.entry.token, k.entry.confidence, k.added_by) for k in kept] == [("c-1", 10, "ben")]
    assert [e.confidence for e in engine_after(store, url).lists.entries()] == [10]
    assert in_force(store, NOW + 2 * DAY) == []


@pytest.mark.parametrize(
    ("role", "entry_", "may"),
    [
        ("analyst", entry(), False),
        ("on_call", entry(), True),
        ("on_call", entry("allow"), False),
        ("senior", entry("allow"), True),
        ("senior", entry(basis="law"), False),
        ("compliance", entry(basis="law"), True),
        ("auditor", entry("watch"), False),
    ],
)
def test_who_may_put_what_on_which_list(role: str, entry_: Listed, may: bool) -> None:
    store = MemoryStore()
    if may:
        add_entries(store, [entry_], **who(role))
        return
    with pytest.raises(RefusedError, match="may not lists"):
        add_entries(store, [entry_], **who(role))
    assert (store.controls, store.audit_chain(0, 9)) == ([], [])


def test_what_the_law_demands_only_compliance_touches() -> None:
    store = MemoryStore()
    add_entries(store, [entry(basis="law")], **who("compliance"))
    with pytest.raises(RefusedError, match="lists law"):
        remove_entries(store, [("block", "card", "c-1")], **who(), reason="x")
    with pytest.raises(RefusedError, match="lists law"):
        # An ordinary block in its place would end by itself: that is taking it away, too.
        add_entries(store, [entry()], **who())
    add_entries(store, [entry("allow")], **who())
    made = engine_after(store, "")
    assert made.step(entries_of([payment(1, NOW + 1, card="c-1")])).decisions[0].action == "FREEZE"
    remove_entries(
        store, [("block", "card", "c-1")], **who("compliance"), reason="taken off the list of the authority"
    )


@pytest.mark.parametrize(
    "field",
    [
        {"token": "4111111111111111"},
        {"source": "mail a.b@example.com"},
        {"reason": "card 4111 1111 1111 1111"},
    ],
)
def test_clear_data_never_comes_onto_a_list(field: dict[str, str]) -> None:
    store = MemoryStore()
    with pytest.raises(StoreError, match="--value") as caught:
        add_entries(store, [entry(**field)], **who())
    assert "4111" not in str(caught.value)
    assert "example.com" not in str(caught.value)
    assert store.controls == []


def test_what_is_on_no_list_cannot_be_removed_and_a_removal_says_why() -> None:
    with pytest.raises(StoreError, match="is on no list"):
        remove_entries(MemoryStore(), [("block", "card", "c-1")], **who(), reason="x")
    with pytest.raises(StoreError, match="say why"):
        remove_entries(MemoryStore(), [("block", "card", "c-1")], **who(), reason=" ")


# shared indicators


indicators = st.lists(
    st.builds(
        Indicator,
        list=st.sampled_from(["block", "watch", "allow"]), entity=st.sampled_from(["card", "customer", "device"]),
        form=st.sampled_from(["card", "email", "plain"]), hash=st.text("0123456789abcdef", min_size=64, max_size=64),
        source=st.text(max_size=20), confidence=st.integers(0, 100), until=st.integers(0, NOW),
    ), max_size=6,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(indicators)
def test_a_file_reads_back_as_it_was_written(many: list[Indicator]) -> None:
    assert read(CLUB, written(CLUB, many, NOW), "f") == (NOW, many)


@settings(max_examples=50, deadline=None)
@given(indicators, st.data())
def test_any_change_of_a_file_is_found(many: list[Indicator], data: st.DataObject) -> None:
    file = written(CLUB, many, NOW)
    at = data.draw(st.integers(0, len(file) - 2))
    bit = data.draw(st.integers(0, 7))
    changed = file[:at] + bytes([file[at] ^ (1 << bit)]) + file[at + 1 :]
    with pytest.raises(StoreError):
        read(CLUB, changed, "f")
    with pytest.raises(StoreError):
        read(CLUB, file[: data.draw(st.integers(0, len(file) - 2))], "f")


def test_a_file_of_others_is_refused() -> None:
    file = written(CLUB, [], NOW)
    for other in (
        Exchange("club", "ab" * 16, bytes(32)),
        Exchange("club", "cd" * 16, KEY),
        Exchange("other", "ab" * 16, KEY),
    ):
        with pytest.raises(StoreError, match="f:"):
            read(other, file, "f")
    with pytest.raises(CustodyError, match="32 are needed"):
        Exchange("club", "ab" * 16, b"short")
    assert KEY.hex() not in repr(CLUB)


def test_a_hash_says_nothing_without_the_key_and_differs_by_exchange_salt_form_and_value() -> None:
    made = {
        Exchange(name, salt, key).hash(form, value)  # type: ignore[arg-type]
        for name in ("club", "other") for salt in ("ab" * 16, "cd" * 16) for key in (KEY, bytes(32))
        for form in ("card", "plain") for value in ("1", "2")
    }  # fmt: skip
    assert len(made) == 32


def test_two_houses_share_a_card_that_neither_can_read(url: str) -> None:
    """A blocks a card by its number and exports; B imports, sees the card at its own door, and stops the next payment."""
    ours, theirs = KeyRing.for_tests(), KeyRing.generate(NOW)
    a, b = MemoryStore(), MemoryStore()
    form = form_of("card")
    normal = normalised(form, PAN)
    block = entry(token=token_of(Pseudonyms(ours), form, normal), until=NOW + 30 * DAY)
    add_entries(
        a,
        [block, entry(token="by-token-only")],
        **who(),
        hashes={block.key: {"club": f"card:{CLUB.hash(form, normal)}"}},
    )
    file, count, without = export_shared(a, CLUB, **who())
    assert (count, without) == (1, 1)
    assert normal.encode() not in file
    assert block.token.encode() not in file
    assert b"seen" not in file, "reasons stay at home"

    told = import_shared(b, CLUB, file, "f", **who(), block_from=80)
    assert told == (0, 1, 0, 0)
    assert b.kept_lists() == []
    clock = [NOW]
    door = Door(
        theirs, MemoryDataKeys(), clock=lambda: clock[0], awaited=Awaited(b, [CLUB], lambda: clock[0], 80)
    )

    def pay(n: int, pan: str) -> bytes:
        event = {
            "type": "transaction",
            "id": f"t{n}",
            "event_time": NOW + n,
            "amount": 100,
            "currency": "USD",
        }
        return door.protect(msgspec.json.encode({**event, "channel": "cnp", "clear": {"pan": pan}}))

    pay(1, "5555555555554444")
    assert b.kept_lists() == []
    first = decode(pay(2, PAN.replace(" ", "-")))
    (kept,) = b.kept_lists()
    assert (kept.entry.token, kept.entry.basis, kept.entry.list) == (first.card, "shared", "block")
    assert kept.entry.token != block.token, "each house has tokens of its own"
    assert b.awaited_indicators() == {}
    made = engine_after(b, url)
    assert made.step(entries_of([decode(pay(3, PAN))])).decisions[0].action == "DECLINE"
    assert [e.entry.action for e in b.audit_chain(0, 9)] == ["imported", "recognised"]

    # The same file again changes nothing; less confidence watches; a revocation takes it off.
    assert import_shared(b, CLUB, file, "f", **who(), block_from=80) == (0, 0, 0, 0)
    (one,) = read(CLUB, file, "f").indicators
    weaker = written(CLUB, [msgspec.structs.replace(one, confidence=50)], NOW)
    assert import_shared(b, CLUB, weaker, "f", **who(), block_from=80) == (1, 0, 1, 0)
    assert [k.entry.list for k in b.kept_lists()] == ["watch"]
    revoked = written(CLUB, [msgspec.structs.replace(one, until=0)], NOW)
    assert import_shared(b, CLUB, revoked, "f", **who(), block_from=80) == (0, 0, 1, 0)
    assert b.kept_lists() == []
    assert len(engine_after(b, url).lists) == 0
    assert export_shared(b, CLUB, **who())[1] == 0


def test_what_others_allow_and_what_is_over_is_skipped_and_only_who_may_imports() -> None:
    store = MemoryStore()
    base = Indicator(
        list="allow", entity="card", form="card", hash="0" * 64, source="x", confidence=99, until=NOW + DAY
    )
    over = msgspec.structs.replace(base, list="block", until=NOW - 1)
    file = written(CLUB, [base, over], NOW)
    with pytest.raises(RefusedError):
        import_shared(store, CLUB, file, "f", **who("on_call"), block_from=80)
    assert import_shared(store, CLUB, file, "f", **who(), block_from=80) == (0, 0, 0, 2)
    assert store.awaited_indicators() == {}
    with pytest.raises(RefusedError):
        export_shared(store, CLUB, **who("analyst"))


def test_an_indicator_that_comes_later_finds_a_value_seen_before(store: Store) -> None:
    clock = [NOW]
    awaited = Awaited(store, [CLUB], lambda: clock[0], 80)
    tokens = Pseudonyms(KeyRing.for_tests())
    event = payment(1, NOW, device="dev-7")

    def put(device: str) -> None:
        one = Indicator(
            list="watch", entity="device", form="plain", hash=CLUB.hash("plain", device), source="x", confidence=1,
            until=NOW + DAY,
        )  # fmt: skip
        import_shared(store, CLUB, written(CLUB, [one], NOW), "f", **who(), block_from=80)

    put("another")
    awaited.look(event, None, tokens, NORMAL)
    put("dev-7")
    awaited.look(event, None, tokens, NORMAL)
    assert store.kept_lists() == [], "it looks at the store every ten seconds only"
    clock[0] += 10_000
    awaited.look(event, None, tokens, NORMAL)
    assert [k.entry.token for k in store.kept_lists()] == ["dev-7"]
    assert len(store.awaited_indicators()) == 1


def test_a_store_that_is_down_stops_no_payment_and_loses_no_indicator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, clock = MemoryStore(), [NOW]
    one = Indicator(
        list="block", entity="device", form="plain", hash=CLUB.hash("plain", "d"), source="x", confidence=90,
        until=NOW + DAY,
    )  # fmt: skip
    import_shared(store, CLUB, written(CLUB, [one], NOW), "f", **who(), block_from=80)
    awaited, tokens = Awaited(store, [CLUB], lambda: clock[0], 80), Pseudonyms(KeyRing.for_tests())
    event = payment(1, NOW, device="d")

    def down(*_: Any) -> Any:
        raise StoreError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(store, "change_lists", down)
        awaited.look(event, None, tokens, NORMAL)
        patch.setattr(store, "awaited_version", down)
        clock[0] += 10_000
        awaited.look(event, None, tokens, NORMAL)
    assert store.kept_lists() == []
    clock[0] += 10_000
    awaited.look(event, None, tokens, NORMAL)
    assert [k.entry.token for k in store.kept_lists()] == ["d"]


@pytest.mark.parametrize(
    ("entity", "form", "value", "said"),
    [
        ("customer", "", "x", "say which"),
        ("card", "", "1234", "cannot be taken"),
        ("ip", "", "nowhere", "cannot be taken"),
        ("device", "", "  ", "is empty"),
        ("card", "shoe size", "1", "a value is"),
    ],
)
def test_values_that_cannot_be_taken_are_not_repeated(entity: Any, form: str, value: str, said: str) -> None:
    with pytest.raises(StoreError, match=said) as caught:
        normalised(form_of(entity, form), value)
    assert "1234" not in str(caught.value)
    assert "nowhere" not in str(caught.value)


# the command


def test_the_command_from_adding_to_sharing(
    tmp_path: Path, url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    redis.Redis.from_url(url).flushall()
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    key = home / "club.key"
    key.write_text(KEY.hex())
    key.chmod(0o600)
    config = tmp_path / "t.toml"
    config.write_text(
        f'data_dir = "{home}"\n[store]\nurl = "{url}"\n[console]\nactor = "ann"\nrole = "compliance"\n'
        f'[[lists.exchanges]]\nname = "club"\nkey_file = "{key}"\nsalt = "{"ab" * 16}"\n'
    )

    def run(*arguments: str, value: str = "") -> tuple[int, dict[str, Any]]:
        monkeypatch.setattr("sys.stdin", io.StringIO(value + "\n"))
        code = main(["lists", *arguments, "--config", str(config), "--json"])
        out, err = capsys.readouterr()
        assert "4111111111111111" not in out + err
        return code, json.loads(out.splitlines()[-1]) if out else {"error": err}

    base = ("--source", "desk", "--confidence", "90", "--reason", "tested")
    code, told = run("add", "block", "card", "--value", "--days", "30", *base, value=PAN)
    assert code == 0, told
    assert (told["token"][:5], told["action"]) == ("card_", "DECLINE")
    assert run("add", "block", "payee", "p-1", "--law", *base)[0] == 0
    assert run("add", "watch", "device", "d-1", "--days", "1", *base)[0] == 0
    assert run("add", "watch", "device", "d-1", *base)[0] == 2  # no end
    assert run("add", "allow", "card", "c", "--days", "1", "--law", *base)[0] == 2
    assert run("add", "watch", "card", "4111111111111111", "--days", "1", *base)[0] == 2
    assert run("add", "watch", "card", "--days", "1", *base)[0] == 2  # neither token nor --value
    shown = run("show")[1]
    assert [(e["list"], e["entity"], e["basis"]) for e in shown["entries"]] == [
        ("block", "card", "own"), ("block", "payee", "law"), ("watch", "device", "own"),
    ]  # fmt: skip
    assert len(run("show", "watch")[1]["entries"]) == 1
    file = tmp_path / "shared.jsonl"
    code, told = run("export", str(file), "--exchange", "club")
    assert (code, told["indicators"], told["without_hash"]) == (0, 2, 0)
    assert file.stat().st_mode & 0o777 == 0o600
    assert run("import", str(file), "--exchange", "club") == (
        0, {"exchange": "club", "known": 0, "awaited": 2, "revoked": 0, "skipped": 0},
    )  # fmt: skip
    assert run("import", str(file), "--exchange", "none")[0] == 2
    assert run("import", str(config), "--exchange", "club")[0] == 2
    assert run("remove", "block", "card", "--value", "--reason", "mistaken", value=PAN)[0] == 0
    assert run("remove", "block", "card", "nothing", "--reason", "mistaken")[0] == 2
    actions = [link.entry.action for link in RedisStore(url).audit_chain(0, 20)]
    assert actions == ["added", "added", "added", "exported", "imported", "removed"]
    key.chmod(0o644)
    assert run("export", str(file), "--exchange", "club")[0] == 2
