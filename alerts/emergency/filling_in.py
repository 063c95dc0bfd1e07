"""What a new installation has to know of the contacts that ship: they are placeholders; how to fill them in. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from alerts.emergency.plan_book import SHARED, Book
from alerts.emergency.reading import Words
from alerts.emergency.settings import SHIPPED


class Step(NamedTuple):
    """text: what to do; lines: to type or to write, the same in every language."""

    text: Words
    lines: tuple[str, ...] = ()


class FillingIn(NamedTuple):
    """placeholders: ids of contacts that are examples, of how many in all. text: what that means."""

    placeholders: list[str]
    contacts: int
    text: Words
    steps: list[Step]


def filling_in(book: Book, folder: Path) -> FillingIn | None:
    """What is to be done about the placeholders of a book in a folder; None when there is none."""
    found = [one.id for one in book.contacts.contact if one.placeholder]
    if not found:
        return None
    count, of = len(found), len(book.contacts.contact)
    text = Words(
        en=(
            f"{count} of {of} contacts are placeholders that come with Tidegate: telephone numbers that begin with +00 "
            "and addresses that end in .invalid. Nobody is reached by them. On a new installation this is as expected "
            "and no fault; it is an alarm because in an emergency a plan without people does not work. The plans "
            "themselves can be read, printed and drilled as they are."
        ),
        zh=(
            f"{of} 个联系人中有 {count} 个是随 Tidegate 附带的占位示例：电话以 +00 开头，地址以 .invalid 结尾，"
            "无法联系到任何人。新安装时出现属正常情况，并非故障；之所以告警，是因为紧急情况下无人可联系的预案不起作用。预案本身可照常阅读、打印与演练。"
        ),
    )
    steps = []
    own = folder.resolve() != SHIPPED.resolve()
    if not own:
        steps += [
            Step(
                Words(en="Copy the plans to a folder of your own:", zh="将预案复制到您自己的目录："),
                (f"cp -r {folder} /srv/tidegate/plans",),
            ),
            Step(
                Words(en="Name it in tidegate.toml:", zh="在 tidegate.toml 中指定："),
                ("[emergency]", 'plans = "/srv/tidegate/plans"'),
            ),
        ]
    contacts = (folder if own else Path("/srv/tidegate/plans")) / SHARED / "contacts.toml"
    steps += [
        Step(
            Words(
                en=f"In {contacts} put the real contact into each entry, call it, take `placeholder` out, date it:",
                zh=f"在 {contacts} 中逐条填入真实联系方式，核实接通后删除 placeholder 并注明日期：",
            ),
            (
                'phone = "+86 …"',
                'email = "…"',
                "verified_on = 2026-11-25  # the day on which you reached it",
                'verified_by = "scribe"  # the role of who called',
            ),
        ),
        Step(
            Words(en="Give each role two people. Then look again:", zh="每个角色安排两人，然后再次检查："),
            ("tidegate plan check",),
        ),
    ]
    return FillingIn(found, of, text, steps)
