"""The rule pack as the console needs it: what a rule says and its runbook, by id."""

from __future__ import annotations

from pathlib import Path

import msgspec
import streamlit as st

from models.errors import RuleError


class Runbook(msgspec.Struct, frozen=True):
    """A rule as people read it: title in both languages, what to do, its text, and what it stands for."""

    title_en: str
    title_zh: str
    runbook: str
    text: str = ""
    action: str = ""
    severity: str = ""
    typology: str = ""
    shadow: bool = False

    def title(self, language: str) -> str:
        """The title in the reader's language."""
        return self.title_zh if language == "zh" else self.title_en


@st.cache_resource
def runbooks(path: str | None) -> dict[str, Runbook]:
    """Runbooks of the pack at `path`, or of the default pack. A pack that cannot be read has none to show."""
    from models.rules.pack import default_pack, load_pack

    try:
        pack = default_pack() if path is None else load_pack(Path(path))
    except (RuleError, OSError):
        return {}
    return {
        r.id: Runbook(r.title_en, r.title_zh, r.runbook, r.text, r.action, r.severity, r.typology, r.shadow)
        for r in pack.rules
    }
