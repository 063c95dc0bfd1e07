"""A new entry from what a person gives, and what it is called in exchanges where its token is an id that all share."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from alerts.lists.exchange import Exchange
from alerts.lists.tokens import check_token
from models.errors import SettingsError
from models.lists import Listed

DAY_MS = 86_400_000
IDS = ("device", "merchant", "bin", "partner")
"""Entities whose token is their id, the same for everybody."""


def new_entry(
    list_: str, entity: str, token: str, *, source: str, reason: str, confidence: int, days: float | None, by_law: bool,
    action: str | None, at: int,
) -> Listed:  # fmt: skip
    """The entry. days: how long from `at` (ms) on; None: by law, which has no end. Raises SettingsError."""
    if (days is None) != by_law:
        raise SettingsError(
            "give how many days the entry holds, or that the law demands it, which has no end",
            zh="请填写有效天数，或注明法定（法定条目无期限）",
        )
    if not token.strip() or not source.strip() or not reason.strip():
        raise SettingsError("an entry has a token, a source and a reason", zh="条目须有标识、来源与理由")
    check_token(entity, token.strip())
    if by_law and list_ != "block":
        raise SettingsError(
            "what the law demands is a block: watch and allow rest on our own judgement",
            zh="法定条目只能列入阻断名单",
        )
    given = {
        "list": list_, "entity": entity, "token": token.strip(), "source": source.strip(), "reason": reason.strip(),
        "confidence": confidence, "until": None if days is None else at + int(days * DAY_MS),
        "basis": "law" if by_law else "own", "action": action or None,
    }  # fmt: skip
    try:
        return msgspec.convert(given, Listed)
    except msgspec.ValidationError as error:
        raise SettingsError(f"the entry cannot be taken: {error}", zh=f"条目无法接受：{error}") from None


def shared_hashes(exchanges: Sequence[Exchange], entity: str, token: str) -> dict[str, str]:
    """What a token is called in exchanges; nothing for a token that is ours alone."""
    if entity not in IDS:
        return {}
    return {one.name: f"plain:{one.hash('plain', token)}" for one in exchanges}
