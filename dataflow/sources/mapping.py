"""Column mappings: what the columns of somebody's table mean in Tidegate's vocabulary.

A mapping is a TOML file. This one uses every part that most tables need:

    name = "shop"
    settle_after = "30d"           # an unlabelled transaction counts as legitimate after this long
    delimiter = ","                # CSV only

    [id]                           # without `column` the number of the row, from 0, is the id
    column = "order_no"
    prefix = "SHOP-"               # keeps ids of different sources apart

    [time]
    column = "paid_at"             # date and time (without a zone: UTC), or a number with a unit and a start
    unit = "datetime"              # or "seconds", "milliseconds", counted from `start` (default: 1970)
    received = "logged_at"         # optional; without it an event is received when it happens
    order = "sorted"               # a row that goes back in time is refused; "any" takes it as a late one

    [amount]
    column = "total"
    currency = "EUR"
    unit = "major"                 # or "minor"
    round = false                  # true: round to the minor unit instead of refusing the row

    [fields]                       # any text field of a transaction, from a column or the same for all rows
    card = { column = "card_token", prefix = "SHOP-" }
    channel = { value = "cnp" }

    [attributes]
    columns = ["basket_size"]      # free numbers; an empty cell is left out

    [label]
    column = "chargeback"
    fraud = ["1", "true"]          # an empty cell says nothing yet; any other value is a bad row
    legitimate = ["0", "false"]
    delay = "30d"                  # a fraud becomes known this long after the transaction

Columns hold tokens and codes, never clear personal data: those belong into JSONL events handed to the door.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from models.errors import MappingError
from models.events import Currency, Transaction

_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Prefix = Annotated[str, msgspec.Meta(max_length=32)]
Duration = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,6}[smhd]$")]


class IdColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the identity of a transaction is; without a column, the row's number from 0."""

    column: Name | None = None
    prefix: Prefix = ""


class TimeColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When the payer paid and, if it is known, when the event arrived."""

    column: Name
    unit: Literal["datetime", "seconds", "milliseconds"] = "datetime"
    start: Annotated[dt.datetime, msgspec.Meta(tz=True)] | None = None
    received: Name | None = None
    order: Literal["sorted", "any"] = "sorted"

    @property
    def start_ms(self) -> int:
        """The instant that numbers count from, in milliseconds since 1970."""
        return round(self.start.timestamp() * 1000) if self.start else 0


class AmountColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much, in one currency for the whole table."""

    column: Name
    currency: Annotated[Currency, msgspec.Meta(pattern="^[A-Z]{3}$")]
    unit: Literal["major", "minor"] = "major"
    round: bool = False


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One text field of a transaction: from a column, or the same value in all rows."""

    column: Name | None = None
    value: Name | None = None
    prefix: Prefix = ""


class Attributes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Columns of numbers that travel under their own names."""

    columns: list[Name]


class LabelColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which rows turned out to be fraud, and how long after the payment that became known."""

    column: Name
    delay: Duration
    fraud: tuple[str, ...] = ("1", "true")
    legitimate: tuple[str, ...] = ("0", "false")
    source: Literal["chargeback", "analyst", "dispute", "customer_report"] = "chargeback"

    @property
    def delay_ms(self) -> int:
        """The delay in milliseconds."""
        return duration_ms(self.delay)


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole mapping. `settle_after`: when an unlabelled transaction counts as legitimate."""

    name: Name
    settle_after: Duration
    id: IdColumn
    time: TimeColumn
    amount: AmountColumn
    fields: dict[str, Field]
    attributes: Attributes | None = None
    label: LabelColumn | None = None
    delimiter: Annotated[str, msgspec.Meta(min_length=1, max_length=1)] = ","

    @property
    def settle_after_ms(self) -> int:
        """`settle_after` in milliseconds."""
        return duration_ms(self.settle_after)

    def columns(self) -> dict[str, str]:
        """Every column the mapping reads, with the key that names it."""
        found = {self.time.column: "time.column", self.amount.column: "amount.column"}
        if self.id.column:
            found[self.id.column] = "id.column"
        if self.time.received:
            found[self.time.received] = "time.received"
        found.update({f.column: f"fields.{name}.column" for name, f in self.fields.items() if f.column})
        if self.attributes:
            found.update(dict.fromkeys(self.attributes.columns, "attributes.columns"))
        if self.label:
            found[self.label.column] = "label.column"
        return found


def duration_ms(text: str) -> int:
    """Milliseconds of `90s`, `15m`, `1h` or `7d`."""
    return int(text[:-1]) * _UNITS_MS[text[-1]]


def shipped_mappings() -> list[str]:
    """Names of the mappings that come with Tidegate."""
    folder = resources.files("dataflow.sources").joinpath("mappings")
    return sorted(
        entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")
    )


def load_mapping(name_or_path: str | Path) -> Mapping:
    """Read a shipped mapping by its name, or a TOML file by its path. Raises MappingError."""
    wanted = str(name_or_path)
    if wanted in shipped_mappings():
        text = resources.files("dataflow.sources").joinpath(f"mappings/{wanted}.toml").read_text("utf-8")
        return parse_mapping(text, f"mapping {wanted}")
    try:
        text = Path(wanted).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        names = ", ".join(shipped_mappings())
        raise MappingError(
            f"{wanted}: cannot be read as a mapping ({reason}); give a TOML file's path or one of: {names}"
        ) from None
    return parse_mapping(text, wanted)


def parse_mapping(text: str, place: str) -> Mapping:
    """Check a mapping's text; a MappingError starts with `place` and names the key and what to do."""
    try:
        mapping = msgspec.convert(tomllib.loads(text), Mapping)
    except tomllib.TOMLDecodeError as error:
        raise MappingError(f"{place}: not TOML: {error}; mend it there") from None
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        key = re.sub(r"\[\.\.\.\]", ".*", path.rstrip("`").lstrip(".")) or "top level"
        raise MappingError(f"{place}: {key}: {problem}; see dataflow/sources/mapping.py") from None
    _check(mapping, place)
    return mapping


def _check(mapping: Mapping, place: str) -> None:
    if mapping.time.unit == "datetime" and mapping.time.start:
        raise MappingError(f'{place}: time.start: only numbers have a start; set time.unit to "seconds"')
    allowed = _text_fields()
    sample: dict[str, Any] = {"id": "x", "event_time": 0, "received_at": 0, "amount": 0, "channel": "cnp"}
    sample["currency"] = mapping.amount.currency
    for name, field in mapping.fields.items():
        key = f"{place}: fields.{name}"
        if name not in allowed:
            raise MappingError(f"{key}: a transaction has no such text; choose from {', '.join(allowed)}")
        if (field.column is None) == (field.value is None):
            raise MappingError(f"{key}: give either `column` or `value`, and not both")
        if field.value is not None:
            try:
                msgspec.convert({**sample, name: field.prefix + field.value}, Transaction)
            except msgspec.ValidationError as error:
                raise MappingError(
                    f"{key}.value: {str(error).partition(' - at')[0]}; change the value"
                ) from None
    if "channel" not in mapping.fields:
        raise MappingError(f'{place}: fields.channel: missing; add channel = {{ value = "cnp" }} or a column')
    label = mapping.label
    if label and set(label.fraud) & set(label.legitimate):
        raise MappingError(f"{place}: label: a value is both `fraud` and `legitimate`; keep it under one")
    if label and label.delay_ms > mapping.settle_after_ms:
        raise MappingError(
            f"{place}: settle_after: {mapping.settle_after} is shorter than label.delay {label.delay}, "
            "so frauds would first count as legitimate; make it at least as long"
        )


def _text_fields() -> list[str]:
    """Fields of a transaction that hold text and that a table may fill."""
    kept_out = {"id", "currency", "content", "envelope"}
    info = msgspec.inspect.type_info(Transaction)
    assert isinstance(info, msgspec.inspect.StructType)
    names = []
    for field in info.fields:
        kinds = field.type.types if isinstance(field.type, msgspec.inspect.UnionType) else (field.type,)
        text = any(
            isinstance(kind, msgspec.inspect.StrType)
            or (isinstance(kind, msgspec.inspect.LiteralType) and isinstance(kind.values[0], str))
            for kind in kinds
        )
        if text and field.name not in kept_out:
            names.append(field.name)
    return names
