"""Files as sources: order, labels, places, limits and bad rows."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow.sources.files import BATCH, FileSource, RawItem
from dataflow.sources.mapping import Mapping, load_mapping, parse_mapping
from models.errors import MappingError, SourceError
from models.events import MAX_LINE_BYTES, Label, Transaction, decode, encode

DAY = 86_400_000
START = dt.datetime(2018, 4, 1)  # noqa: DTZ001 - the handbook's own column has no zone
START_MS = 1_522_540_800_000

SHOP = """
name = "shop"
settle_after = "30d"
[id]
column = "id"
prefix = "S-"
[time]
column = "at"
[amount]
column = "total"
currency = "EUR"
[fields]
card = { column = "card", prefix = "C-" }
payer_country = { column = "country" }
channel = { value = "cnp" }
[attributes]
columns = ["size", "age"]
[label]
column = "fraud"
delay = "7d"
"""
HEADER = "id,at,total,card,country,size,age,fraud,unused\n"


def items(source: FileSource) -> list[RawItem]:
    batches = list(source)
    assert all(0 < len(batch) <= BATCH for batch in batches)
    return [item for batch in batches for item in batch]


def handbook(path: Path, rows: list[tuple[int, int, int, float, int]]) -> Path:
    """A Parquet file in the handbook's layout; rows: seconds, customer, terminal, amount, fraud."""
    table = {
        "TRANSACTION_ID": list(range(len(rows))),
        "TX_DATETIME": pa.array([START + dt.timedelta(seconds=row[0]) for row in rows], pa.timestamp("ns")),
        "CUSTOMER_ID": [row[1] for row in rows],
        "TERMINAL_ID": [row[2] for row in rows],
        "TX_AMOUNT": [row[3] for row in rows],
        "TX_FRAUD": [row[4] for row in rows],
    }
    pq.write_table(pa.table(table), path)
    return path


def csv_file(tmp_path: Path, body: str | bytes, mapping: str = SHOP) -> tuple[Path, Mapping]:
    path = tmp_path / "shop.csv"
    path.write_bytes(HEADER.encode() + (body if isinstance(body, bytes) else body.encode()))
    return path, parse_mapping(mapping, "shop.toml")


def test_a_handbook_row_becomes_a_transaction(tmp_path: Path) -> None:
    path = handbook(tmp_path / "raw.parquet", [(31, 596, 3156, 57.16, 0)])
    (item,) = items(FileSource(path, load_mapping("handbook")))
    assert item == RawItem("raw.parquet:1", None, item.event, None)
    assert item.event == Transaction(
        id="H-0", event_time=START_MS + 31_000, received_at=START_MS + 31_000, amount=5716, currency="USD",
        channel="cnp", card="H-C596", payer="H-C596", merchant="H-T3156",
    )  # fmt: skip


def test_a_mapped_row_is_what_its_json_line_would_be(tmp_path: Path) -> None:
    path = handbook(
        tmp_path / "raw.parquet", [(second, second % 7, 1, 0.01 * second, 0) for second in range(300)]
    )
    for item in items(FileSource(path, load_mapping("handbook"))):
        assert item.event is not None
        assert decode(encode(item.event)) == item.event


@given(
    rows=st.lists(st.tuples(st.integers(0, 20 * 86_400), st.booleans()), max_size=60),
    resume=st.integers(0, 80),
)
def test_labels_come_seven_days_later_in_time_order(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, bool]], resume: int
) -> None:
    folder = tmp_path_factory.mktemp("labels")
    rows.sort()
    path = handbook(folder / "raw.parquet", [(at, 1, 1, 5.0, int(fraud)) for at, fraud in rows])
    found = items(FileSource(path, load_mapping("handbook")))
    events = [item.event for item in found if item.event is not None]
    assert len(events) == len(found)
    assert [event.received_at for event in events] == sorted(event.received_at for event in events)
    assert sum(isinstance(event, Transaction) for event in events) == len(rows)
    labels = [event for event in events if isinstance(event, Label)]
    assert {label.transaction_id for label in labels} == {
        f"H-{row}" for row, (_, fraud) in enumerate(rows) if fraud
    }
    assert len({label.id for label in labels}) == len(labels)
    seen: dict[str, int] = {}
    for position, event in enumerate(events):
        if isinstance(event, Transaction):
            seen[event.id] = event.event_time
        elif isinstance(event, Label):
            assert event.fraud
            assert event.source == "chargeback"
            assert event.event_time == event.received_at == seen[event.transaction_id] + 7 * DAY
            later = [e for e in events[position:] if isinstance(e, Transaction)]
            assert all(e.received_at >= event.received_at for e in later)
    assert items(FileSource(path, load_mapping("handbook"), start=resume)) == found[resume:]


def test_a_label_due_at_a_transactions_time_comes_before_it(tmp_path: Path) -> None:
    week = 7 * 86_400
    path = handbook(
        tmp_path / "raw.parquet", [(0, 1, 1, 5.0, 1), (week - 1, 1, 1, 5.0, 0), (week, 1, 1, 5.0, 0)]
    )
    kinds = [type(item.event).__name__ for item in items(FileSource(path, load_mapping("handbook")))]
    assert kinds == ["Transaction", "Transaction", "Label", "Transaction"]


def test_limit_counts_transactions_and_their_labels_still_come(tmp_path: Path) -> None:
    path = handbook(tmp_path / "raw.parquet", [(at, 1, 1, 5.0, 1) for at in range(5000)])
    for limit in (0, 1, BATCH, 4096, 4500):
        source = FileSource(path, load_mapping("handbook"), limit=limit)
        kinds = [type(item.event) for item in items(source)]
        assert kinds == [Transaction] * limit + [Label] * limit
        assert source.total() == limit
    assert FileSource(path, load_mapping("handbook")).total() == 5000


def test_ulb_times_are_seconds_and_attributes_travel(tmp_path: Path) -> None:
    names = [f"V{n}" for n in range(1, 29)]
    table: dict[str, Any] = {"Time": [0.0, 1.5], **{name: [0.5, -1.0] for name in names}}
    table |= {"Amount": [149.62, 0.0], "Class": [0, 1]}
    pq.write_table(pa.table(table), tmp_path / "ulb.parquet")
    first, second, label = [
        item.event for item in items(FileSource(tmp_path / "ulb.parquet", load_mapping("ulb")))
    ]
    assert isinstance(first, Transaction)
    assert (first.id, first.event_time, first.amount, first.card) == ("U-0", 1_377_993_600_000, 14962, None)
    assert first.attributes == dict.fromkeys(names, 0.5)
    assert isinstance(second, Transaction)
    assert (second.event_time, second.amount) == (1_377_993_601_500, 0)
    assert isinstance(label, Label)
    assert (label.transaction_id, label.received_at) == ("U-1", second.event_time + 3_600_000)


def test_csv_and_parquet_of_one_table_are_equal(tmp_path: Path) -> None:
    rows = [(at * 40, at % 5, at % 3, at / 4, at % 2) for at in range(1500)]
    parquet = handbook(tmp_path / "raw.parquet", rows)
    lines = ["TRANSACTION_ID,TX_DATETIME,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT,TX_FRAUD"]
    lines += [
        f"{n},{START + dt.timedelta(seconds=at)},{c},{t},{a},{f}" for n, (at, c, t, a, f) in enumerate(rows)
    ]
    csv = tmp_path / "raw.csv"
    csv.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    mapping = load_mapping("handbook")
    assert [i.event for i in items(FileSource(csv, mapping))] == [
        i.event for i in items(FileSource(parquet, mapping))
    ]
    assert items(FileSource(csv, mapping))[0].place == "raw.csv:2"
    assert abs((FileSource(csv, mapping).total() or 0) - len(rows)) < 20


def test_csv_cells_quotes_zones_and_gaps(tmp_path: Path) -> None:
    body = (
        '1,2026-01-02T03:04:05+08:00,"12.30",a,DE,3,,0,\n'
        '"2",2026-01-02 03:04:05.250,0.5,,,,,,"free, text"\n'
        "\n"
        "3,2026-01-03,7,c,FR,1,2.5,1,\n"
    )
    path, mapping = csv_file(tmp_path, body)
    one, two, three, label = [item.event for item in items(FileSource(path, mapping))]
    assert isinstance(one, Transaction)
    assert isinstance(two, Transaction)
    assert isinstance(three, Transaction)
    assert isinstance(label, Label)
    assert (one.id, one.amount, one.card, one.payer_country) == ("S-1", 1230, "C-a", "DE")
    assert one.attributes == {"size": 3.0}
    assert two.event_time - one.event_time == 8 * 3_600_000 + 250
    assert (two.card, two.payer_country, two.attributes) == (None, None, {})
    assert three.attributes == {"size": 1.0, "age": 2.5}
    assert label.transaction_id == "S-3"


BAD = {
    "1,2026-01-02,twelve,a,DE,3,4,0,": "column total: not a number: 'twelve'",
    "1,2026-01-02,-1,a,DE,3,4,0,": "column total: Expected `int` >= 0",
    "1,2026-01-02,1e30,a,DE,3,4,0,": "column total: Expected `int` <= ",
    "1,2026-01-02,inf,a,DE,3,4,0,": "column total: not a",
    "1,2026-01-02,nan,a,DE,3,4,0,": "column total: empty",
    "1,2026-01-02,1_000,a,DE,3,4,0,": "column total: not a number",
    "1,2026-01-02,,a,DE,3,4,0,": "column total: empty",
    "1,2026-01-02,1.005,a,DE,3,4,0,": "column total: finer than the minor unit of EUR; set amount.round",
    ",2026-01-02,1,a,DE,3,4,0,": "column id: empty",
    "1,,1,a,DE,3,4,0,": "column at: empty",
    "1,yesterday,1,a,DE,3,4,0,": "column at: not an ISO 8601",
    "1,1901-01-01,1,a,DE,3,4,0,": "column at: Expected `int` >= 0",
    "1,2199-01-01,1,a,DE,3,4,0,": "column at: Expected `int` <= ",
    "1,2026-01-02,1,a,DEU,3,4,0,": "column country: Expected `str` of length <= 2",
    f"1,2026-01-02,1,{'a' * 200},DE,3,4,0,": "column card: Expected `str` of length <= 128",
    "1,2026-01-02,1,a\x07,DE,3,4,0,": "column card: control character",
    "1,2026-01-02,1,a,DE,big,4,0,": "column size: not a number",
    "1,2026-01-02,1,a,DE,inf,4,0,": "column size: not a",
    "1,2026-01-02,1,a,DE,3,4,maybe,": "column fraud: 'maybe' is in neither label.fraud nor",
    "1,2026-01-02,1,a,DE,3,4": "7 cells, and the header names 9 columns",
    '1,2026-01-02,1,"a,DE,3,4,0,': "quotes that do not match",
    "1,2025-12-31,1,a,DE,3,4,0,": "earlier than a row before it",
    "x" * (MAX_LINE_BYTES + 1): f"line of {MAX_LINE_BYTES + 1} bytes",
    b"1,2026-01-02,1,\xff,DE,3,4,0,": "not UTF-8 text (byte 16 of the line)",
}


@pytest.mark.parametrize("line", BAD, ids=lambda line: str(BAD[line])[:40])
def test_a_bad_row_says_where_and_why_and_the_file_goes_on(tmp_path: Path, line: str | bytes) -> None:
    raw = line if isinstance(line, bytes) else line.encode()
    good = b"%d,2026-01-01,1.50,a,DE,3,4,0,\n"
    path, mapping = csv_file(tmp_path, good % 7 + raw + b"\n" + (good % 8).replace(b"-01-01", b"-01-03"))
    first, bad, last = items(FileSource(path, mapping))
    assert isinstance(first.event, Transaction)
    assert isinstance(last.event, Transaction)
    assert (first.event.id, last.event.id, last.place) == ("S-7", "S-8", "shop.csv:4")
    assert bad.event is None
    assert bad.error is not None
    assert bad.place == "shop.csv:3"
    assert BAD[line] in bad.error.detail
    assert bad.error.reason in ("malformed", "out_of_order")
    assert bad.line == raw[:MAX_LINE_BYTES]


def test_a_bad_parquet_row_keeps_its_values_for_the_dead_letter(tmp_path: Path) -> None:
    path = handbook(tmp_path / "raw.parquet", [(0, 1, 1, 5.0, 0), (1, 2, 1, -5.0, 0), (2, 3, 1, 5.0, 0)])
    first, bad, last = items(FileSource(path, load_mapping("handbook")))
    assert first.event is not None
    assert last.event is not None
    assert bad.place == "raw.parquet:2"
    assert b'"TX_AMOUNT":-5.0' in (bad.line or b"")


def test_rows_out_of_order_are_late_events_on_request(tmp_path: Path) -> None:
    mapping = SHOP.replace('column = "at"', 'column = "at"\norder = "any"').replace(
        'currency = "EUR"', 'currency = "JPY"\nround = true'
    )
    body = "1,2026-01-09,99.6,a,DE,1,1,1,\n2,2026-01-08,1,a,DE,1,1,1,\n"
    path, parsed = csv_file(tmp_path, body, mapping)
    events = [item.event for item in items(FileSource(path, parsed))]
    assert [event.id for event in events if event] == ["S-1", "S-2", "L-S-2", "L-S-1"]
    assert isinstance(events[0], Transaction)
    assert events[0].amount == 100  # yen have no minor unit, and rounding was asked for


def test_parquet_texts_categories_and_missing_numbers(tmp_path: Path) -> None:
    stamps = pa.array(["2026-01-01 00:00:00", "2026-01-01 00:00:01"]).cast(pa.timestamp("us"))
    table = pa.table(
        {
            "id": pa.array([10.0, 11.0]),
            "at": stamps,
            "total": pa.array([1, 2], pa.int32()),
            "card": pa.array(["a", None]).dictionary_encode(),
            "country": pa.array([None, "DE"], pa.large_string()),
            "size": pa.array([None, 4.0]),
            "age": pa.array([None, None], pa.float64()),
            "fraud": pa.array([True, None]),
        }
    )
    pq.write_table(table, tmp_path / "shop.parquet")
    source = FileSource(tmp_path / "shop.parquet", parse_mapping(SHOP, "shop.toml"))
    one, two, label = [item.event for item in items(source)]
    assert isinstance(one, Transaction)
    assert isinstance(two, Transaction)
    assert isinstance(label, Label)
    assert (one.id, one.card, one.payer_country, one.attributes) == ("S-10", "C-a", None, {})
    assert (two.id, two.card, two.payer_country, two.attributes) == ("S-11", None, "DE", {"size": 4.0})


def test_jsonl_keeps_the_bytes_and_the_place(tmp_path: Path) -> None:
    path = tmp_path / "stream.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a":1}\r\n\n  \n\xff not json\n' + b"x" * 200_000 + b'\n{"last":true}')
    first, second, third, last = items(FileSource(path))
    assert (first.place, first.line) == ("stream.jsonl:1", b'{"a":1}')
    assert (second.place, second.line, second.error) == ("stream.jsonl:4", b"\xff not json", None)
    assert third.place == "stream.jsonl:5"
    assert third.error is not None
    assert third.error.reason == "oversize"
    assert "200000 bytes" in third.error.detail
    assert (last.place, last.line) == ("stream.jsonl:6", b'{"last":true}')
    assert items(FileSource(path, start=3)) == [last]


@given(size=st.integers(MAX_LINE_BYTES - 3, MAX_LINE_BYTES + 6), end=st.sampled_from([b"\n", b"\r\n", b""]))
def test_lines_around_the_limit(tmp_path_factory: pytest.TempPathFactory, size: int, end: bytes) -> None:
    path = tmp_path_factory.mktemp("lines") / "s.jsonl"
    path.write_bytes(b"y\n" + b"x" * size + end + (b"z\n" if end else b""))
    found = items(FileSource(path))
    assert [item.place for item in found] == ["s.jsonl:1", "s.jsonl:2", "s.jsonl:3"][: 3 if end else 2]
    assert found[1].line == b"x" * min(size, MAX_LINE_BYTES)
    assert (found[1].error is not None) == (size > MAX_LINE_BYTES)


def test_a_byte_order_mark_does_not_shorten_the_longest_line(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + b"x" * MAX_LINE_BYTES + b"\r\n{}")
    assert [len(item.line or b"") for item in items(FileSource(path))] == [MAX_LINE_BYTES, 2]


def test_jsonl_limit_counts_transactions_only(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(b'{"type":"label"}\n{"type": "transaction"}\nbroken\n{"x":1,"type":"transaction"}\n{}\n')
    assert [item.place for item in items(FileSource(path, limit=1))] == ["s.jsonl:1", "s.jsonl:2"]
    assert len(items(FileSource(path, limit=2))) == 4
    assert len(items(FileSource(path, limit=3))) == 5
    assert FileSource(path).total() == 5


def test_what_does_not_fit_is_refused_with_a_remedy(tmp_path: Path) -> None:
    path, mapping = csv_file(tmp_path, "")
    with pytest.raises(MappingError, match=r"shop\.csv: .*--mapping"):
        FileSource(path)
    with pytest.raises(MappingError, match="JSONL"):
        FileSource(tmp_path / "s.jsonl", mapping)
    with pytest.raises(
        MappingError, match=r"no column 'TX_DATETIME', which time\.column of mapping handbook"
    ):
        list(FileSource(path, load_mapping("handbook")))
    assert items(FileSource(path, mapping)) == []
    path.write_bytes(b"")
    with pytest.raises(MappingError, match="no header line"):
        list(FileSource(path, mapping))
    path.write_text(HEADER.replace("unused", "id"))
    with pytest.raises(MappingError, match="twice"):
        list(FileSource(path, mapping))
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 not really")
    for missing in (broken, tmp_path / "gone.csv", tmp_path / "gone.parquet"):
        with pytest.raises(SourceError, match="cannot be read"):
            list(FileSource(missing, mapping))
    with pytest.raises(SourceError, match="cannot be read"):
        list(FileSource(tmp_path / "gone.jsonl"))
