"""A verb with its reason: a button that opens a form of one line; disabled with the reason why where it is not theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard.desk import Desk
from dashboard.incident_names import barred

MOST_REASON = 500


def reasoned(
    here: Desk, label: str, key: str, right: str, down: bool, do: Callable[..., None], *args: Any, effect: str = ""
) -> None:  # fmt: skip
    """Draw it. do(reason, *args) is called when the form is sent. key: unique on the page; effect: said in the form."""
    why = barred(here, right, down)
    with st.popover(label, disabled=bool(why), help=why or None):
        if why:
            return
        with st.form(f"form:{key}", border=False):
            if effect:
                st.caption(effect)
            st.text_input(here.t("contain.reason"), key=f"reason:{key}", max_chars=MOST_REASON)
            st.form_submit_button(
                label, key=f"do:{key}", type="primary", on_click=_sent, args=(key, do, args)
            )


def _sent(key: str, do: Callable[..., None], args: tuple[Any, ...]) -> None:
    do(str(st.session_state.get(f"reason:{key}") or "").strip(), *args)
