"""Characters → tokens of the rule language."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from models.rules.origin import Origin

MAX_TEXT = 4000
KEYWORDS = frozenset({"and", "or", "not", "in", "is", "missing", "if"})

TokenKind = Literal["name", "keyword", "number", "text", "sign", "end"]


@dataclass(frozen=True)
class Token:
    """One token; `text` is its value (for texts without quotes), `at` its first character's position."""

    kind: TokenKind
    text: str
    at: int
    number: float = 0.0


_SPACE = re.compile(r"[ \t\r\n]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"[0-9]+(?:_[0-9]+)*(?:\.[0-9]+(?:_[0-9]+)*)?(?:[eE][+-]?[0-9]+)?")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_SIGN = re.compile(r"<=|>=|==|!=|[<>+\-*/(),=]")
# What people paste from documents and input methods, and what to write instead.
_LOOKALIKES = {
    "≥": ">=", "≤": "<=", "≠": "!=", "（": "(", "）": ")", "，": ",", "“": '"', "”": '"', "×": "*",
    "＝": "==", "＞": ">", "＜": "<", "&": "and", "|": "or", "!": "not",
}  # fmt: skip


def tokens(text: str, origin: Origin) -> list[Token]:
    """All tokens of `text`, the last of kind `end`. Raises RuleError at the character that fits nowhere."""
    if len(text) > MAX_TEXT:
        raise origin.error(MAX_TEXT, f"a rule may have {MAX_TEXT} characters, this one has {len(text)}")
    found: list[Token] = []
    at = 0
    while at < len(text):
        if space := _SPACE.match(text, at):
            at = space.end()
        elif name := _NAME.match(text, at):
            kind: TokenKind = "keyword" if name[0] in KEYWORDS else "name"
            found.append(Token(kind, name[0], at))
            at = name.end()
        elif number := _NUMBER.match(text, at):
            found.append(_number(number[0], at, origin))
            at = number.end()
            if _NAME.match(text, at):
                raise origin.error(at, f"{text[at]!r} cannot follow a number directly")
        elif quoted := _TEXT.match(text, at):
            body = quoted[1] if quoted[1] is not None else quoted[2]
            found.append(Token("text", _ESCAPE.sub(r"\1", body), at))
            at = quoted.end()
        elif sign := _SIGN.match(text, at):
            found.append(Token("sign", sign[0], at))
            at = sign.end()
        else:
            raise origin.error(at, _unexpected(text[at]))
    found.append(Token("end", "", len(text)))
    return found


def _number(text: str, at: int, origin: Origin) -> Token:
    value = float(text.replace("_", ""))
    if not math.isfinite(value):
        raise origin.error(at, f"the number {text} is too large")
    return Token("number", text, at, value)


def _unexpected(character: str) -> str:
    if character in "\"'":
        return f"the text that starts here has no closing {character}"
    if instead := _LOOKALIKES.get(character):
        return f"unexpected character {character!r}; write {instead}"
    return f"unexpected character {character!r}"
