"""What every page has in hand while it is drawn: words, settings, readings, who is working, and which clock.

Also the strip every page begins with: status line, and the notice that takes over while the store is down.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from html import escape
from typing import Any, cast

import streamlit as st

from alerts.emergency.settings import EmergencySettings
from alerts.store import Store
from dashboard import data, theme
from dashboard.drill_data import DrillData
from dashboard.formats import age, utc
from dashboard.incident_data import IncidentData
from dashboard.list_data import ListData
from dashboard.measures import beat_time, mode_of
from dashboard.readings import Pulse, Reading
from dashboard.routing_data import RoutingData
from dashboard.settings import ConsoleSettings, Language, load_settings
from dashboard.text import Translate, translator

LANGUAGES: tuple[Language, ...] = ("en", "zh")


@st.cache_resource
def settings() -> ConsoleSettings:
    """The console's settings, read once a process."""
    return load_settings()


@st.cache_resource
def read_model(url: str) -> data.ReadModel:
    """One read model for all sessions."""

    def opened() -> Store:
        store = data.connect(url)
        store.four_eyes = settings().four_eyes
        return store

    return data.ReadModel(opened, lambda: int(time.time() * 1000))


@st.cache_resource
def incident_data(url: str) -> IncidentData:
    """One read model of incidents for all sessions."""
    found = settings()
    return IncidentData(read_model(url), EmergencySettings(found.plans), found.notices)


@st.cache_resource
def drill_data(url: str) -> DrillData:
    """One read model of drills for all sessions."""
    return DrillData(read_model(url), EmergencySettings(settings().plans))


@st.cache_resource
def routing_data(url: str) -> RoutingData:
    """One read model of routing for all sessions."""
    return RoutingData(read_model(url))


@st.cache_resource
def list_data(url: str) -> ListData:
    """One read model of the lists for all sessions."""
    return ListData(read_model(url), settings().lists)


@dataclass(frozen=True)
class Desk:
    """See the module's docstring. timezone: the reader's, for times on hover."""

    t: Translate
    language: Language
    settings: ConsoleSettings
    model: data.ReadModel
    response: IncidentData
    drills: DrillData
    routing: RoutingData
    lists: ListData
    actor: str
    role: str
    frozen: bool
    dark: bool
    timezone: str | None

    def every(self, seconds: float) -> float | None:
        """Refresh interval of a live panel; None when the picture has to stand still."""
        return None if self.frozen else seconds

    def now(self, stream_time: int) -> int:
        """The time ages are counted from: the wall clock; the stream's own in replays and frozen pictures.

        On recorded time the wall clock would make every alert years overdue.
        """
        wall = self.model.now()
        replayed = bool(stream_time) and abs(wall - stream_time) > 3_600_000
        return stream_time if self.frozen or replayed else wall


def desk() -> Desk:
    """The desk of this session; app.py has put language and actor into the session before."""
    found = settings()
    language = cast("Language", st.session_state.get("language") or found.language)
    return Desk(
        t=translator(language),
        language=language,
        settings=found,
        model=read_model(found.store_url),
        response=incident_data(found.store_url),
        drills=drill_data(found.store_url),
        routing=routing_data(found.store_url),
        lists=list_data(found.store_url),
        actor=str(st.session_state.get("actor") or found.actor).strip()[:64] or "analyst",
        role=found.role,
        frozen=bool(st.session_state.get("freeze")),
        dark=st.context.theme.type == "dark",
        timezone=st.context.timezone,
    )


def status_line(here: Desk, reading: Reading[Any], pulse: Pulse | None) -> None:
    """Symbol, word and one sentence; below it the notice while the store is down."""
    t = here.t
    wall = here.model.now()
    mode = mode_of(pulse, reading.error, wall)
    if here.frozen and mode in ("stale", "replay"):
        mode = "live"
    symbol, colour = theme.MODE[mode]
    st.html(
        f'<div class="tg-status" role="status"><span class="tg-dot" style="color:{colour}">{symbol} '
        f'{escape(t(f"mode.{mode}"))}</span> <span class="tg-muted">{escape(_sentence(t, mode, pulse, wall))}'
        "</span></div>"
    )
    if reading.error is not None and reading.value is not None:
        st.warning(t("down.as_of", time=utc(reading.as_of), reason=reading.error), icon="⚠️")
    elif reading.error is not None:
        st.error(t("down.nothing", reason=reading.error), icon="⚠️")


def _sentence(t: Translate, mode: theme.Mode, pulse: Pulse | None, wall: int) -> str:
    if mode == "down" or pulse is None:
        return ""
    if mode == "none":
        return t("mode.none_say")
    stream = utc(pulse.stream_time)
    if mode == "stale":
        at = beat_time(pulse.beats.get("scorer"))
        if at is None:
            return t("mode.stale_never", time=stream)
        return t("mode.stale_say", age=age(wall - at), time=stream)
    return t(f"mode.{mode}_say", time=stream)
