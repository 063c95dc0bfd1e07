"""The book of plans in the console and `plan check`: what is not in order is said with its remedy, in both languages."""

from __future__ import annotations

import ast
import datetime as dt
import inspect
import json
import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from alerts.emergency import findings
from alerts.emergency.filling_in import filling_in
from alerts.emergency.plan_book import load_book, shipped_book
from alerts.emergency.settings import SHIPPED
from dashboard import drill_data
from dashboard.text import EN, translator
from dataflow.cli import main
from tests.console_drills import page
from tests.test_console_pages import Breakable, link, words

__all__ = ["link"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Plans of an installation's own, that the console reads."""
    shutil.copytree(SHIPPED, tmp_path / "plans")
    monkeypatch.setattr(drill_data, "FILES_FRESH_S", 0.0)
    console = {"store_url": "memory://", "role": "senior", "plans": str(tmp_path / "plans")}
    (tmp_path / "console.json").write_text(json.dumps(console))
    monkeypatch.setenv("TIDEGATE_CONSOLE", str(tmp_path / "console.json"))
    return tmp_path / "plans"


def changed(path: Path, *pairs: tuple[str, str]) -> None:
    text = path.read_text("utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, "utf-8")


def paper(app: AppTest) -> str:
    return "".join(str(frame.proto.srcdoc) for frame in app.get("iframe"))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("state", ["shipped", "down", "broken"])
def test_the_book_in_every_state(link: Breakable, folder: Path, language: str, state: str) -> None:
    t = translator(language)  # type: ignore[arg-type]
    if state == "broken":
        (folder / "data_leak.toml").write_text("id = ", "utf-8")
    link.down = state == "down"
    app = page("plans", language)
    text = words(app).replace("\\", "")
    if state == "broken":
        assert "data_leak.toml: not valid TOML" in text
        return
    assert (t("mode.down") in text) == (state == "down"), (
        "plans are files: they can be read without the store"
    )
    assert shipped_book().plan("card_testing").title.in_(language) in text
    about = filling_in(shipped_book(), folder)
    assert about is not None
    assert about.text.in_(language) in text
    assert t("contact.placeholder") in text
    assert "tidegate-plan " in paper(app)


def test_what_is_not_in_order_is_told_by_kind_with_its_remedy(link: Breakable, folder: Path) -> None:
    contacts = folder / "shared" / "contacts.toml"
    changed(contacts, ("placeholder = true", "verified_on = 2020-01-01"))
    leak = folder / "data_leak.toml"
    changed(
        leak, ('deputy = "legal"\n', ""), ("review_by = 2027-02-23", "review_by = 2020-01-01"),
        ("effective_from = 2026-11-25", "effective_from = 2019-01-01"),
    )  # fmt: skip
    text = words(page("plans"))
    assert "No deputy" in text
    assert "Say who acts when the owner is away." in text
    assert "✕ overdue" in text
    assert "✕ no deputy" in text
    assert "Contact not checked (38)" in text
    assert "Recorded version was changed" in text
    assert "placeholders that come with Tidegate" not in text
    assert "Contacts: 0 of 38 checked" in "".join(e.label for e in page("plans").expander)
    zh = words(page("plans", "zh"))
    assert "无副负责人" in zh
    assert "its review was due" not in zh


def test_a_plan_is_shown_as_it_prints_and_can_be_taken(link: Breakable, folder: Path) -> None:
    changed(folder / "card_testing.toml", ("Somebody tries many card numbers", "<script>alert(1)</script>"))
    app = page("plans", plan="data_leak")
    assert app.selectbox(key="plan_shown").value == "data_leak"
    assert "tidegate-plan data_leak 1.0 " in paper(app)
    app.selectbox(key="plan_shown").select("card_testing").run()
    assert not app.exception
    assert "tidegate-plan card_testing 1.0 " in paper(app)
    assert "<script>" not in paper(app)
    assert [b.label for b in app.get("download_button")] == ["Take it for paper"]


def test_every_finding_has_a_name_and_a_remedy_in_the_console() -> None:
    codes = {
        node.args[1].value
        for node in ast.walk(ast.parse(inspect.getsource(findings)))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "Finding"
        and isinstance(node.args[1], ast.Constant)
    }
    assert len(codes) > 15
    assert {f"finding.{code}{more}" for code in codes for more in ("", ".remedy")} <= EN.keys()


def test_the_check_tells_a_new_user_what_placeholders_are_and_how_to_fill_them_in(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "check"]) == 1
    out = capsys.readouterr().out
    assert out.count("contact_placeholder") == 1
    assert "38 of 38 contacts are placeholders" in out
    assert "no fault" in " ".join(out.split())
    assert f"cp -r {SHIPPED}" in out
    assert "shared/contacts.toml put the real contact" in out
    assert "pboc_branch" in out
    changed(folder / "shared" / "contacts.toml", ("placeholder = true", "verified_on = 2026-12-01"))
    on = ["--plans", str(folder), "--on", "2026-12-01"]
    assert main(["plan", "check", *on]) == 0
    assert "placeholder" not in capsys.readouterr().out
    contacts = (folder / "shared" / "contacts.toml").read_text("utf-8")
    first = contacts.replace("verified_on = 2026-12-01", "placeholder = true", 1)
    (folder / "shared" / "contacts.toml").write_text(first, "utf-8")
    assert main(["plan", "check", *on]) == 1
    out = capsys.readouterr().out
    assert "1 of 38 contacts are placeholders" in out
    assert "cp -r" not in out, "the copy is there already"
    assert str(folder / "shared" / "contacts.toml") in out


def test_filling_in_follows_the_book(folder: Path) -> None:
    changed(
        folder / "shared" / "contacts.toml", ("placeholder = true", f"verified_on = {dt.date(2026, 12, 1)}")
    )
    assert filling_in(load_book(folder), folder) is None
    about = filling_in(shipped_book(), SHIPPED)
    assert about is not None
    assert (len(about.placeholders), about.contacts, len(about.steps)) == (38, 38, 4)
