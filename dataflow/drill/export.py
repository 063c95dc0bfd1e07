"""The record of a drill for one party, sealed, noted in the audit chain; and whether such a file is as it was sealed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from alerts import rights
from alerts.custody.audit import AuditEntry
from alerts.custody.audit_root import PURPOSE as KEY_PURPOSE
from alerts.drills.book import drill_book
from alerts.drills.history import runs
from alerts.drills.parties import PURPOSE, plan_used, record_for, shipped_parties
from alerts.response.evidence import sealed
from dataflow.worker import ring_of
from models.errors import SettingsError

if TYPE_CHECKING:
    from alerts.response.containing import ResponseStore
    from dataflow.settings import Settings


def exported(
    settings: Settings, store: ResponseStore, run_id: str, party_id: str, actor: str, role: str, now: int
) -> bytes:
    """The file. Raises RefusedError for the role, SettingsError and PlanError for what there is not."""
    rights.require(role, "drill_export.request")
    found = runs(store)
    run = next((one for one in found if one.id == run_id), None)
    if run is None:
        newest = ", ".join(one.id for one in found[-3:]) or "none was played yet"
        raise SettingsError(f"there is no drill {run_id!r} in the history; the newest are: {newest}")
    party = shipped_parties().named(party_id)
    plan = plan_used(run, settings.emergency.book())
    parts = record_for(party, run, drill_book().named(run.drill), plan)
    # The role stands in the seal and the person in our audit chain: parties get no name.
    lines = sealed(run.id, parts, ring_of(settings).ed25519(KEY_PURPOSE), role, now, PURPOSE)
    data = b"".join(line + b"\n" for line in lines)
    digest = hashlib.sha256(data).hexdigest()
    after = {"party": party.id, "sha256": digest, "plan": run.plan}
    entry = AuditEntry(actor, role, "exported", "drill", run.id, now, after=after)
    store.append_audit(entry, f"drill export {digest}")
    return data


def file_name(run_id: str, party_id: str) -> str:
    """What the file is called."""
    return f"drill-{run_id}-{party_id}.jsonl"
