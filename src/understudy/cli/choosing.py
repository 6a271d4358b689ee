"""Which system a verb is for: the one that is named, or the only one that runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from understudy.cli.exits import NO_SYSTEM, Failure
from understudy.errors import UnderstudyError, UnknownActor
from understudy.observe import rundir
from understudy.observe.remote import Remote

PATIENCE = 10.0
"""Seconds within which a system has to answer."""
_LEAST = 0.5
"""Seconds that it has in any case: with a timeout of 0 one asks how it stands now."""


def chosen(system: str | None) -> rundir.Running:
    """The system of that name or endpoint, or the only one; fails where there is none."""
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


def patience(timeout: float | None) -> float:
    """Seconds within which a system has to answer where the whole may take no longer than ``timeout``."""
    return PATIENCE if timeout is None else min(PATIENCE, max(_LEAST, timeout))


@contextmanager
def lasting(place: rundir.Running) -> Iterator[None]:
    """If the system ends meanwhile, it is as if there had been none."""
    try:
        yield
    except UnderstudyError as error:
        if not rundir.is_served(place.directory):
            raise Failure(NO_SYSTEM, f"{place.name} has ended meanwhile ({error})") from None
        raise


@contextmanager
def remote(system: str | None) -> Iterator[Remote]:
    """A controller of the chosen system."""
    place = chosen(system)
    with lasting(place), Remote(place.endpoint, timeout=PATIENCE) as far:
        yield far
