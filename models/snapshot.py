"""The bytes of a model snapshot: plain arrays, a checksum, and checks that make a walk over them safe.

Layout: MAGIC, SHA-256 of the body (32 bytes), body (msgpack of `SnapshotBody`). The version is the first 16
hex digits of that hash, so equal content has one version. No pickle. Whoever stores or sends it signs it.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from models.compiled import HEIGHT, Forest, HalfSpace, Linear
from models.errors import SnapshotError

Float = npt.NDArray[np.float64]
MAGIC = b"TGMODEL3"
MODELS = ("logistic", "forest", "boosted", "anomaly")
"""The models of a snapshot, in the order of their scores."""
STACK, BASE = "stack", "base"
CANDIDATES = (STACK, "logistic", "forest", "boosted")
"""What may be champion: all models together, or one alone. Half-space trees only have a part in the stack."""
CHAMPIONS = (*CANDIDATES, BASE)
"""The champions a snapshot may name. BASE: every payment has the base rate, so that rules alone tell them apart."""
BASE_RATE = 0.002
"""Risk of every payment while nothing has been learnt: about the share of fraud in card payments by
number."""
NO_FLOOR = -1e9
"""A floor that nothing reaches."""
_DIGEST = 32
# Arrays travel as little-endian bytes, whatever the machine.
_WIRE: dict[str, Any] = {"f": np.dtype("<f8"), "i": np.dtype("<i4")}


class Calibration(msgspec.Struct, frozen=True):
    """How raw scores become one probability.

    slope, offset of each of the MODELS: log-odds = slope · score + offset, at least floor; weight: its part of the
    blend; final_slope, final_offset: what the blended log-odds go through at the end. alone: (slope, offset) instead of
    these for each model when it serves alone. base: log-odds of fraud among all payments.
    """

    slope: tuple[float, ...]
    offset: tuple[float, ...]
    floor: tuple[float, ...]
    weight: tuple[float, ...]
    final_slope: float
    final_offset: float
    alone: tuple[tuple[float, float], ...]
    base: float

    def served(self, champion: str) -> tuple[tuple[float, ...], float, float]:
        """(parts of MODELS, final slope, final offset) with which a champion serves."""
        if champion == STACK:
            return self.weight, self.final_slope, self.final_offset
        if champion == BASE:
            return (0.0,) * len(MODELS), 0.0, self.base
        at = MODELS.index(champion)
        return (*(float(i == at) for i in range(len(MODELS))),), *self.alone[at]


class SnapshotBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Everything a scorer needs, by plain value.

    features: names in column order. mean, spread [2F]: the scale of values and of their logarithms. examples,
    frauds: learnt so far. negative_rate: share of good payments that were learnt. river: the library's
    version. champion: which of CHAMPIONS serves. high: lower edge of band high; None: that of the settings.
    """

    champion: str
    features: tuple[str, ...]
    examples: int
    frauds: int
    negative_rate: float
    river: str
    mean: Float
    spread: Float
    linear: Linear
    forest: Forest
    boosted: Forest
    half_space: HalfSpace
    calibration: Calibration
    high: float | None = None


def _to_wire(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        kind = value.dtype.kind
        return [kind, np.ascontiguousarray(value, dtype=_WIRE[kind]).tobytes()]
    raise TypeError(f"a snapshot holds arrays and plain values, not {type(value).__name__}")


def _from_wire(_kind: type, value: Any) -> Any:
    code, data = value
    array = np.frombuffer(data, dtype=_WIRE[code])
    # frombuffer is read-only and may not be aligned; the kernels are compiled for ordinary arrays.
    return array.astype(array.dtype.newbyteorder("="), copy=True)


def encode(body: SnapshotBody) -> bytes:
    """The snapshot's bytes; equal content gives equal bytes."""
    payload = msgspec.msgpack.encode(body, enc_hook=_to_wire)
    return MAGIC + hashlib.sha256(payload).digest() + payload


def version_of(data: bytes) -> str:
    """The 16 hex digits a decision names the snapshot by."""
    return data[len(MAGIC) : len(MAGIC) + 8].hex()


def decode(data: bytes) -> SnapshotBody:
    """Read and check a snapshot. Raises SnapshotError when it is torn, of another format or inconsistent."""
    head = len(MAGIC) + _DIGEST
    if len(data) <= head or not data.startswith(MAGIC):
        raise SnapshotError(
            f"{len(data)} bytes are no model snapshot of format {MAGIC.decode()}: send it again"
        )
    payload = data[head:]
    if hashlib.sha256(payload).digest() != data[len(MAGIC) : head]:
        raise SnapshotError(f"model snapshot {version_of(data)} is torn: its checksum differs; send it again")
    try:
        body = msgspec.msgpack.decode(payload, type=SnapshotBody, dec_hook=_from_wire)
    except (msgspec.DecodeError, KeyError, ValueError, TypeError) as error:
        raise SnapshotError(f"model snapshot {version_of(data)} cannot be read: {error}") from None
    wrong = _inconsistent(body)
    if wrong:
        raise SnapshotError(f"model snapshot {version_of(data)} is inconsistent: {wrong}; learn a new one")
    return body


def _inconsistent(body: SnapshotBody) -> str | None:
    """What is wrong with the arrays, if anything: the compiled walks check no index themselves."""
    count, half = len(body.features), body.half_space
    if len(body.mean) != 2 * count or len(body.spread) != 2 * count or len(body.linear.weights) != 3 * count:
        return f"scale or weights do not fit {count} features"
    calibration = msgspec.to_builtins(body.calibration)
    if any(len(calibration[name]) != len(MODELS) for name in ("slope", "offset", "floor", "weight", "alone")):
        return f"the calibration is not of the {len(MODELS)} models"
    if body.high is not None and not 0.0 < body.high < 1.0:
        return f"the alert threshold is {body.high}"
    if body.champion not in CHAMPIONS:
        return f"there is no champion {body.champion!r}"
    numbers = [body.mean, body.spread, body.linear.weights, half.threshold, half.mass]
    for forest in (body.forest, body.boosted):
        numbers += [forest.threshold, forest.value]
    flat = [np.ravel(np.array(value, dtype=np.float64)) for value in calibration.values()]
    if not all(np.isfinite(part).all() for part in [*numbers, *flat, np.array([body.linear.intercept])]):
        return "a number is not finite"
    for name, forest in (("forest", body.forest), ("boosted", body.boosted)):
        wrong = _wrong_trees(forest, count)
        if wrong:
            return f"{name}: {wrong}"
    inner_nodes, all_nodes = 2**HEIGHT - 1, 2 ** (HEIGHT + 1) - 1
    trees = len(half.mass) // all_nodes
    if len(half.mass) != trees * all_nodes or len(half.feature) != trees * inner_nodes:
        return "half-space trees are not complete"
    if len(half.threshold) != len(half.feature) or ((half.feature < 0) | (half.feature >= count)).any():
        return "a half-space node names a feature that is not there"
    return None


def _wrong_trees(forest: Forest, count: int) -> str | None:
    nodes = len(forest.feature)
    columns = (forest.threshold, forest.left, forest.right, forest.missing_left, forest.value)
    if any(len(column) != nodes for column in columns):
        return "columns differ in length"
    own = np.arange(nodes)
    inner = forest.feature >= 0
    if (forest.feature >= count).any() or (forest.roots < 0).any() or (forest.roots >= nodes).any():
        return "a node names a feature or root that is not there"
    # Children come after their parent, so every walk ends.
    for child in (forest.left, forest.right):
        if (child[inner] <= own[inner]).any() or (child[inner] >= nodes).any():
            return "a node's child is not below it"
    return None


def blank(features: tuple[str, ...], calibration: Calibration) -> SnapshotBody:
    """A body that has learnt nothing: every raw score is 0, only the calibration speaks."""
    count = len(features)
    none, index = np.empty(0), np.empty(0, dtype=np.int32)
    trees = Forest(index, index, none, index, index, index, none)
    return SnapshotBody(
        champion=STACK,
        features=features,
        examples=0,
        frauds=0,
        negative_rate=1.0,
        river="",
        mean=np.zeros(2 * count),
        spread=np.zeros(2 * count),
        linear=Linear(0.0, np.zeros(3 * count)),
        forest=trees,
        boosted=trees,
        half_space=HalfSpace(index, none, none),
        calibration=calibration,
    )
