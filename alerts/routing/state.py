"""What the router remembers, as values that are saved one by one: only what a step changed is written again."""

from __future__ import annotations

import msgspec

from alerts.routing.change import Change
from alerts.routing.intent import Says
from alerts.routing.reasons import Quiet, Sending


class Sent(msgspec.Struct):
    """What a receiver was told of a subject last. severity: the worst it was paged for.

    message: its id. count: messages so far. repeats, level: the highest number and step it heard. life: see
    Tracked.
    """

    severity: str
    says: Says
    at: int
    reason: Sending
    message: str
    count: int = 0
    repeats: int = 0
    level: int = 0
    life: int = 0


class Told(msgspec.Struct):
    """The same by target (`schedule:desk`): whoever is on call hears a repeat, not the first page again."""

    severity: str
    at: int
    repeats: int = 0
    life: int = 0


class Held(msgspec.Struct):
    """Why a receiver was last not told, and since when."""

    reason: Quiet
    at: int


class Moment(msgspec.Struct):
    """Something a receiver was told of the subject, or why it was not. message: its id, "" for none."""

    at: int
    receiver: str
    reason: Sending | Quiet
    message: str = ""


KEPT_MOMENTS = 40


class Member(msgspec.Struct):
    """A subject in a group. since: its first page by this route. level: steps of the chain taken so far.

    pending: it changed since the group last went out. gone: another route takes it now. life: the subject's,
    that these belong to.
    """

    since: int | None = None
    level: int = 0
    pending: bool = True
    gone: bool = False
    life: int = 0


class Tracked(msgspec.Struct):
    """A subject and what became of it. sent, quiet: by receiver; told: by target; groups: by key.

    life: rises when it is opened again, or worsens after an acknowledgement: what follows is news again. seen: when it
    changed last, by the router's clock. history: the first and the newest KEPT_MOMENTS of what was said and was not.
    """

    change: Change
    groups: dict[str, Member] = {}
    told: dict[str, Told] = {}
    sent: dict[str, Sent] = {}
    quiet: dict[str, Held] = {}
    life: int = 0
    closed_at: int | None = None
    seen: int = 0
    history: list[Moment] = []

    def note(self, moment: Moment) -> None:
        """Keep one more moment."""
        self.history.append(moment)
        if len(self.history) > KEPT_MOMENTS:
            del self.history[1]


class Group(msgspec.Struct):
    """Subjects of a route with the same values of its group_by labels; times in ms.

    flush_due: when what is pending goes out. timer_due: when all are looked at for repeats and escalations.
    muted: somebody in it is quiet only because of a silence or an incident. threads: what each receiver last
    heard.
    """

    key: str
    route: str
    labels: dict[str, str]
    created: int
    flush_due: int | None = None
    timer_due: int | None = None
    flushed: int | None = None
    muted: bool = False
    pages: int = 0
    threads: dict[str, Says] = {}


class Storm(msgspec.Struct):
    """A receiver's rate in the present window, and what is held back for its summary."""

    start: int
    used: int = 0
    total: int = 0
    counts: dict[str, int] = {}
    kinds: dict[str, int] = {}
    subjects: list[Change] = []


class Seen(msgspec.Struct):
    """What the router knows of a silence: whether it held, and whether its end was announced."""

    active: bool
    warned: bool = False


class Wide(msgspec.Struct):
    """The rest: small, and saved whole. plan: digest of the plan the groups were made by."""

    plan: str = ""
    storms: dict[str, Storm] = {}
    silences: dict[str, Seen] = {}


class RouterState:
    """All of it, and which parts a step changed.

    fields: as `changes` gave them, by name. Raises msgspec.DecodeError for what it cannot read.
    """

    def __init__(self, fields: dict[str, bytes] | None = None) -> None:
        fields = fields or {}
        self.tracked = {
            name[2:]: _TRACKED.decode(value) for name, value in fields.items() if name.startswith("t:")
        }
        self.groups = {
            name[2:]: _GROUP.decode(value) for name, value in fields.items() if name.startswith("g:")
        }
        self.wide = _WIDE.decode(fields["wide"]) if "wide" in fields else Wide()
        self._saved_wide = fields.get("wide", b"")
        self.touched: set[str] = set()
        """Names of the parts that changed: `t:` and a subject's key, `g:` and a group's."""

    def changes(self) -> tuple[dict[str, bytes], list[str]]:
        """What to write and what to delete since the last call."""
        put, drop = {}, []
        for name in self.touched:
            part = self.tracked.get(name[2:]) if name[0] == "t" else self.groups.get(name[2:])
            if part is None:
                drop.append(name)
            else:
                put[name] = _encode(part)
        wide = _encode(self.wide)
        if wide != self._saved_wide:
            put["wide"] = self._saved_wide = wide
        self.touched.clear()
        return put, drop


_encode = msgspec.msgpack.Encoder().encode
_TRACKED = msgspec.msgpack.Decoder(Tracked)
_GROUP = msgspec.msgpack.Decoder(Group)
_WIDE = msgspec.msgpack.Decoder(Wide)


def tracked_from(data: bytes) -> Tracked:
    """A subject as it was saved."""
    found: Tracked = _TRACKED.decode(data)
    return found
