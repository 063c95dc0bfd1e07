"""The emergency plan: what ships is whole, what is not in order is found, and a version cannot change unseen."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.emergency import findings as judging
from alerts.emergency.contacts import Contact
from alerts.emergency.findings import findings
from alerts.emergency.plan import AUDIENCES, PHASES, Plan, load_plan
from alerts.emergency.plan_book import Book, book_of, load_book, register_line, shipped_book, unrecorded
from alerts.emergency.presets import Preset, proposal, tried
from alerts.emergency.printing import mark_of, printed, stale_copies
from alerts.emergency.reading import Words
from alerts.emergency.settings import SHIPPED
from alerts.response import kinds as incidents
from alerts.response.measure import VERBS, containment_rules
from dataflow.cli import main
from models.containment import PARTIES, SCOPES
from models.errors import PlanError

DAY = dt.date(2026, 12, 1)
KINDS = tuple(kind.plan for kind in incidents.KINDS)
BOOK = shipped_book()
PLANS = [plan for versions in BOOK.plans.values() for plan in versions]
replace = msgspec.structs.replace


def real(contact: Contact, **changes: object) -> Contact:
    """The example as an installation would fill it in."""
    return replace(contact, placeholder=False, verified_on=DAY, verified_by="scribe", **changes)


def sound(**changes: object) -> Book:
    """The shipped book with real contacts: nothing is wrong with it on DAY."""
    contacts = replace(BOOK.contacts, contact=[real(one) for one in BOOK.contacts.contact])
    return replace(BOOK, **{"contacts": contacts, **changes})


def codes(book: Book, day: dt.date = DAY) -> list[tuple[str, str]]:
    return [(one.code, one.subject) for one in findings(book, day, KINDS)]


def with_plan(**changes: object) -> Book:
    """The sound book with a changed plan for card testing, recorded as it is."""
    plan = replace(BOOK.plan("card_testing"), **changes)
    kept = [one for one in BOOK.register.plan if one.id != plan.id]
    recorded = replace(BOOK.register.of("card_testing", "1.0"), digest=plan.digest)
    register = replace(BOOK.register, plan=[*kept, recorded])
    return sound(plans={**BOOK.plans, "card_testing": [plan]}, register=register)


# what ships


def test_there_is_a_plan_for_every_kind_of_incident_and_only_examples_are_wrong() -> None:
    assert set(BOOK.plans) == set(KINDS)
    assert {code for code, _ in codes(BOOK)} == {"contact_placeholder"}
    assert codes(sound()) == []


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.id)
def test_a_plan_has_flow_channels_collaboration_words_and_recovery(plan: Plan) -> None:
    assert plan.deputy not in (None, plan.owner)
    assert set(plan.message) == set(AUDIENCES)
    assert {"triage", "declare", "contain", "notify", "review"} <= {step.phase for step in plan.step}
    assert all(one.text.en != one.text.zh for one in (*plan.step, *plan.recovery, *plan.channel))
    assert sum(step.verify is not None for step in plan.step) >= 1
    named = {one.contact for one in (*plan.channel, *plan.collaboration)}
    assert all(BOOK.contacts.named(id_) for id_ in named)


def test_examples_of_contacts_can_reach_nobody() -> None:
    for one in BOOK.contacts.contact:
        assert one.placeholder
        assert not one.reachable
        assert one.phone.startswith("+00 ")
        assert one.email.endswith(".invalid")


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.id)
def test_presets_are_measures_the_engine_takes(plan: Plan) -> None:
    scope = dict.fromkeys(SCOPES, "x") | {"channel": "transfer", "corridor": "CN>US"}
    for preset in plan.containment:
        active = tried(preset, scope, 1000)
        assert len(active) == (0 if preset.verb == "rollback" else 1)
        for measure in active:
            assert measure.until == 1000 + preset.minutes * 60_000
            assert set(measure.scope) >= {*preset.scope_from, *preset.scope}


# findings


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"deputy": None}, "deputy_missing"),
        ({"deputy": "fraud_lead"}, "deputy_is_owner"),
        ({"message": {"customer": Words("a", "b")}}, "message_missing"),
        ({"review_by": dt.date(2026, 11, 30)}, "review_overdue"),
        ({"review_by": DAY}, "review_due_soon"),
        ({"step": [s for s in BOOK.plan("card_testing").step if s.phase != "notify"]}, "phase_missing"),
        ({"step": [replace(s, verify=None) for s in BOOK.plan("card_testing").step]}, "nothing_verified"),
        ({"containment": [replace(BOOK.plan("card_testing").containment[0], minutes=99_999)]}, "preset_unusable"),
        ({"collaboration": [replace(BOOK.plan("card_testing").collaboration[0], contact="nobody")]}, "contact_unknown"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_plan_is_found(changes: dict[str, object], code: str) -> None:
    assert codes(with_plan(**changes)) == [(code, "card_testing")]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"verified_on": DAY - dt.timedelta(days=91)}, "contact_unverified"),
        ({"verified_on": DAY - dt.timedelta(days=80)}, "contact_due_soon"),
        ({"verified_on": DAY + dt.timedelta(days=1)}, "contact_unverified"),
        ({"verified_on": None}, "contact_unverified"),
        ({"phone": "", "email": "", "other": ""}, "contact_unreachable"),
    ],
)
def test_a_contact_that_cannot_be_relied_on_is_found(changes: dict[str, object], code: str) -> None:
    contacts = [replace(one, **changes) if one.id == "acquirer" else one for one in sound().contacts.contact]
    assert codes(sound(contacts=replace(BOOK.contacts, contact=contacts))) == [(code, "acquirer")]


def test_a_role_without_deputy_or_without_anybody_is_found() -> None:
    one = [c for c in sound().contacts.contact if c.id != "legal_2"]
    assert codes(sound(contacts=replace(BOOK.contacts, contact=one))) == [("role_without_deputy", "legal")]
    none = [c for c in one if c.id != "legal_1"]
    assert codes(sound(contacts=replace(BOOK.contacts, contact=none))) == [("role_unfilled", "legal")]
    # One person may not be owner and deputy through two roles.
    same = [
        replace(c, roles=["fraud_lead", "incident_commander"]) if c.id == "on_duty_commander" else c
        for c in one
    ]
    same = [c for c in same if c.id != "fraud_lead_1"] + [
        c for c in sound().contacts.contact if c.id == "legal_2"
    ]
    found = codes(sound(contacts=replace(BOOK.contacts, contact=same)))
    assert ("deputy_is_owner", "card_testing") in found


def test_a_kind_without_a_plan_in_force_is_found() -> None:
    before = dt.date(2026, 11, 24)
    assert ("no_plan", "store_loss") in codes(BOOK, before)
    with pytest.raises(PlanError, match="not in force yet"):
        BOOK.plan("store_loss", day=before)


@settings(max_examples=40, deadline=None)
@given(st.dates(dt.date(2026, 11, 25), dt.date(2028, 1, 1)), st.integers(0, 400))
def test_findings_only_grow_with_time(day: dt.date, later: int) -> None:
    """What is an alarm today is one tomorrow, as long as nobody does anything."""
    book = sound()
    today = {one[:3] for one in findings(book, day) if one.level == "alarm"}
    then = {one[:3] for one in findings(book, day + dt.timedelta(days=later)) if one.level == "alarm"}
    assert today - {f for f in today if day < DAY} <= then


# versions


def test_a_later_version_comes_into_force_on_its_day_and_both_stay_in_the_book() -> None:
    old = BOOK.plan("data_leak")
    new = replace(old, version="1.1", effective_from=dt.date(2027, 1, 10), review_by=dt.date(2027, 4, 1))
    book = book_of([new, old], BOOK.contacts, BOOK.letters, BOOK.register)
    assert book.in_force("data_leak", dt.date(2027, 1, 9)) is old
    assert book.in_force("data_leak", dt.date(2027, 1, 10)) is new
    assert book.plan("data_leak", "1.0") is old
    assert unrecorded(book) == [new]
    with pytest.raises(PlanError, match="comes into effect before"):
        book_of([old, replace(new, effective_from=dt.date(2026, 1, 1))], *_rest())
    with pytest.raises(PlanError, match="is there twice"):
        book_of([old, old], *_rest())


def _rest() -> tuple[object, object, object]:
    return BOOK.contacts, BOOK.letters, BOOK.register


def test_a_change_of_a_recorded_version_is_found_whatever_it_is() -> None:
    plan = BOOK.plan("card_testing")
    changed = replace(plan, summary=Words(plan.summary.en + ".", plan.summary.zh))
    book = sound(plans={**BOOK.plans, "card_testing": [changed]})
    assert codes(book) == [("version_changed", "card_testing")]
    with pytest.raises(PlanError, match="changed after it was recorded"):
        unrecorded(book)
    lost = {id_: versions for id_, versions in BOOK.plans.items() if id_ != "card_testing"}
    assert ("version_lost", "card_testing") in codes(sound(plans=lost))


def test_the_digest_is_of_the_content_not_of_the_file() -> None:
    text = (SHIPPED / "store_loss.toml").read_text("utf-8")
    spaced = "# a comment\n" + text.replace(
        'id = "store_loss"\nversion = "1.0"', 'version  =  "1.0"\n\nid = "store_loss"', 1
    )
    assert load_plan(spaced, "x").digest == load_plan(text, "x").digest
    assert load_plan(text.replace("within = 5", "within = 6", 1), "x").digest != load_plan(text, "x").digest


# refusals


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('owner = "fraud_lead"', 'owner = "the boss"', "p.toml:6:"),
        ('version = "1.0"', 'version = "one"', "p.toml:3:"),
        ("review_by = 2027-02-23", "review_by = 2026-01-01", "review_by must lie after"),
        ('verb = "suspend"', 'verb = "nuke"', "p.toml:"),
        ("minutes = 60", "minutes = 0", "containment[0].minutes"),
        ('scope_from = ["bin"]', 'scope_from = ["planet"]', "'planet' is not one of"),
        ('id = "challenge_bin"', 'id = "stop_source"', "is there twice"),
        ('id = "card_testing"', 'id = "card_testing"\nmotto = "x"', "motto"),
        ("zh = \"首版。\"", 'zh = " "', "both languages"),
        ('approved_by = "incident_commander"', 'approved_by = "fraud_lead"', "another role"),
        ("[message]", "[message", "not valid TOML"),
        ('customer = { en = "We saw', 'customer = { en = "{{ x }} We saw', "belong into the letters"),
    ],
)  # fmt: skip
def test_a_plan_that_cannot_be_read_is_refused_with_its_place(old: str, new: str, said: str) -> None:
    text = (SHIPPED / "card_testing.toml").read_text("utf-8")
    assert old in text
    with pytest.raises(PlanError) as caught:
        load_plan(text.replace(old, new, 1), "p.toml")
    assert str(caught.value).startswith("p.toml:")
    assert said in str(caught.value)


@given(
    st.sampled_from(VERBS), st.lists(st.sampled_from(SCOPES), unique=True, max_size=3),
    st.none() | st.floats(0, 1e9), st.integers(1, containment_rules().longest_min),
)  # fmt: skip
def test_every_preset_that_is_taken_makes_a_control_the_engine_takes(
    verb: str, keys: list[str], above: float | None, minutes: int
) -> None:
    given_ = {"id": "p", "verb": verb, "minutes": minutes, "scope_from": keys, "text": {"en": "a", "zh": "b"}}
    if above is not None:
        given_["above_usd"] = above
    try:
        preset = msgspec.convert(given_, Preset)
    except msgspec.ValidationError:
        parties = {*PARTIES, "card", "party"}
        assert (
            (verb == "limit") != (above is not None)
            or (verb == "rollback" and keys)
            or (verb == "freeze" and parties.isdisjoint(keys))
            or (verb == "hold_payouts" and "channel" in keys)
        )
        return
    active = tried(preset, dict.fromkeys(SCOPES, "v"), 5)
    assert [measure.until for measure in active] == [5 + minutes * 60_000] * (verb != "rollback")
    if keys:
        with pytest.raises(PlanError, match=keys[0]):
            proposal(preset, {})


# paper


@pytest.mark.parametrize("form", ["markdown", "html"])
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("id_", ["data_leak", "card_testing"])
def test_paper_carries_everything_and_says_when_it_is_old(id_: str, language: str, form: str) -> None:
    plan = BOOK.plan(id_)
    text = printed(plan, BOOK, language, form, DAY)
    for step in plan.step:
        assert step.text.in_(language).replace("_", " ")[:12] in text.replace("\\", "").replace(
            "_", " "
        ).replace("&#x27;", "'")
    assert mark_of(plan) in text
    assert stale_copies(BOOK, [("copy", text)], DAY) == []
    newer = replace(plan, version="1.1", effective_from=DAY, review_by=dt.date(2027, 3, 1))
    later = replace(BOOK, plans={**BOOK.plans, id_: [plan, newer]})
    assert [f.code for f in stale_copies(later, [("copy", text)], DAY)] == ["copy_outdated"]
    forged = text.replace(plan.digest, "0" * 64)
    assert [f.code for f in stale_copies(BOOK, [("copy", forged)], DAY)] == ["copy_differs"]
    assert [f.code for f in stale_copies(BOOK, [("copy", "nothing")], DAY)] == ["copy_unreadable"]


def test_a_page_holds_no_mark_up_that_a_plan_smuggles_in() -> None:
    evil = Words("<script>alert(1)</script> | `x`", "<b>甲</b>")
    plan = replace(BOOK.plan("store_loss"), summary=evil)
    assert "<script>" not in printed(plan, BOOK, "en", "html", DAY)
    assert "<script>" not in printed(plan, BOOK, "en", "markdown", DAY).replace("\\<script>", "")
    assert "<b>" not in printed(plan, BOOK, "zh", "html", DAY)


# the command


@pytest.fixture
def tidegate(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run the command here; its exit code and what it printed."""

    def run(*arguments: str | Path) -> tuple[int, str]:
        code = main(["plan", *map(str, arguments)])
        return code, capsys.readouterr().out

    return run


def test_the_command_finds_records_and_prints(
    tmp_path: Path, tidegate: Callable[..., tuple[int, str]]
) -> None:
    folder = tmp_path / "plans"
    shutil.copytree(SHIPPED, folder)
    on = ("--plans", folder, "--on", "2026-12-01")
    code, out = tidegate("check", *on, "--json")
    assert code == 1
    assert {one["code"] for one in json.loads(out)["findings"]} == {"contact_placeholder"}
    contacts = folder / "shared" / "contacts.toml"
    filled = contacts.read_text("utf-8").replace("placeholder = true", "verified_on = 2026-12-01")
    contacts.write_text(filled, "utf-8")
    assert tidegate("check", *on)[0] == 0
    copy = tmp_path / "leak.html"
    assert tidegate("print", "data_leak", *on, "--html", "--out", copy)[0] == 0
    old = (folder / "data_leak.toml").read_text("utf-8")
    new = old.replace('version = "1.0"', 'version = "1.1"').replace("from = 2026-11-25", "from = 2026-11-30")
    (folder / "data_leak-1.1.toml").write_text(new, "utf-8")
    code, out = tidegate("check", *on, "--copy", copy)
    assert code == 1
    assert "version_unrecorded" in out
    assert "copy_outdated" in out
    assert json.loads(tidegate("record", "--plans", folder, "--json")[1])["recorded"] == ["data_leak 1.1"]
    assert tidegate("check", *on)[0] == 0
    history = json.loads(tidegate("history", "data_leak", *on, "--json")[1])
    assert [(v["version"], v["in_force"], v["unchanged"]) for v in history["versions"]] == [
        ("1.0", False, True), ("1.1", True, True),
    ]  # fmt: skip
    assert "数据泄露" in tidegate("show", "data_leak", *on, "--language", "zh")[1]
    assert "15 plans" in tidegate("list", *on)[1]
    assert tidegate("show", "no_such", *on)[0] == 2
    assert tidegate("list", "--plans", tmp_path / "none")[0] == 2


def test_recording_is_appending(tmp_path: Path) -> None:
    folder = tmp_path / "plans"
    shutil.copytree(SHIPPED, folder)
    plan = BOOK.plan("card_testing")
    newer = replace(plan, version="1.1", effective_from=DAY)
    path = folder / "shared" / "register.toml"
    path.write_text(path.read_text("utf-8") + register_line(newer, DAY), "utf-8")
    kept = load_book(folder).register.of("card_testing", "1.1")
    assert kept is not None
    assert (kept.digest, kept.recorded_on, kept.what) == (newer.digest, DAY, plan.change.text)


def test_phases_and_warning_days_are_what_the_docs_say() -> None:
    assert PHASES[0] == "detect"
    assert judging.WARN_DAYS == 14
