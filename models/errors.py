"""The exception tree of Tidegate.

TidegateError
├── EventError          an event cannot be taken: what, where, and how to mend it
├── MoneyError          an amount cannot be converted (unknown currency, stale rate)
├── RuleError           a rule or pack is refused: file, line, column
├── SnapshotError       a checkpoint or model snapshot is missing, torn or not signed by us
├── SettingsError       tidegate.toml or the environment is wrong
├── MappingError        a column mapping does not fit its file
├── SourceError         a file of events cannot be opened or read
├── TopicError          a Kafka topic cannot be read or written as it was asked
├── IncidentError       an incident, a containment or a plan does not allow what was asked
├── CustodyError        keys, pseudonyms or envelopes
├── PlanError           an emergency plan, its contacts, letters or deadlines cannot be read or used
├── StoreError          the store refused or cannot be reached
│   └── RefusedError    a person may not do this, or not now: role, four eyes, or the state of the thing
│       └── RoleError   the role in which a person acts may not do this
└── JobError            a job cannot be asked for or done as it is
"""

from __future__ import annotations


class TidegateError(Exception):
    """Base of every error Tidegate raises on purpose; the message names place and remedy.

    zh: the same in Chinese, for what people do on a page; "": there is English only.
    """

    def __init__(self, text: str = "", zh: str = "") -> None:
        super().__init__(text)
        self.zh = zh


class EventError(TidegateError):
    """An event cannot be taken.

    `reason` is a short stable code (`malformed`, `future_event`, …) that dead letters are counted by.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[EventError], tuple[str, str]]:
        """To be made again in another process."""
        return EventError, (self.reason, self.detail)


class MoneyError(TidegateError):
    """An amount cannot be converted: the currency is unknown or the rate too old."""


class RuleError(TidegateError):
    """A rule is refused. The message starts with `file:line:column:`."""


class SnapshotError(TidegateError):
    """A checkpoint or model snapshot is missing, torn, or not signed with our key."""


class SettingsError(TidegateError):
    """The settings file or an environment variable is wrong."""


class MappingError(TidegateError):
    """A column mapping does not fit the file it is used on."""


class SourceError(TidegateError):
    """A file of events cannot be opened or read."""


class TopicError(TidegateError):
    """A Kafka topic is missing, forbidden, or not the one that was read before."""


class IncidentError(TidegateError):
    """An incident, a containment or an emergency plan does not allow what was asked of it."""


class CustodyError(TidegateError):
    """Keys, pseudonyms or sealed envelopes are missing, damaged or of another owner."""


class StoreError(TidegateError):
    """The store refused an operation or cannot be reached."""


class RefusedError(StoreError):
    """An action is not allowed: by the actor's role, for want of a second person, or in the thing's present state."""


class RoleError(RefusedError):
    """The role in which a person acts may not do this; in another one they may."""


class PlanError(TidegateError):
    """An emergency plan, its contacts, letters or deadlines cannot be read, or not be used as asked."""


class JobError(TidegateError):
    """A job cannot be asked for or done as it is."""
