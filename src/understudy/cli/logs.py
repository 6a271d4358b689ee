"""`understudy logs`: what actors write and log, interleaved."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import fields
from functools import partial
from typing import Annotated, Any

import typer

from understudy.cli import styles
from understudy.cli.choosing import PATIENCE, Place, chosen, lasting
from understudy.cli.exits import REFUSED, Failure
from understudy.cli.following import Halt, deadline_of
from understudy.cli.following import follow as follow_events
from understudy.cli.names import tell_unmatched
from understudy.cli.options import ONLY, Json, Names
from understudy.cli.voice import Voice, as_json, note
from understudy.cli.where import Where
from understudy.errors import UnderstudyError, WaitTimeout
from understudy.globs import Globs, is_glob
from understudy.logs import LogEntry, Logs
from understudy.observe.observer import Observer
from understudy.observe.remote import Remote

_MOST = 10_000
_LOOK = 0.25  # seconds between two looks: what an actor writes into its file is told by nobody
_NOTHING = (
    'nothing is there yet: kept are what was logged from WARNING on, standard error, and, with output = "file", all '
    "that is written"
)
Say = Callable[[tuple[LogEntry, ...]], None]


def logs(
    names: Names = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until the system closes.")
    ] = False,
    lines: Annotated[
        int,
        typer.Option("--lines", "-n", metavar="LINES", help="Begin with so many of the last of each actor's streams."),
    ] = 20,
    where: Where = ONLY,
    json: Json = False,
) -> None:
    """Show what actors wrote and logged, each line under its actor's name."""
    if not 0 <= lines <= _MOST:
        raise Failure(REFUSED, f"--lines {lines}: it is a number from 0 to {_MOST:,}")
    patterns = names or ["*"]
    place = chosen(where)
    say = _json if json else Scribe().lines
    with lasting(place), ExitStack() as stack:
        observer = stack.enter_context(place.observer(kinds=("group",), timeout=PATIENCE)) if follow else None
        if observer is not None:
            observer.snapshot()  # from here on it tells of the end
        far = stack.enter_context(place.remote(timeout=PATIENCE))
        told = far.logs(patterns, lines=max(1, lines))
        entries = told.entries if lines else ()
        _tell_strangers(far, names or [], entries)
        if lines and not entries and not any(map(is_glob, names or ())):
            note("logs", _NOTHING)
        say(entries)
        if observer is not None:
            _follow(place, observer, partial(far.logs, patterns, lines=_MOST), told.cursor, say)


class Scribe:
    """Lines for people: each actor in its own colour, the names in a column."""

    def __init__(self) -> None:
        self._voice = Voice()
        self._width = 0

    def lines(self, entries: tuple[LogEntry, ...]) -> None:
        """Lines and records."""
        self._width = max([self._width, *(len(entry.name) for entry in entries)])
        for entry in entries:
            self._line(entry)

    def _line(self, entry: LogEntry) -> None:
        style = "" if entry.level is None else styles.LEVEL.get(logging.getLevelName(entry.level), "")
        for text in entry.text.split("\n"):
            head = (f"{entry.name.ljust(self._width)}  ", styles.of_actor(entry.name))
            self._voice.raw(head, text, "red" if entry.stream == "stderr" else style)


def _follow(place: Place, observer: Observer, ask: Callable[..., Logs], cursor: dict[str, Any], say: Say) -> None:
    """Until the system closes: its stream tells that, and that another one is there in its place."""
    is_heard = True
    while follow_events(observer, lambda: False, deadline_of(_LOOK), lambda _: None) is not Halt.CLOSED:
        try:
            told = ask(after=cursor)
        except UnderstudyError as error:
            if place.has_ended(error):
                return
            if not isinstance(error, WaitTimeout):  # one that is paused is waited for
                raise
            if is_heard:
                note("logs", f"{place.name} does not answer; it is waited for")
            is_heard = False
        else:
            if not is_heard:
                note("logs", f"{place.name} answers again")
            is_heard, cursor = True, told.cursor
            say(told.entries)


def _json(entries: tuple[LogEntry, ...]) -> None:
    for entry in entries:
        as_json({each.name: getattr(entry, each.name) for each in fields(LogEntry)})


def _tell_strangers(far: Remote, patterns: list[str], entries: tuple[LogEntry, ...]) -> None:
    """A note on each glob that matches nobody; one that matches somebody silent gets none."""
    heard = {entry.name for entry in entries}
    silent = [one for one in patterns if is_glob(one) and not any(map(Globs([one]).mean, heard))]
    if silent:
        tell_unmatched("logs", silent, [info.name for info in far.ps()])
