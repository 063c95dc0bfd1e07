"""64-bit identities of texts, a batch at a time.

The texts of a batch are joined once and hashed by one compiled loop (FNV-1a with a splitmix64 finish): 0.05 µs a
text instead of 0.3 µs for a Python-level hash. 0 is kept for "missing". The hash is the same in every process
and on every machine, so it may be stored. Two different identities collide with probability 2^-64 a pair:
with 2 million cards about one chance in ten million that any two are taken for one another.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.kernels import kernel_in_place

Hashes = npt.NDArray[np.uint64]
_SEPARATOR = 0x1F


@kernel_in_place
def mix(value: np.uint64) -> np.uint64:
    """splitmix64's finish (Steele, Lea, Flood 2014): every input bit reaches every output bit."""
    h = value
    h ^= h >> np.uint64(30)
    h *= np.uint64(0xBF58476D1CE4E5B9)
    h ^= h >> np.uint64(27)
    h *= np.uint64(0x94D049BB133111EB)
    h ^= h >> np.uint64(31)
    return h


@kernel_in_place
def _hash_joined(data: npt.NDArray[np.uint8], out: Hashes) -> int:
    h = np.uint64(0xCBF29CE484222325)
    row = 0
    empty = True
    for i in range(data.shape[0]):
        byte = data[i]
        if byte == _SEPARATOR:
            if row >= out.shape[0]:
                return -1
            out[row] = np.uint64(0) if empty else mix(h) | np.uint64(1)
            row += 1
            h = np.uint64(0xCBF29CE484222325)
            empty = True
        else:
            h = (h ^ np.uint64(byte)) * np.uint64(0x100000001B3)
            empty = False
    return row


def hash_texts(texts: Sequence[str]) -> Hashes:
    """Hash each text; "" gives 0. Shape (n,) → (n,). The separator U+001F may not occur (events refuse it)."""
    out = np.zeros(len(texts), dtype=np.uint64)
    if not texts:
        return out
    joined = ("\x1f".join(texts) + "\x1f").encode("utf-8", "surrogatepass")
    if _hash_joined(np.frombuffer(joined, dtype=np.uint8), out) != len(texts):
        raise ValueError("a text to be hashed holds the separator U+001F")
    return out


def hash_lines(lines: list[bytes]) -> Hashes:
    """Hash of each line's bytes (JSON never holds a raw U+001F)."""
    out = np.zeros(len(lines), dtype=np.uint64)
    if lines:
        _hash_joined(np.frombuffer(b"\x1f".join(lines) + b"\x1f", dtype=np.uint8), out)
    return out
