"""The columns rules and features can speak of, for a micro-batch of transactions.

A column is a numpy array with one element a row:
  number  float64, NaN where missing
  flag    float64, 1.0 true, 0.0 false, NaN where missing (so that arithmetic and three-valued logic share one form)
  text    int32 codes from the engine's Interner, -1 where missing
Texts are compared for equality only, so codes are enough; a literal in a rule is interned when the rule is compiled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Literal

import numpy as np
import numpy.typing as npt

Kind = Literal["number", "flag", "text"]
Float = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]
Column = npt.NDArray[np.float64] | npt.NDArray[np.int32]

ENTITIES = ("card", "customer", "device", "ip", "merchant", "payee", "bin", "partner", "corridor")
"""Entities that windows are kept for. customer = `payer`; corridor = origin × destination × currency × channel."""

ROW_COLUMNS: dict[str, Kind] = {
    "amount_usd": "number",
    "amount_minor": "number",
    "currency": "text",
    "channel": "text",
    "mcc": "text",
    "purpose": "text",
    "decline_code": "text",
    "issuer_country": "text",
    "payer_country": "text",
    "payee_country": "text",
    "ip_country": "text",
    "ship_country": "text",
    "bill_country": "text",
    "partner": "text",
    "merchant": "text",
    "bin": "text",
    "declined": "flag",
    "approved": "flag",
    "cross_border": "flag",
    "knowledge_passed": "flag",
    "possession_passed": "flag",
    "inherence_passed": "flag",
    "authentication_factors": "number",
    "screen_score": "number",
    "hour_local": "number",
    "hour_utc": "number",
    "weekday_local": "number",
    "hour_seconds": "number",
}
"""Columns of the transaction itself; the feature catalogue adds its names, the models add `risk`."""

_ATTRIBUTE = "attribute."


def attribute_column(name: str) -> str:
    """The column of a transaction's attribute: under a name that no feature has."""
    return _ATTRIBUTE + name


def attribute_of(column: str) -> str | None:
    """The attribute behind a column; None for a column that is none."""
    return column.removeprefix(_ATTRIBUTE) if column.startswith(_ATTRIBUTE) else None


DISTINCT_COLUMNS = (
    "card",
    "customer",
    "device",
    "ip",
    "merchant",
    "payee",
    "bin",
    "partner",
    "corridor",
    "issuer_country",
    "ip_country",
    "ship_country",
    "currency",
    "ship",
)
"""What `velocity(distinct, …)` can count: identities and a few texts."""


class Interner:
    """Text → small int code, in order of first sight; -1 stands for missing. Part of every checkpoint."""

    __slots__ = ("codes",)

    def __init__(self, texts: list[str] | None = None) -> None:
        self.codes: dict[str, int] = {text: code for code, text in enumerate(texts or [])}

    def code(self, text: str) -> int:
        """The code of `text`, given out now if it is new."""
        codes = self.codes
        found = codes.get(text)
        if found is None:
            found = codes[text] = len(codes)
        return found

    def column(self, texts: Sequence[str | None]) -> Codes:
        """Codes of some texts, -1 for None."""
        found: Iterable[int] = map(self.codes.get, texts, repeat(-1))  # type: ignore[arg-type]
        codes = np.fromiter(found, np.int32, len(texts))
        missing = np.flatnonzero(codes < 0)
        if missing.shape[0] > texts.count(None):
            for i in missing.tolist():
                text = texts[i]
                if text is not None:
                    codes[i] = self.code(text)
        return codes

    def texts(self) -> list[str]:
        """All texts in code order, for the checkpoint."""
        return list(self.codes)
