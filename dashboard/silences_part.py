"""Silences: what holds now and for how long, what is planned, what ended; set one after a try, end one early."""

from __future__ import annotations

from html import escape

import streamlit as st

from alerts.routing.previewing import Preview
from alerts.routing.silence import Silence
from dashboard.desk import Desk, desk
from dashboard.formats import age, id_html, plain, short, utc, utc_html
from dashboard.incident_names import barred
from dashboard.notices import refused, say, worded
from dashboard.reasoned import MOST_REASON, reasoned
from models.errors import SettingsError, StoreError

MOST_MATCHERS = 1000
SOON_MS = 15 * 60_000
"""What ends within this time is marked: when it does, what is still open pages again."""
_SYMBOL = {"active": "■", "planned": "□", "ended": "○"}


def draw_silences(here: Desk) -> None:
    """The whole part."""
    reading = here.routing.silences()
    down = reading.error is not None
    left, right = st.columns([58, 42], gap="medium")
    with left:
        if reading.value is not None:
            _lists(here, reading.value, down)
    with right:
        _setting(here, down)


def _lists(here: Desk, silences: list[Silence], down: bool) -> None:
    t, now = here.t, here.model.now()
    parts = {
        state: [one for one in silences if one.state(now) == state]
        for state in ("active", "planned", "ended")
    }
    st.html(f'<div class="tg-head">{escape(t("silence.active", count=len(parts["active"])))}</div>')
    if not parts["active"]:
        st.success(t("silence.none"))
    for one in parts["active"]:
        _row(here, one, down)
    if parts["planned"]:
        st.html(f'<div class="tg-head">{escape(t("silence.planned", count=len(parts["planned"])))}</div>')
    for one in parts["planned"]:
        _row(here, one, down)
    if parts["ended"]:
        with st.expander(t("silence.ended", count=len(parts["ended"]))):
            for one in sorted(parts["ended"], key=lambda one: -one.ends_at):
                st.html(_html(here, one))


def _row(here: Desk, one: Silence, down: bool) -> None:
    left, right = st.columns([82, 18], vertical_alignment="center")
    with left:
        # Only the time left renews itself: what is typed beside it must stay.
        st.fragment(_drawn, run_every=here.every(5))(here, one)
    with right:
        effect = here.t("silence.end_effect")
        reasoned(
            here, here.t("silence.end"), f"end:{one.id}", "silence.expire", down, _end, one.id, effect=effect
        )


def _drawn(here: Desk, one: Silence) -> None:
    st.html(_html(here, one))


def _html(here: Desk, one: Silence) -> str:
    t, now = here.t, here.model.now()
    state = one.state(now)
    matchers = " ".join(f'<span class="tg-tag">{escape(text)}</span>' for text in one.matchers)
    if state == "planned":
        when = t(
            "silence.begins", time=utc(one.starts_at), age=age(one.starts_at - now), until=utc(one.ends_at)
        )
        clock = f"<span>□ {escape(when)}</span>"
    elif state == "active":
        left, soon = one.ends_at - now, one.ends_at - now <= SOON_MS
        text = t("silence.ends_soon" if soon else "silence.ends", time=utc(one.ends_at), age=age(left))
        clock = f'<span class="{"tg-soon" if soon else ""}">{"◐" if soon else "■"} {escape(text)}</span>'
    else:
        by = t("silence.ended_by", who=one.ended_by) if one.ended_by else t("silence.ended_itself")
        clock = f"<span>○ {escape(by)}</span> {utc_html(one.ends_at, here.timezone)}"
    return (
        f'<div class="tg-card">{matchers} {clock}<div>{escape(one.actor)}: {escape(one.reason)} '
        f'<span class="tg-muted">{escape(t("silence.set", time=utc(one.created_at)))}</span> '
        f"{id_html(one.id)}</div></div>"
    )


def _setting(here: Desk, down: bool) -> None:
    """The form. A try of the very same matchers comes before the silence."""
    t = here.t
    why = barred(here, "silence.add", down)
    st.html(f'<div class="tg-head">{escape(t("silence.new"))}</div>')
    if why:
        st.caption(why)
        return
    linked = st.query_params.get("match", "")[:MOST_MATCHERS]
    if linked:
        # A link from an answer fills the form once; what is typed afterwards stays.
        st.session_state["silence_matchers"] = linked
        del st.query_params["match"]
    written = st.text_area(
        t("silence.matchers"), key="silence_matchers", max_chars=MOST_MATCHERS, height=100,
        help=t("silence.matchers_help"),        placeholder="corridor=CN>*\nseverity>=S3",
    )  # fmt: skip
    texts = [line.strip() for line in written.splitlines() if line.strip()]
    left, right = st.columns(2)
    left.text_input(
        t("silence.length"), value="2h", key="silence_length", max_chars=20, help=t("silence.length_help")
    )
    right.text_input(
        t("silence.later"), value="0s", key="silence_later", max_chars=20, help=t("silence.later_help")
    )
    st.text_input(
        t("contain.reason"), key="silence_reason", max_chars=MOST_REASON, placeholder=t("silence.reason_eg")
    )
    tried = _tried(here, texts)
    st.button(
        t("silence.do"), key="silence_do", type="primary", disabled=not tried, on_click=_add, args=(texts,),
        help=None if tried else t("silence.try_first"),
    )  # fmt: skip


def _tried(here: Desk, texts: list[str]) -> bool:
    """The button, and what it said of these very matchers. True when it was said."""
    t = here.t
    if st.button(t("silence.try"), key="silence_try", disabled=not texts):
        try:
            reading = here.routing.preview(texts)
        except SettingsError as error:
            st.warning(worded(here, error))
            return False
        if reading.value is None:
            st.warning(plain(reading.error or ""))
            return False
        st.session_state["silence_told"] = (texts, reading.value)
    told = st.session_state.get("silence_told")
    if told is None or told[0] != texts:
        st.caption(t("silence.try_first"))
        return False
    found: Preview = told[1]
    (st.warning if "S1" in found.severities else st.info)(plain(preview_text(here, found)))
    return True


def preview_text(here: Desk, found: Preview) -> str:
    """What a try says."""
    t = here.t
    if not found.alerts:
        return t("silence.preview_no_alerts")
    if not found.matched:
        return t("silence.preview_none", alerts=f"{found.looked:,}")
    by = ", ".join(f"{name} {count:,}" for name, count in found.severities.items())
    told = t(
        "silence.preview", matched=f"{found.matched:,}", alerts=f"{found.looked:,}", waiting=f"{found.waiting:,}", by=by,
        ids=", ".join(short(one.id) for one in found.examples),
    )  # fmt: skip
    if found.looked < found.alerts:
        told += " " + t("silence.preview_part", looked=f"{found.looked:,}", alerts=f"{found.alerts:,}")
    return told


def _add(texts: list[str]) -> None:
    """Write it; what came of it is said once the page is drawn."""
    here, state = desk(), st.session_state
    later, length, reason = (
        str(state.get(f"silence_{name}") or "").strip() for name in ("later", "length", "reason")
    )
    try:
        made = here.routing.add_silence(texts, later, length, reason, here.actor, here.role)
    except (StoreError, SettingsError) as error:
        return refused(here, error)
    state["silence_told"], state["silence_reason"], state["silence_matchers"] = None, "", ""
    return say("success", here.t("silence.done", id=made.id, until=utc(made.ends_at)))


def _end(reason: str, id_: str) -> None:
    here = desk()
    if not reason:
        return say("warning", here.t("contain.reason_missing"))
    try:
        ended = here.routing.end_silence(id_, reason, here.actor, here.role)
    except StoreError as error:
        return refused(here, error)
    return say(
        *(
            ("success", here.t("silence.done_ended", id=id_))
            if ended
            else ("info", here.t("silence.over", id=id_))
        )
    )
