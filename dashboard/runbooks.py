"""The rule pack as the case page needs it: title and runbook by rule id."""

from __future__ import annotations

from pathlib import Path

import msgspec
import streamlit as st

from models.errors import RuleError


class Runbook(msgspec.Struct, frozen=True):
    """Title in both languages, what to do, and where the rule comes from."""

    title_en: str
    title_zh: str
    runbook: str


@st.cache_resource
def runbooks(path: str | None) -> dict[str, Runbook]:
    """Runbooks of the pack at `path`, or of the default pack. A pack that cannot be read has none to show."""
    from models.rules.pack import default_pack, load_pack

    try:
        pack = default_pack() if path is None else load_pack(Path(path))
    except (RuleError, OSError):
        return {}
    return {r.id: Runbook(r.title_en, r.title_zh, r.runbook) for r in pack.rules}
