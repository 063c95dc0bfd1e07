"""The routing tree as it is in force, who is on call until when, and what would be done with something imagined."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import get_args
from zoneinfo import ZoneInfo

import streamlit as st

from alerts.routing.change import Kind
from alerts.routing.imagining import Branch, Imagined, Step, imagine, imagined
from alerts.routing.plan import Plan
from alerts.routing.shifts import shifts
from alerts.routing.view import RouteRow, View
from dashboard.answering import timers_of
from dashboard.desk import Desk
from dashboard.formats import age, moment, plain, utc
from dashboard.notices import worded
from dashboard.routing_data import Tree
from models.errors import SettingsError

LABELS = ("corridor", "partner", "typology")
MOST_LABEL = 120
_SYMBOL = {"takes": "●", "through": "▼", "no_match": "✕", "passed_over": "–"}


def draw_tree(here: Desk) -> None:
    """The whole part. What is typed stands still; the tree is drawn for it."""
    t, reading = here.t, here.routing.tree()
    if reading.value is None:
        return
    tree: Tree = reading.value
    if tree.view is None:
        st.info(t("tree.none"))
        return
    wrong = str(tree.sender.get("wrong") or "")
    if wrong:
        st.error(plain(t("tree.wrong", reason=wrong)))
    plan = tree.view.plan()
    left, right = st.columns([58, 42], gap="medium")
    with right:
        found, at = _what_if(here, tree, plan) if plan is not None else (None, here.model.now())
    with left:
        st.html(_tree_html(here, tree.view, plan, at, found))
    with right:
        if plan is None:
            st.caption(t("tree.old"))
        else:
            _on_call(here, plan, at)


def _what_if(here: Desk, tree: Tree, plan: Plan) -> tuple[Imagined | None, int]:
    """The form, and what would be done; None: nothing was asked yet, or it makes no sense."""
    t, now = here.t, here.model.now()
    st.html(f'<div class="tg-head">{escape(t("whatif.title"))}</div>')
    first, second = st.columns(2)
    kind = first.selectbox(
        t("whatif.type"), get_args(Kind), key="whatif_type", format_func=lambda name: t(f"subject.{name}")
    )
    severity = second.selectbox(
        t("whatif.severity"), ("S1", "S2", "S3", "S4"), index=None, key="whatif_severity", placeholder=t("whatif.any"),
        format_func=lambda name: f"{name} {t(f'severity.{name}')}",
    )  # fmt: skip
    given = {"type": str(kind or "alert"), "severity": str(severity or "")}
    columns = st.columns(3)
    eg = {"corridor": "CN>US", "partner": "psp-7", "typology": "T01"}
    for place, name in zip(columns, LABELS, strict=True):
        given[name] = place.text_input(
            t(f"whatif.{name}"), key=f"whatif_{name}", max_chars=MOST_LABEL, placeholder=eg[name]
        )
    written = st.text_input(
        t("whatif.at"), key="whatif_at", max_chars=40, placeholder=f"{moment(now):%Y-%m-%d %H:%M}",
        help=t("whatif.at_help"),
    )  # fmt: skip
    try:
        at = _moment(here, written, now)
        if not severity:
            st.caption(t("whatif.first"))
            return None, at
        found = imagine(plan, imagined(given, at), at, tree.silences)
    except SettingsError as error:
        st.warning(worded(here, error))
        return None, now
    st.html(_found_html(here, found))
    return found, at


def _moment(here: Desk, text: str, now: int) -> int:
    """A time as written, UTC without a zone; empty: now."""
    if not text.strip():
        return now
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        said = here.t("whatif.at_wrong", text=text)
        raise SettingsError(said, zh=said) from None
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def _found_html(here: Desk, found: Imagined) -> str:
    t = here.t
    out = []
    if found.silence is not None:
        one = found.silence
        out.append(
            f'<div class="tg-say tg-bad">○ '
            f"{escape(t('whatif.silenced', id=one.id, until=utc(one.ends_at), matchers=' '.join(one.matchers)))}</div>"
        )
    first = [name for step in found.steps if step.level == 0 for name in step.told]
    if first:
        out.append(
            f'<div class="tg-say">✉ {escape(t("whatif.told", receivers=", ".join(dict.fromkeys(first))))}</div>'
        )
    elif found.fallback:
        out.append(
            f'<div class="tg-say tg-bad">✉ {escape(t("whatif.fallback", receiver=found.fallback))}</div>'
        )
    else:
        out.append(f'<div class="tg-say tg-bad">○ {escape(t("whatif.nobody"))}</div>')
    out += [_step_html(here, step) for step in sorted(found.steps, key=lambda step: step.at)]
    return "".join(out)


def _step_html(here: Desk, step: Step) -> str:
    t = here.t
    whom = ", ".join(name if name == target else f"{name} ({target})" for name, target in step.told.items())
    what = t("whatif.step_first") if step.level == 0 else t("whatif.step", level=step.level)
    return (
        f"<div>{escape(utc(step.at))} · {escape(what)}: <b>{escape(whom or t('why.nobody'))}</b> "
        f'<span class="tg-muted">{escape(step.route)}</span></div>'
    )


def _tree_html(here: Desk, view: View, plan: Plan | None, at: int, found: Imagined | None) -> str:
    t = here.t
    asked = {} if found is None else {branch.path: branch for branch in found.branches}
    rows = [_route_html(here, row, plan, at, asked.get(row.path), found is not None) for row in view.routes]
    fallback = t("tree.fallback", name=view.fallback) if view.fallback else t("tree.no_fallback")
    return (
        f'<div class="tg-head">{escape(t("tree.title"))} <span class="tg-muted">{escape(view.digest)}</span></div>'
        f'{"".join(rows)}<div class="tg-card">{escape(fallback)}</div>'
    )


def _route_html(
    here: Desk, row: RouteRow, plan: Plan | None, at: int, branch: Branch | None, asked: bool
) -> str:  # fmt: skip
    t = here.t
    symbol = "└" if not asked else "·" if branch is None else _SYMBOL[branch.verdict]
    kind = ""
    if asked:
        kind = "tg-done" if branch is not None and branch.verdict in ("takes", "through") else "tg-muted"
    failed = set() if branch is None else set(branch.failed)
    tags = " ".join(
        f'<span class="tg-tag">{"✕ " if text in failed else ""}{escape(text)}</span>' for text in row.match
    )
    verdict = "" if branch is None else f" <b>{escape(t(f'branch.{branch.verdict}'))}</b>"
    whom = ", ".join(_target(row_target, plan, at) for row_target in row.notify)
    whom = whom or t("tree.silent" if row.silent else "tree.inherits_nobody")
    more = f" · {t('tree.goes_on')}" if row.goes_on else ""
    group = ", ".join(row.group_by) or "–"
    return (
        f'<div class="tg-card" style="margin-left:{1.6 * row.depth:.1f}rem"><span class="{kind}">{symbol} '
        f"<b>{escape(row.name)}</b>{verdict}</span> {tags or escape(t('tree.everything'))} → <b>{escape(whom)}</b>"
        f'<div class="tg-muted">{escape(t("tree.group_by", labels=group))} · {escape(timers_of(t, row))}{escape(more)}'
        "</div></div>"
    )


def _target(target: str, plan: Plan | None, at: int) -> str:
    """A target, and the receivers behind it at that time."""
    reached = list(plan.reached((target,), at)) if plan is not None else [target]
    return target if reached == [target] else f"{target} ({', '.join(reached) or '–'})"


def _on_call(here: Desk, plan: Plan, at: int) -> None:
    t, found = here.t, shifts(plan, at)
    st.html(f'<div class="tg-head">{escape(t("oncall.title", time=utc(at)))}</div>')
    if not found:
        st.caption(t("oncall.none"))
    for one in found:
        if one.until is None:
            until = t("oncall.stays")
        else:
            local = datetime.fromtimestamp(one.until / 1000, ZoneInfo(one.timezone))
            until = t(
                "oncall.until", time=utc(one.until, seconds=False), local=f"{local:%m-%d %H:%M}", age=age(one.until - at),
                then=one.then or t("oncall.nobody"),
            )  # fmt: skip
        who = one.person or t("oncall.nobody")
        st.html(
            f'<div class="tg-card"><b>{escape(one.schedule)}</b> <span class="tg-muted">{escape(one.timezone)}</span>: '
            f'<b class="{"" if one.person else "tg-late"}">{escape(who)}</b><div>{escape(until)}</div></div>'
        )
