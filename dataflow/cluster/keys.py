"""Names of the places that work is sent to, chosen so that each lands on the worker it is meant for.

Bytewax sends a key to the worker that SipHash-1-3 of the key, with a key of zeros, gives modulo the number of workers
(as Rust's standard library hashes a string: its bytes, then 0xFF). Chance would put several places on one worker and
none on another. A name's suffix is searched instead until its hash leaves the wanted rest modulo 840, which every number
of workers up to eight divides: so names never change, and state finds its place again when there are more workers.

Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012.
"""

from __future__ import annotations

from functools import lru_cache

from models.shard import ACCOUNT

MOST_WORKERS = 8
_EVERY = 840
"""The least common multiple of 1 to MOST_WORKERS."""
_MASK = (1 << 64) - 1

SHARDS: tuple[tuple[str, ...], ...] = (
    ("card", "bin"),
    ("customer",),
    ("device", "ip", "merchant", "partner", "corridor"),
    ("payee", ACCOUNT),
)
"""Kinds of entities that are remembered together: as many owners as there can be. About equal in work."""
HOMES = 8
"""Places where batches are read and decided."""


def siphash13(data: bytes) -> int:
    """SipHash-1-3 under a key of zeros, 64 bits."""
    v = [0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573]
    whole = len(data) - len(data) % 8
    words = [int.from_bytes(data[at : at + 8], "little") for at in range(0, whole, 8)]
    words.append(int.from_bytes(data[whole:], "little") | (len(data) & 0xFF) << 56)
    for word in words:
        v[3] ^= word
        _round(v)
        v[0] ^= word
    v[2] ^= 0xFF
    for _ in range(3):
        _round(v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _round(v: list[int]) -> None:
    v[0] = (v[0] + v[1]) & _MASK
    v[1] = _turned(v[1], 13) ^ v[0]
    v[0] = _turned(v[0], 32)
    v[2] = (v[2] + v[3]) & _MASK
    v[3] = _turned(v[3], 16) ^ v[2]
    v[0] = (v[0] + v[3]) & _MASK
    v[3] = _turned(v[3], 21) ^ v[0]
    v[2] = (v[2] + v[1]) & _MASK
    v[1] = _turned(v[1], 17) ^ v[2]
    v[2] = _turned(v[2], 32)


def _turned(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & _MASK


def worker_of(key: str, workers: int) -> int:
    """The worker that Bytewax sends this key to."""
    return siphash13(key.encode() + b"\xff") % workers


@lru_cache
def _named(name: str, rest: int) -> str:
    suffix = 0
    while worker_of(f"{name}.{suffix}", _EVERY) != rest:
        suffix += 1
    return f"{name}.{suffix}"


def lead_key() -> str:
    """Where rounds are put in order and decisions are numbered: always the first worker, which reads the stream."""
    return _named("lead", 0)


def home_key(home: int) -> str:
    """The key of a home, 0 to HOMES − 1; every worker has one, and the first worker the last."""
    return _named(f"home-{home}", home + 1)


def shard_key(shard: int) -> str:
    """The key of a shard, by its place in SHARDS; the first worker, which has most to do besides, comes last."""
    return _named(f"shard-{shard}", shard + 1)
