"""The recorded streams and how to make them again, with what the engine said of them.

    python -m tests.streams.record            writes NAME.jsonl.gz and golden.json beside this file

Streams are seeded and hold synthetic data only. One of them went through the door with the published test key ring,
so its events carry tokens and envelopes; in the others the simulator's own tokens stand. A change of golden.json
needs a reason that its author can name: it says that the engine decides otherwise than before.
"""

from __future__ import annotations

import gzip
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from alerts.custody.data_keys import MemoryDataKeys
from alerts.custody.keyring import KeyRing
from dataflow.assemble import engine_of
from dataflow.door import Door
from dataflow.replay import replay
from dataflow.settings import load_settings
from dataflow.simulate import Simulator
from dataflow.simulation.hostile import MALFORMED, hostile_stream
from models.engine import Engine, Output
from models.events import Control, ControlKind, Transaction, decode, encode
from models.money import FxTable

FOLDER = Path(__file__).parent
GOLDEN = FOLDER / "golden.json"
SETTINGS = FOLDER / "tidegate.toml"
BATCH = 512

SWAPPED_PACK = """
name = "swapped"

[[rule]]
id = "S001"
title_en = "Many attempts on one card"
title_zh = "同一张卡多次尝试"
expression = 'hold if velocity(count, by=card, window="10m") >= 3'
severity = "high"
typology = "T01"
source = { kind = "expert", reference = "recorded stream: a rule whose velocity the first pack has not" }
runbook = "Look at the card's last attempts."
hits = [{ 'velocity(count, by=card, window="10m")' = 4 }]
misses = [{ 'velocity(count, by=card, window="10m")' = 1 }]

[[rule]]
id = "S002"
title_en = "Large cross-border payment"
title_zh = "大额跨境支付"
expression = 'step_up if cross_border and amount_usd > 400'
severity = "medium"
typology = "T03"
source = { kind = "expert", reference = "recorded stream: a rule on the payment alone" }
runbook = "Ask the payer for a second factor."
hits = [{ cross_border = true, amount_usd = 500 }]
misses = [{ cross_border = false, amount_usd = 500 }]
"""


class Recipe(NamedTuple):
    """A recorded stream: its file is `NAME.jsonl.gz`."""

    name: str
    lines: Callable[[], list[bytes]]


def path_of(name: str) -> Path:
    """The file of a stream."""
    return FOLDER / f"{name}.jsonl.gz"


def simulated(seed: int, customers: int, days: float, *scenarios: str) -> list[bytes]:
    """A simulated stream as protected lines."""
    return [encode(event) for event in Simulator(seed, customers=customers, scenarios=scenarios).events(days)]


def through_the_door(seed: int, customers: int, days: float, *scenarios: str) -> list[bytes]:
    """The same from raw lines with clear fields, protected with the published test keys."""
    simulator = Simulator(seed, customers=customers, scenarios=scenarios)
    clock = [simulator.start]
    door = Door(
        KeyRing.for_tests(),
        MemoryDataKeys(),
        clock=lambda: clock[0],
        entropy=random.Random(seed).randbytes,
    )
    lines = []
    for event in simulator.events(days):
        clock[0] = event.received_at
        lines.append(door.protect(simulator.raw(event)))
    return lines


def control(at: int, kind: ControlKind, version: str, payload: object) -> bytes:
    """A Control line received at `at`, ms."""
    raw = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
    return encode(
        Control(
            id=f"c-{kind}-{version}", event_time=at, received_at=at, kind=kind, version=version,
            actor="recorder", reason="recorded stream", payload=msgspec.Raw(raw),
        )
    )  # fmt: skip


def placed(lines: list[bytes], *controls: tuple[float, ControlKind, str, object]) -> list[bytes]:
    """The lines with Control events at shares of the stream (0 to 1), dated as the line before them."""
    out = list(lines)
    for share, kind, version, payload in sorted(controls, key=lambda c: c[0], reverse=True):
        at = round(share * (len(lines) - 1))
        out.insert(at + 1, control(decode(lines[at]).received_at, kind, version, payload))
    return out


def card() -> list[bytes]:
    """Long enough that the learner completes a model in mid-stream; the rule pack is swapped and band edges move."""
    return placed(
        simulated(11, 90, 18, "card_testing", "impossible_travel"),
        (0.55, "rules", "swapped", {"text": SWAPPED_PACK, "name": "swapped.toml"}),
        (0.8, "thresholds", "2", {"medium": 0.05, "high": 0.2, "critical": 0.5}),
    )


def account() -> list[bytes]:
    """Tokens and envelopes of the door; one payer is pinned."""
    lines = through_the_door(21, 60, 9, "account_takeover", "credential_stuffing")
    payer = next(event.payer for event in map(decode, lines) if isinstance(event, Transaction))
    return placed(lines, (0.3, "pin", "1", {"entity": "customer", "key": payer}))


def commerce() -> list[bytes]:
    """Nothing but payments, acts and labels."""
    return simulated(24, 60, 9, "triangulation", "refund_abuse")


def merchant() -> list[bytes]:
    """A merchant is contained, and the containment lifted again."""
    lines = simulated(23, 60, 9, "bust_out", "synthetic_merchant")
    middle = [e for e in map(decode, lines[len(lines) // 2 :]) if isinstance(e, Transaction) and e.merchant]
    busiest = Counter(event.merchant for event in middle).most_common(1)[0][0]
    until = middle[-1].received_at + 1
    return placed(
        lines,
        (0.5, "containment", "1", {"scope": {"merchant": busiest}, "action": "HOLD", "until": until}),
        (0.6, "containment", "2", {"scope": {"channel": "wallet"}, "action": "STEP_UP", "until": until}),
        (0.9, "containment", "3", {"lift": "1"}),
    )


def laundering() -> list[bytes]:
    """New exchange rates come in mid-stream."""
    table = msgspec.json.decode(FxTable.default().to_json())
    table["version"] = "recorded"
    for rates in table["table"]:
        rates["per_usd"] = {name: rate * 1.25 for name, rate in rates["per_usd"].items() if name != "USD"}
    return placed(simulated(22, 60, 9, "mule", "structuring"), (0.4, "fx", "recorded", table))


def layering() -> list[bytes]:
    """Money that passes through accounts and comes home, goods whose papers disagree, names near listed ones."""
    return simulated(43, 60, 9, "pass_through", "round_trip", "trade_mismatch", "list_evasion")


def scam() -> list[bytes]:
    """Band edges move once."""
    return placed(
        simulated(42, 60, 9, "scam_new_payee"),
        (0.5, "thresholds", "2", {"medium": 0.02, "high": 0.3, "critical": 0.9}),
    )


def quiet() -> list[bytes]:
    """Honest days only."""
    return simulated(17, 60, 8, "quiet")


def hostile() -> list[bytes]:
    """Late, doubled, contradicting and out-of-order lines, every kind of malformed one, and bad Controls."""
    good = simulated(18, 45, 8, "card_testing", "mule")
    lines: list[bytes] = []
    kinds = iter(MALFORMED.items())
    payment = next(line for line in good if line.startswith(b'{"type":"transaction"'))
    for number, line in enumerate(hostile_stream(good, 5, with_oversize=True)):
        lines.append(line)
        if line.startswith(b'{"type":"transaction"') and len(line) < 10_000:
            payment = line if _decodes(line) else payment
        if number % 8 == 3 and (kind := next(kinds, None)) is not None:
            event = msgspec.json.decode(payment)
            lines.append(kind[1](msgspec.json.encode({**event, "id": f"broken-{kind[0]}"})))
    if next(kinds, None) is not None:
        raise ValueError("the hostile stream is too short to hold every kind of malformed line")
    at = decode(good[len(good) // 2]).received_at
    bad = [
        control(at, "rules", "broken", {"text": "name = \"broken\"\n[[rule]]\nid = 'B1'\n"}),
        control(at, "thresholds", "falling", {"medium": 0.9, "high": 0.3, "critical": 0.2}),
        control(at, "containment", "nowhere", {"scope": {"planet": "Mars"}, "action": "HOLD", "until": at}),
        control(at, "fx", "empty", {"version": "empty"}),
        control(at, "pin", "unknown", {"entity": "planet", "key": "Mars"}),
        control(at, "limits", "1", {}),
    ]
    half = len(lines) // 2
    return lines[:half] + bad + lines[half:]


def _decodes(line: bytes) -> bool:
    try:
        return bool(decode(line).id)
    except Exception:  # noqa: BLE001
        return False


RECIPES = (
    Recipe("card", card),
    Recipe("account", account),
    Recipe("commerce", commerce),
    Recipe("merchant", merchant),
    Recipe("laundering", laundering),
    Recipe("layering", layering),
    Recipe("scam", scam),
    Recipe("quiet", quiet),
    Recipe("hostile", hostile),
)
NAMES = tuple(recipe.name for recipe in RECIPES)


def fresh_engine() -> Engine:
    """The engine of `tidegate replay --config tests/streams/tidegate.toml`, which learns inline."""
    return engine_of(load_settings(SETTINGS), learn_inline=True)


class Tally:
    """What golden.json holds of a stream beside the replay's summary."""

    def __init__(self) -> None:
        self.actions: Counter[str] = Counter()
        self.rules: Counter[str] = Counter()
        self.dead: Counter[str] = Counter()
        self.models: list[str] = []

    def __call__(self, output: Output) -> None:
        """Count the output of one step."""
        self.dead.update(letter.reason for letter in output.dead)
        for decision in output.decisions:
            self.actions[decision.action] += 1
            self.rules.update(hit.id for hit in decision.rules if not hit.shadow)
            if decision.versions.model not in self.models:
                self.models.append(decision.versions.model)


def observed(path: Path, batch: int = BATCH) -> dict[str, Any]:
    """Replay a stream; everything about it that must not change by itself."""
    tally = Tally()
    summary = replay([path], fresh_engine(), batch=batch, on_output=tally)
    for measured in ("seconds", "transactions_per_second"):
        del summary[measured]
    return {
        **summary,
        "actions": dict(sorted(tally.actions.items())),
        "rule_hits": dict(sorted(tally.rules.items())),
        "dead_letters": dict(sorted(tally.dead.items())),
        "models": tally.models,
    }


def golden() -> dict[str, dict[str, Any]]:
    """What is expected, by stream."""
    expected: dict[str, dict[str, Any]] = msgspec.json.decode(GOLDEN.read_bytes())
    return expected


def write(recipe: Recipe, path: Path) -> None:
    """Write a stream; equal lines give equal files."""
    with path.open("wb") as plain, gzip.GzipFile("", "wb", 9, plain, mtime=0) as packed:
        packed.write(b"".join(line + b"\n" for line in recipe.lines()))


def main() -> None:
    """Write all streams and golden.json."""
    for recipe in RECIPES:
        write(recipe, path_of(recipe.name))
    found = {name: observed(path_of(name)) for name in NAMES}
    GOLDEN.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")


if __name__ == "__main__":
    main()
