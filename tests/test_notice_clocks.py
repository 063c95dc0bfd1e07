"""Notification clocks: each regime by its own figures, three answers to "is it owed", and states that only get worse."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.emergency.plan_book import shipped_book
from alerts.notices.clocks import Notice, notices_of, worst
from alerts.notices.criteria import owed
from alerts.notices.deadlines import QUANTITIES, rules_of, shipped_rules
from alerts.notices.facts import FLAGS, IncidentFacts, Profile, Sent
from models.errors import PlanError

RULES = shipped_rules()
HOUR = 3_600_000
KNOWN = int(
    dt.datetime(2026, 11, 25, 2, 30, tzinfo=dt.UTC).timestamp() * 1000
)  # Wednesday, 10:30 in Shanghai
NOTHING: dict[str, Any] = {
    "customers": 0, "records": 0, "persons": 0, "payments_failed": 0, "outage_min": 0, "loss_cny": 0,
    "flags": dict.fromkeys(FLAGS, False),
}  # fmt: skip
EVERYWHERE = Profile(
    jurisdictions=("CN", "DE", "US"),
    entity=(
        "payment_institution", "bank", "financial_entity", "essential_entity", "controller", "product_provider",
    ),
)  # fmt: skip


def facts(**known: Any) -> IncidentFacts:
    """An incident of which everything is known, and nothing is bad but what is given."""
    flags = {**NOTHING["flags"], **dict.fromkeys(known.pop("flags", ()), True)}
    whole = {"occurred": KNOWN, "known": KNOWN, **NOTHING, "flags": flags, **known}
    return IncidentFacts(incident="in_1", kind="data_leak", severity="S2", **whole)


def after(id_: str) -> dict[str, Any]:
    """A notice went out at KNOWN."""
    return {"sent": {id_: Sent(at=KNOWN, by="a")}}


def clock(id_: str, given_: IncidentFacts, now: int = KNOWN, profile: Profile = EVERYWHERE) -> Notice | None:
    return next((one for one in notices_of(given_, profile, now) if one.id == id_), None)


def test_an_incident_that_touches_nothing_owes_nothing() -> None:
    assert notices_of(facts(), EVERYWHERE, KNOWN) == []
    assert worst([]) is None


@pytest.mark.parametrize(
    ("id_", "given_", "hours", "source"),
    [
        ("CN-PBOC-NBPI-1", {"records": 5001}, 2, "Yinfa [2021] 198: more than 5,000 records"),
        ("CN-PBOC-NBPI-1", {"customers": 501}, 2, "Yinfa [2021] 198: more than 500 customers"),
        ("CN-PBOC-NBPI-1", {"outage_min": 120.5}, 2, "Yinfa [2021] 198: more than two hours"),
        ("CN-PBOC-NBPI-1", {"payments_failed": 100_001}, 2, "Yinfa [2021] 198: more than 100,000 payments"),
        ("CN-PBOC-NBPI-1", {"flags": ["fraud_through_channel"]}, 2, "Yinfa [2021] 198"),
        ("CN-PBOC-2025-4-BRIEF", {"persons": 1_000_000}, 0.5, "PBOC Order [2025] 4, draft"),
        ("CN-PBOC-2025-4-REPORT", {"loss_cny": 5_000_000.0}, 2, "PBOC Order [2025] 4, draft"),
        ("CN-CAC-OTHER", {"persons": 1_000_000}, 4, "CAC measures 2025 art. 4"),
        ("CN-CAC-OTHER", {"flags": ["relatively_major"]}, 4, "CAC measures 2025 art. 4"),
        ("CN-CAC-CIIO", {"flags": ["critical_infrastructure", "relatively_major"]}, 1, "CAC measures 2025 art. 4"),
        ("CN-CAC-CIIO", {"flags": ["critical_infrastructure"], "outage_min": 30.0}, 1, "CAC measures 2025, annex"),
        ("CN-CAC-GOV", {"flags": ["state_organ", "relatively_major"]}, 2, "CAC measures 2025 art. 4"),
        ("CN-PIPL-AUTHORITY", {"flags": ["personal_data"]}, 1, "PIPL art. 57 (own line)"),
        ("CN-PIPL-PERSONS", {"flags": ["personal_data"]}, 24, "PIPL art. 57 (own line)"),
        ("CN-NDSR", {"flags": ["product_defect"]}, 24, "Network Data Security Regulations art. 10"),
        ("EU-DORA-INITIAL", {"flags": ["major_ict_incident"], "classified": KNOWN + HOUR}, 5, "CDR (EU) 2025/301 art. 5"),
        ("EU-GDPR-AUTHORITY", {"flags": ["personal_data"]}, 72, "GDPR art. 33(1)"),
        ("EU-GDPR-PERSONS", {"flags": ["personal_data", "high_risk_to_persons"]}, 72, "GDPR art. 34 (own line)"),
        ("EU-NIS2-WARNING", {"flags": ["significant_incident"]}, 24, "NIS2 art. 23(4)(a)"),
        ("EU-NIS2-NOTIFICATION", {"flags": ["significant_incident"]}, 72, "NIS2 art. 23(4)(b)"),
        ("US-BANK", {"flags": ["notification_incident"], "determined": KNOWN + 2 * HOUR}, 38, "36 h from determined"),
        ("VISA-NOTICE", {"flags": ["card_data"]}, 1, "Visa WTDIC (own line)"),
        ("MC-ADC", {"flags": ["card_data"]}, 24, "Mastercard ADC guide"),
    ],
)  # fmt: skip
def test_each_regime_by_its_own_figures(id_: str, given_: dict[str, Any], hours: float, source: str) -> None:
    found = clock(id_, facts(**given_))
    assert found is not None, source
    assert found.owed == "yes"
    assert found.due == KNOWN + int(hours * HOUR), source


@pytest.mark.parametrize(
    ("id_", "given_", "end"),
    [
        ("VISA-REPORT", {"flags": ["card_data"]}, "2026-11-28T15:59"),
        ("VISA-ACCOUNTS", {"flags": ["card_data"]}, "2026-12-09T15:59"),
        ("CN-CAC-FINAL", {"flags": ["relatively_major"], "handling_ended": KNOWN}, "2026-12-25T15:59"),
        ("EU-DORA-INTERMEDIATE", {"flags": ["major_ict_incident"], **after("EU-DORA-INITIAL")}, "2026-11-28T02:30"),
        # One month ends on 25 December 2026, a holiday before a weekend: noon of Monday 28 in Berlin.
        ("EU-DORA-FINAL", {"flags": ["major_ict_incident"], **after("EU-DORA-INTERMEDIATE")}, "2026-12-28T11:00"),
        ("EU-NIS2-FINAL", {"flags": ["significant_incident"], **after("EU-NIS2-NOTIFICATION")}, "2026-12-25T22:59"),
    ],
)  # fmt: skip
def test_limits_in_days_end_in_the_recipients_place(id_: str, given_: dict[str, Any], end: str) -> None:
    found = clock(id_, facts(**given_))
    assert found is not None
    assert found.due is not None
    assert f"{dt.datetime.fromtimestamp(found.due / 1000, dt.UTC):%Y-%m-%dT%H:%M}" == end


@pytest.mark.parametrize(
    ("id_", "given_"),
    [
        (
            "CN-PBOC-NBPI-1",
            {"records": 5000, "customers": 500, "outage_min": 120, "payments_failed": 100_000},
        ),
        ("CN-CAC-OTHER", {"persons": 999_999, "loss_cny": 4_999_999.99}),
        ("CN-CAC-OTHER", {"persons": 1_000_000, "flags": ["critical_infrastructure"]}),
        ("CN-CAC-CIIO", {"flags": ["critical_infrastructure"], "outage_min": 29.9}),
        ("CN-PIPL-PERSONS", {"flags": ["personal_data", "harm_avoided"]}),
        ("EU-GDPR-AUTHORITY", {"flags": ["personal_data", "no_risk_to_persons"]}),
        ("EU-GDPR-PERSONS", {"flags": ["personal_data"]}),
    ],
)
def test_below_the_line_nothing_is_owed(id_: str, given_: dict[str, Any]) -> None:
    assert clock(id_, facts(**given_)) is None


def test_the_initial_dora_report_is_capped_at_a_day_after_awareness() -> None:
    major = {"flags": ["major_ict_incident"]}
    before = clock("EU-DORA-INITIAL", facts(**major))
    assert before is not None
    assert (before.due, before.needs) == (KNOWN + 24 * HOUR, ["classified"])
    late = clock("EU-DORA-INITIAL", facts(**major, classified=KNOWN + 22 * HOUR))
    assert late is not None
    assert late.due == KNOWN + 24 * HOUR
    # Graded major only after that day: four hours from then.
    after = clock("EU-DORA-INITIAL", facts(**major, classified=KNOWN + 30 * HOUR))
    assert after is not None
    assert after.due == KNOWN + 34 * HOUR


def test_only_what_we_are_and_where_we_are_counts() -> None:
    leak = facts(flags=["personal_data", "card_data", "major_ict_incident", "notification_incident"])
    chinese = {one.id for one in notices_of(leak, Profile(), KNOWN)}
    assert {one.partition("-")[0] for one in chinese} == {"CN", "VISA", "MC"}
    nowhere = Profile(jurisdictions=("SG",), schemes=(), entity=("bank",))
    assert notices_of(leak, nowhere, KNOWN) == []
    french = clock("EU-GDPR-AUTHORITY", leak, profile=Profile(jurisdictions=("CN", "FR", "DE")))
    assert french is not None
    assert french.timezone == "Europe/Paris"


def test_a_rule_does_not_bind_before_it_is_in_force() -> None:
    early = int(dt.datetime(2025, 10, 31, 15, 59, tzinfo=dt.UTC).timestamp() * 1000)  # 23:59 in Shanghai
    assert clock("CN-CAC-OTHER", facts(flags=["relatively_major"], known=early)) is None
    assert clock("CN-CAC-OTHER", facts(flags=["relatively_major"], known=early + 60_000)) is not None


def test_not_known_is_not_no_and_the_clock_runs_meanwhile() -> None:
    dark = IncidentFacts(incident="in_1", kind="data_leak", severity="S2", occurred=KNOWN, known=KNOWN)
    found = clock("CN-PBOC-NBPI-1", dark, KNOWN + 3 * HOUR, Profile())
    assert found is not None
    assert (found.owed, found.state) == ("unknown", "late")
    assert {"records", "customers", "outage_min", "payments_failed", "fraud_through_channel"} <= set(
        found.needs
    )
    assert worst([found]) is None
    assert clock("CN-CAC-CIIO", dark, KNOWN, Profile()) is None  # nobody is CII without being told so


def test_states_and_lateness() -> None:
    leak = facts(records=6000)
    seen = [
        (minutes, found.state, found.late_ms)
        for minutes in (0, 89, 90, 120, 121)
        if (found := clock("CN-PBOC-NBPI-1", leak, KNOWN + minutes * 60_000)) is not None
    ]
    assert seen == [(0, "due", 0), (89, "due", 0), (90, "soon", 0), (120, "soon", 0), (121, "late", 60_000)]
    sent = msgspec.structs.replace(
        leak, sent={"CN-PBOC-NBPI-1": Sent(at=KNOWN + 3 * HOUR, by="a", reason="r")}
    )
    gone = clock("CN-PBOC-NBPI-1", sent, KNOWN + 99 * HOUR)
    assert gone is not None
    assert (gone.state, gone.late_ms) == ("sent", HOUR)
    waived = msgspec.structs.replace(leak, waived={"CN-PBOC-NBPI-1": "counted again: 4,100"})
    off = clock("CN-PBOC-NBPI-1", waived, KNOWN + 99 * HOUR)
    assert off is not None
    assert (off.state, off.late_ms, off.reason) == ("waived", 0, "counted again: 4,100")
    unstarted = clock("US-BANK", facts(flags=["notification_incident"]))
    assert unstarted is not None
    assert (unstarted.state, unstarted.due, unstarted.needs) == ("waiting", None, ["determined"])


quantities = st.fixed_dictionaries({name: st.none() | st.integers(0, 10**8) for name in QUANTITIES})
flags = st.dictionaries(st.sampled_from(FLAGS), st.booleans())


@settings(max_examples=60, deadline=None)
@given(quantities, flags)
def test_finding_out_more_never_makes_an_answer_uncertain_again(
    known: dict[str, Any], said: dict[str, bool]
) -> None:
    """A verdict of yes or no holds whatever the missing facts turn out to be."""
    part = IncidentFacts(incident="i", kind="data_leak", severity="S1", known=KNOWN, flags=said, **known)
    anyone = msgspec.structs.replace(EVERYWHERE, flags={})
    whole = {name: 0 if value is None else value for name, value in known.items()}
    for rest in (False, True):
        most = {name: 10**9 if known[name] is None and rest else value for name, value in whole.items()}
        full = msgspec.structs.replace(part, flags={**dict.fromkeys(FLAGS, rest), **said}, **most)
        for row in RULES.deadline:
            if set(row.unless) - set(said) and rest:
                continue
            now, then = owed(row, part, anyone, RULES), owed(row, full, anyone, RULES)
            assert then.answer != "unknown"
            assert now.answer in ("unknown", then.answer), row.id


@given(st.integers(0, 40 * 24 * 60), st.integers(0, 40 * 24 * 60), quantities, flags)
def test_time_only_makes_it_worse(a: int, b: int, known: dict[str, Any], said: dict[str, bool]) -> None:
    order = ["waiting", "due", "soon", "late"]
    part = IncidentFacts(
        incident="i", kind="data_leak", severity="S1", occurred=KNOWN, known=KNOWN, flags=said, **known
    )
    first, second = sorted((a, b))
    before = {one.id: one for one in notices_of(part, EVERYWHERE, KNOWN + first * 60_000)}
    later = {one.id: one for one in notices_of(part, EVERYWHERE, KNOWN + second * 60_000)}
    assert before.keys() == later.keys()
    for id_, one in before.items():
        assert one.due == later[id_].due
        assert order.index(one.state) <= order.index(later[id_].state)
        assert one.late_ms <= later[id_].late_ms


# the data


@pytest.mark.parametrize("row", RULES.deadline, ids=lambda row: row.id)
def test_every_row_says_where_it_comes_from_and_whom_to_reach(row: Any) -> None:
    assert len(row.source) > 15
    assert not row.verified  # nobody of ours has read the official texts: the data must not claim it
    contact = shipped_book().contacts.named(row.contact)
    assert contact is not None
    assert contact.kind in ("authority", "scheme", "customers")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('within = "4h"', 'within = "4 hours"', "a time limit is"),
        ('start = "known"', 'start = "never"', "start is one of"),
        ('after = "EU-DORA-INITIAL"', 'after = "EU-NOTHING"', "which is not there"),
        ('rolls = "noon_next_working_day"', 'rolls = "whenever"', "rolls"),
        ('confidence = "M"\nverified = false', 'confidence = "M"\nverified = true', "needs verified = false"),
        ('"reporter", "contact", "occurred"', '"reporter", "nonsense", "occurred"', "nonsense"),
        ('jurisdiction = "US"', 'jurisdiction = "XX"', "no place 'XX'"),
        ("records_over = 5000", "record_over = 5000", "record_over"),
        ('id = "CN-CAC-GOV"', 'id = "CN-NDSR"', "is there twice"),
    ],
)  # fmt: skip
def test_rules_that_cannot_be_used_are_refused(old: str, new: str, said: str) -> None:
    from importlib.resources import files

    folder = files("alerts") / "data"
    rows = (folder / "notice_deadlines.toml").read_text("utf-8")
    assert old in rows
    with pytest.raises(PlanError, match=r"notice_deadlines\.toml") as caught:
        rules_of(rows.replace(old, new, 1), (folder / "notice_content.toml").read_text("utf-8"))
    assert said in str(caught.value)
