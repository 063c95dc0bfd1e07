"""What the features are about: each entry of the catalogue belongs to one group, told from its name and entity.

Groups are for ablation and for reading, nothing is computed by them. The first group of GROUPS that claims a feature
has it, so a word that says more (fraud, login) stands before one that says less (count).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from models.catalogue.feature import Feature
from models.errors import SettingsError


class Group(NamedTuple):
    """A group: what its features have in common; words: a pattern for words of their names; entities: all of these."""

    name: str
    about: str
    words: str
    entities: tuple[str, ...] = ()

    def claims(self, feature: Feature) -> bool:
        """True for a feature of one of the group's entities, or with one of its words in its name."""
        if feature.entity in self.entities:
            return True
        return any(re.fullmatch(self.words, word) for word in feature.name.split("_"))


GROUPS: tuple[Group, ...] = (
    Group(
        "corridor and base rates", "what is usual for the corridor, the BIN and the partner",
        "corridor", ("corridor", "bin", "partner"),
    ),
    Group(
        "memory of outcomes", "what became of earlier payments, known when it was known",
        "frauds?|good|outcomes?|labels?|labelled|settled|disputes?|disputed|chargebacks?|verdicts?|confirmed|legit",
    ),
    Group(
        "behaviour", "logins, refunds and changes of the account",
        "logins?|refunds?|changes?|added|behaviours?|sessions?|contacts?",
    ),
    Group(
        "authorisation", "answers of issuers and strength of authentication",
        "declined|declines?|approved|credentials?|authorisations?|authentications?|factors?|retry|retries",
    ),
    Group(
        "geography", "countries, borders and distance",
        "mismatch|country|countries|border|geo|speed|kmh|km|travel|distance",
    ),
    Group("novelty", "first times, age and dormancy", "new|age|lifetime|dormant|novel|novelty|unseen"),
    Group(
        "distinct counts", "how many cards, customers, merchants … meet on one entity (the payment graph)",
        "cards|customers|devices|ips|merchants|payees|payers|ships|addresses|currencies|distinct|shared|degree",
    ),
    Group(
        "time and rhythm", "hour, weekday and gaps between payments",
        "hours?|night|weekend|weekday|seconds|gaps?|intervals?|rhythm|burst",
    ),
    Group(
        "amount", "the amount, and how unusual it is for the entity",
        "amounts?|mean|typical|max|median|unusual|deviations?|robust|ticket|round",
    ),
    Group("velocity", "numbers and sums of payments in windows", "counts?|usd|sums?|velocity|total|pace"),
)  # fmt: skip


def group_of(feature: Feature) -> Group:
    """The feature's group. Raises SettingsError for a feature that no group claims."""
    for group in GROUPS:
        if group.claims(feature):
            return group
    raise SettingsError(
        f"feature {feature.name} ({feature.entity}) has no group: add a word of its name to GROUPS in "
        "dataflow/evaluation/groups.py"
    )


def columns_by_group(catalogue: Sequence[Feature], width: int | None = None) -> dict[str, list[int]]:
    """Columns of the feature matrix by group, in the order of GROUPS; groups without a feature are left out.

    width: columns in all; those after the catalogue are attributes of the data, the last group.
    """
    columns: dict[str, list[int]] = {group.name: [] for group in GROUPS}
    for column, feature in enumerate(catalogue):
        columns[group_of(feature).name].append(column)
    columns["attributes of the data"] = list(range(len(catalogue), width or 0))
    return {name: found for name, found in columns.items() if found}
