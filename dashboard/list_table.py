"""The entries of the lists in numbers and as a table, strictest colour first."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from alerts.lists.kept import Kept
from dashboard.desk import Desk
from dashboard.formats import age, utc
from dashboard.list_data import SHOWN
from dashboard.text import name_of
from models.lists import LISTS

SYMBOL = {"block": "■", "watch": "◆", "allow": "●"}
MOST_TEXT = 120
ALL = "all"
DAY_MS = 86_400_000


def draw_numbers(here: Desk) -> None:
    """How many are on each list, what ends soon, what is awaited."""
    t, reading = here.t, here.lists.entries("", "")
    found = reading.value
    columns = st.columns(6)
    for place, list_ in zip(columns, LISTS, strict=False):
        count = None if found is None else f"{found.counts.get(list_, 0):,}"
        place.metric(
            f"{SYMBOL[list_]} {t(f'list.{list_}')}", count or t("no_data"), border=True, height="stretch"
        )
    told = ("by_law", "ending", "awaited")
    for place, name in zip(columns[3:], told, strict=True):
        count = None if found is None else f"{getattr(found, name):,}"
        place.metric(
            t(f"lists.{name}"),
            count or t("no_data"),
            help=t(f"lists.{name}.help"),
            border=True,
            height="stretch",
        )


def searched(here: Desk) -> tuple[str, str]:
    """Which list, "" for all of them, and the text that is looked for."""
    t = here.t
    left, right = st.columns([45, 55], vertical_alignment="center")
    picked = left.segmented_control(
        t("lists.which"), (ALL, *LISTS), default=ALL, key="lists_which", required=True, label_visibility="collapsed",
        format_func=lambda name: t("lists.all") if name == ALL else f"{SYMBOL[name]} {t(f'list.{name}')}",
    )  # fmt: skip
    text = right.text_input(
        t("lists.search"), key="lists_text", max_chars=MOST_TEXT, placeholder=t("lists.search_eg"),
        label_visibility="collapsed",
    )  # fmt: skip
    return ("" if picked in (None, ALL) else str(picked)), str(text or "").strip()


def draw_table(here: Desk, which: str, text: str) -> None:
    """The entries that fit."""
    t, reading = here.t, here.lists.entries(which, text)
    found = reading.value
    if found is None:
        return
    if not found.rows:
        st.info(t("lists.none_found") if sum(found.counts.values()) else t("lists.none"))
        return
    names = ("list", "entity", "token", "reason", "until", "asks", "source", "confidence", "added")
    rows = [_row(here, one, found.at) for one in found.rows]
    wide = {t("lists.col.token"): 150, t("lists.col.reason"): 190, t("lists.col.source"): 110}
    st.dataframe(
        pd.DataFrame(rows, columns=[t(f"lists.col.{name}") for name in names]), hide_index=True, key="lists",
        height=min(38 + 35 * len(rows), 520),
        column_config={name: st.column_config.TextColumn(width=width) for name, width in wide.items()},
    )  # fmt: skip
    more = t("lists.more", shown=SHOWN, found=f"{found.found:,}") if found.found > SHOWN else ""
    st.caption(f"{t('lists.version', version=found.version)} {more}".strip())


def _row(here: Desk, one: Kept, at: int) -> tuple[str, str, str, str, str, str, str, int, str]:
    t, entry = here.t, one.entry
    if entry.until is None:
        until = t("lists.no_end")
    else:
        left = entry.until - at
        until = f"{'◐ ' if left <= DAY_MS else ''}{utc(entry.until, seconds=False)} ({age(left)})"
    basis = "" if entry.basis == "own" else f" ({t(f'lists.basis.{entry.basis}')})"
    return (
        f"{SYMBOL[entry.list]} {t(f'list.{entry.list}')}{basis}", name_of(t, "entity", entry.entity), entry.token,
        entry.reason, until, name_of(t, "action", entry.asks), entry.source, entry.confidence,
        f"{name_of(t, 'actor', one.added_by)} {utc(one.added_at, seconds=False)}",
    )  # fmt: skip
