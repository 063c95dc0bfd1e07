"""A containment measure: proposed, approved by a second person where the table asks for one, in force, over. Pure.

What it does in the stream is one Control event when it comes into force and one or two when it ends
(models/containment.py); it ends by itself, by the engine's own clock and by a lift.
"""

from __future__ import annotations

import hashlib
import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

import msgspec

from alerts.response.blast_radius import BlastRadius, Effect
from alerts.response.clock import Clock
from alerts.response.incident import check_clear, check_keys, scope_text
from models.containment import SCOPES, check_scope
from models.decision import Action
from models.errors import IncidentError, SettingsError
from models.events import Control

Verb = Literal["suspend", "step_up", "hold", "limit", "hold_payouts", "freeze", "rules_only", "rollback"]
VERBS: tuple[Verb, ...] = get_args(Verb)
State = Literal["proposed", "in_force", "rejected", "lapsed", "expired", "undone"]
ACTION_OF: dict[Verb, Action] = {
    "suspend": "DECLINE", "step_up": "STEP_UP", "hold": "HOLD", "limit": "HOLD", "hold_payouts": "HOLD",
    "freeze": "FREEZE", "rules_only": "APPROVE", "rollback": "APPROVE",
}  # fmt: skip
_PARTIES = ("card", "customer", "merchant", "party", "payee")
MINUTE_MS = 60_000


class _Dual(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    verbs: list[Verb]


class ContainmentRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """containment.toml."""

    version: str
    alone_up_to_share: float
    narrow: list[str]
    proposal_lapses_after_min: int
    default_min: int
    longest_min: int
    dry_run_hours: float
    dry_run_decisions: int
    dual: _Dual


@cache
def containment_rules() -> ContainmentRules:
    """The rules that ship."""
    text = (files("alerts.response") / "containment.toml").read_text("utf-8")
    try:
        return msgspec.convert(tomllib.loads(text), ContainmentRules)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(f"containment.toml: {error}") from None


class Measure(msgspec.Struct, kw_only=True):
    """See the module's docstring. minutes: how long, by the people's clock. dual: a second person must approve.

    until: by the people's clock; stream_until: by the stream's. effective_at: when the flow took it. radius: the dry run
    at the proposal. model: the snapshot that a rollback serves.
    """

    id: str
    version: int
    verb: Verb
    scope: dict[str, str]
    minutes: int
    reason: str
    proposed_by: str
    proposed_at: int
    dual: bool
    state: State = "proposed"
    incident: str | None = None
    above_usd: float | None = None
    model: str = ""
    radius: BlastRadius | None = None
    approved_by: str | None = None
    approved_at: int | None = None
    until: int | None = None
    stream_until: int | None = None
    effective_at: int | None = None
    ended_by: str | None = None
    ended_at: int | None = None
    end_reason: str = ""

    @property
    def control_id(self) -> str:
        """Of the Control event that puts it in force."""
        return f"{self.id}-on"

    @property
    def live(self) -> bool:
        """Waiting or in force."""
        return self.state in ("proposed", "in_force")

    @property
    def text(self) -> str:
        """For people, in one line."""
        more = f" above {self.above_usd:,.2f} USD" if self.above_usd is not None else ""
        more += f" to {self.model}" if self.model else ""
        return f"{self.verb.replace('_', ' ')}{more}: {scope_text(self.scope)}"


def effect_of(verb: Verb, scope: dict[str, str], above_usd: float | None = None) -> Effect:
    """What a measure asks of payments, in the stream and in the dry run. IncidentError for what makes no sense."""
    check_keys(scope, SCOPES)
    try:
        check_scope(scope)
    except ValueError as error:
        raise IncidentError(str(error)) from None
    check_clear(scope)
    if (verb == "limit") != (above_usd is not None):
        raise IncidentError(
            "limit needs the lowered limit in US dollars, and no other verb takes one",
            zh="“下调限额”须填写美元限额，其他措施不填",
        )
    if above_usd is not None and not 0.0 <= above_usd < 1e10:
        raise IncidentError(
            f"a limit of {above_usd} is no amount: give US dollars of 0 or more",
            zh=f"限额 {above_usd} 不是金额：请填写不小于 0 的美元数",
        )
    if verb == "freeze" and not any(key in scope for key in _PARTIES):
        raise IncidentError(
            f"freeze is for a party: scope must name one of {', '.join(_PARTIES)}",
            zh=f"冻结针对相关方：范围须包含 {', '.join(_PARTIES)} 之一",
        )
    if verb == "rollback" and scope:
        raise IncidentError(
            "a model serves the whole service: rollback takes no scope",
            zh="模型作用于全部业务：回退模型不设范围",
        )
    if verb == "hold_payouts":
        if scope.get("channel", "transfer") != "transfer":
            raise IncidentError(
                "payouts leave by channel transfer: leave the channel out",
                zh="付款出金走 transfer 渠道：请不要填写渠道",
            )
        scope = {**scope, "channel": "transfer"}
    return Effect(scope, ACTION_OF[verb], above_usd, verb == "rules_only")


def proposed(
    verb: Verb, scope: dict[str, str], minutes: int, reason: str, actor: str, now: int, *,
    above_usd: float | None = None, model: str = "", radius: BlastRadius | None = None,
    incident: str | None = None, rules: ContainmentRules | None = None,
) -> Measure:  # fmt: skip
    """A new measure, waiting. dual says whether a second person must approve it."""
    rules = containment_rules() if rules is None else rules
    effect = effect_of(verb, scope, above_usd)
    if (verb == "rollback") != bool(model):
        raise IncidentError(
            "rollback needs the version of the snapshot to serve, and no other verb takes one",
            zh="回退须填写模型快照版本，其他措施不填",
        )
    if not 1 <= minutes <= rules.longest_min:
        raise IncidentError(
            f"{minutes} minutes: give 1 to {rules.longest_min}; it can be proposed again",
            zh=f"{minutes} 分钟：请填写 1 至 {rules.longest_min}，之后可再次提出",
        )
    if not reason.strip():
        raise IncidentError(
            "a containment needs a reason: say what it is to stop", zh="遏制措施须有理由：请说明要阻止什么"
        )
    text = f"{verb}\x1f{sorted(effect.scope.items())}\x1f{actor}\x1f{now}"
    return Measure(
        id="cm_" + hashlib.sha256(text.encode()).hexdigest()[:16], version=1, verb=verb, scope=effect.scope,
        minutes=minutes, reason=reason.strip(), proposed_by=actor, proposed_at=now, incident=incident,
        above_usd=above_usd, model=model, radius=radius, dual=_needs_two(verb, effect.scope, radius, rules),
    )  # fmt: skip


def _needs_two(
    verb: Verb, scope: dict[str, str], radius: BlastRadius | None, rules: ContainmentRules
) -> bool:
    if verb in rules.dual.verbs or not any(key in scope for key in rules.narrow):
        return True
    # Without a dry run, or after one that had nothing to look at, nobody knows what it stops.
    return radius is None or not radius.decisions or radius.good_share > rules.alone_up_to_share


def approved(measure: Measure, actor: str, clock: Clock, rules: ContainmentRules | None = None) -> Measure:
    """In force from now on. IncidentError when it waits no longer, or for the proposer where two are needed.

    A proposal that has waited too long is refused also where nobody was there to end it: its dry run is of another hour.
    """
    rules = containment_rules() if rules is None else rules
    if measure.state != "proposed":
        raise IncidentError(
            f"{measure.id} is {measure.state.replace('_', ' ')}: only a proposal can be approved",
            zh=f"{measure.id} 当前为 {measure.state}：只能批准提案",
        )
    if clock.now - measure.proposed_at >= rules.proposal_lapses_after_min * MINUTE_MS:
        raise IncidentError(
            f"{measure.id} has waited for {rules.proposal_lapses_after_min} minutes or more, and its dry run tells of "
            "payments of then: propose it again",
            zh=f"{measure.id} 已等待至少 {rules.proposal_lapses_after_min} 分钟，其试算已过时，请重新提出",
        )
    if measure.dual and actor == measure.proposed_by:
        raise IncidentError(
            f"{measure.id} needs a second person: {actor} proposed it and cannot approve it",
            zh=f"{measure.id} 须两人：由 {actor} 提出，不能自行批准",
        )
    return msgspec.structs.replace(
        measure, version=measure.version + 1, state="in_force", approved_by=actor, approved_at=clock.now,
        until=clock.now + measure.minutes * MINUTE_MS, stream_until=clock.stream_after(measure.minutes),
    )  # fmt: skip


def effective(measure: Measure, at: int) -> Measure:
    """The flow took it at `at` (ms)."""
    return msgspec.structs.replace(measure, version=measure.version + 1, effective_at=at)


def ended(measure: Measure, state: State, actor: str, reason: str, now: int) -> Measure:
    """Rejected or lapsed before, expired or undone after it was in force."""
    before = "proposed" if state in ("rejected", "lapsed") else "in_force"
    if measure.state != before:
        raise IncidentError(
            f"{measure.id} is {measure.state.replace('_', ' ')}: it cannot be {state}",
            zh=f"{measure.id} 当前为 {measure.state}，不能变为 {state}",
        )
    return msgspec.structs.replace(
        measure, version=measure.version + 1, state=state, ended_by=actor, ended_at=now, end_reason=reason
    )


def control_on(measure: Measure, clock: Clock) -> Control:
    """The Control event that puts it in force."""
    until = measure.stream_until
    payload: dict[str, object] = {"until": until}
    kind: Literal["containment", "limits", "model"] = "containment"
    match measure.verb:
        case "rollback":
            kind = "model"
        case "limit":
            kind = "limits"
            payload |= {"scope": measure.scope, "above_usd": measure.above_usd}
        case "rules_only":
            payload |= {"scope": measure.scope, "rules_only": True}
        case _:
            payload |= {"scope": measure.scope, "action": ACTION_OF[measure.verb]}
    return _control(measure, measure.control_id, kind, measure.id, payload, measure.model or None, clock)


def controls_off(measure: Measure, clock: Clock, newest_model: str | None) -> list[Control]:
    """The Control events that end it; newest_model: the snapshot that serves again after a rollback."""
    out = [
        _control(measure, f"{measure.id}-off", "containment", measure.id, {"lift": measure.id}, None, clock)
    ]
    if measure.verb == "rollback" and newest_model:
        out.append(_control(measure, f"{measure.id}-model", "model", newest_model, None, newest_model, clock))
    return out


def _control(
    measure: Measure, id_: str, kind: Literal["containment", "limits", "model"], version: str,
    payload: dict[str, object] | None, artefact: str | None, clock: Clock,
) -> Control:  # fmt: skip
    raw = None if payload is None else msgspec.Raw(msgspec.json.encode(payload))
    reason = "".join(c if c.isprintable() else " " for c in measure.end_reason or measure.reason)[:200]
    return Control(
        id=id_, event_time=clock.stream, received_at=clock.stream, kind=kind, version=version,
        actor=(measure.ended_by or measure.approved_by or measure.proposed_by)[:128], reason=reason,
        artefact=artefact, payload=raw,  # type: ignore[arg-type]
    )  # fmt: skip
