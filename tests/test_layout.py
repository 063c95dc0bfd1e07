"""The house: who may import whom, where libraries live, how long a file may be and what it may be called."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "models": set(),
    "alerts": {"models"},
    "dataflow": {"models", "alerts"},
    "dashboard": {"models", "alerts"},
}
HOMES = {
    "river": {"models"},
    "bytewax": {"dataflow"},
    "confluent_kafka": {"dataflow"},
    "redis": {"alerts", "dataflow"},
    "streamlit": {"dashboard"},
    "plotly": {"dashboard", "dataflow"},  # dataflow: the report page of evaluate, loaded when it is asked for
}
LONGEST = 300
VAGUE = re.compile(r"(?:^|_)(?:managers?|helpers?|utils?|utilit(?:y|ies)|common|misc)(?:_|$)")
# Its folder comes first on the console's import path, so these would hide the packages of the same name.
SHADOWS = {f"dashboard/{name}.py" for name in MAY_IMPORT}

FILES = sorted(path for room in MAY_IMPORT for path in (ROOT / room).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(source: str) -> set[str]:
    """Top-level names of everything the source imports, also inside functions and by import_module("…")."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            target = node.args[0]
            if called in ("import_module", "__import__") and isinstance(target, ast.Constant):
                found.add(str(target.value).partition(".")[0])
    return found


def complaints(room: str, source: str) -> list[str]:
    """What the imports of a file in this room do against the house rules."""
    names = imported(source)
    wrong = [f"{room} imports {name}" for name in names & (set(MAY_IMPORT) - MAY_IMPORT[room] - {room})]
    wrong += [
        f"{name} is at home in {sorted(home)}"
        for name, home in HOMES.items()
        if name in names - {room} and room not in home
    ]
    if "tests" in names:
        wrong.append(f"{room} imports tests")
    return sorted(wrong)


def test_there_is_something_to_look_at() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(MAY_IMPORT)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_point_one_way(path: Path) -> None:
    assert complaints(path.relative_to(ROOT).parts[0], path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("room", "source", "wrong"),
    [
        ("models", "import alerts.store", ["models imports alerts"]),
        ("models", "def f():\n    from dataflow import cli", ["models imports dataflow"]),
        ("alerts", "from dashboard.data import x", ["alerts imports dashboard"]),
        (
            "dashboard",
            "import importlib\nimportlib.import_module('dataflow.cli')",
            ["dashboard imports dataflow"],
        ),
        (
            "dataflow",
            "import river.stats, tests.golden",
            ["dataflow imports tests", "river is at home in ['models']"],
        ),
        ("models", "import redis", ["redis is at home in ['alerts', 'dataflow']"]),
        ("dataflow", "import redis, bytewax, alerts, models", []),
    ],
)
def test_the_rule_itself_can_fail(room: str, source: str, wrong: list[str]) -> None:
    assert complaints(room, source) == wrong


@pytest.mark.parametrize("path", [*FILES, *TESTS], ids=name_of)
def test_one_idea_a_file(path: Path) -> None:
    lines = path.read_text("utf-8").count("\n")
    if path in FILES:
        assert lines <= LONGEST, f"{name_of(path)} has {lines} lines: split it by idea"
    assert not VAGUE.search(path.stem), f"{path.stem} says nothing about what is inside"
    assert name_of(path) not in SHADOWS


@pytest.mark.parametrize("path", [path for path in FILES if path.read_text("utf-8").strip()], ids=name_of)
def test_annotations_are_postponed_and_the_file_says_what_it_is(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), f"{name_of(path)}: the first line says what the file is"
    code = [node for node in tree.body if not isinstance(node, ast.Expr)]
    if code:
        first = code[0]
        assert isinstance(first, ast.ImportFrom)
        assert first.module == "__future__"


def test_no_fifth_package() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == {*MAY_IMPORT, "tests"}


def test_the_lock_is_exact_hashed_and_names_no_place() -> None:
    text = (ROOT / "requirements.lock").read_text("utf-8")
    assert not re.search(r"://|--index|--extra-index|--find-links|@ file| /", text)
    blocks = [block for block in re.split(r"\n(?=\S)", text) if not block.startswith("#")]
    assert len(blocks) > 40
    for block in blocks:
        assert re.match(r"[a-z0-9._-]+==[^\s;]+", block), block.splitlines()[0]
        assert "--hash=sha256:" in block, block.splitlines()[0]
    names = {block.partition("==")[0] for block in blocks}
    assert {"setuptools", "wheel", "bytewax", "pytest"} <= names
