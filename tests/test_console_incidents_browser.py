"""A journey in a real Chromium over a real flow: from an alert to a contained corridor, its effect, undo, the review."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

from playwright.sync_api import Page, expect

from alerts.response import acts
from alerts.response.clock import present
from alerts.response.core import ResponseCore
from alerts.response.review import SECTIONS, Action, PlanDecision
from dataflow.embedded import embedded
from tests.console_live import console_of, free_port
from tests.test_console_browser import page, pytestmark, settle
from tests.test_containment_live import Flow

__all__ = ["page", "pytestmark"]
WAIT = 30_000


def shown(page: Page, address: str) -> None:
    page.goto(address)
    settle(page)


def as_person(page: Page, name: str) -> None:
    page.get_by_role("button", name=re.compile("You are")).click()
    field = page.get_by_role("textbox", name="You are")
    field.fill(name)
    field.press("Enter")
    expect(page.get_by_role("button", name=f"You are: {name}")).to_be_visible(timeout=WAIT)
    page.keyboard.press("Escape")
    settle(page)


def given(page: Page, verb: str, reason: str) -> None:
    """Open a verb's form, say why, press."""
    page.get_by_role("button", name=verb, exact=True).first.click()
    page.get_by_role("textbox", name="Reason").last.fill(reason)
    page.get_by_role("button", name=verb, exact=True).last.click()


def test_from_an_alert_to_an_incident_contained_by_two_people_undone_and_reviewed(
    page: Page, tmp_path: Path
) -> None:
    settings = tmp_path / "console.json"
    settings.write_text(json.dumps({"role": "commander", "actor": "ana"}))
    with embedded(tmp_path / "valkey") as url, console_of(url, free_port(), settings) as address:
        flow = Flow(tmp_path, url)
        outside: list[str] = []
        page.on(
            "request",
            lambda r: None if r.url.startswith((address, "data:", "blob:")) else outside.append(r.url),
        )
        with flow.worker("scorer"):
            flow.feed(4000)
            (alert,) = flow.wait(lambda: flow.store.alerts(("open",), "priority", 1))

            # An analyst makes the worst alert an incident.
            shown(page, f"{address}/queue?lang=en&alert={alert.id}")
            page.get_by_role("button", name="Incident", exact=True).click(timeout=WAIT)
            page.get_by_role("textbox", name="What happened").fill("forty like this one")
            page.get_by_role("button", name="Declare and page the team").click()
            expect(page.get_by_role("link", name=re.compile("Part of incident"))).to_be_visible(timeout=WAIT)
            core = ResponseCore(flow.store)
            (incident,) = core.incidents()
            assert incident.alert_ids == [alert.id]

            # One person tries and proposes, another approves; the flow says since when.
            shown(page, f"{address}/incidents?lang=en&incident={incident.id}&part=contain")
            as_person(page, "ana")
            page.get_by_role("button", name="Dry run").click()
            expect(page.get_by_text(re.compile("it would newly"))).to_be_visible(timeout=WAIT)
            page.get_by_role("textbox", name="Reason").last.fill("losses rise")
            page.get_by_role("textbox", name="Reason").last.press("Enter")
            settle(page)
            page.get_by_role("button", name="Propose", exact=True).click()
            expect(page.get_by_text(re.compile("Containment waits for approval"))).to_be_visible(timeout=WAIT)
            expect(page.get_by_role("button", name="Approve", exact=True)).to_be_disabled(timeout=WAIT)
            as_person(page, "bo")
            given(page, "Approve", "seen it")
            expect(page.get_by_text(re.compile("in force in the stream since")).first).to_be_visible(
                timeout=WAIT
            )
            (measure,) = core.measures()
            assert (measure.proposed_by, measure.approved_by, measure.dual) == ("ana", "bo", True)
            shown(page, f"{address}/monitoring?lang=en")
            banner = page.locator(".tg-banner")
            expect(banner).to_contain_text("CONTAINMENT IN FORCE", timeout=WAIT)

            # Its payments are decided otherwise while it holds.
            flow.feed(2000)
            flow.settled()
            assert any(flow.contained())
            page.get_by_role("link", name="Open").first.click()
            expect(page).to_have_url(re.compile(incident.id), timeout=WAIT)
            settle(page)
            given(page, "Undo", "a rule stops it now")
            expect(banner).to_have_count(0, timeout=WAIT)
            flow.wait(lambda: flow.store.effects([f"{measure.id}-off"]))

        # The sections are written; closing is left to the page.
        def act(made: acts.AnyAct) -> None:
            core.perform(made, present(flow.store, int(time.time() * 1000)))

        who = {"incident": incident.id, "actor": "ana", "role": "commander"}
        for phase in ("recover", "review"):
            act(acts.Move(**who, to=phase))  # type: ignore[arg-type]
        shown(page, f"{address}/incidents?lang=en&incident={incident.id}&part=review")
        expect(page.get_by_text(re.compile("It cannot close yet"))).to_contain_text(
            "Root cause", timeout=WAIT
        )
        review = core.incident(incident.id).review
        assert review is not None
        for section in SECTIONS:
            if not review.sections.get(section):
                act(acts.WriteReview(**who, section=section, text=f"on {section}"))
        act(acts.AddAction(**who, action=Action(id="a1", text="a rule", owner="cem", due="2027-01-01")))
        decision = PlanDecision(outcome="unchanged", reason="it held", by="ana", at=0)
        act(acts.DecidePlan(**who, decision=decision))
        act(acts.Move(**who, to="plan_update"))
        shown(page, f"{address}/incidents?lang=en&incident={incident.id}&part=review")
        expect(page.get_by_text("The review is complete.")).to_be_visible(timeout=WAIT)
        page.get_by_role("button", name="Close the incident").click()
        expect(page.get_by_text(re.compile("The incident is closed"))).to_be_visible(timeout=WAIT)
        assert core.incident(incident.id).phase == "closed"
        assert not outside, "the console asked an outside host for something"
