"""The console's entry: page list, language, actor; nothing else. Run it with `python -m dashboard.serve`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard import theme
from dashboard.banner import banner
from dashboard.desk import LANGUAGES, settings
from dashboard.text import translator
from models.errors import SettingsError

HERE = Path(__file__).parent
# The folder is not called `pages`: Streamlit runs such files without this frame when a link opens one.
PAGES = ("overview", "queue", "incidents", "routing", "lists", "drills", "monitoring", "models")


def main() -> None:
    """Draw the frame and the chosen page."""
    # A local picture: a named icon would be fetched from an outside host.
    st.set_page_config("Tidegate", page_icon=str(HERE / "icon.svg"), layout="wide")
    st.html(theme.CSS)
    try:
        found = settings()
    except SettingsError as error:
        st.error(translator("en")("settings.wrong", reason=error))
        return
    st.session_state.setdefault("actor", found.actor)
    asked = st.query_params.get("lang")
    st.session_state.setdefault("language", asked if asked in LANGUAGES else found.language)
    # Changing the page drops the query, so what it asked for is kept in the session.
    st.session_state.setdefault("freeze", found.freeze or st.query_params.get("freeze") == "1")
    t = translator(st.session_state["language"])
    pages = [
        st.Page(HERE / "views" / f"{name}.py", title=t(f"page.{name}"), url_path=name, default=i == 0)
        for i, name in enumerate(PAGES)
    ]
    page = st.navigation(pages, position="top")
    with st.container(horizontal=True, horizontal_alignment="right", key="tg-desk", gap="small"):
        st.segmented_control(
            t("app.language"),
            LANGUAGES,
            format_func={"en": "English", "zh": "中文"}.__getitem__,
            key="language",
            label_visibility="collapsed",
            required=True,
        )
        with st.popover(f"{t('app.actor')}: {st.session_state['actor']}"):
            st.text_input(t("app.actor"), key="actor", max_chars=64, help=t("app.actor_help"))
    banner()
    page.run()


main()
