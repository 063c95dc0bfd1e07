"""No look-ahead: what becomes known later, or never, changes no decision that was made before."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest

from dataflow.assemble import engine_of
from dataflow.settings import Settings
from dataflow.sources.files import FileSource
from dataflow.sources.mapping import load_mapping

ROWS, DAYS, DELAY_DAYS = 2400, 12, 2
MAPPING = """
name = "t"
settle_after = "2d"
[id]
column = "no"
[time]
column = "at"
[amount]
column = "amount"
currency = "USD"
[fields]
card = { column = "card", prefix = "T-" }
merchant = { column = "shop", prefix = "T-" }
channel = { value = "cnp" }
[label]
column = "fraud"
delay = "2d"
"""


def write(path: Path, after: float, change: str) -> None:
    """A table in which labels of payments after `after` days are as they are, turned around, shuffled or dropped."""
    draw, other = random.Random(8), random.Random(9)
    rows = []
    for row in range(ROWS):
        day = row * DAYS / ROWS
        fraud = draw.random() < 0.12
        amount = draw.uniform(300, 900) if fraud else draw.uniform(5, 80)
        seconds = int(day * 86_400)
        at = f"2026-03-{1 + seconds // 86_400:02d}T{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        label = str(int(fraud))
        card, shop = f"c{draw.randrange(40)}", f"s{draw.randrange(15)}"
        if day > after:
            label = {"kept": label, "turned": str(int(not fraud)), "dropped": ""}.get(
                change, str(int(other.random() < 0.5))
            )
        rows.append([row, at, f"{amount:.2f}", card, shop, label])
    with path.open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["no", "at", "amount", "card", "shop", "fraud"])
        out.writerows(rows)


def decided(folder: Path, after: float, change: str) -> list[tuple[str, float, str, str]]:
    write(folder / f"{change}.csv", after, change)
    (folder / "map.toml").write_text(MAPPING)
    mapping = load_mapping(str(folder / "map.toml"))
    engine = engine_of(Settings(), learn_inline=True, mapping=mapping, negative_rate=1.0, publish_every=100)
    found = []
    for items in FileSource(folder / f"{change}.csv", mapping):
        found += [(d.id, d.risk, d.action, d.versions.model) for d in engine.step(items).decisions]
    assert len(found) == ROWS
    return found


@pytest.mark.parametrize("change", ["turned", "shuffled", "dropped"])
def test_labels_after_t_change_no_decision_before_t_plus_delay(tmp_path: Path, change: str) -> None:
    after = 7.0
    as_they_are, changed = decided(tmp_path, after, "kept"), decided(tmp_path, after, change)
    until = int((after + DELAY_DAYS) * ROWS / DAYS)
    assert changed[:until] == as_they_are[:until]
    # Otherwise the test would pass on an engine that learns nothing at all.
    assert len({model for *_, model in as_they_are[:until]}) > 5
    assert changed[until:] != as_they_are[until:]
