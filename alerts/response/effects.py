"""What a step of the response owes to others: Control events, announcements and audit entries.

They are kept in the store in the same step as the change they belong to and settled afterwards, each under its own id:
a process that ends in between leaves them to the next one, and nothing is done twice.
"""

from __future__ import annotations

import msgspec

from alerts.custody.audit import AuditEntry
from alerts.response.incident import SYSTEM
from alerts.routing.change import Change
from models.events import Control


class Owed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One effect. id: stable. A control always comes with its audit entry."""

    id: str
    audit: AuditEntry | None = None
    control: Control | None = None
    change: Change | None = None


class Effects(msgspec.Struct):
    """What one step did, in order."""

    owed: list[Owed] = []

    def add(self, effect: Owed) -> None:
        """Note one more."""
        self.owed.append(effect)

    @property
    def controls(self) -> list[Control]:
        """Control events for the stream."""
        return [o.control for o in self.owed if o.control is not None]

    @property
    def changes(self) -> list[Change]:
        """What the router is told."""
        return [o.change for o in self.owed if o.change is not None]

    @property
    def audits(self) -> list[AuditEntry]:
        """What goes into the audit chain."""
        return [o.audit for o in self.owed if o.audit is not None]


def role_of(actor: str, role: str = "") -> str:
    """The role an audit entry names."""
    return SYSTEM if actor == SYSTEM else role or "responder"
