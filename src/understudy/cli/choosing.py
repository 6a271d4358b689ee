"""Which system a verb is for: the one that is named, or the only one that runs here, or one behind a gate elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from understudy.cli.exits import DENIED, NO_SYSTEM, REFUSED, Failure
from understudy.cli.where import Where
from understudy.errors import AccessDenied, SystemClosed, UnderstudyError, UnknownActor
from understudy.observe import rundir
from understudy.observe.remote import Remote

if TYPE_CHECKING:
    from understudy.observe.observer import Observer

_T = TypeVar("_T")

PATIENCE = 10.0
"""Seconds within which a system has to answer."""
_LEAST = 0.5
"""Seconds that it has in any case: with a timeout of 0 one asks how it stands now."""
CONNECT, KEY = "UNDERSTUDY_CONNECT", "UNDERSTUDY_KEY"
"""Variables of the environment that stand for --connect and --key where no system is chosen by an option."""
_FAR = "tcp://"


@dataclass(frozen=True, slots=True)
class Place:
    """A system, and how it is reached; ``directory`` is None where it is elsewhere, ``key`` where it needs none."""

    name: str
    endpoint: str
    directory: str | None = None
    key: str | None = None
    may_act: bool = True
    """Whether what is for controllers is worth asking."""

    def observer(self, **options: Any) -> Observer:
        """One that follows it; the options are those of `Observer`."""
        from understudy.observe.observer import Observer  # late, for not every verb follows

        return Observer(self.endpoint, **self._key(), **options)

    def remote(self, *, timeout: float | None) -> Remote:
        """One that asks it."""
        return Remote(self.endpoint, **self._key(), timeout=timeout)

    def has_ended(self, error: UnderstudyError) -> bool:
        """Whether the system is gone, and the error comes of that."""
        if self.directory is None:  # who is elsewhere is told so, or waits
            return isinstance(error, SystemClosed)
        return not rundir.is_served(self.directory)

    def told(self, ask: Callable[[], _T]) -> _T | None:
        """What the system answers to what only controllers may ask; None for others."""
        if not self.may_act:  # it would be noted there that this was refused
            return None
        try:
            return ask()
        except AccessDenied:  # a gate may take any key for an observer's
            return None

    def _key(self) -> dict[str, Any]:
        return {} if self.key is None else {"key": self.key}


def chosen(where: Where) -> Place:
    """The system that is meant; fails where there is none, or the options contradict each other."""
    if where.system is not None and where.connect is not None:
        raise Failure(REFUSED, "--connect and --system exclude each other: it is one system, here or elsewhere")
    connect = where.connect
    if connect is None and where.system is None:
        connect = os.environ.get(CONNECT) or None
    if connect is not None:
        return _elsewhere(connect, where.key or os.environ.get(KEY) or None)
    if where.key is not None:
        raise Failure(REFUSED, "--key is for --connect; a system of this user on this machine needs none")
    found = _here(where.system)
    return Place(found.name, found.endpoint, found.directory)


def _here(system: str | None) -> rundir.Running:
    if system is not None:
        try:
            found = rundir.running_at(rundir.resolve(system))
        except UnknownActor as error:
            raise Failure(NO_SYSTEM, str(error)) from None
        if found is None:
            raise Failure(NO_SYSTEM, f"no system runs at {system!r}")
        return found
    running = rundir.running()
    if not running:
        raise Failure(NO_SYSTEM, "no system of this user runs here")
    if len(running) > 1:
        names = ", ".join(each.name for each in running)
        raise Failure(NO_SYSTEM, f"{len(running)} systems run here; choose one by --system: {names}")
    return running[0]


def _elsewhere(endpoint: str, file: str | None) -> Place:
    if not endpoint.startswith(_FAR):
        raise Failure(REFUSED, f"--connect {endpoint}: it is {_FAR}HOST:PORT; --system takes a system on this machine")
    if file is None:
        raise Failure(
            REFUSED,
            f"{endpoint} needs a key: --key FILE, or {KEY}; who runs that system makes one by "
            "`understudy keys new NAME --role observer`",
        )
    # Late, for only who speaks to a network needs it.
    from understudy.status import Role
    from understudy.wire.keyring import read_key

    key = read_key(file)
    return Place(endpoint, endpoint, key=file, may_act=key.role is Role.CONTROLLER)


def patience(timeout: float | None) -> float:
    """Seconds within which a system has to answer where the whole may take no longer than ``timeout``."""
    return PATIENCE if timeout is None else min(PATIENCE, max(_LEAST, timeout))


@contextmanager
def lasting(place: Place) -> Iterator[None]:
    """If the system ends meanwhile, it is as if there had been none; what is denied has an exit code of its own."""
    try:
        yield
    except AccessDenied as error:
        raise Failure(DENIED, str(error)) from None
    except UnderstudyError as error:
        if place.has_ended(error):
            raise Failure(NO_SYSTEM, f"{place.name} has ended meanwhile ({error})") from None
        raise


@contextmanager
def remote(where: Where) -> Iterator[Remote]:
    """A controller of the chosen system."""
    place = chosen(where)
    with lasting(place), place.remote(timeout=PATIENCE) as far:
        yield far
