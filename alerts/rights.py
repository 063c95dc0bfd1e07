"""Who may do what: roles by action, read from data/roles.toml. The one place where rights are checked.

What the table does not name is refused. Rights say who may ask; whether the thing allows it now is its own life's
business (alerts/lifecycle.py).
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

from models.errors import RoleError, SettingsError

Role = Literal["analyst", "senior", "on_call", "commander", "compliance", "auditor", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)

Table = dict[str, frozenset[str]]
"""Roles by action: `alert.claim` → who may."""


def table_of(text: str) -> Table:
    """Read a role table; raises SettingsError for what is not one."""
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"roles.toml: {error}") from None
    table: Table = {}
    for kind, actions in parsed.items():
        if not isinstance(actions, dict):
            raise SettingsError(f"roles.toml: [{kind}] is a table of actions")
        for action, roles in actions.items():
            unknown = [role for role in roles if role not in ROLES] if isinstance(roles, list) else [roles]
            if unknown:
                raise SettingsError(
                    f"roles.toml: {kind}.{action}: {unknown[0]!r} is not one of {', '.join(ROLES)}"
                )
            table[f"{kind}.{action}"] = frozenset(roles)
    return table


@cache
def shipped() -> Table:
    """The table that comes with Tidegate."""
    return table_of((files("alerts") / "data" / "roles.toml").read_text("utf-8"))


def may(role: str, action: str, table: Table | None = None) -> bool:
    """True when the role may do it. action: `alert.resolve`, `lists.add`, …"""
    return role in (shipped() if table is None else table).get(action, frozenset())


def require(role: str, action: str, table: Table | None = None) -> None:
    """Raise RoleError, naming who may, unless the role may do it."""
    table = shipped() if table is None else table
    if not may(role, action, table):
        allowed = sorted(table.get(action, frozenset()))
        who = f"it takes {' or '.join(allowed)}" if allowed else "nobody may"
        needed = f"需要 {' 或 '.join(allowed)}" if allowed else "无人有此权限"
        raise RoleError(
            f"role {role!r} may not {action.replace('.', ' ')}: {who}",
            zh=f"角色 {role} 无权执行此操作（{action}）：{needed}",
        )
