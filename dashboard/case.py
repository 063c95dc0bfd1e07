"""The case beside the list: what happened in one sentence, the keys, why, and everything linked to it."""

from __future__ import annotations

from html import escape

import streamlit as st

from alerts.alert import Alert
from alerts.store import Conflict
from dashboard import charts, measures, theme
from dashboard.case_keys import draw_keys
from dashboard.data import LEASE_MS
from dashboard.desk import Desk
from dashboard.evidence import draw_evidence
from dashboard.formats import amount_of, short, usd, utc, utc_html
from dashboard.readings import Case, Pulse, Reading
from dashboard.text import name_of
from dashboard.verbs import held_by_other
from models.errors import StoreError


def draw_case(here: Desk, alert_id: str, pulse: Reading[Pulse]) -> None:
    """Claim and draw one alert. The claim keeps others' keys off it while it is open; it acknowledges nothing."""
    reading = here.model.case(alert_id)
    if reading.value is None:
        if reading.error is None:
            st.info(here.t("case.none", alert=alert_id))
        return
    if reading.error is None and not here.frozen and _claim(here, reading.value.alert):
        reading = here.model.case(alert_id)
    case = reading.value
    if case is None:
        return
    st.session_state.setdefault("seen", {})[alert_id] = case.alert.count
    down = reading.error is not None or pulse.error is not None
    _header(here, case.alert)
    draw_keys(here, case.alert, down)
    _why(here, case)
    draw_evidence(here, case)


def _claim(here: Desk, alert: Alert) -> bool:
    """Take the alert, or renew a lease that is half over. True when something changed."""
    now = here.model.now()
    mine = alert.claimed_by == here.actor and (alert.claimed_until or 0) - now > LEASE_MS / 2
    # Who proposed a verdict only looks: a claim of theirs would keep the second person from it.
    own = alert.status == "proposed" and alert.proposed_by == here.actor
    if mine or own or alert.status == "resolved" or held_by_other(alert, here.actor, now):
        return False
    try:
        return not isinstance(here.model.claim(alert.id, here.actor, here.role), Conflict)
    except StoreError:
        # The reading that follows says that the store is down.
        return True


def _header(here: Desk, alert: Alert) -> None:
    t = here.t
    symbol, colour = theme.SEVERITY[alert.severity]
    decision = alert.decision
    tags = [
        name_of(t, "status", alert.status)
        if alert.verdict is None
        else f"{name_of(t, 'status', alert.status)}: {name_of(t, 'verdict', alert.verdict)}"
    ]
    if alert.status == "resolved" and alert.verdict != "unsure":
        tags.append(t("case.learned" if alert.learned else "case.unlearned"))
    if alert.status == "proposed":
        verdict = name_of(t, "verdict", alert.proposed_verdict or "")
        tags.append(t("case.proposed", verdict=verdict, actor=alert.proposed_by or "?"))
    if alert.status == "acknowledged" and alert.acknowledged_by:
        tags.append(t("case.acknowledged", actor=alert.acknowledged_by))
    if alert.assigned_to:
        tags.append(t("case.assigned", actor=alert.assigned_to))
    if decision.late:
        tags.append(t("case.late"))
    if alert.claimed_by == here.actor and alert.claimed_until and not here.frozen:
        tags.append(t("claim.mine", time=utc(alert.claimed_until)[6:]))
    marks = " ".join(f'<span class="tg-tag">{escape(tag)}</span>' for tag in tags)
    action = name_of(t, "action", decision.action)
    action_colour = theme.ACTION_COLOUR[decision.action]
    reason = measures.leading_reason(decision)
    say = (
        t("case.say_none") if reason is None else reason.text_zh if here.language == "zh" else reason.text_en
    )
    st.html(
        f'<div class="tg-title"><span style="color:{colour}">{symbol} {alert.severity} '
        f"{escape(t(f'severity.{alert.severity}'))}</span> · "
        f"{escape(name_of(t, 'typology', alert.typology))} · {escape(amount_of(decision.context))} · "
        f'<span style="color:{action_colour}">■</span> {escape(action)}</div>'
        f'<div class="tg-muted" style="margin:.15rem 0 .45rem">'
        f"{escape(t('case.payments', count=alert.count, usd=usd(alert.amount_usd)))} · "
        f"{escape(name_of(t, 'entity', alert.entity_kind))} {escape(short(alert.entity, 22))} {marks}</div>"
        f'<div class="tg-say">{escape(say)}</div>'
    )


def _why(here: Desk, case: Case) -> None:
    t = here.t
    left, right = st.columns([56, 44], gap="medium")
    with left:
        st.html(f'<div class="tg-head">{escape(t("case.reasons"))}</div>')
        reasons = measures.main_reasons(case.alert.decision, 5)
        if reasons:
            figure = charts.reason_bars(reasons, here.language, here.dark)
            st.plotly_chart(figure, theme=None, config=charts.CONFIG, key=f"why:{case.alert.id}")
        else:
            st.caption(t("case.no_reasons"))
        if case.alert.decision.shed:
            st.caption(t("case.shed"))
        contrast = case.alert.decision.counterfactual
        if contrast is not None:
            text = contrast.text_zh if here.language == "zh" else contrast.text_en
            st.html(
                f'<div class="tg-head">{escape(t("case.contrast"))}</div><div class="tg-rule">{escape(text)}</div>'
            )
    with right:
        st.html(f'<div class="tg-head">{escape(t("case.facts"))}</div>{_facts(here, case.alert)}')


def _facts(here: Desk, alert: Alert) -> str:
    """The worst payment of the alert as a list of terms; what is not known is left out."""
    t, d = here.t, alert.decision
    context = d.context
    dollars = measures.number(context.get("amount_usd"))
    amount = amount_of(context)
    if dollars is not None and context.get("currency") != "USD":
        amount += f" ({usd(dollars)})"
    countries = [
        f"{label} {context[name]}"
        for label, name in (
            (t("entity.card"), "issuer_country"),
            ("IP", "ip_country"),
            (t("fact.ship"), "ship_country"),
        )
        if context.get(name)
    ]
    scores = [f"{name} {score:.2f}" for name, score in sorted(d.scores.items())]
    channel = context.get("channel")
    rows = [
        ("fact.amount", escape(amount)),
        ("fact.time", utc_html(d.event_time, here.timezone)),
        ("fact.corridor", escape(str(context.get("corridor") or "")).replace(":", " · ")),
        ("fact.channel", escape(name_of(t, "channel", str(channel))) if channel else ""),
        ("fact.countries", escape(" · ".join(countries))),
        ("col.risk", f"{d.risk:.3f} · {escape(t(f'band.{d.band}'))}"),
        ("fact.scores", escape(" · ".join(scores))),
        ("fact.versions", escape(f"{d.versions.model} · {d.versions.rules}")),
    ]
    return (
        '<dl class="tg-facts">'
        + "".join(f"<dt>{escape(t(key))}</dt><dd>{value}</dd>" for key, value in rows if value)
        + "</dl>"
    )
