"""The rungs of a stop: when it is said again by SIGTERM, and when it is ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from understudy.config import StopLadder


class Action(Enum):
    """What a rung does."""

    TERMINATE = "SIGTERM"
    TERMINATE_GROUP = "SIGTERM to the group"
    KILL = "SIGKILL"


@dataclass(frozen=True, slots=True)
class Rung:
    """One step, due ``at`` a time of the monotonic clock."""

    at: float
    action: Action


def graceful(grace: float | None, now: float) -> tuple[Rung, ...]:
    """The rungs of ``grace`` seconds from request to SIGKILL, divided 2:1:1; none for None."""
    if grace is None:
        return ()
    if grace <= 0:
        return force(now)
    return by_ladder(StopLadder(command=grace / 2, term=grace / 4, term_again=grace / 4), now)


def by_ladder(ladder: StopLadder, now: float) -> tuple[Rung, ...]:
    """The rungs of a configured ladder."""
    first = now + ladder.command
    second = first + ladder.term
    return (
        Rung(first, Action.TERMINATE),
        Rung(second, Action.TERMINATE),
        Rung(second + ladder.term_again, Action.KILL),
    )


def length(ladder: StopLadder) -> float:
    """Seconds from the request to SIGKILL, by a configured ladder."""
    return ladder.command + ladder.term + ladder.term_again


def force(now: float) -> tuple[Rung, ...]:
    """Straight to SIGKILL."""
    return (Rung(now, Action.KILL),)


def of_program(rungs: tuple[Rung, ...], now: float) -> tuple[Rung, ...]:
    """The same rungs for who hears no command: SIGTERM takes its place, and what follows is for the whole group."""
    if rungs[0].action is Action.KILL:
        return rungs
    wider = (replace(rung, action=Action.TERMINATE_GROUP) for rung in rungs if rung.action is Action.TERMINATE)
    return (Rung(now, Action.TERMINATE), *wider, rungs[-1])


def tighter(one: tuple[Rung, ...], other: tuple[Rung, ...]) -> tuple[Rung, ...]:
    """The ladder that ends sooner; a ladder ends sooner than none."""
    if not one or not other:
        return one or other
    return one if one[-1].at <= other[-1].at else other
