"""Waiting for a status of an actor, decided: its changes and rows in; found, wait on, or never, out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from understudy.errors import ActorError, ActorKilled, ConfigError, WaitTimeout
from understudy.globs import is_glob
from understudy.observe.following import Picture, Step
from understudy.observe.interest import Interest
from understudy.settings import shown
from understudy.status import ActorInfo, Status

_LAST = 2
"""Steps of a story that tell how it ended: the error, and the death."""


class Waiting:
    """For one actor, by name. Raises ConfigError for what is no name, is not followed, or is no status."""

    def __init__(self, interest: Interest, name: str, status: str | Status | Iterable[str | Status]) -> None:
        if not _is_name(name):
            raise ConfigError(f"{shown(name)} is no name of one actor; a ref has it as .name")
        if not interest.knows(name):
            raise ConfigError(f"{name!r} is not among the names that this observer follows")
        self.name = name
        self._wanted = _statuses(status)
        self._begun = False
        """Whether what is known is how it stands: what came before may be taken back by what comes next."""
        self._listed = False
        """Whether it is among those that are known, or nobody bears the name."""
        self._passed: ActorInfo | None = None
        self._why: str | None = None

    def __str__(self) -> str:
        return " or ".join(self._wanted)

    @property
    def asks(self) -> bool:
        """Whether it has to be told how the actor stands, as soon as all that has happened is known."""
        return not (self._begun and self._listed)

    def take(self, step: Step, row: ActorInfo | None) -> ActorInfo | None:
        """A step of the stream, and the actor as of then; the row that was waited for. Raises ActorError."""
        if isinstance(step, Picture):
            self._listed = row is not None
        elif step.kind == "state" and step.name == self.name:
            self._why = step.cause
            if row is not None and row.status in self._wanted:
                self._passed = row
        return self._judge(row) if self._begun else None

    def stand(self, row: ActorInfo | None) -> ActorInfo | None:
        """How it stands now, None where nobody bears the name; the row that was waited for. Raises ActorError."""
        self._begun = self._listed = True
        return self._judge(row)

    def wonders_at(self, row: ActorInfo) -> bool:
        """Whether it would have to say why an actor has ended so, and doesn't know."""
        return row.status.ended and row.status not in self._wanted and self._why is None

    def read(self, story: Sequence[str]) -> None:
        """The actor's last steps, each a time, a name and what happened."""
        self._why = "; ".join(step.split(" ", 2)[-1] for step in story[-_LAST:])

    def late(self, seconds: float | None, row: ActorInfo | None) -> WaitTimeout:
        """The error of a wait that took too long."""
        stands = "no actor of that name is known" if row is None else f"it is {row.status}"
        return WaitTimeout(f"{self.name} was not {self} within {seconds:g} s; {stands}")

    def _judge(self, row: ActorInfo | None) -> ActorInfo | None:
        if row is None or row.status in self._wanted:
            return row
        if not row.status.ended:
            return None
        if self._passed is not None and self._passed.uid == row.uid:
            return self._passed  # since the last event that was handed on
        kind = ActorKilled if row.status is Status.KILLED else ActorError
        text = f"{self.name} is {row.status}, while {self} was waited for: {self._why or 'nobody knows why'}"
        raise kind(text, name=self.name, incarnation=row.incarnation)


def _is_name(given: object) -> bool:
    return isinstance(given, str) and given != "" and not is_glob(given)


def _statuses(given: str | Status | Iterable[str | Status]) -> tuple[Status, ...]:
    try:
        found = tuple(map(Status, [given] if isinstance(given, str) else given))
    except (TypeError, ValueError):
        found = ()
    if not found:
        raise ConfigError(f"status is one or several of {', '.join(Status)}; got {shown(given)}")
    return found
