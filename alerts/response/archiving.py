"""The review of a closed incident as it goes into the audit chain: whole, in parts, since an entry has a size. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from alerts.custody.audit import AuditEntry
from alerts.response.effects import Owed, role_of
from alerts.response.incident import Incident

PART_BYTES = 20_000
"""Of text in one entry: well below what an entry may have, with every character escaped."""


def archive_of(incident: Incident, actor: str, role: str) -> list[Owed]:
    """Entries of every section, of the actions and of the decision on the plan; none without a review."""
    review = incident.review
    if review is None:
        return []
    parts: list[dict[str, object]] = []
    for name, text in sorted(review.sections.items()):
        pieces = list(_pieces(text))
        parts += [
            {"section": name, "part": n, "parts": len(pieces), "text": piece}
            for n, piece in enumerate(pieces, 1)
        ]
    parts += [{"section": "actions", "action": msgspec.to_builtins(action)} for action in review.actions]
    parts.append({"section": "plan_decision", "decision": msgspec.to_builtins(review.plan_decision)})
    return [
        Owed(
            id=f"{incident.id}:{incident.version}:archive:{n}",
            audit=AuditEntry(
                actor, role_of(actor, role), "archived", "incident", incident.id, incident.timeline[-1].at, after=part
            ),
        )
        for n, part in enumerate(parts)
    ]  # fmt: skip


def _pieces(text: str) -> Iterator[str]:
    """`text` in pieces of at most PART_BYTES as JSON; at least one."""
    piece: list[str] = []
    size = 0
    for character in text:
        width = len(msgspec.json.encode(character)) - 2
        if size + width > PART_BYTES:
            yield "".join(piece)
            piece, size = [], 0
        piece.append(character)
        size += width
    yield "".join(piece)
