"""What came of the last thing a person did: said once, when the page is drawn next."""

from __future__ import annotations

from typing import Literal

import streamlit as st

Kind = Literal["success", "info", "warning", "error"]


def say(kind: Kind, text: str) -> None:
    """Keep it until the page is drawn. Text from outside goes through formats.plain before."""
    st.session_state["notice"] = (kind, text)


def notice(*, toast: bool = False) -> None:
    """Show it. toast: good news floats by, so that nothing on the page moves under the next key."""
    said = st.session_state.get("notice")
    if said is None:
        return
    kind, text = said
    if toast and kind in ("success", "info"):
        st.toast(text)
    else:
        {"success": st.success, "info": st.info, "warning": st.warning, "error": st.error}[kind](text)
    st.session_state["notice"] = None
