"""One of a page's parts, kept in the page's address."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st


def chosen(label: str, key: str, options: Sequence[str], name_of: Callable[[str], str]) -> str:
    """One of the options, the first by default; the page's address keeps it, and a link that names one is followed."""
    asked, kept = st.query_params.get(key), f"{key}:kept"
    if key not in st.session_state or asked != st.session_state.get(kept):
        # A new page, or a link to this one: the address says more than what was chosen before.
        st.session_state[key] = asked if asked in options else options[0]
    picked = st.segmented_control(
        label, options, key=key, format_func=name_of, label_visibility="collapsed", required=True
    )
    st.query_params[key] = st.session_state[kept] = picked or options[0]
    return picked or options[0]
