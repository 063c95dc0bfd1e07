"""A journey in a real Chromium with a real sender: silence, an alert that does not page, the page says why, the end."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from alerts.redis_store import RedisStore
from dataflow.embedded import embedded
from tests.console_live import console_of, free_port
from tests.receiver import hook
from tests.sending import local, raise_alerts, sender_of
from tests.test_console_browser import page, pytestmark, settle
from tests.test_console_incidents_browser import WAIT, given, shown
from tests.test_console_pages import now

__all__ = ["page", "pytestmark"]


def test_silence_an_alert_that_does_not_page_the_page_says_why_and_the_silence_ends(
    page: Page, tmp_path: Path
) -> None:
    outside: list[str] = []
    with embedded(tmp_path / "valkey") as url, console_of(url, free_port()) as address, hook() as receiver:
        page.on(
            "request",
            lambda r: None if r.url.startswith((address, "data:", "blob:")) else outside.append(r.url),
        )
        store = RedisStore(url)
        sender = sender_of(store, [local(receiver)])
        raise_alerts(store, 1, 1, now=now())
        sender.step(now())
        assert len(receiver.bodies) == 1, "before the silence it pages"

        # On call: try the matchers, see what they hold, silence.
        shown(page, f"{address}/routing?lang=en&part=silences")
        expect(page.get_by_text("Nothing is silenced")).to_be_visible(timeout=WAIT)
        field = page.get_by_role("textbox", name=re.compile("Matchers"))
        field.fill("corridor=CN>*")
        field.press("Control+Enter")
        page.get_by_role("button", name="Try the matchers").click()
        expect(page.get_by_text(re.compile("They fit 1 of 1 alerts"))).to_be_visible(timeout=WAIT)
        page.get_by_role("textbox", name="Reason").fill("the bank works on its gateway")
        page.get_by_role("textbox", name="Reason").press("Enter")
        settle(page)
        page.get_by_role("button", name="Silence", exact=True).click()
        expect(page.get_by_text(re.compile("Silenced until"))).to_be_visible(timeout=WAIT)
        (made,) = store.silences()
        assert (made.matchers, made.reason) == (["corridor=CN>*"], "the bank works on its gateway")

        # A fresh alert comes up, and nobody hears of it.
        (alert,) = raise_alerts(store, 2, 1, now=now())
        sender.step(now())
        assert len(receiver.bodies) == 1
        shown(page, f"{address}/routing?lang=en&part=why")
        row = page.locator(".tg-card", has_text="nobody is told: silenced")
        expect(row).to_be_visible(timeout=WAIT)
        search = page.get_by_role("textbox", name="Search")
        search.fill(alert.id)
        search.press("Enter")
        say = page.locator(".tg-say")
        expect(say).to_contain_text(f"It pages nobody: silence {made.id} of analyst holds it", timeout=WAIT)
        expect(say).to_contain_text("the bank works on its gateway")

        # The silence ends early; what is still open pages, and the page says so.
        shown(page, f"{address}/routing?lang=en&part=silences")
        given(page, "End", "done early")
        expect(page.get_by_text(re.compile("Ended: "))).to_be_visible(timeout=WAIT)
        (ended,) = store.silences()
        assert ended.ended_by == "analyst"
        sender.step(ended.ends_at + 1)
        assert [body["data"]["alert_id"] for body in receiver.bodies.values()].count(alert.id) == 1
        shown(page, f"{address}/routing?lang=en&part=why&q={alert.id}")
        expect(say).to_contain_text("It paged webhook-", timeout=WAIT)
        expect(page.get_by_text(re.compile("delivered, attempts: 1"))).to_be_visible(timeout=WAIT)
        assert not outside, "the console asked an outside host for something"
