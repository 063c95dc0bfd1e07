"""Column mappings: what ships loads, and a wrong one says file, key and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataflow.sources.mapping import duration_ms, load_mapping, parse_mapping, shipped_mappings
from models.errors import MappingError

GOOD = """
name = "shop"
settle_after = "30d"
[id]
column = "order_no"
[time]
column = "paid_at"
[amount]
column = "total"
currency = "EUR"
[fields]
card = { column = "token", prefix = "S-" }
channel = { value = "cnp" }
[label]
column = "chargeback"
delay = "7d"
"""


@pytest.mark.parametrize("name", shipped_mappings())
def test_shipped_mapping_loads(name: str) -> None:
    mapping = load_mapping(name)
    assert mapping.name == name
    assert mapping.label is not None
    assert mapping.settle_after_ms >= mapping.label.delay_ms > 0


def test_handbook_and_ulb_say_what_their_data_is() -> None:
    handbook, ulb = load_mapping("handbook"), load_mapping("ulb")
    assert handbook.label is not None
    assert handbook.label.delay_ms == 7 * 86_400_000
    assert handbook.fields["card"] == handbook.fields["payer"]
    assert ulb.time.start_ms == 1_377_993_600_000  # 2013-09-01T00:00:00Z
    assert ulb.attributes is not None
    assert ulb.attributes.columns == [f"V{n}" for n in range(1, 29)]
    assert "card" not in ulb.fields


def test_the_example_in_the_documentation_is_a_mapping() -> None:
    import dataflow.sources.mapping as module

    text = (module.__doc__ or "").split("most tables need:\n")[1].split("Columns hold tokens")[0]
    mapping = parse_mapping("\n".join(line.removeprefix("    ") for line in text.splitlines()), "example")
    assert mapping.columns()["basket_size"] == "attributes.columns"


def test_loads_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "shop.toml"
    path.write_text(GOOD)
    assert load_mapping(path) == parse_mapping(GOOD, "here") == load_mapping(str(path))


@pytest.mark.parametrize(
    ("wrong", "key", "remedy"),
    [
        (GOOD.replace('name = "shop"', "name = "), "x.toml: not TOML", "mend"),
        (GOOD.replace('[time]\ncolumn = "paid_at"', ""), "top level", "`time`"),
        (GOOD.replace('column = "total"', "column = 3"), "amount.column", "Expected `str`, got `int`"),
        (GOOD.replace('"EUR"', '"eur"'), "amount.currency", "regex"),
        (GOOD + 'colour = "red"', "label", "unknown field `colour`"),
        (GOOD.replace('"7d"', '"a week"'), "label.delay", "regex"),
        (GOOD.replace('"30d"', '"1d"'), "settle_after", "at least as long"),
        (GOOD.replace("card =", "cardd ="), "fields.cardd", "choose from channel"),
        (GOOD.replace("card =", "amount ="), "fields.amount", "choose from"),
        (GOOD.replace('{ value = "cnp" }', '{ value = "fax" }'), "fields.channel.value", "change the value"),
        (GOOD.replace('{ value = "cnp" }', "{ }"), "fields.channel", "either `column` or `value`"),
        (GOOD.replace('channel = { value = "cnp" }', ""), "fields.channel", "add channel"),
        (GOOD.replace('"paid_at"', '"paid_at"\nstart = 2020-01-01T00:00:00Z'), "time.start", "time.unit"),
        (
            GOOD.replace('"paid_at"', '"paid_at"\nunit = "seconds"\nstart = 2020-01-01T00:00:00'),
            "time.start",
            "zone",
        ),
        (GOOD + 'fraud = ["0"]', "label", "keep it under one"),
    ],
)
def test_a_wrong_mapping_names_file_key_and_remedy(wrong: str, key: str, remedy: str) -> None:
    with pytest.raises(MappingError) as caught:
        parse_mapping(wrong, "x.toml")
    message = str(caught.value)
    assert message.startswith("x.toml: ")
    assert key in message
    assert remedy in message


@pytest.mark.parametrize("name", ["nowhere", "no/such.toml", "../handbook"])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(MappingError, match=r"handbook, ulb"):
        load_mapping(name)


@pytest.mark.parametrize(
    ("text", "ms"), [("90s", 90_000), ("15m", 900_000), ("1h", 3_600_000), ("7d", 604_800_000)]
)
def test_durations(text: str, ms: int) -> None:
    assert duration_ms(text) == ms
