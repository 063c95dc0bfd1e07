"""One journey in a real Chromium: open the queue, read the reasons, press F, see the verdict land."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
import redis
from playwright.sync_api import Page, expect, sync_playwright

from alerts.redis_store import RedisStore
from models.events import Label, decode
from tests.console_live import free_port, live_console

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None and os.environ.get("CI") != "true",
        reason="Chromium is not installed: apt-get install chromium fonts-noto-cjk",
    ),
]


@pytest.fixture(scope="module")
def console() -> Iterator[tuple[str, RedisStore, redis.Redis]]:
    with live_console(free_port()) as (address, store, url):
        yield address, store, redis.Redis.from_url(url)


@pytest.fixture
def page() -> Iterator[Page]:
    assert CHROMIUM, "CI needs Chromium: apt-get install chromium fonts-noto-cjk"
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser.new_page(viewport={"width": 1440, "height": 900})
        browser.close()


def settle(page: Page) -> None:
    """Until the page is drawn; never networkidle, for the web socket does not rest."""
    page.wait_for_selector('[data-testid=stApp][data-test-script-state="notRunning"]', timeout=30_000)
    page.wait_for_function("!document.querySelector('[data-testid=stSkeleton]')", timeout=30_000)


def test_judge_an_alert_with_one_key(page: Page, console: tuple[str, RedisStore, redis.Redis]) -> None:
    address, store, link = console
    outside: list[str] = []
    page.on(
        "request", lambda r: None if r.url.startswith((address, "data:", "blob:")) else outside.append(r.url)
    )
    first, second = store.alerts(("open",), "priority", 2)
    labels_before = link.xlen("tg:in")

    page.goto(f"{address}/queue?lang=en")
    settle(page)
    expect(page.get_by_text("S1 critical").first).to_be_visible(timeout=30_000)
    page.wait_for_selector(".js-plotly-plot .main-svg", timeout=30_000)
    expect(page).to_have_url(f"{address}/queue?lang=en&alert={first.id}", timeout=30_000)
    expect(page.locator(".tg-say")).to_have_text(
        next(r.text_en for r in first.decision.reasons if r.code == "card_count_1h")
    )

    page.keyboard.press("f")
    expect(page).to_have_url(f"{address}/queue?lang=en&alert={second.id}", timeout=30_000)
    expect(page.get_by_text("Fraud recorded for")).to_be_visible(timeout=30_000)

    after = store.alert(first.id)
    assert after is not None
    assert (after.status, after.verdict) == ("resolved", "fraud")
    entries = link.xrange("tg:in")[labels_before:]
    labels = [decode(fields[b"e"]) for _, fields in entries]
    assert {x.transaction_id for x in labels if isinstance(x, Label) and x.fraud} == set(first.event_ids)
    assert not outside, "the console asked an outside host for something"
