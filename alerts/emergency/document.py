"""A document of headings, paragraphs, lists and tables, as Markdown and as an HTML page ready for paper."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import NamedTuple


class Heading(NamedTuple):
    """level: 1 to 3."""

    level: int
    text: str


class Paragraph(NamedTuple):
    """Text; line breaks stay."""

    text: str


class Bullets(NamedTuple):
    """A list without order."""

    items: Sequence[str]


class Table(NamedTuple):
    """Rows below a header, all of the same width."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


Block = Heading | Paragraph | Bullets | Table

_STYLE = """
:root { color-scheme: light; }
body { font-family: 'Source Sans', 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif;
  font-size: 10.5pt; line-height: 1.45; max-width: 190mm; margin: 12mm auto; padding: 0 4mm; color: #1a1a1a; }
h1 { font-size: 19pt; margin: 0 0 2mm; } h2 { font-size: 13pt; margin: 7mm 0 2mm; color: #0072B2; }
h3 { font-size: 11pt; margin: 4mm 0 1mm; }
table { border-collapse: collapse; width: 100%; margin: 2mm 0; }
th, td { border: .3mm solid #b5b5b5; padding: 1mm 1.6mm; text-align: left; vertical-align: top; }
th { background: #eef4f9; white-space: nowrap; } td { white-space: pre-line; }
tr, li { break-inside: avoid; } h2, h3 { break-after: avoid; }
p { white-space: pre-line; margin: 1mm 0; } footer { margin-top: 8mm; font-size: 8.5pt; color: #555; }
code { font-family: 'DejaVu Sans Mono', monospace; font-size: 8.5pt; overflow-wrap: anywhere; }
@page { size: A4; margin: 14mm 12mm 16mm; @bottom-center { content: "FOOT"; font-size: 8pt; color: #555; }
  @bottom-right { content: counter(page) " / " counter(pages); font-size: 8pt; color: #555; } }
@media print { body { margin: 0; max-width: none; padding: 0; } }
"""


def to_markdown(blocks: Sequence[Block], mark: str) -> str:
    """The blocks as Markdown; mark: a line for machines at the end, seen by people too."""
    parts = []
    for block in blocks:
        match block:
            case Heading(level, text):
                parts.append(f"{'#' * level} {_plain(text)}")
            case Paragraph(text):
                # Two blanks at the end of a line keep the break.
                parts.append("  \n".join(_line(line) for line in text.splitlines()))
            case Bullets(items):
                parts.append("\n".join(f"- {_line(item)}" for item in items))
            case Table(header, rows):
                lines = [map(_cell, header), ["---"] * len(header), *(map(_cell, row) for row in rows)]
                parts.append("\n".join("| " + " | ".join(row) + " |" for row in lines))
    return "\n\n".join([*parts, f"`{mark}`"]) + "\n"


def to_html(blocks: Sequence[Block], title: str, language: str, mark: str) -> str:
    """The blocks as one page without anything from outside; mark: stands at the end and at the foot of each page."""
    parts = []
    for block in blocks:
        match block:
            case Heading(level, text):
                parts.append(f"<h{level}>{html.escape(text)}</h{level}>")
            case Paragraph(text):
                parts.append(f"<p>{html.escape(text)}</p>")
            case Bullets(items):
                parts.append("<ul>" + "".join(f"<li>{html.escape(item)}</li>" for item in items) + "</ul>")
            case Table(header, rows):
                head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
                body = "".join(
                    "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
                    for row in rows
                )
                parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    style = _STYLE.replace("FOOT", "".join(c for c in mark if c not in '"\\<'))
    return (
        f'<!doctype html>\n<html lang="{"zh-CN" if language == "zh" else "en"}">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{html.escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + f"\n<footer><code>{html.escape(mark)}</code></footer>\n</body>\n</html>\n"
    )


def _line(text: str) -> str:
    line = _plain(" ".join(text.split()))
    return "\\" + line if line.startswith(("#", "-", "+", ">")) else line


def _cell(text: str) -> str:
    return "<br>".join(_plain(line) for line in text.splitlines()).replace("|", "\\|") or " "


def _plain(text: str) -> str:
    """Text in which Markdown sees no mark-up of its own."""
    for mark in "\\`*_<":
        text = text.replace(mark, "\\" + mark)
    return text
