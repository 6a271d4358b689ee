"""`understudy run`: one actor in the foreground, until it has ended."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import select
import signal
import sys
from dataclasses import dataclass
from time import monotonic
from typing import IO, Annotated, Any

import typer

from understudy.cli import presses
from understudy.cli.ending import Ending, as_json, as_text, death, ending_of
from understudy.cli.exits import DONE, FAILED, LATE, REFUSED, UNREAD
from understudy.cli.finding import build, find
from understudy.cli.records import Lines
from understudy.cli.refusal import Refusal
from understudy.cli.screen import Screen, wanted
from understudy.cli.values import all_settings, arguments, settings
from understudy.config import StopLadder
from understudy.errors import UnderstudyError, WaitTimeout
from understudy.observe.rundir import check_system_name
from understudy.ref import ActorRef
from understudy.router.endings import AT_EXIT
from understudy.spawners.base import Target
from understudy.spawners.signals import name_of
from understudy.system import ActorSystem
from understudy.terminal import Terminal, of_input

_SLICE = 0.1
_TIMEOUT = "timeout"
_AT_PROMPT = StopLadder(command=0.5)
"""Whoever sits at a debugger's prompt and presses Ctrl-C wants to leave it: time to hear the stop, then SIGTERM."""


def run(
    target: Annotated[
        str,
        typer.Argument(
            help="package.module:Class, path/to/file.py:Class, or a function in place of the class; "
            "the only Process class of a module need not be named.",
            show_default=False,
        ),
    ],
    arg: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="An argument; Python literals are what they say, the rest is text."),
    ] = None,
    config: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH=VALUE", help=f"A setting over the target's own. With defaults: {all_settings()}."),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Stop it when it has run so long; the exit code is 124 then."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object in place of the result.")] = False,
    system: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The system's name, for those who watch it (default: the target's and pid)."),
    ] = None,
) -> None:
    """Run one actor in the foreground, print its result, and exit with 0.

    Other exit codes: 1, it did not finish, and its death report is on standard error; 2, nothing was run; 124, it was
    stopped after --timeout; 130, it was stopped by Ctrl-C, of which a second one kills it.
    """
    presses.listen()
    try:
        if timeout is not None and not 0 < timeout < math.inf:
            raise Refusal(f"--timeout {timeout:g}: it is a number of seconds above 0")
        sys.path.insert(0, os.getcwd())
        made, overrides = build(find(target), arguments(arg or ())), settings(config or ())
        name = _system_name(system, made)
        code = _perform(made, name, overrides, timeout, json=as_json)
    except Refusal as refusal:
        print(f"{refusal.details}understudy run: {refusal}", file=sys.stderr)
        code = REFUSED
    except KeyboardInterrupt as press:  # before there was anything to stop
        code = presses.end_by(presses.number_of(press))
    raise typer.Exit(code)


def _system_name(given: str | None, target: Target) -> str:
    try:
        return f"{target.label[:40]}-{os.getpid()}" if given is None else check_system_name(given)
    except UnderstudyError as error:
        raise Refusal(f"--system: {error}") from None


def _perform(target: Target, name: str, overrides: dict[str, Any], timeout: float | None, *, json: bool) -> int:
    logging.lastResort = Lines()
    sink = _sink(json=json)
    prompt = _terminal()
    screen = Screen(prompt) if wanted() and not json else None
    if screen is not None:
        screen.open()
    try:
        ending, press = _play(Stage(name, prompt, screen), target, overrides, timeout)
    finally:
        if screen is not None:
            screen.close()
        if prompt is not None:
            prompt.close()
    code = FAILED if ending is None or ending.error is not None else DONE
    if ending is not None and not _told(ending, sink, json=json):
        code = UNREAD
    if press is not None:
        return presses.end_by(presses.number_of(press))
    return LATE if ending is not None and ending.asked == _TIMEOUT else code


@dataclass(frozen=True, slots=True)
class Stage:
    """Where an actor is run: its system's name, and what there is of a terminal."""

    system: str
    prompt: Terminal | None
    screen: Screen | None

    def is_debugged(self) -> bool:
        """Whether somebody sits at a debugger's prompt."""
        if self.screen is not None:
            return self.screen.debugged
        return self.prompt is not None and self.prompt.is_held_elsewhere()


def _play(
    stage: Stage, target: Target, overrides: dict[str, Any], timeout: float | None
) -> tuple[Ending | None, KeyboardInterrupt | None]:
    """Run it to its end; what became of it, if it came to be, and the press that ended it, if one did."""
    ref: ActorRef[Any] | None = None
    press: KeyboardInterrupt | None = None
    asked: str | None = None
    began = monotonic()
    with ActorSystem(stage.system, signals=False) as system:
        try:
            ref = _spawned(system, target, overrides)
            if stage.screen is not None:
                stage.screen.follow(ref)
            if not _ends_within(stage, ref, timeout):
                asked = _TIMEOUT
                _say(f"{ref.name} did not end within {timeout:g} s and is stopped")
        except KeyboardInterrupt as error:
            press, asked = error, name_of(presses.number_of(error))
            if ref is not None and asked == "SIGINT":
                _say(f"{ref.name} is stopped; Ctrl-C again kills it")
        try:
            _close(stage, system, press)
        except KeyboardInterrupt as error:  # the second: by now it is killed
            press = press or error
    if ref is None:
        return None, press
    return ending_of(ref, stage.system, monotonic() - began, asked), press


def _spawned(system: ActorSystem, target: Target, overrides: dict[str, Any]) -> ActorRef[Any]:
    try:
        return system.spawn(target, name=target.label, config=overrides)
    except UnderstudyError as error:
        raise Refusal(f"{target.label} cannot be run: {error}") from None


def _ends_within(stage: Stage, ref: ActorRef[Any], timeout: float | None) -> bool:
    """False if it lasts longer; the time at a debugger's prompt does not count."""
    if timeout is None:
        ref.wait()
        return True
    left = timeout
    while left > 0:
        began = monotonic()
        try:
            ref.wait(min(left, _SLICE))
        except WaitTimeout:
            if not stage.is_debugged():
                left -= monotonic() - began
        else:
            return True
    return ref.done()


def _close(stage: Stage, system: ActorSystem, press: KeyboardInterrupt | None) -> None:
    if press is not None and presses.number_of(press) != signal.SIGINT:
        system.close_by(AT_EXIT)
    elif press is not None and stage.is_debugged():
        system.close_by(_AT_PROMPT)
    else:
        system.shutdown()


def _sink(*, json: bool) -> IO[str]:
    """Where the result goes. With JSON the actor's own standard output is standard error: one object, and no more."""
    if not json:
        return sys.stdout
    sys.stdout.flush()
    sink = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return sink


def _terminal() -> Terminal | None:
    path = of_input()
    try:
        return None if path is None else Terminal(path)
    except OSError:  # somebody else's: no debugger can open it either
        return None


def _told(ending: Ending, sink: IO[str], *, json: bool) -> bool:
    """Print how it ended; False if nobody reads."""
    try:
        text = as_json(ending) if json else as_text(ending.value)
        if text:
            print(text, file=sink)
        sink.flush()
        if isinstance(getattr(ending.error, "__cause__", None), BrokenPipeError) and _is_unread(sink):
            return False
    except OSError:  # a pipe without a reader, a terminal that hung up, a disk that is full
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sink.fileno())  # what is still in the buffer is flushed at exit
        os.close(null)
        return False
    if ending.error is not None and not json:
        _say(death(ending))
    return True


def _is_unread(sink: IO[str]) -> bool:
    """Whether it is a pipe without a reader."""
    poll = select.poll()
    poll.register(sink.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # a terminal that hung up
        print(text, file=sys.stderr, flush=True)
