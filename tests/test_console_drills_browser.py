"""A journey in a real Chromium: a drill played by a real worker, its record for a party, an exercise at the table."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest
import redis
from playwright.sync_api import Page, expect

from alerts.custody.audit_root import PURPOSE as KEY_PURPOSE
from alerts.custody.keyring import KeyRing, keyring_path
from alerts.drills.history import runs
from alerts.drills.parties import PURPOSE
from alerts.redis_store import RedisStore
from alerts.response.evidence import changes
from alerts.tabletop.core import sittings_in
from tests.test_console_browser import console, page, pytestmark, settle
from tests.test_console_models_browser import installation
from tests.test_console_tabletop import table_of
from tests.test_jobs_worker import process_of

__all__ = ["console", "page", "pytestmark"]
WAIT = 30_000


def chosen(page: Page, box: str, option: str) -> None:
    page.get_by_role("combobox", name=box).click()
    page.get_by_role("option", name=option, exact=True).click()
    settle(page)


@pytest.mark.timeout(240)
def test_play_a_drill_see_its_card_and_take_its_record_for_a_party(
    page: Page, console: tuple[str, RedisStore, redis.Redis], tmp_path: Path
) -> None:
    address, store, link = console
    url = "unix://" + link.connection_pool.connection_kwargs["path"]
    worker = process_of(installation(tmp_path), url, tmp_path / "jobs.log")
    decided, alerts = store.counters(), store.alert_counts()
    try:
        page.goto(f"{address}/drills?lang=en")
        settle(page)
        expect(page.get_by_text("0 overdue, 8 never played")).to_be_visible(timeout=WAIT)
        chosen(page, "Scenario", "Data leak")
        page.get_by_role("button", name="Play it").click()
        expect(page.get_by_text("Every target met")).to_be_visible(timeout=120_000)
        expect(page.get_by_text("Time to effect (MTTC)")).to_be_visible(timeout=WAIT)
        (run,) = runs(store)
        assert (run.drill, run.actor, run.card.passed) == ("data_leak", "analyst", True)
        expect(page.get_by_text("0 overdue, 7 never played")).to_be_visible(timeout=WAIT)
        assert (store.counters(), store.alert_counts()) == (decided, alerts), (
            "nothing of the running system changed"
        )

        page.get_by_text("Results", exact=True).click()
        expect(page.get_by_text("Everything that was played (1)")).to_be_visible(timeout=WAIT)
        settle(page)
        chosen(page, "Party", "Authorities in China")
        page.get_by_role("button", name="Export", exact=True).click()
        with page.expect_download(timeout=60_000) as taken:
            page.get_by_role("button", name=f"Take drill-{run.id}-regulator_cn.jsonl").click(timeout=60_000)
        key = (
            KeyRing.load(keyring_path(tmp_path / "var")).ed25519(KEY_PURPOSE).public_key().public_bytes_raw()
        )
        data = Path(taken.value.path()).read_bytes()
        assert changes(data, [base64.b64encode(key).decode()], PURPOSE) == []
        assert b'"part":"result"' in data
        assert b"analyst" not in data
    finally:
        worker.terminate()
        worker.wait(30)


def test_take_an_exercise_at_the_table_to_its_score(
    page: Page, console: tuple[str, RedisStore, redis.Redis]
) -> None:
    address, store, _ = console
    outside: list[str] = []
    page.on(
        "request", lambda r: None if r.url.startswith((address, "data:", "blob:")) else outside.append(r.url)
    )
    page.goto(f"{address}/drills?lang=zh&part=tabletop")
    settle(page)
    expect(page.get_by_text("尚无人完成推演")).to_be_visible(timeout=WAIT)
    page.locator(".st-key-table_begin-card_testing button").click()
    for question in table_of().questions:
        expect(page.get_by_text(question.question.ask.zh, exact=True)).to_be_visible(timeout=WAIT)
        expect(page.get_by_text("剩余")).to_be_visible(timeout=WAIT)
        for option in question.options:
            if option.points == 1.0:
                box = page.get_by_role(
                    "checkbox" if question.many else "radio", name=option.text.zh, exact=True
                )
                page.get_by_text(option.text.zh, exact=True).last.click()
                expect(box).to_be_checked(timeout=WAIT)
        # While Streamlit draws anew, the button of the question before may still stand there, disabled.
        page.get_by_role("button", name="提交", disabled=False).click()
        settle(page)
    expect(page.get_by_text("合格 · 100%")).to_be_visible(timeout=WAIT)
    (one,) = sittings_in(store)
    assert (one.state, one.person, one.score, one.passed) == ("done", "analyst", 1.0, True)
    expect(page.get_by_text(f"有效期至 {one.expires_on}")).to_be_visible(timeout=WAIT)
    assert one.expires_on[:4] == str(int(time.strftime("%Y", time.gmtime((one.ended_at or 0) / 1000))) + 1)
    page.get_by_role("button", name="全部科目").click()
    expect(page.get_by_text("培训状态: 1 有效")).to_be_visible(timeout=WAIT)
    page.get_by_text("应急预案", exact=True).click()
    expect(page.frame_locator("iframe").get_by_text("tidegate-plan account_takeover")).to_be_visible(
        timeout=WAIT
    )
    assert not outside, "the console asked an outside host for something"
