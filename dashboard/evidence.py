"""The tabs below the case: every reason as a sentence, rules with their runbook, similar confirmed frauds, timeline,
linked entities, verdicts, audit, ids."""

from __future__ import annotations

from html import escape

import streamlit as st

from alerts.custody.audit import AuditEntry
from dashboard import charts, theme
from dashboard.desk import Desk
from dashboard.formats import id_html, moment, short, usd, utc
from dashboard.readings import Case
from dashboard.runbooks import runbooks
from dashboard.text import Translate, name_of
from dashboard.why_part import ROUTING

TABS = ("sentences", "rules", "similar", "timeline", "links", "verdicts", "audit", "ids")


def draw_evidence(here: Desk, case: Case) -> None:
    """All tabs of one case."""
    parts = (_sentences, _rules, _similar, _timeline, _links, _verdicts, _audit, _ids)
    for tab, part in zip(st.tabs([here.t(f"tab.{name}") for name in TABS]), parts, strict=True):
        with tab:
            part(here, case)


def _sentences(here: Desk, case: Case) -> None:
    """Every reason in full, the largest share first; the bars beside the payment cut long ones."""
    t, zh = here.t, here.language == "zh"
    reasons = sorted(case.alert.decision.reasons, key=lambda r: (r.kind == "feature", -abs(r.share)))
    if not reasons:
        st.caption(t("case.say_none"))
        return
    rows = []
    for reason in reasons:
        share = f"{reason.share:+.2f}" if reason.kind == "feature" else t("sentences.rule")
        text = reason.text_zh if zh else reason.text_en
        rows.append(f"<dt>{escape(share)}</dt><dd>{escape(text)}</dd>")
    st.html(f'<dl class="tg-facts">{"".join(rows)}</dl>')


def _similar(here: Desk, case: Case) -> None:
    t = here.t
    found = here.model.similar(case.alert.decision).value
    if not found:
        st.caption(t("similar.unknown" if found is None else "similar.none"))
        return
    st.caption(t("similar.how", trees=found[0].trees))
    st.dataframe(
        {
            t("similar.distance"): [one.distance for one in found],
            t("col.time"): [moment(one.fraud.time) if one.fraud.time else None for one in found],
            t("col.amount"): [usd(one.fraud.amount_usd) for one in found],
            t("fact.corridor"): [one.fraud.corridor.replace(":", " · ") for one in found],
            t("similar.id"): [one.fraud.id or t("similar.no_id") for one in found],
        },
        hide_index=True,
        height="content",
        key=f"similar:{case.alert.id}",
        column_config={
            t("similar.distance"): st.column_config.NumberColumn(format="percent"),
            t("col.time"): st.column_config.DatetimeColumn(format="MM-DD HH:mm:ss", timezone="UTC"),
        },
    )


def _rules(here: Desk, case: Case) -> None:
    t, decision = here.t, case.alert.decision
    known = runbooks(here.settings.rules)
    zh = here.language == "zh"
    said = {r.code: r.text_zh if zh else r.text_en for r in decision.reasons if r.kind != "feature"}
    blocks = []
    for hit in decision.rules:
        book = known.get(hit.id)
        title = "" if book is None else book.title(here.language)
        shadow = f' <span class="tg-tag">{escape(t("rules.shadow"))}</span>' if hit.shadow else ""
        colour = theme.ACTION_COLOUR[hit.action]
        lines = [
            f'<b>{escape(hit.id)}</b> {escape(title)} · <span style="color:{colour}">■</span> '
            f"{escape(name_of(t, 'action', hit.action))} · {escape(name_of(t, 'band', hit.severity))} · "
            f"{escape(name_of(t, 'typology', hit.typology))}{shadow}",
            escape(said.pop(hit.id, "")),
            f'<span class="tg-muted">{escape(book.runbook)}</span>' if book else "",
        ]
        blocks.append('<div class="tg-rule">' + "<br>".join(line for line in lines if line) + "</div>")
    blocks += [f'<div class="tg-rule">{escape(text)}</div>' for text in said.values()]
    if decision.not_assessed:
        rules = ", ".join(decision.not_assessed)
        blocks.append(f'<div class="tg-muted">{escape(t("case.not_assessed", rules=rules))}</div>')
    if not decision.rules:
        st.caption(t("rules.none"))
    if blocks:
        st.html("".join(blocks))


def _timeline(here: Desk, case: Case) -> None:
    t = here.t
    kind = next((kind for kind in ("card", "customer") if case.links.get(kind, ("", [], []))[2]), None)
    if kind is None:
        st.caption(t("timeline.none"))
        return
    entity, _, payments = case.links[kind]
    st.caption(t("timeline.of", kind=name_of(t, "entity", kind), name=short(entity, 24)))
    names = {action: t(f"action.{action}") for action in theme.ACTION_COLOUR}
    figure = charts.timeline(payments, case.alert.decision.id, names, here.dark)
    st.plotly_chart(figure, theme=None, config=charts.CONFIG, key=f"timeline:{case.alert.id}")


def _links(here: Desk, case: Case) -> None:
    t = here.t
    if not case.links:
        st.caption(t("links.none"))
        return
    rows = list(case.links.items())
    usd_of = [
        sum(v for d in payments if isinstance(v := d.context.get("amount_usd"), (int, float)))
        for _, (_, _, payments) in rows
    ]
    st.dataframe(
        {
            t("col.kind"): [name_of(t, "entity", kind) for kind, _ in rows],
            t("col.entity"): [entity for _, (entity, _, _) in rows],
            t("col.payments"): [len(payments) for _, (_, _, payments) in rows],
            t("links.usd"): [usd(amount) for amount in usd_of],
            t("col.alerts"): [len(alerts) for _, (_, alerts, _) in rows],
            t("links.frauds"): [sum(a.verdict == "fraud" for a in alerts) for _, (_, alerts, _) in rows],
        },
        hide_index=True,
        height="content",
        key=f"links:{case.alert.id}",
    )


def _verdicts(here: Desk, case: Case) -> None:
    t = here.t
    found = {a.id: a for _, alerts, _ in case.links.values() for a in alerts if a.verdict is not None}
    if not found:
        st.caption(t("verdicts.none"))
        return
    rows = sorted(found.values(), key=lambda a: -(a.resolved_at or 0))
    st.dataframe(
        {
            t("col.time"): [moment(a.resolved_at or a.last_time) for a in rows],
            t("col.verdict"): [
                name_of(t, "verdict", a.verdict or "") + (f" {t('case.learned')}" if a.learned else "")
                for a in rows
            ],
            t("col.what"): [name_of(t, "typology", a.typology) for a in rows],
            t("col.amount"): [usd(a.amount_usd) for a in rows],
            t("audit.by"): [a.resolved_by or "" for a in rows],
            t("case.link"): [f"?alert={a.id}" for a in rows],
        },
        hide_index=True,
        height="content",
        key=f"verdicts:{case.alert.id}",
        column_config={
            t("case.link"): st.column_config.LinkColumn(display_text="↗"),
            t("col.time"): st.column_config.DatetimeColumn(format="MM-DD HH:mm:ss", timezone="UTC"),
        },
    )


def _audit(here: Desk, case: Case) -> None:
    t = here.t
    st.page_link(ROUTING, label=t("why.of_alert"), query_params={"q": case.alert.id})
    if not case.audit:
        st.caption(t("audit.none"))
        return
    entries = case.audit[::-1]
    st.dataframe(
        {
            t("col.time"): [utc(e.at) for e in entries],
            t("audit.by"): [e.actor for e in entries],
            t("audit.what"): [name_of(t, "audit", e.action) for e in entries],
            t("col.detail"): [_detail(t, e) for e in entries],
        },
        hide_index=True,
        height="content",
        key=f"audit:{case.alert.id}",
    )


def _detail(t: Translate, entry: AuditEntry) -> str:
    """Reason, verdict, or how the severity changed: what tells most about a step."""
    before, after = entry.before or {}, entry.after or {}
    verdict = after.get("verdict") or after.get("proposed_verdict")
    severities = [facts["severity"] for facts in (before, after) if "severity" in facts]
    told = name_of(t, "verdict", verdict) if verdict else " → ".join(severities)
    return ", ".join(text for text in (told, after.get("assigned_to") or "", entry.reason) if text)


def _ids(here: Desk, case: Case) -> None:
    alert = case.alert
    rows = [("alert", alert.id), ("event", alert.decision.id), ("fingerprint", alert.fingerprint)]
    context = alert.decision.context
    names = ("order_id", "card", "customer", "device", "ip", "merchant", "payee", "partner")
    rows += [(name, str(context[name])) for name in names if context.get(name)]
    terms = "".join(
        f"<dt>{escape(name_of(here.t, 'entity', name))}</dt><dd>{id_html(value)}</dd>" for name, value in rows
    )
    st.html(f'<dl class="tg-facts">{terms}</dl>')
    st.code(f"?alert={alert.id}", language=None)
