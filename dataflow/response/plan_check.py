"""`tidegate plan check` for people: the placeholders that ship said once, with what they are and how to fill them in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from alerts.emergency.filling_in import filling_in
from alerts.emergency.findings import Finding
from alerts.emergency.plan_book import Book

CODE = "contact_placeholder"


def told_placeholders(found: Sequence[Finding], book: Book, folder: Path, language: str) -> list[Finding]:
    """Print what is to be known of placeholders; the findings that are left to be told one by one."""
    about = filling_in(book, folder)
    if about is None:
        return list(found)
    print(f"alarm: {about.text.in_(language)} ({CODE})")
    for number, step in enumerate(about.steps, 1):
        print(f"  {number}. {step.text.in_(language)}")
        for line in step.lines:
            print(f"       {line}")
    print(f"  {', '.join(about.placeholders)}\n")
    return [one for one in found if one.code != CODE]
