"""What incidents and measures are called on screen, what people write about them, and why a verb is not theirs."""

from __future__ import annotations

from alerts import rights
from alerts.response.incident import Incident
from alerts.response.kinds import BY_ID
from alerts.response.measure import Measure, Verb
from dashboard.desk import Desk
from dashboard.formats import usd
from dashboard.text import name_of
from models.errors import SettingsError


def title_of(here: Desk, incident: Incident) -> str:
    """Its kind and what it is about."""
    return f"{kind_of(here, incident.kind)} · {scope_of(here, incident.scope)}"


def kind_of(here: Desk, kind: str) -> str:
    """The name of a kind of incident."""
    known = BY_ID.get(kind)
    return kind if known is None else known.title_zh if here.language == "zh" else known.title_en


def scope_of(here: Desk, scope: dict[str, str]) -> str:
    """A scope in words."""
    parts = [f"{name_of(here.t, 'entity', key)} {value}" for key, value in sorted(scope.items())]
    return ", ".join(parts) or here.t("scope.whole")


def verb_of(here: Desk, verb: Verb, above_usd: float | None, model: str) -> str:
    """A verb of containment with what it takes."""
    parts = [name_of(here.t, "contain_verb", verb)]
    if above_usd is not None:
        parts.append(here.t("measure.above", usd=usd(above_usd)))
    if model:
        parts.append(here.t("measure.model", model=model))
    return " ".join(parts)


def measure_of(here: Desk, one: Measure) -> str:
    """A measure in one line."""
    return f"{verb_of(here, one.verb, one.above_usd, one.model)} · {scope_of(here, one.scope)}"


def pairs_of(here: Desk, text: str) -> dict[str, str]:
    """`NAME=VALUE` lines. SettingsError names the line that is none."""
    found: dict[str, str] = {}
    for line in (line.strip() for line in text.splitlines()):
        name, equals, value = (part.strip() for part in line.partition("="))
        if line and (not equals or not name or not value or name in found):
            said = here.t("act.pair_wrong", line=line)
            raise SettingsError(said, zh=said)
        if line:
            found[name] = value
    return found


def lines_of(scope: dict[str, str]) -> str:
    """A scope as `pairs_of` reads it."""
    return "\n".join(f"{key}={value}" for key, value in sorted(scope.items()))


def barred(here: Desk, right: str, down: bool) -> str:
    """Why this person cannot use a verb now; "": they can."""
    if down:
        return here.t("act.down")
    if rights.may(here.role, right):
        return ""
    allowed = sorted(rights.shipped().get(right, frozenset()))
    return here.t("act.not_allowed", role=here.role, roles=", ".join(allowed))
