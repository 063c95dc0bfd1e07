"""From a clear value to the token an entry carries and the text its hash is taken of. The value is kept nowhere."""

from __future__ import annotations

from typing import Literal, get_args

from alerts.custody.pseudonym import NORMAL, Pseudonyms
from models.errors import EventError, StoreError
from models.lists import EntityKind

Form = Literal["card", "account", "email", "phone", "ip", "plain"]
FORMS: tuple[Form, ...] = get_args(Form)
_FORM_OF: dict[str, Form] = {"card": "card", "ip": "ip", "account": "account", "payee": "account"}


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
