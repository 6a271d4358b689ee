"""What actors wrote and logged, as values for whoever reads it from outside."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line that an actor wrote, or one record that it logged.

    ``stream`` is ``stdout``, ``stderr`` or ``log``. ``time`` (seconds since the epoch) and ``level`` (as in `logging`)
    are known of records alone; ``incarnation`` is the life that logged a record, of a line the latest when it was read.
    """

    name: str
    uid: int
    incarnation: int
    stream: str
    time: float | None
    text: str
    level: int | None = None


@dataclass(frozen=True, slots=True)
class Logs:
    """Entries, and the ``cursor`` to ask with for what comes after them; plain values, which may be kept as JSON."""

    entries: tuple[LogEntry, ...]
    cursor: dict[str, Any]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Logs:
        """From the plain values of an answer; fields of a newer version are left out."""
        known = [each.name for each in fields(LogEntry)]
        entries = (LogEntry(**{key: row.get(key) for key in known}) for row in values["entries"])
        return cls(tuple(entries), values["cursor"])
