"""Incidents, measures and pages of them for the tests of the console."""

from __future__ import annotations

from typing import cast

from streamlit.testing.v1 import AppTest

from alerts.emergency.settings import EmergencySettings
from alerts.response import acts
from alerts.response.clock import Clock
from alerts.response.containing import ResponseStore
from alerts.response.core import ResponseCore
from alerts.response.incident import Impacts, Incident
from alerts.response.phases import Phase
from alerts.response.planned import plans_by
from alerts.store import Store
from tests.test_console_pages import Breakable, now, opened

CORRIDOR = {"corridor": "GB>CN"}


def page(part: str = "", language: str = "en", incident: str = "") -> AppTest:
    app = opened("overview", language)
    app.query_params["lang"] = language
    if incident:
        app.query_params["incident"] = incident
    if part:
        app.query_params["part"] = part
    app.switch_page("views/incidents.py").run()
    assert not app.exception
    return app


def as_person(app: AppTest, name: str) -> AppTest:
    app.text_input(key="actor").input(name).run()
    assert not app.exception
    return app


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception
    return app


def declared(
    link: Breakable, kind: str = "corridor_surge", reason: str = "a surge", **facts: str | bool
) -> Incident:
    core = ResponseCore(link.store)
    one, _ = core.declare(
        kind, CORRIDOR, "ana", "senior", reason, Clock(now(), now()), exposed_usd=9000.0, rate=0.5
    )
    if facts:
        core.perform(acts.Know(incident=one.id, actor="ana", role="senior", facts=facts), Clock(now(), now()))
    return one


def moved(link: Breakable, id_: str, *phases: Phase) -> None:
    core = ResponseCore(link.store)
    for phase in phases:
        act = acts.Move(incident=id_, actor="ana", role="commander", to=phase, reason="on")
        core.perform(act, Clock(now(), now()))


def contained(link: Breakable, incident: str | None, approve: bool = True) -> str:
    core, clock = ResponseCore(link.store), Clock(now(), now())
    one, _ = core.propose("hold", CORRIDOR, "stop it", "zoe", "senior", clock, minutes=30, incident=incident)
    if approve:
        core.approve(one.id, "bo", "commander", clock)
    return one.id


def fill_incidents(store: Store, now: int) -> None:
    """Two incidents at work beside a believable morning: a corridor that is contained, and a leak that owes notices."""
    core = ResponseCore(cast("ResponseStore", store), plan_of=plans_by(EmergencySettings().book))
    at = [Clock(now - minutes * 60_000, now - minutes * 60_000) for minutes in (50, 47, 40, 30, 29, 12)]
    alerts = [alert.id for alert in store.alerts(("open",), "priority", 12)]
    surge, _ = core.declare(
        "corridor_surge", CORRIDOR, "wang", "senior", "many small payments on new devices", at[0],
        impacts=Impacts(customers=640), alerts=alerts, exposed_usd=84_000.0, rate=0.62,
    )  # fmt: skip
    who = {"incident": surge.id, "actor": "lin", "role": "commander"}
    core.perform(acts.Acknowledge(**who, page="incident_commander"), at[1])
    core.perform(acts.Note(**who, reason="all from one group of merchants"), at[2])
    one, _ = core.propose(
        "step_up",
        CORRIDOR,
        "fraud without a second factor",
        "wang",
        "senior",
        at[3],
        minutes=120,
        incident=surge.id,
    )
    core.approve(one.id, "lin", "commander", at[4])
    core.store.note_effects([one.control_id], at[4].now + 33)
    core.witness(at[4])
    core.propose(
        "limit", CORRIDOR, "fraud passes the second factor", "chen", "senior", at[5], above_usd=300.0, minutes=120,
        incident=surge.id,
    )  # fmt: skip
    core.perform(acts.Situation(**who, reason="losses fall, two merchants left"), at[5])
    leak, _ = core.declare(
        "data_leak", {"partner": "psp-7"}, "ma", "compliance", "a backup was readable from outside", at[1],
        impacts=Impacts(records=6000),
    )  # fmt: skip
    know = acts.Know(incident=leak.id, actor="ma", role="compliance", facts={"personal_data": True})
    core.perform(know, at[2])
