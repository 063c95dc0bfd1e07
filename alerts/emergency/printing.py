"""A plan on paper: the whole plan with its contacts, version and digest, as Markdown or HTML; and the check of a copy.

The last line of a printed plan is `tidegate-plan <id> <version> <digest>`: whoever holds the paper can compare it with
`tidegate plan list`, and `stale_copies` does so for files.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import Literal

from alerts.emergency.contacts import Contact, Directory
from alerts.emergency.document import Block, Bullets, Heading, Paragraph, Table, to_html, to_markdown
from alerts.emergency.findings import Finding
from alerts.emergency.plan import AUDIENCES, Plan, short_code
from alerts.emergency.plan_book import Book
from alerts.emergency.presets import Preset
from alerts.emergency.relying import outside, roles_of
from alerts.emergency.words import WORDS

Form = Literal["markdown", "html"]
_MARK = re.compile(r"tidegate-plan ([a-z][a-z0-9_]*) ([0-9]+\.[0-9]+) ([0-9a-f]{64})")


def mark_of(plan: Plan) -> str:
    """The line that names plan, version and digest."""
    return f"tidegate-plan {plan.id} {plan.version} {plan.digest}"


def printed(plan: Plan, book: Book, language: str, form: Form, today: dt.date) -> str:
    """The plan as a document in a language. today: the day that stands on it."""
    blocks = blocks_of(plan, book.contacts, language, today)
    if form == "html":
        return to_html(blocks, plan.title.in_(language), language, mark_of(plan))
    return to_markdown(blocks, mark_of(plan))


def stale_copies(book: Book, copies: Iterable[tuple[str, str]], today: dt.date) -> list[Finding]:
    """What is wrong with printed copies (name, text): no plan, changed, or no longer the version in force."""
    found = []
    for name, text in copies:
        marks = _MARK.findall(text)
        if not marks:
            found.append(Finding("alarm", "copy_unreadable", name, "no line `tidegate-plan …` is in it"))
            continue
        id_, version, digest = marks[-1]
        plan = book.in_force(id_, today)
        if plan is None:
            found.append(
                Finding("alarm", "copy_unknown", name, f"no plan {id_} is in force: take the copy away")
            )
        elif plan.version != version:
            now = f"it shows {id_} {version}, in force is {plan.version}: print it again"
            found.append(Finding("alarm", "copy_outdated", name, now))
        elif plan.digest != digest:
            text = f"its digest is not that of {id_} {version}: print it again"
            found.append(Finding("alarm", "copy_differs", name, text))
    return found


def blocks_of(plan: Plan, contacts: Directory, language: str, today: dt.date) -> list[Block]:
    """Everything the plan says, in the order in which it is needed."""
    w = {name: words.in_(language) for name, words in WORDS.items()}
    role = {name: words.in_(language) for name, words in WORDS.items()}
    blocks: list[Block] = [
        Heading(1, plan.title.in_(language)),
        Table(
            (w["version"], w["effective_from"], w["review_by"], w["owner"], w["deputy"], w["code"]),
            [
                (
                    plan.version, str(plan.effective_from), str(plan.review_by), role[plan.owner],
                    role[plan.deputy] if plan.deputy else w["nobody"], short_code(plan.digest),
                )
            ],
        ),
        Paragraph(plan.summary.in_(language)),
        Heading(2, w["trigger"]),
        Paragraph(plan.trigger.in_(language)),
        Heading(2, w["people"]),
        Table((w["role"], w["contact"], w["reach"], w["checked"]), _people(plan, contacts, language)),
        Heading(2, w["steps"]),
        Table(
            ("#", w["phase"], w["within"], w["who"], w["what"], w["verified"]),
            [
                (
                    step.id, role[step.phase], span_in_words(step.within, language), role[step.owner],
                    step.text.in_(language), step.verify.in_(language) if step.verify else "",
                )
                for step in plan.step
            ],
        ),
        Heading(2, w["containment"]),
        Table(
            (w["measure"], w["verb"], w["scope"], w["minutes"], w["what"]),
            [
                (one.id, role[one.verb], scope_in_words(one, w["whole"]), str(one.minutes), one.text.in_(language))
                for one in plan.containment
            ],
        ),
        Heading(2, w["channels"]),
        Table(
            (w["contact"], w["medium"], w["fallback"], w["what"]),
            [
                (_name(contacts, one.contact, language), role[one.by], role[one.fallback], one.text.in_(language))
                for one in plan.channel
            ],
        ),
        Heading(2, w["collaboration"]),
        Bullets(
            [
                f"{_name(contacts, one.contact, language)}: {one.text.in_(language)}"
                for one in plan.collaboration
            ]
        ),
        Heading(2, w["messages"]),
    ]  # fmt: skip
    for audience in AUDIENCES:
        if audience in plan.message:
            blocks += [Heading(3, role[audience]), Paragraph(plan.message[audience].in_(language))]
    blocks += [
        Heading(2, w["recovery"]),
        Table(
            ("#", w["who"], w["what"], w["verified"]),
            [
                (one.id, role[one.owner], one.text.in_(language), one.verify.in_(language))
                for one in plan.recovery
            ],
        ),
        Heading(2, w["metrics"]),
        Table(
            (w["metric"], w["target"], w["source"]),
            [
                (
                    role.get(one.name, one.name),
                    f"≤ {one.at_most:g} {one.unit}",
                    f"{one.source} ({one.confidence})",
                )
                for one in plan.metric
            ],
        ),
        Paragraph(
            f"{w['change']}: {plan.change.text.in_(language)} "
            f"({role[plan.change.by]}, {w['approved']}: {role[plan.change.approved_by]})\n"
            f"{w['source']}: {plan.source}\n{w['printed']}: {today}\nSHA-256: {plan.digest}"
        ),
    ]
    return blocks


def _people(plan: Plan, contacts: Directory, language: str) -> list[tuple[str, str, str, str]]:
    rows = []
    for name in roles_of(plan):
        holders = contacts.holders(name)
        title = WORDS[name].in_(language)
        rows += [(title, one.name.in_(language), _reach(one, language), _day(one)) for one in holders]
        if not holders:
            rows.append((title, WORDS["nobody"].in_(language), "", ""))
    for one in outside(plan, contacts):
        kind = WORDS[f"kind_{one.kind}"].in_(language)
        rows.append((kind, one.name.in_(language), _reach(one, language), _day(one)))
    return rows


def _reach(one: Contact, language: str) -> str:
    ways = [way for way in (one.phone, one.email, one.other) if way]
    hours = f"{one.hours} ({one.timezone})" if one.hours else one.timezone
    example = [WORDS["placeholder"].in_(language)] if one.placeholder else []
    return "\n".join([*example, *ways, hours])


def _day(one: Contact) -> str:
    return str(one.verified_on) if one.verified_on else "—"


def _name(contacts: Directory, id_: str, language: str) -> str:
    one = contacts.named(id_)
    return id_ if one is None else one.name.in_(language)


def scope_in_words(preset: Preset, whole: str) -> str:
    """What a preset hits; whole: what to call everything."""
    parts = [f"{key} = …" for key in preset.scope_from]
    parts += [f"{key} = {value}" for key, value in preset.scope.items()]
    return ", ".join(parts) or whole


def span_in_words(minutes: int, language: str) -> str:
    """Minutes for people: the largest unit that gives a whole number."""
    for size, en, zh in ((1440, "d", "天"), (60, "h", "小时"), (1, "min", "分钟")):
        if minutes >= size and minutes % size == 0:
            return f"{minutes // size} {zh if language == 'zh' else en}"
    return "立即" if language == "zh" else "at once"
