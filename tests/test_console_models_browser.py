"""A journey in a real Chromium: upload a rule pack, have it back-tested by a real worker, see what would change, pin."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import redis
from playwright.sync_api import Page, expect

from alerts.custody.keyring import KeyRing, keyring_path
from alerts.custody.private_files import make_private_directory
from alerts.redis_store import RedisStore
from models.events import Control, decode
from tests.console_models import fill_models
from tests.streams import record
from tests.test_console_browser import console, page, pytestmark, settle
from tests.test_jobs_worker import process_of, until

__all__ = ["console", "page", "pytestmark"]


def installation(folder: Path) -> Path:
    """Settings of a worker with a key ring and one recorded stream."""
    make_private_directory(folder / "var")
    KeyRing.load_or_create(keyring_path(folder / "var"), 1)
    make_private_directory(folder / "var" / "recordings")
    shutil.copy(record.path_of("commerce"), folder / "var" / "recordings")
    path = folder / "tidegate.toml"
    path.write_text(f'data_dir = "{folder / "var"}"\n' + record.SETTINGS.read_text())
    return path


def test_judge_a_rule_pack_before_it_goes_live_then_pin_a_champion(
    page: Page, console: tuple[str, RedisStore, redis.Redis], tmp_path: Path
) -> None:
    address, store, link = console
    outside: list[str] = []
    page.on(
        "request", lambda r: None if r.url.startswith((address, "data:", "blob:")) else outside.append(r.url)
    )
    url = "unix://" + link.connection_pool.connection_kwargs["path"]
    worker = process_of(installation(tmp_path), url, tmp_path / "jobs.log")
    try:
        name = record.path_of("commerce").name
        until(lambda: name in {r.name for r in store.recordings()})
        fill_models(store, int(time.time() * 1000), surging=False)

        page.goto(f"{address}/models?lang=en&part=backtests")
        settle(page)
        page.get_by_role("radio", name="Whole pack").or_(
            page.get_by_text("Whole pack", exact=True)
        ).first.click()
        pack = {
            "name": "swapped.toml",
            "mimeType": "application/toml",
            "buffer": record.SWAPPED_PACK.encode(),
        }
        page.set_input_files("input[type=file]", pack)  # type: ignore[arg-type]
        expect(page.get_by_text("their examples hold")).to_be_visible(timeout=30_000)
        page.get_by_text("Score with the model that serves now").click()
        expect(page.get_by_role("checkbox", name="Score with the model")).not_to_be_checked(timeout=30_000)
        settle(page)
        page.get_by_role("button", name="Run the back-test").click()
        expect(page.get_by_role("button", name="Result as JSON")).to_be_visible(timeout=120_000)

        (job,) = store.jobs(5)
        assert (job.state, job.actor) == ("done", "analyst")
        assert f"job={job.id}" in page.url
        result = json.loads(store.job_result(job.id))
        assert json.loads(job.request)["pack"] == record.SWAPPED_PACK
        say = page.locator(".tg-say")
        expect(say).to_contain_text(f"changes for {result['changed']['payments']:,} payments")
        expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=30_000)

        page.goto(f"{address}/models?lang=en")
        settle(page)
        expect(page.get_by_text("Champion and challengers")).to_be_visible(timeout=30_000)
        page.get_by_role("button", name="Pin a champion").click()
        page.get_by_role("textbox", name="Reason").fill("a rehearsal")
        page.get_by_role("button", name="Pin it").click()
        expect(page.get_by_text("Recorded: stack of all shall serve")).to_be_visible(timeout=30_000)
        pinned = decode(link.xrevrange("tg:control", count=1)[0][1][b"e"])
        assert isinstance(pinned, Control)
        assert (pinned.kind, pinned.version, pinned.reason) == ("champion", "stack", "a rehearsal")
    finally:
        worker.terminate()
        worker.wait(30)
    assert not outside, "the console asked an outside host for something"
