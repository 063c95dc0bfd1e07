"""What drills, their measures and their times are called on screen."""

from __future__ import annotations

from alerts.drills.history import DrillRun
from dashboard.desk import Desk
from dashboard.formats import age, usd, utc
from dashboard.text import Translate, name_of

METRICS = (
    "mttd_s", "mtta_s", "mttc_s", "contained_s", "mttr_s", "loss_before_containment", "good_payments_blocked",
    "notification_lateness_s", "false_alarms", "lost", "doubled",
)  # fmt: skip
"""Of a score card, in the order in which things happen."""
DAY_MS = 86_400_000


def drill_name(here: Desk, id_: str) -> str:
    """A scenario."""
    return name_of(here.t, "drill.name", id_)


def role_name(t: Translate, role: str | None) -> str:
    """A role of the emergency plan; nobody is said."""
    return name_of(t, "team", role) if role else t("plans.nobody")


def span(seconds: float) -> str:
    """`0.1 s`, `17 s`, `2m 05s`; whole minutes and hours without what is nought: `30 min`, `2 h`."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds % size == 0:
            return f"{seconds / size:,.0f} {unit}"
    return age(seconds * 1000)


def measured(t: Translate, metric: str, value: float | None) -> str:
    """A value of the score card with its unit."""
    if value is None:
        return t("drills.not_reached")
    if metric.endswith("_s"):
        return span(value)
    return usd(value) if metric == "loss_before_containment" else f"{value:,.0f}"


def run_line(here: Desk, run: DrillRun) -> str:
    """A run in one line."""
    state = here.t("drills.passed" if run.card.passed else "drills.missed")
    return (
        f"{'✓' if run.card.passed else '✕'} {state} · {drill_name(here, run.drill)} · "
        f"{utc(run.at, seconds=False)} UTC · {here.t('drills.seed')} {run.seed} · {run.actor}"
    )
