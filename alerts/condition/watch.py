"""From readings to changes for the router: a trouble opens when it has held, and ends when it has been gone a while."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from alerts.condition.checks import CHECKS, Seen, Trouble
from alerts.condition.reading import ConditionSettings, Reading
from alerts.routing.change import Change

MOST_OPEN = 100


class Open(msgspec.Struct, frozen=True):
    """A trouble that was told of. since, last: ms, when it was opened and last seen."""

    trouble: Trouble
    since: int
    last: int


class ConditionWatch:
    """opened: troubles that an earlier watch told of and nobody has ended (see `told`)."""

    def __init__(self, limits: ConditionSettings, opened: Iterable[Open] = ()) -> None:
        self._limits, self._seen = limits, Seen()
        self._held: dict[str, int] = {}
        self.open: dict[str, Open] = {one.trouble.id: one for one in opened}

    def look(self, reading: Reading) -> list[Change]:
        """Judge a reading; what the router has to hear."""
        self._seen.look(reading)
        found = [trouble for check in CHECKS for trouble in check(reading, self._seen, self._limits)]
        return self.judge(found, reading.now)

    def judge(self, found: Iterable[Trouble], now: int) -> list[Change]:
        """Open what has held long enough, tell of what got worse, end what is over."""
        changes = []
        # Noted before the clock was set back, they would be in the future for as long as it was wrong.
        self._held = {id_: min(at, now) for id_, at in self._held.items()}
        for id_, one in self.open.items():
            if one.last > now:
                self.open[id_] = Open(one.trouble, min(one.since, now), now)
        present = {trouble.id: trouble for trouble in found}
        self._held = {id_: self._held.get(id_, now) for id_ in present}
        for id_, trouble in present.items():
            known = self.open.get(id_)
            if known is None:
                if now - self._held[id_] < trouble.hold_ms or len(self.open) >= MOST_OPEN:
                    continue
                known = Open(trouble, now, now)
                changes.append(change_of(trouble, now, now))
            elif trouble.severity < known.trouble.severity:
                changes.append(change_of(trouble, known.since, now))
            else:
                # It is told of again only when it gets worse: less bad is still open.
                trouble = msgspec.structs.replace(trouble, severity=known.trouble.severity)
            self.open[id_] = Open(trouble, known.since, now)
        for id_, one in list(self.open.items()):
            if id_ not in present and now - one.last >= self._limits.calm_s * 1000:
                del self.open[id_]
                changes.append(change_of(one.trouble, one.since, now, over=True))
        return changes

    def told(self) -> str:
        """What is open, to be kept where the next watch finds it."""
        return msgspec.json.encode(list(self.open.values())).decode()


def opened_of(told: str) -> list[Open]:
    """What an earlier watch told of; nothing when it cannot be read."""
    try:
        return msgspec.json.decode(told, type=list[Open]) if told else []
    except msgspec.DecodeError:
        return []


def change_of(trouble: Trouble, since: int, now: int, *, over: bool = False) -> Change:
    """The router's view of it. Each opening is a subject of its own version, and so is each end."""
    return Change(
        kind="self", id=trouble.id, severity=trouble.severity, at=now, state="resolved" if over else "open",
        version=now, labels={"component": trouble.subject or trouble.kind.partition("_")[0], "kind": trouble.kind},
        text_en=f"{trouble.text_en}{' - over' if over else ''}.",
        text_zh=f"{trouble.text_zh}{'（已恢复）' if over else ''}。", facts={"since": since, **trouble.facts},
    )  # fmt: skip
