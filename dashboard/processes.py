"""The table of child processes: what each last said, and how often it was restarted."""

from __future__ import annotations

import streamlit as st

from dashboard import measures
from dashboard.desk import Desk
from dashboard.formats import age
from dashboard.readings import Beat, Pulse
from dashboard.text import name_of

_WELL = ("ok", "live", "running", "up", "warm-up")
_SHOWN_APART = ("status", "restarts", "at", "pid", "model_at")


def process_table(here: Desk, pulse: Pulse, details: bool) -> None:
    """One row a process; a process that is silent for 15 s says so whatever it said last."""
    t = here.t
    if not pulse.beats:
        st.caption(t("processes.none"))
        return
    clock = pulse.stream_time if here.frozen else here.model.now()
    beats = sorted(pulse.beats.items())
    columns = {
        t("col.process"): [name_of(t, "process", process) for process, _ in beats],
        t("col.status"): [_status(here, beat, clock) for _, beat in beats],
        t("col.restarts"): [_text(here, restarts_of(process, pulse.beats)) for process, _ in beats],
        t("col.reported"): [_reported(here, beat, clock) for _, beat in beats],
    }
    if details:
        columns["PID"] = [_text(here, beat.get("pid")) for _, beat in beats]
        columns[t("col.details")] = [
            ", ".join(f"{k}={_short(v)}" for k, v in beat.items() if k not in _SHOWN_APART)
            for _, beat in beats
        ]
    st.dataframe(columns, hide_index=True, height=214, key=f"processes:{details}")
    if not details:
        return
    for process, beat in beats:
        restarts = restarts_of(process, pulse.beats)
        at = measures.beat_time(beat)
        if restarts and at is not None:
            st.warning(
                t(
                    "restarts_say",
                    process=name_of(t, "process", process),
                    count=restarts,
                    age=age(clock - at),
                )
            )


def restarts_of(process: str, beats: dict[str, Beat]) -> int | None:
    """How often it was started again: as it says itself, else as its supervisor does; None: nobody knows."""
    own = beats.get(process, {}).get("restarts")
    told = beats.get("supervisor", {}).get(f"{process}_restarts") if own is None else own
    return measures.whole(told)


def _status(here: Desk, beat: Beat, clock: int) -> str:
    at = measures.beat_time(beat)
    if at is not None and clock - at > measures.BEAT_STALE_MS:
        return f"◐ {here.t('silent')}"
    status = beat.get("status")
    if status is None:
        return here.t("no_data")
    return f"{'●' if status in _WELL else '▲'} {name_of(here.t, 'beat', str(status))}"


def _reported(here: Desk, beat: Beat, clock: int) -> str:
    at = measures.beat_time(beat)
    return here.t("no_data") if at is None else here.t("ago", age=age(clock - at))


def _text(here: Desk, value: object) -> str:
    return here.t("no_data") if value is None else str(value)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
