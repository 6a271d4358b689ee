"""`understudy watch`: every change, a line each, as it happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Annotated

import typer

from understudy.cli.choosing import chosen, lasting, patience
from understudy.cli.exits import FAILED, LATE, REFUSED, Failure
from understudy.cli.following import Halt, Reach, deadline_of, follow
from understudy.cli.names import picked, tell_unmatched
from understudy.cli.options import ONLY, Json, Names, Timeout, check_timeout
from understudy.cli.telling import USUAL, told
from understudy.cli.voice import Voice, as_json
from understudy.cli.where import Where
from understudy.observe.interest import KINDS
from understudy.status import Event, Status

_ENDED = "ENDED"


def watch(
    names: Names = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            help=f"Tell events of that kind; may be repeated. Of {', '.join(KINDS)} (default: {', '.join(USUAL)}).",
            autocompletion=lambda incomplete: [one for one in KINDS if one.startswith(incomplete)],
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="STATUS",
            help="End when all that are named have come to that status (ENDED: any final one); "
            "the exit code is 1 if one ended in another.",
        ),
    ] = None,
    timeout: Timeout = None,
    where: Where = ONLY,
    json: Json = False,
) -> None:
    """Follow the changes of a system's actors, until it closes."""
    patterns, seconds = names or [], check_timeout(timeout)
    reach = None if until is None else Reach(_wanted(until))
    kinds = _kinds(kind)
    deadline, limit = deadline_of(seconds), patience(seconds)
    place = chosen(where)
    say = _json if json else _lines()
    wanted = kinds if reach is None else kinds | {"state"}
    with lasting(place), place.observer(names=patterns or None, kinds=wanted, timeout=limit) as observer:
        observer.snapshot()  # what is looked up after it is not older than what is followed
        with place.remote(timeout=limit) as far:
            infos = picked(far.ps(all=bool(patterns)), patterns, ended=False)
        tell_unmatched("watch", patterns, [info.name for info in infos])
        if reach is not None:
            reach.begin(infos)

        def note(event: Event) -> None:
            if event.kind in {*kinds, "snapshot"}:
                say(event)
            if reach is not None and event.kind == "snapshot":
                reach.begin(observer.actors.values())
            elif reach is not None:
                reach.note(event)

        halt = follow(observer, lambda: reach is not None and reach.is_done(), deadline, note)
    if halt is Halt.LATE:
        raise Failure(LATE, f"not {until} within {seconds:g} s" if until else f"{seconds:g} s are over")
    if halt is Halt.CLOSED and until is not None:
        raise Failure(FAILED, f"the system closed before all were {until}")
    if reach is not None and reach.missed:
        raise Failure(FAILED, ", ".join(f"{name} ended as {status}" for name, status in reach.missed.items()))


def _wanted(word: str) -> list[Status]:
    if word.upper() == _ENDED:
        return [status for status in Status if status.ended]
    try:
        return [Status(word.upper())]
    except ValueError:
        known = ", ".join([*Status, _ENDED])
        raise Failure(REFUSED, f"--until {word}: it is one of {known}") from None


def _kinds(given: list[str] | None) -> frozenset[str]:
    for one in given or ():
        if one not in KINDS:
            raise Failure(REFUSED, f"--kind {one}: it is one of {', '.join(KINDS)}")
    return frozenset(given or USUAL)


def _lines() -> Callable[[Event], None]:
    voice = Voice()
    return lambda event: voice.line(told(event))


def _json(event: Event) -> None:
    as_json({each.name: getattr(event, each.name) for each in fields(Event)})
