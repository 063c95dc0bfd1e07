"""From a clear value to the token an entry carries and the text its hash is taken of. The value is kept nowhere."""

from __future__ import annotations

import re
from typing import Literal, get_args

from alerts.custody.pseudonym import NORMAL, Pseudonyms
from models.errors import EventError, SettingsError, StoreError
from models.lists import EntityKind

Form = Literal["card", "account", "email", "phone", "ip", "plain"]
FORMS: tuple[Form, ...] = get_args(Form)
_FORM_OF: dict[str, Form] = {"card": "card", "ip": "ip", "account": "account", "payee": "account"}
_OURS = r"{}_\d+_[bcdfghjkmnpqstvx]{{32}}"
_WRITTEN: dict[str, tuple[str, str, str]] = {
    "bin": (r"\d{6,8}", "the first 6 to 8 digits of cards", "卡号前 6 至 8 位数字"),
    "issuer_country": (r"[A-Z]{2}", "a country in two capitals, as in US", "两位大写国家代码，如 US"),
    "corridor": (
        r"(?:[A-Z]{2}|\?\?)>(?:[A-Z]{2}|\?\?)(?::[A-Z]{3}:[a-z0-9_]+)?",
        "CN>US, or CN>US:USD:cnp for one currency and channel", "CN>US，或单一币种与渠道 CN>US:USD:cnp",
    ),
}  # fmt: skip
"""How entities are written whose names are not anybody's own: pattern, and the same for people."""


def check_token(entity: str, token: str, *, plain: bool = True) -> None:
    """SettingsError for a token that no event can carry for the entity. It does not repeat what may be a clear value.

    plain: cards and addresses may go by ids that are the sender's own, as in mapped files; else they go by our tokens.
    """
    if entity in _WRITTEN:
        pattern, said, said_zh = _WRITTEN[entity]
        if re.fullmatch(pattern, token) is None:
            raise SettingsError(f"this is no {entity}: give {said}", zh=f"{entity} 无效：请填写{said_zh}")
    elif entity in ("card", "ip") and not plain and re.fullmatch(_OURS.format(entity), token) is None:
        raise SettingsError(
            f"this is no {entity} token of ours ({entity}_EPOCH_ and 32 letters): give it as a decision shows it, "
            "--value to make it from the clear value, or --form plain where the sender's own ids travel",
            zh=f"不是 {entity} 代号（{entity}_密钥期_32 个字母）：请按决策记录填写，或用 --value 由明文生成",
        )


def form_of(entity: EntityKind, given: str = "") -> Form:
    """What a clear value of an entity is, unless the caller says otherwise. StoreError where it must be said."""
    if given:
        if given not in FORMS:
            raise StoreError(
                f"a value is {', '.join(FORMS)}, not {given!r}",
                zh=f"取值类型须为 {', '.join(FORMS)}，而不是 {given!r}",
            )
        return given
    if entity in ("customer", "party"):
        raise StoreError(f"a {entity} is known by account, email, phone or a plain id: say which")
    return _FORM_OF.get(entity, "plain")


def normalised(form: Form, value: str) -> str:
    """The value as equal values are written. Raises StoreError without repeating it."""
    value = value.strip()
    if form == "plain":
        text = value
    else:
        try:
            text = NORMAL[form](value)
        except EventError as error:
            raise StoreError(f"the value cannot be taken: {error.detail.partition(' - at ')[0]}") from None
    if not text:
        raise StoreError("the value is empty")
    return text


def token_of(pseudonyms: Pseudonyms, form: Form, normal: str) -> str:
    """The token events carry for a normalised value; a plain id is its own."""
    return normal if form == "plain" else pseudonyms.token(form, normal)
