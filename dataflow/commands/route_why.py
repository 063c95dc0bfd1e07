"""`tidegate route why`: an alert, an incident, a message or an entity, and why each paged whom, or did not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataflow.commands import showing
from models.errors import SettingsError

if TYPE_CHECKING:
    from alerts.redis_store import RedisStore
    from alerts.routing.keeping import Delivery
    from alerts.routing.why import Why

UNKNOWN = (
    "either the sender has not read it yet (tidegate status), or it was resolved before the sender saw it or more than "
    "three days ago"
)


def why(store: RedisStore, text: str, limit: int, language: str, *, as_json: bool) -> int:
    """Tell of everything that `text` is about; exit code 1 when the router has a record of none of it."""
    from alerts.routing.archive import attempts_of, subjects_of

    keys = subjects_of(store, text, limit)
    if not keys:
        raise SettingsError(
            f"{text or 'nothing yet'}: nothing the router knows and no message has this id, "
            "and no entity of this token has an alert of its own"
        )
    found = {key: store.why(key) for key in keys}
    told = {key: one for key, one in found.items() if one is not None}
    attempts = attempts_of(store, [heard.message for one in told.values() for heard in one.heard])
    if as_json:
        answers = [_answer(one, attempts, language) for one in told.values()]
        alone = answers[0] if len(keys) == len(answers) == 1 else {"subjects": answers}
        showing.show({**alone, "unknown": [key for key in keys if key not in told]}, "why", as_json=True)
        return 0 if told else 1
    for key in keys:
        if key in told:
            for line in _sentences(told[key], attempts, language):
                print(line)
            continue
        alert = store.alert(key)
        state = f"it is {alert.status}; " if alert is not None else ""
        showing.say(f"{key}: the router has no record of it: {state}{UNKNOWN}")
    return 0 if told else 1


def _answer(found: Why, attempts: list[Delivery], language: str) -> dict[str, Any]:
    import msgspec

    from alerts.routing.reasons import code, sentence

    told: dict[str, Any] = msgspec.to_builtins(found)
    for name in ("heard", "unheard", "history"):
        for row, part in zip(told[name], getattr(found, name), strict=True):
            row |= {"code": code(part.reason), "text": sentence(part.reason, language)}
    messages = {one.message for one in found.heard}
    told["attempts"] = [msgspec.to_builtins(one) for one in attempts if one.webhook_id in messages]
    return told


def _sentences(found: Why, attempts: list[Delivery], language: str) -> list[str]:
    from alerts.routing.reasons import sentence

    change = found.change
    out = [f"{change.kind} {change.id}: {change.severity}, {change.state}"]
    out += [
        f"route      {one.route}" + (f", looked at again {showing.moment(one.due)}" if one.due else "")
        for one in found.routes
    ]
    for one in found.heard:
        out.append(
            f"told       {one.receiver} at {showing.moment(one.at)}: {sentence(one.reason, language)} "
            f"[{one.fate.replace('_', ' ')}, {one.attempts} attempts, {one.message}]"
        )
        out += [
            f"  attempt  {each.attempt} at {showing.moment(each.at)}: {each.outcome}"
            + (f", status {each.status}" if each.status is not None else "")
            + (f", {each.detail}" if each.detail else "")
            for each in reversed(attempts)
            if each.webhook_id == one.message
        ]
    out += [
        f"not told   {one.receiver or 'anybody'} since {showing.moment(one.since)}: {sentence(one.reason, language)}"
        for one in found.unheard
    ]
    out += [
        f"history    {showing.moment(one.at)} {one.receiver or '-'}: {sentence(one.reason, language)}"
        for one in found.history
    ]
    return out
