"""Add an entity to a list and take one off, with a reason: in the running stream from its next event on, audited."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from alerts.lists.kept import Kept
from dashboard.desk import Desk, desk
from dashboard.formats import plain, short
from dashboard.incident_names import barred
from dashboard.list_table import SYMBOL
from dashboard.notices import refused, say
from dashboard.text import name_of
from models.errors import CustodyError, SettingsError, StoreError
from models.lists import ENTITY_KINDS, LISTS, Key, ListName

MOST_TEXT = 256
ACTIONS: dict[ListName, tuple[str, ...]] = {
    "block": ("", "HOLD", "DECLINE", "FREEZE"), "watch": ("", "APPROVE", "STEP_UP", "HOLD"), "allow": ("",)
}  # fmt: skip
"""What an entry may ask for; "": what its list usually does."""


def draw_adding(here: Desk, down: bool) -> None:
    """The form. Its parts depend on each other, so that it is none of Streamlit's."""
    t = here.t
    why = barred(here, "lists.add", down)
    with st.expander(t("lists.add"), expanded=not why):
        if why:
            st.caption(why)
            return
        left, right = st.columns(2)
        list_ = left.selectbox(
            t("lists.col.list"),
            LISTS,
            key="add_list",
            format_func=lambda name: f"{SYMBOL[name]} {t(f'list.{name}')}",
        )
        right.selectbox(
            t("lists.col.entity"),
            ENTITY_KINDS,
            key="add_entity",
            format_func=lambda name: name_of(t, "entity", name),
        )
        st.text_input(t("lists.col.token"), key="add_token", max_chars=MOST_TEXT, help=t("lists.token_help"))
        left, right = st.columns(2)
        by_law = left.checkbox(
            t("lists.law"), key="add_law", disabled=list_ != "block", help=t("lists.law_help")
        )
        right.number_input(
            t("lists.days"), 0.1, 3650.0, 30.0, key="add_days", disabled=by_law and list_ == "block"
        )
        left, right = st.columns(2)
        left.number_input(
            t("lists.col.confidence"), 0, 100, 80, key="add_confidence", help=t("lists.confidence_help")
        )
        right.selectbox(
            t("lists.col.asks"), ACTIONS[list_], key=f"add_action:{list_}",
            format_func=lambda name: name_of(t, "action", name) if name else t("lists.usual"),
        )  # fmt: skip
        st.text_input(
            t("lists.col.source"), key="add_source", max_chars=MOST_TEXT, placeholder=t("lists.source_eg")
        )
        st.text_input(t("lists.col.reason"), key="add_reason", max_chars=MOST_TEXT)
        st.caption(t(f"lists.effect.{list_}"))
        st.button(t("lists.do_add"), key="add_do", type="primary", on_click=_add)


def _add() -> None:
    """Write it; what came of it is said once the page is drawn."""
    here, state = desk(), st.session_state
    list_ = str(state["add_list"])
    by_law = bool(state.get("add_law")) and list_ == "block"
    try:
        entry = here.lists.add(
            list_, str(state["add_entity"]), str(state["add_token"] or ""), source=str(state["add_source"] or ""),
            reason=str(state["add_reason"] or ""), confidence=int(state["add_confidence"]),
            days=None if by_law else float(state["add_days"]), action=str(state.get(f"add_action:{list_}") or ""),
            actor=here.actor, role=here.role,
        )  # fmt: skip
    except (StoreError, SettingsError, CustodyError) as error:
        return refused(here, error)
    state["add_token"], state["add_reason"] = "", ""
    what = f"{name_of(here.t, 'entity', entry.entity)} {short(entry.token, 30)}"
    return say("success", here.t("lists.added", list=here.t(f"list.{entry.list}"), what=plain(what)))


def draw_removing(here: Desk, rows: Sequence[Kept], down: bool) -> None:
    """Of the entries that are shown, one by name."""
    t = here.t
    why = barred(here, "lists.remove", down) or ("" if rows else t("lists.nothing_to_remove"))
    with st.expander(t("lists.remove")):
        if why:
            st.caption(why)
            return
        keys = [one.entry.key for one in rows]
        key = st.selectbox(
            t("lists.entry"), keys, key="remove_key", format_func=lambda key: _named(here, key)
        )
        st.text_input(t("lists.col.reason"), key="remove_reason", max_chars=MOST_TEXT)
        st.button(t("lists.do_remove"), key="remove_do", type="primary", on_click=_remove, args=(key,))


def _named(here: Desk, key: Key) -> str:
    list_, entity, token = key
    return (
        f"{SYMBOL[list_]} {here.t(f'list.{list_}')} · {name_of(here.t, 'entity', entity)} {short(token, 34)}"
    )


def _remove(key: Key) -> None:
    here = desk()
    reason = str(st.session_state.get("remove_reason") or "").strip()
    try:
        here.lists.remove(key, reason, here.actor, here.role)
    except StoreError as error:
        return refused(here, error)
    st.session_state["remove_reason"] = ""
    return say("success", here.t("lists.removed", what=plain(_named(here, key))))
