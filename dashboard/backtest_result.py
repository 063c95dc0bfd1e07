"""What a back-test found: what would newly alert, what would stop, with the frauds and the money either way."""

from __future__ import annotations

from html import escape
from typing import Any

import msgspec
import streamlit as st

from alerts.jobs import Job
from dashboard import charts, theme
from dashboard.change_chart import change_bars
from dashboard.desk import Desk
from dashboard.text import name_of

GROUPS = ("alerts", "held_or_stricter", "declined")


def draw_result(here: Desk, job: Job, result: dict[str, Any]) -> None:
    """Sentences, numbers, one chart and three tables. result: dataflow/backtest/result.py's JSON."""
    t = here.t
    differs = any(sides["differs"] for sides in result["proposed"].values())
    st.html(f'<div class="tg-say">{escape(_sentence(here, result, differs))}</div>')
    st.html(f'<div class="tg-muted">{escape(_basis(here, result))}</div>')
    _numbers(here, result, differs)
    names = {name: t(f"bt.{name}") for name in ("frauds", "good", "open", "payments", "usd")}
    rows = _bars(here, result, differs)
    st.html(f'<div class="tg-head">{escape(t("bt.chart" if differs else "bt.chart_same"))}</div>')
    st.plotly_chart(change_bars(rows, names, here.dark), theme=None, config=charts.CONFIG, key=f"bt:{job.id}")
    tabs = [t("bt.tab.rules")]
    if differs:
        tabs += [t("bt.tab.payments"), t("bt.tab.actions")]
    shown = st.tabs(tabs)
    with shown[0]:
        _rules(here, job, result, differs)
    if differs:
        with shown[1]:
            _payments(here, job, result)
        with shown[2]:
            _actions(here, job, result)
    st.download_button(
        t("bt.download"), msgspec.json.format(msgspec.json.encode(result), indent=1),
        f"backtest-{job.number}.json", "application/json", key="bt_download", on_click="ignore",
    )  # fmt: skip


def _sentence(here: Desk, result: dict[str, Any], differs: bool) -> str:
    t, alerts = here.t, result["alerts"]
    if not differs:
        return t("bt.say_same", payments=f"{result['payments']:,}")
    if not result["changed"]["payments"]:
        return t("bt.say_nothing", payments=f"{result['payments']:,}")
    new, gone = alerts["new"], alerts["gone"]
    said = t(
        "bt.say", new=f"{new['payments']:,}", new_frauds=f"{new['frauds']:,}", new_usd=_usd(new["fraud_usd"]),
        gone=f"{gone['payments']:,}", gone_frauds=f"{gone['frauds']:,}", gone_usd=_usd(gone["fraud_usd"]),
    )  # fmt: skip
    more = t(
        "bt.say_actions", changed=f"{result['changed']['payments']:,}",
        up=f"{result['stricter']['payments']:,}", down=f"{result['milder']['payments']:,}",
    )  # fmt: skip
    return f"{said} {more}"


def _basis(here: Desk, result: dict[str, Any]) -> str:
    """What was replayed, and from where outcomes are known."""
    t, known = here.t, result["outcomes"]
    refused = result["dead_lettered"] + result["undecodable"]
    parts = [
        t("bt.basis", payments=f"{result['payments']:,}", first=result["first"], last=result["last"]),
        t(f"bt.outcomes.{known['source']}"),
        t("bt.known", frauds=f"{known['frauds']:,}", good=f"{known['good']:,}", open=f"{known['open']:,}"),
    ]
    if refused:
        parts.append(t("bt.refused", count=f"{refused:,}"))
    return " ".join(parts)


def _numbers(here: Desk, result: dict[str, Any], differs: bool) -> None:
    t, alerts, cost = here.t, result["alerts"], result["cost"]
    before, after = alerts["before"], alerts["after"]
    columns = st.columns(5)
    if differs:
        for column, key in ((columns[0], "new"), (columns[1], "gone")):
            group = alerts[key]
            column.metric(
                t(f"bt.{key}_alerts"), f"{group['payments']:,}", t("bt.of_which", **_outcomes(group)),
                delta_color="off", delta_arrow="off", border=True, height="stretch",
            )  # fmt: skip
    else:
        for column, key in ((columns[0], "alerts"), (columns[1], "declined")):
            group = result[key]["after"]
            column.metric(
                t(f"bt.now.{key}"), f"{group['payments']:,}", t("bt.of_which", **_outcomes(group)),
                delta_color="off", delta_arrow="off", border=True, height="stretch",
            )  # fmt: skip
    for column, key in ((columns[2], "precision"), (columns[3], "recall")):
        was = t("bt.was", value=_share(here, before[key])) if differs else None
        column.metric(
            t(f"bt.{key}"), _share(here, after[key]), was, delta_color="off", delta_arrow="off", border=True,
            height="stretch", help=t(f"bt.{key}.help"),
        )  # fmt: skip
    change = cost["change"]
    columns[4].metric(
        t("bt.cost" if differs else "bt.cost_same"),
        (f"{'+' if change > 0 else '−' if change < 0 else ''}{_usd(abs(change))}" if differs else _usd(cost["after"])),
        t("bt.was_to", before=f"{cost['before']:,.0f}", after=f"{cost['after']:,.0f}") if differs else None,
        delta_color="off", delta_arrow="off", border=True, height="stretch", help=t("bt.cost.help"),
    )  # fmt: skip


def _bars(here: Desk, result: dict[str, Any], differs: bool) -> list[tuple[str, dict[str, Any]]]:
    if differs:
        return [
            (here.t(f"bt.bar.{key}.{way}"), result[key][way]) for key in GROUPS for way in ("new", "gone")
        ]
    return [(here.t(f"bt.now.{key}"), result[key]["after"]) for key in GROUPS]


def _rules(here: Desk, job: Job, result: dict[str, Any], differs: bool) -> None:
    """Rule by rule: what is proposed first, then what decides most."""
    t, config = here.t, st.column_config
    rows = sorted(
        result["rules"],
        key=lambda row: (row["state"] == "same", -row["decides"]["payments"], -row["hits"], row["id"]),
    )
    title = "title_zh" if here.language == "zh" else "title_en"
    columns: dict[str, list[object]] = {
        t("col.rule"): [row["id"] + (" ◌" if row["shadow"] else "") for row in rows],
    }
    if differs:
        columns[t("bt.state")] = [_state(here, row["state"]) for row in rows]
    columns[t("rules.title")] = [row[title] or row["title_en"] for row in rows]
    columns[t("col.action")] = [name_of(t, "action", row["action"].upper()) for row in rows]
    if differs:
        columns[t("bt.hits_before")] = [row["hits_before"] for row in rows]
    columns |= {
        t("rules.hits"): [row["hits"] for row in rows],
        t("bt.frauds"): [row["frauds"] for row in rows],
        t("bt.good"): [row["good"] for row in rows],
        t("rules.precision"): [_precision(row) for row in rows],
        t("bt.fraud_usd"): [round(row["fraud_usd"]) for row in rows],
        t("bt.decides"): [row["decides"]["payments"] for row in rows],
        t("rules.overlap"): [_overlap(row) for row in rows],
    }
    numbers = ("bt.hits_before", "rules.hits", "bt.frauds", "bt.good", "bt.fraud_usd")
    st.dataframe(
        columns,
        hide_index=True,
        height=300,
        key=f"bt_rules:{job.id}",
        column_config={
            t("col.rule"): config.TextColumn(width=66),
            t("bt.state"): config.TextColumn(width=72),
            t("rules.title"): config.TextColumn(width=158),
            t("col.action"): config.TextColumn(width=72),
            **{t(name): config.NumberColumn(width=66, format="localized") for name in numbers},
            t("rules.precision"): config.TextColumn(width=124, help=t("bt.precision_rule.help")),
            t("bt.decides"): config.NumberColumn(width=66, format="localized", help=t("bt.decides.help")),
            t("rules.overlap"): config.TextColumn(width=84, help=t("rules.overlap.help")),
        },
    )


def _payments(here: Desk, job: Job, result: dict[str, Any]) -> None:
    """The largest payments that change, both ways."""
    t, config = here.t, st.column_config
    rows = [(way, row) for way in ("stricter", "milder") for row in result["largest"][way]]
    if not rows:
        st.caption(t("bt.no_change"))
        return
    rows.sort(key=lambda found: -found[1]["usd"])
    columns: dict[str, list[object]] = {
        t("bt.way"): [t(f"bt.way.{way}") for way, _ in rows],
        "USD": [row["usd"] for _, row in rows],
        t("col.outcome"): [t(f"bt.outcome.{row['outcome']}") for _, row in rows],
        t("bt.before"): [_decided(here, row["before"]) for _, row in rows],
        t("bt.after"): [_decided(here, row["after"]) for _, row in rows],
        t("col.risk"): [row["after"]["risk"] for _, row in rows],
        t("col.corridor"): [str(row.get("corridor") or "").replace(":", " · ") for _, row in rows],
        t("bt.payment"): [row["id"] for _, row in rows],
    }
    st.dataframe(
        columns, hide_index=True, height=300, key=f"bt_payments:{job.id}",
        column_config={
            t("bt.way"): config.TextColumn(width=84),
            "USD": config.NumberColumn(format="%,.2f", width=88),
            t("col.outcome"): config.TextColumn(width=72),
            t("bt.before"): config.TextColumn(width=172),
            t("bt.after"): config.TextColumn(width=172),
            t("col.risk"): config.NumberColumn(format="%.3f", width=64),
            t("col.corridor"): config.TextColumn(width=136),
        },
    )  # fmt: skip


def _actions(here: Desk, job: Job, result: dict[str, Any]) -> None:
    t = here.t
    rows = result["actions"]
    if not rows:
        st.caption(t("bt.no_action"))
        return
    columns: dict[str, list[object]] = {
        t("bt.before"): [name_of(t, "action", row["before"]) for row in rows],
        t("bt.after"): [name_of(t, "action", row["after"]) for row in rows],
        t("bt.payments"): [row["payments"] for row in rows],
        "USD": [round(row["usd"]) for row in rows],
    }
    for name in ("frauds", "good", "open"):
        columns[t(f"bt.{name}")] = [row[name] for row in rows]
        columns[f"{t(f'bt.{name}')}, USD"] = [
            round(row["fraud_usd" if name == "frauds" else f"{name}_usd"]) for row in rows
        ]
    st.dataframe(columns, hide_index=True, height="content", key=f"bt_actions:{job.id}")


def _decided(here: Desk, side: dict[str, Any]) -> str:
    """`hold + alert: R007, R013`."""
    text = name_of(here.t, "action", side["action"]) + (f" + {here.t('bt.alert')}" if side["alert"] else "")
    return text + (f": {', '.join(side['rules'])}" if side["rules"] else "")


def _state(here: Desk, state: str) -> str:
    return f"{theme.RULE_STATE.get(state, '')} {name_of(here.t, 'bt.state', state)}".strip()


def _outcomes(group: dict[str, Any]) -> dict[str, str]:
    return {name: f"{group[name]:,}" for name in ("frauds", "good")}


def _precision(row: dict[str, Any]) -> str:
    between = row["precision_interval"]
    return "–" if between is None else f"{row['precision']:.0%} ({between[0]:.0%}–{between[1]:.0%})"


def _overlap(row: dict[str, Any]) -> str:
    return next((f"{o['rule']} {o['share']:.0%}" for o in row["overlap"]), "–")


def _usd(value: float) -> str:
    return f"USD {value:,.0f}"


def _share(here: Desk, value: float | None) -> str:
    return here.t("no_data") if value is None else f"{value:.1%}"
