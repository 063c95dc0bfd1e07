"""Examples and choices of champion on their way to the learner: as entries of its stream, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from models.events import encode
from models.examples import Choice, Example
from models.settled import Origin

Entry = tuple[tuple[int, int], dict[str, bytes]]
EXAMPLE, CHOICE = "x", "c"


class _Packed(msgspec.Struct, array_like=True, gc=False):
    """vector: float32 little-endian, in the order of the feature catalogue."""

    vector: bytes
    fraud: bool
    key: int
    weight: float
    origin: Origin


def entries_for(examples: Sequence[Example], first: int, choices: Sequence[Choice]) -> list[Entry]:
    """(id, fields) of what the learner is sent, in order.

    Examples have their ordinal, from `first` on; a choice of champion stands behind the last example before it.
    """
    entries: list[Entry] = [
        ((choice.after, choice.number), {CHOICE: encode(choice.event)}) for choice in choices
    ]
    for ordinal, (vector, fraud, key, weight, origin) in enumerate(examples, first):
        packed = _Packed(
            np.asarray(vector, dtype="<f4").tobytes(), bool(fraud), int(key), float(weight), origin
        )
        entries.append(((ordinal, 0), {EXAMPLE: msgspec.msgpack.encode(packed)}))
    return sorted(entries, key=lambda entry: entry[0])


def example_of(fields: Mapping[bytes, bytes]) -> Example:
    """The example of an entry; earlier versions gave each of its parts a field."""
    found = fields.get(EXAMPLE.encode())
    if found is None:
        corridor, source, actor = (fields.get(name, b"").decode() for name in (b"o", b"s", b"a"))
        paid_at, labelled_at, known_at = (int(fields.get(name, b"0")) for name in (b"p", b"l", b"t"))
        origin = Origin(corridor, paid_at, labelled_at, known_at, source, actor, fields.get(b"b") == b"1")
        packed = _Packed(fields[b"v"], fields[b"y"] == b"1", int(fields[b"k"]), float(fields[b"w"]), origin)
    else:
        packed = msgspec.msgpack.decode(found, type=_Packed)
    vector = np.frombuffer(packed.vector, dtype="<f4").astype(np.float64)
    return Example(vector, packed.fraud, packed.key, packed.weight, packed.origin)
