"""A history of drills, and pages of it, for the tests of the console."""

from __future__ import annotations

import msgspec
from streamlit.testing.v1 import AppTest

from alerts.drills.book import drill_book
from alerts.drills.card import Card
from alerts.drills.course import Contained, Course, Told
from alerts.drills.history import DrillRun, keep
from alerts.emergency.settings import EmergencySettings
from alerts.job_requests import DrillRequest
from alerts.response.containing import ResponseStore
from alerts.tabletop.core import Tabletop
from alerts.tabletop.exercise import load_exercises
from alerts.tabletop.sitting import Sitting, put
from tests.test_console_pages import opened

DAY_MS = 86_400_000
TARGETS = {
    "mttd_s": 60.0, "mtta_s": 1800.0, "mttc_s": 1.0, "contained_s": 7200.0, "mttr_s": 3600.0,
    "notification_lateness_s": 0.0, "false_alarms": 0.0, "lost": 0.0, "doubled": 0.0,
}  # fmt: skip
TRAINED = (
    ("wang", "card_testing", 30, 1), ("wang", "data_leak", 28, 0), ("lin", "card_testing", 200, 0),
    ("lin", "partner_compromise", 345, 2), ("chen", "card_testing", 390, 1), ("chen", "data_leak", 350, 0),
    ("ma", "data_leak", 12, 0), ("ma", "payment_outage", 12, 1), ("zhao", "account_takeover", 3, 5),
    ("sun", "account_takeover", 60, 1), ("sun", "payment_outage", 401, 0),
)  # fmt: skip
"""Who took which exercise, how many days ago, with how many questions not known."""
PLAYED = (
    # drill, days ago, seed, seconds to detect, acknowledge, contain, recover, loss, blocked
    ("card_testing", 196, 1, 48.0, 190.0, 260.0, 1100.0, 2210.0, 14),
    ("card_testing", 108, 2, 31.0, 160.0, 220.0, 800.0, 1180.0, 3),
    ("card_testing", 12, 3, 16.8, 125.0, 140.1, 520.0, 401.42, 0),
    ("account_takeover", 131, 1, 71.5, 240.0, 300.0, 1500.0, 9800.0, 22),
    ("account_takeover", 40, 2, 29.0, 140.0, 190.0, 960.0, 3120.0, 6),
    ("partner_compromise", 150, 1, 22.0, 130.0, 250.0, 1400.0, 15400.0, 2),
    ("data_leak", 196, 4, 3.1, 90.0, 205.0, 1250.0, 0.0, 41),
    ("store_loss", 30, 1, 4.0, 110.0, 180.0, 700.0, 0.0, 120),
)


def course(
    mttd_s: float = 16.8, mtta_s: float = 125.0, contained_s: float = 140.1, mttr_s: float = 520.0
) -> Course:
    """What happened when, as the card has it; declared a minute after the acknowledgement."""
    declared = mttd_s + mtta_s + 60
    steps = {
        "detected": mttd_s, "acknowledged": mttd_s + mtta_s, "declared": declared, "contained": declared + contained_s,
        "recovered": declared + mttr_s,
    }  # fmt: skip
    end = steps["contained"]
    return Course(
        severity="S3",
        steps=steps,
        measures=[Contained(verb="step_up", hits=["bin"], minutes=240, approved_s=end - 0.1, effective_s=end)],
        notices=[Told(deadline="VISA-NOTICE", contact="visa_fraud", due_s=86_400.0, sent_s=600.0)],
    )  # fmt: skip


def run_of(
    drill: str, at: int, seed: int = 1, actor: str = "lin", id_: str = "", **measured: float | None
) -> DrillRun:
    """A run whose card follows from what was measured."""
    card = dict.fromkeys(("good_payments_blocked", "loss_before_containment", *TARGETS), 0.0) | measured
    missed = [
        f"{name} is {card[name]}, at most {most:g}"
        for name, most in TARGETS.items()
        if (value := card[name]) is None or value > most
    ]
    plan = EmergencySettings().book().plan(drill_book().named(drill).kind)
    return DrillRun(
        id=id_ or f"{drill}-{at}", drill=drill, at=at, seed=seed, actor=actor, book="2026-11-25",
        plan=f"{plan.id} {plan.version}",
        card=Card(
            scenario=drill, passed=not missed, targets=TARGETS, measured=msgspec.convert(card, dict[str, float | None]),
            missed=missed,
            course=course(*(card[name] or 0.0 for name in ("mttd_s", "mtta_s", "contained_s", "mttr_s"))),
        ),
    )  # fmt: skip


def fill_drills(store: ResponseStore, now: int) -> list[DrillRun]:
    """Most of a year of drills: one that missed its target, some overdue, two never played."""
    out = []
    for drill, days, seed, mttd, mtta, contained, mttr, loss, blocked in PLAYED:
        run = run_of(
            drill, now - days * DAY_MS, seed, mttd_s=mttd, mtta_s=mtta, mttc_s=0.1, contained_s=contained, mttr_s=mttr,
            loss_before_containment=loss, good_payments_blocked=float(blocked),
        )  # fmt: skip
        keep(store, run, "senior")
        out.append(run)
    return out


def trained(
    store: ResponseStore, person: str, at: int, exercise: str = "card_testing", wrong: int = 0, role: str = "analyst"
) -> Sitting:  # fmt: skip
    """A sitting from the first question to the last; the first `wrong` ones are not known."""
    core = Tabletop(store, load_exercises(), EmergencySettings().book())
    one = core.begin(exercise, person, role, at)
    table = core.table(exercise, at)
    while (question := put(one, table)) is not None:
        chosen = [] if len(one.answers) < wrong else question.right
        at += 20_000
        one = core.answer(one.id, question.question.id, chosen, person, role, at)
    return one


def fill_training(store: ResponseStore, now: int) -> None:
    """A team of six, most of them trained, and a drill that has just been played."""
    for person, exercise, days, wrong in TRAINED:
        trained(store, person, now - days * DAY_MS, exercise, wrong)
    core = Tabletop(store, load_exercises(), EmergencySettings().book())
    one = core.begin("account_takeover", "analyst", "analyst", now - 60_000)
    for question in core.table("account_takeover", now).questions[:3]:
        core.answer(one.id, question.question.id, question.right, "analyst", "analyst", now - 5_000)
    asked = DrillRequest(scenario="store_loss", seed=2)
    job = store.request_job(asked, "lin", "senior", "k", now - 300_000)
    store.take_job("w", now - 290_000, 60_000)
    run = run_of(
        "store_loss", now - 280_000, 2, mttd_s=4.0, mtta_s=96.0, mttc_s=0.1, contained_s=168.0, mttr_s=655.0,
        good_payments_blocked=112.0,
    )  # fmt: skip
    keep(store, run, "senior")
    store.finish_job(job.id, "w", now - 280_000, result=msgspec.json.encode(run).decode())


def page(part: str = "", language: str = "en", **query: str) -> AppTest:
    """The Drills page at one of its parts."""
    app = opened("overview", language)
    for name, value in {"lang": language, "part": part, **query}.items():
        if value:
            app.query_params[name] = value
    app.switch_page("views/drills.py").run()
    assert not app.exception
    return app
