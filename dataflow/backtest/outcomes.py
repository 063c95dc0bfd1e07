"""What became of the payments of a recording: fraud, good, or not known yet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from dataflow.simulate import Truth
from dataflow.simulation.manifest import truth_path
from models.errors import SourceError
from models.hashing import Hashes, hash_texts
from models.rules.rule import TYPOLOGIES
from models.windows import Int64

FRAUD, GOOD, OPEN = 1, 0, -1
UNNAMED = -1
"""Stands for the typology of a fraud that nobody named."""
Codes = npt.NDArray[np.int8]
Flags = npt.NDArray[np.bool_]


class Outcomes(NamedTuple):
    """One element a payment. outcome: FRAUD, GOOD or OPEN; typology: place in TYPOLOGIES or UNNAMED.

    source: `labels`, `truth` or `none`. labels: how many payments had one.
    """

    outcome: Codes
    typology: Codes
    source: str
    labels: int

    @property
    def named(self) -> bool:
        """True when the typology of some fraud is known."""
        return bool((self.typology[self.outcome == FRAUD] != UNNAMED).any())


class Labels:
    """The last label of each payment, by the hash of its id."""

    def __init__(self) -> None:
        self._said: dict[int, tuple[bool, int]] = {}

    def add(self, key: int, fraud: bool, typology: str | None) -> None:
        """Take a label; a later one of the same payment takes its place."""
        self._said[key] = (fraud, _code(typology))

    def outcomes(self, keys: Hashes, received: Int64, happened: Flags, settled_before: int) -> Outcomes:
        """What is known at the end of the recording; keys, received, happened (n,) of all payments.

        Only payments received up to `settled_before` (ms) are judged: of later ones the frauds are known before the
        good ones are, so that counting them would flatter every rule. Without a label of its own such a payment is
        good if it took its course (`happened`), else nobody knows. Where no payment has a label nothing is known of
        any.
        """
        outcome = np.full(keys.shape[0], OPEN, dtype=np.int8)
        typology = np.full(keys.shape[0], UNNAMED, dtype=np.int8)
        if not self._said:
            return Outcomes(outcome, typology, "none", 0)
        outcome[happened & (received <= settled_before)] = GOOD
        rows, said = _matched(keys, self._said)
        settled = received[rows] <= settled_before
        outcome[rows[settled]] = said[settled, 0]
        typology[rows] = said[:, 1]
        return Outcomes(outcome, typology, "labels", len(rows))


def truth_of(paths: Sequence[Path], keys: Hashes) -> Outcomes:
    """The simulator's ground truth, from the .truth files beside recorded streams. Raises SourceError."""
    said: dict[int, tuple[bool, int]] = {}
    for path in paths:
        truths = _truths(truth_path(path))
        names = hash_texts([truth.id for truth in truths]).tolist()
        said.update((key, (True, _code(t.typology))) for key, t in zip(names, truths, strict=True))
    outcome = np.full(keys.shape[0], GOOD, dtype=np.int8)
    typology = np.full(keys.shape[0], UNNAMED, dtype=np.int8)
    rows, found = _matched(keys, said)
    outcome[rows], typology[rows] = found[:, 0], found[:, 1]
    return Outcomes(outcome, typology, "truth", len(rows))


def _truths(path: Path) -> list[Truth]:
    decoder = msgspec.json.Decoder(Truth)
    found = []
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        raise SourceError(
            f"{path}: no such file; --truth is for streams that `tidegate simulate` wrote, leave it out"
        ) from None
    for number, line in enumerate(lines, 1):
        try:
            truth = decoder.decode(line)
        except msgspec.DecodeError as error:
            raise SourceError(f"{path}:{number}: {error}; write the stream again") from None
        if truth.kind == "transaction":
            found.append(truth)
    return found


def _matched(keys: Hashes, said: dict[int, tuple[bool, int]]) -> tuple[Int64, Codes]:
    """Numbers of the payments something is said of, and what (k, 2)."""
    known = np.fromiter(said, dtype=np.uint64, count=len(said))
    values = np.array([*said.values()], dtype=np.int8).reshape(-1, 2)
    order = np.argsort(known, kind="stable")
    known, values = known[order], values[order]
    at = np.searchsorted(known, keys)
    at[at == known.shape[0]] = 0
    rows = np.flatnonzero(known[at] == keys) if known.size else np.empty(0, dtype=np.int64)
    return rows, values[at[rows]]


def _code(typology: str | None) -> int:
    return TYPOLOGIES.index(typology) if typology in TYPOLOGIES else UNNAMED
