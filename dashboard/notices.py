"""What came of the last thing a person did: said once, when the page is drawn next."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from dashboard.desk import Desk
from dashboard.formats import plain
from models.errors import TidegateError

Kind = Literal["success", "info", "warning", "error"]


def say(kind: Kind, text: str) -> None:
    """Keep it until the page is drawn. Text from outside goes through formats.plain before."""
    st.session_state["notice"] = (kind, text)


def refused(here: Desk, error: TidegateError) -> None:
    """Say that what a person asked for was not written, and why."""
    say("error", here.t("failed", reason=worded(here, error)))


def worded(here: Desk, error: TidegateError) -> str:
    """An error of the core in the reader's language, ready for a line of Markdown.

    What has no Chinese text of its own is quoted as what it is: the core's own words.
    """
    if here.language == "en":
        return plain(str(error))
    return plain(error.zh) if error.zh else here.t("error.in_english", text=plain(str(error)))


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
