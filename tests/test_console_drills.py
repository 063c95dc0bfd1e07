"""The Drills page in every state, language and role: schedule, start, score cards, records for parties."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from alerts.drills.book import drill_book
from alerts.drills.history import keep
from alerts.job_requests import DrillExportRequest, DrillRequest, decode_request
from alerts.rights import ROLES, may
from dashboard.drill_names import METRICS
from dashboard.text import EN, translator
from tests.console_data import fill
from tests.console_drills import fill_drills, page, run_of
from tests.test_console_models import in_role
from tests.test_console_pages import Breakable, link, now, words

__all__ = ["link"]
PARTS = ("schedule", "results")
HOSTILE = "![x](http://example.org/x.png) <img src=x>"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("state", ["filled", "empty", "down", "lost"])
def test_every_part_in_every_state(link: Breakable, part: str, language: str, state: str) -> None:
    t = translator(language)  # type: ignore[arg-type]
    if state in ("filled", "lost"):
        fill(link.store, now(), minutes=5)
        fill_drills(link.store, now())
    link.down = state == "down"
    app = page(part, language)
    if state == "lost":
        link.down = True
        app.run()
        assert not app.exception
    text = words(app)
    if state == "filled":
        assert t("drills.overdue") in text or part != "schedule"
        assert t("drills.met") in text or part != "results"
    elif state == "empty":
        assert t("drills.no_runs") in text or t("drills.never") in text
    else:
        assert t("mode.down") in text
        assert "connection refused" in text
    if state in ("lost", "down"):
        assert all(b.disabled for b in app.button if b.key in ("drill_play", "export_do"))


def test_the_schedule_says_what_is_overdue_by_sign_and_word_and_who_owns_it(link: Breakable) -> None:
    fill_drills(link.store, now())
    text = words(page("schedule"))
    assert "1 overdue, 3 never played" in text
    assert "✕ overdue" in text
    assert "✕ never played" in text
    assert "✓ in time" in text
    assert "Fraud lead (deputy: Incident commander)" in text


def test_a_drill_is_asked_for_and_its_card_is_shown_when_it_is_done(link: Breakable) -> None:
    app = page("schedule")
    app.selectbox(key="drill_what").select("restore").run()
    app.number_input(key="drill_seed").set_value(7).run()
    app.button(key="drill_play").click().run()
    (job,) = link.store.jobs(5)
    assert decode_request(job.kind, job.request) == DrillRequest(scenario="restore", seed=7)
    assert "No worker takes jobs (1 waiting)" in words(app)
    assert app.query_params["job"] in (job.id, [job.id])
    assert link.store.take_job("w", now(), 60_000)
    run = run_of("restore", now(), 7, mttd_s=90.0, mtta_s=None)
    link.store.finish_job(job.id, "w", now(), result=msgspec.json.encode(run).decode())
    text = words(app.run())
    assert "Targets missed: 2" in text
    assert "✕ missed" in text
    assert "✓ met" in text
    assert "not reached" in text
    app.button(key="drill_play").click().run()
    second = link.store.jobs(5)[0]
    assert second.id != job.id
    assert words(app).count("queued") >= 1
    app.button(key="drill_cancel").click().run()
    assert link.store.jobs(5)[0].state == "cancelled"


def test_a_drill_that_failed_says_why(link: Breakable) -> None:
    job = link.store.request_job(DrillRequest(scenario="restore"), "ana", "senior", "k", now())
    link.store.take_job("w", now(), 60_000)
    link.store.finish_job(job.id, "w", now(), error="no valkey-server on this machine")
    assert "no valkey-server on this machine" in words(page("schedule"))


def test_a_record_for_a_party_is_asked_for_and_taken_as_a_file(link: Breakable) -> None:
    run = fill_drills(link.store, now())[2]
    app = page("results", run=run.id)
    assert app.selectbox(key="drill_run").value == run.id
    options = app.selectbox(key="export_party").options
    assert "Acquiring bank" in options
    assert "Mastercard" not in options, "the plan gives it no part"
    app.selectbox(key="export_party").select_index(options.index("Visa")).run()
    app.button(key="export_do").click().run()
    (job,) = link.store.jobs(5)
    assert decode_request(job.kind, job.request) == DrillExportRequest(run=run.id, party="visa")
    link.store.take_job("w", now(), 60_000)
    result = {"file": "drill-x-visa.jsonl", "text": "{}\n", "run": run.id, "party": "visa"}
    link.store.finish_job(job.id, "w", now(), result=msgspec.json.encode(result).decode())
    app.run()
    assert not app.exception
    assert [b.label for b in app.get("download_button")] == ["Take drill-x-visa.jsonl"]


@pytest.mark.parametrize("role", ROLES)
def test_roles_may_start_and_export_as_the_table_says(
    link: Breakable, role: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_role(monkeypatch, tmp_path, role)
    fill_drills(link.store, now())
    assert page("schedule").button(key="drill_play").disabled != may(role, "drill.request")
    assert page("results").button(key="export_do").disabled != may(role, "drill_export.request")


def test_texts_from_outside_draw_no_picture_and_no_link(link: Breakable) -> None:
    keep(link.store, run_of("card_testing", now(), actor=HOSTILE, id_="x<img src=x>"), "senior")
    for part in PARTS:
        app = page(part)
        html = "\n".join(str(getattr(e.proto, "body", "")) for e in app.get("html"))
        assert "<img" not in html
        assert "![x](" not in "\n".join(str(e.value) for e in app.markdown)


def test_every_drill_and_measure_has_a_name() -> None:
    assert {f"drill.name.{one.id}" for one in drill_book().drill} <= EN.keys()
    assert {f"metric.{name}{more}" for name in METRICS for more in ("", ".help")} <= EN.keys()
