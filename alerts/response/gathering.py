"""What belongs to the evidence of an incident, gathered from the store: all that was seen, decided, done, and by which
configuration. Events are protected as they came in: tokens and sealed envelopes, no clear personal data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

import msgspec

from alerts.custody.audit import canonical, line_of
from alerts.response.core import ResponseCore
from alerts.response.evidence import Part

PAGE = 1000


def gathered(core: ResponseCore, id_: str, configuration: Mapping[str, str]) -> Iterator[Part]:
    """The parts in order: incident, measures, alerts, events, decisions, models, configuration, audit links.

    configuration: texts by name. IncidentError when there is no such incident. An event or decision that is no longer
    kept is named as missing.
    """
    store = core.store
    incident = core.incident(id_)
    yield "incident", msgspec.to_builtins(incident)
    mine = [one for one in core.measures(live=False) if one.incident == id_]
    for one in mine:
        taken = store.effects([one.control_id, f"{one.id}-off"])
        yield "measure", {"measure": msgspec.to_builtins(one), "taken_by_the_flow": taken}
    events: dict[str, None] = {}
    for alert_id in incident.alert_ids:
        alert = store.alert(alert_id)
        if alert is None:
            yield "missing", {"alert": alert_id}
            continue
        yield "alert", msgspec.to_builtins(alert)
        events |= dict.fromkeys(alert.event_ids)
    kept, models = store.kept_events(list(events)), dict[str, None]()
    for event_id in events:
        body = kept.get(event_id)
        yield ("missing", {"event": event_id}) if body is None else ("event", _read(body))
        decision = store.decision(event_id)
        if decision is None:
            yield "missing", {"decision": event_id}
            continue
        yield "decision", (read := _read(decision))
        versions = read.get("versions")
        models |= dict.fromkeys([str(versions.get("model"))] if isinstance(versions, dict) else [])
    for version in models:
        data = store.artefact(version)
        digest = None if data is None else hashlib.sha256(data).hexdigest()
        yield "model", {"version": version, "sha256": digest}
    for name, text in sorted(configuration.items()):
        yield (
            "configuration",
            {"name": name, "sha256": hashlib.sha256(text.encode()).hexdigest(), "text": text},
        )
    yield from _links(core, {("incident", id_), *(("containment", one.id) for one in mine)})


def _links(core: ResponseCore, wanted: set[tuple[str, str]]) -> Iterator[Part]:
    """Links of the audit chain about these things, and the chain's newest one as their anchor."""
    after, last = 0, None
    while links := core.store.audit_chain(after, PAGE):
        for link in links:
            if (link.entry.object_kind, link.entry.object_id) in wanted:
                yield "audit", _read(line_of(link))
        last, after = links[-1], links[-1].seq
    if last is not None:
        yield "chain", {"seq": last.seq, "hash": last.hash}


def _read(data: bytes) -> dict[str, object]:
    body: dict[str, object] = msgspec.json.decode(data, type=dict[str, object])
    # A number JSON cannot say again would make the line another one: better to know it here.
    canonical(body)
    return body
