"""Share indicators with an exchange: files of hashes that only its members can test, in and out."""

from __future__ import annotations

import streamlit as st

from dashboard.desk import Desk, desk
from dashboard.formats import plain, utc
from dashboard.incident_names import barred
from dashboard.notices import refused, say
from models.errors import CustodyError, SettingsError, StoreError


def draw_sharing(here: Desk, down: bool) -> None:
    """Which exchange, a file to take in, and ours to give out."""
    t, names = here.t, here.lists.exchanges
    with st.expander(t("share.title")):
        if not names:
            st.caption(t("share.none"))
            return
        name = st.selectbox(t("share.exchange"), names, key="share_exchange")
        st.caption(t("share.say"))
        why = barred(here, "lists.import", down)
        file = st.file_uploader(
            t("share.file"), type=["jsonl"], key="share_file", disabled=bool(why), help=why or None
        )
        if file is not None and not why:
            st.button(
                t("share.take_in"), key="share_in", type="primary", on_click=_take_in,
                args=(name, file.getvalue(), file.name),
            )  # fmt: skip
        why = barred(here, "lists.export", down)
        st.button(
            t("share.give_out"),
            key="share_out",
            on_click=_give_out,
            args=(name,),
            disabled=bool(why),
            help=why or None,
        )
        made = st.session_state.get("share_made")
        if made is not None and made[0] == name and not why:
            at = utc(made[2]).replace(" ", "-").replace(":", "")
            st.download_button(
                t("share.download"), made[1], f"indicators-{name}-{at}.jsonl", "application/jsonl", key="share_download",
                on_click="ignore",
            )  # fmt: skip


def _take_in(exchange: str, data: bytes, name: str) -> None:
    here = desk()
    try:
        told = here.lists.take_in(exchange, data, name, here.actor, here.role)
    except (StoreError, SettingsError, CustodyError) as error:
        return refused(here, error)
    said = here.t(
        "share.taken",
        name=plain(name),
        known=told.known,
        awaited=told.awaited,
        revoked=told.revoked,
        skipped=told.skipped,
    )
    return say("success", said)


def _give_out(exchange: str) -> None:
    here = desk()
    try:
        data, count, without = here.lists.give_out(exchange, here.actor, here.role)
    except (StoreError, SettingsError, CustodyError) as error:
        return refused(here, error)
    st.session_state["share_made"] = (exchange, data, here.model.now())
    return say("success", here.t("share.given", count=f"{count:,}", without=f"{without:,}"))
