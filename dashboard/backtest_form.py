"""Ask for a back-test: which recording, and what is proposed. A pack is checked here, before anybody waits for it."""

from __future__ import annotations

import secrets
from typing import Literal

import msgspec
import streamlit as st

from alerts.job_requests import MAX_BYTES, RETAINED, BacktestRequest
from alerts.jobs import Recording
from alerts.rights import may
from dashboard.desk import Desk, desk
from dashboard.formats import utc
from dashboard.notices import refused, say
from dashboard.readings import Backtests, Reading
from models.errors import JobError, RuleError, StoreError
from models.features import RULE_KINDS
from models.risk import Thresholds
from models.rules.pack import load_pack

Source = Literal["same", "some", "pack"]
SOURCES: tuple[Source, ...] = ("some", "pack", "same")
_NAME = 80
EXAMPLE = """[[rule]]
id = "X001"
title_en = "New payee, far above the usual amount"
title_zh = "新收款人，金额远高于平时"
expression = "hold if customer_payee_is_new == 1 and amount_over_customer_mean >= 3 and amount_usd >= 300"
severity = "high"
typology = "T17"
source = { kind = "expert", reference = "to be judged" }
runbook = "Ask the customer over a known contact."
hits = [{ customer_payee_is_new = 1, amount_over_customer_mean = 4, amount_usd = 900 }]
misses = [{ customer_payee_is_new = 0, amount_over_customer_mean = 4, amount_usd = 900 }]
"""
"""What the form begins with: whole, so that a person changes it instead of looking up what a rule needs."""


class Proposed(msgspec.Struct, frozen=True):
    """The rules a person gave. error: why they cannot be taken, with the place; rules: how many there are."""

    text: str = ""
    name: str = ""
    extends: bool = False
    rules: int = 0
    error: str = ""


def draw_form(here: Desk, reading: Reading[Backtests]) -> None:
    """The form. Its widgets stand in no st.form, so that a mistake in a pack is said while it is written."""
    t, found = here.t, reading.value
    recordings = [] if found is None else found.recordings
    st.html(f'<div class="tg-head">{t("bt.ask")}</div>')
    allowed = may(here.role, "backtest.request")
    if not allowed:
        st.info(t("bt.not_allowed", role=here.role))
    chosen = _chosen(here, recordings)
    proposed = _rules(here)
    edges, wrong = _edges(here)
    truth = False
    if chosen is not None and chosen.truth:
        truth = st.checkbox(t("bt.truth"), True, key="bt_truth", help=t("bt.truth.help"))
    served = st.checkbox(
        t("bt.served"), True, key="bt_served", help=t("bt.served.help"), persist_state="session"
    )
    limit = st.number_input(
        t("bt.limit"), min_value=1, max_value=100_000_000, value=None, step=1000, key="bt_limit",
        placeholder=t("bt.limit.all"),
    )  # fmt: skip
    st.session_state.setdefault("bt_key", secrets.token_hex(16))
    ready = allowed and chosen is not None and not (reading.error or wrong or proposed is None)
    request = None
    if ready and chosen is not None and proposed is not None:
        request = BacktestRequest(
            recording=chosen.name, pack=proposed.text, pack_name=proposed.name or "proposed pack",
            extends=proposed.extends, thresholds=edges, truth=truth, served=served, limit=limit,
        )  # fmt: skip
    st.caption(t("bt.effect"))
    st.button(
        t("bt.run"), key="bt_run", type="primary", disabled=request is None, on_click=_ask, args=(request,),
        help=None if request is not None else t("bt.not_ready"),
    )  # fmt: skip


def _chosen(here: Desk, recordings: list[Recording]) -> Recording | None:
    """The recording to replay; None: there is none."""
    if not recordings:
        st.info(here.t("bt.no_recordings"))
        return None
    # Files first, the newest on top: minutes of the stream judge nothing.
    ordered = sorted(recordings, key=lambda r: (r.name == RETAINED, -r.modified_at, r.name))
    return st.selectbox(
        here.t("bt.recording"), ordered, key="bt_recording", persist_state="session",
        format_func=lambda r: _recording(here, r), help=here.t("bt.recording.help"),
    )  # fmt: skip


def _recording(here: Desk, recording: Recording) -> str:
    if recording.name == RETAINED:
        return here.t("bt.retained", count=f"{recording.lines or 0:,}")
    size = recording.size / 1e6
    truth = f" · {here.t('bt.with_truth')}" if recording.truth else ""
    return f"{recording.name} · {size:,.1f} MB · {utc(recording.modified_at, seconds=False)}{truth}"


def _rules(here: Desk) -> Proposed | None:
    """What is proposed for the rules; None: nothing that can be run yet."""
    t = here.t
    source = st.segmented_control(
        t("bt.rules"), SOURCES, default="some", key="bt_source", required=True, persist_state="session",
        format_func=lambda name: t(f"bt.rules.{name}"),
    )  # fmt: skip
    if source == "same":
        st.caption(t("bt.rules.same_say"))
        return Proposed()
    if source == "some":
        # As wide as the text needs: rules are read by line and column.
        st.session_state.setdefault("bt_text", EXAMPLE)
        text = st.text_area(t("bt.some"), key="bt_text", height=180, persist_state="session")
        st.caption(t("bt.some_say"))
        proposed = checked(text or "", t("bt.some_name"), extends=True) if (text or "").strip() else None
    else:
        file = st.file_uploader(t("bt.file"), type=["toml"], key="bt_file", max_upload_size=1)
        st.caption(t("bt.file_say"))
        proposed = None if file is None else _uploaded(file.name, file.getvalue())
    if proposed is None:
        return None
    if proposed.error:
        st.error(f"`{_plain(proposed.error)}`")
        return None
    st.success(t("bt.checked", name=_plain(proposed.name), count=proposed.rules))
    return proposed


def _uploaded(name: str, data: bytes) -> Proposed:
    """A file as it was uploaded; its name only serves to speak of it."""
    name = "".join(c for c in name if c.isprintable())[:_NAME] or "pack.toml"
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return Proposed(name=name, error=f"{name}: the pack is not UTF-8 text (byte {error.start})")
    return checked(text, name, extends=False)


@st.cache_data(max_entries=50, show_spinner=False)
def checked(text: str, name: str, *, extends: bool) -> Proposed:
    """The rules with how many they are, or with why they are none; their examples are run."""
    if len(text.encode()) > MAX_BYTES * 3 // 4:
        return Proposed(name=name, error=f"{name}: more than {MAX_BYTES * 3 // 4:,} bytes")
    try:
        pack = load_pack(text, name=name, features=RULE_KINDS)
    except RuleError as error:
        return Proposed(name=name, error=str(error))
    return Proposed(text, name, extends, len(pack.rules))


def _edges(here: Desk) -> tuple[Thresholds | None, bool]:
    """Proposed band edges, None for those in force; and whether they are wrong."""
    t = here.t
    if not st.toggle(t("bt.edges"), key="bt_edges", help=t("bt.edges.help")):
        return None, False
    now = here.settings.thresholds
    values = []
    for column, name in zip(st.columns(3), ("medium", "high", "critical"), strict=True):
        values.append(
            column.number_input(
                t(f"band.{name}"), min_value=0.001, max_value=0.999, value=getattr(now, name), step=0.01,
                format="%.3f", key=f"bt_{name}",
            )
        )  # fmt: skip
    try:
        return Thresholds(*values), False
    except ValueError:
        st.error(t("bt.edges_wrong"))
        return None, True


def _ask(request: BacktestRequest) -> None:
    """Queue it; the next press is another job."""
    here = desk()
    try:
        job = here.model.request_job(request, here.actor, here.role, st.session_state["bt_key"])
    except (StoreError, JobError) as error:
        refused(here, error)
        return
    st.session_state["bt_key"] = secrets.token_hex(16)
    st.session_state["bt_job"] = job.id
    say("success", here.t("bt.asked", number=job.number))


def _plain(text: str) -> str:
    return text.replace("`", "'")
