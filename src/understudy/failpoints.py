"""Switches by which tests plant a fault at one exact step of the runtime; nothing happens where none is armed.

They are read from the environment variable ``UNDERSTUDY_FAILPOINTS`` at import: entries ``name=action`` divided by
``;``, such as ``child.boot=kill9;link.subscribe@2=sleep:0.05``. ``@2`` restricts an entry to incarnation 2; a step that
tells no incarnation never is one. Several entries for one name act in the order written.

========== =====================================================================
action     does
========== =====================================================================
kill9      the process ends itself by SIGKILL
segv       the process ends itself by SIGSEGV
stop       the process stops itself by SIGSTOP
exit:N     the process leaves by ``os._exit(N)``, N in 0..255
raise:text RuntimeError with this text; the name of the failpoint without one
sleep:S    the thread sleeps for S seconds
skip       `hit` returns True: the caller leaves the step out
========== =====================================================================
"""

from __future__ import annotations

import difflib
import math
import os
import signal
import time
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from understudy.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

_DIGITS = 9
_LONGEST = 10.0**_DIGITS  # seconds

VARIABLE = "UNDERSTUDY_FAILPOINTS"

NAMES = {
    "zygote.fork": "The zygote is about to fork for a spawn.",
    "zygote.standby": "The zygote is about to fork ahead; it does so only where nothing at all is armed.",
    "zygote.report": "The zygote is about to report a wait status to the parent.",
    "zygote.sweep": "The zygote is about to look for what the departed left behind.",
    "child.born": "The child has just been forked and has run nothing of its own.",
    "child.boot": "The child is about to open the state of its actor.",
    "child.guard": "The child is about to arm its guard against the parent's death.",
    "child.exec": "The child is about to become its program.",
    "child.open": "The child has opened the state and not yet said so.",
    "child.ready": "The child is about to report READY.",
    "child.exit": "The child has said all and is about to exit.",
    "link.subscribe": "The child's link is about to subscribe to its commands.",
    "result.send": "The child is about to send its result.",
    "result.acknowledged": "The child has read the acknowledgement of its result.",
    "signal.kill": "A spawner is about to send SIGKILL.",
}
"""Every failpoint there is, and the moment that it stands for."""


class Armed(NamedTuple):
    """One entry: what to do, and in which incarnation (None: in each)."""

    act: Callable[[], bool]
    incarnation: int | None


_armed: dict[str, list[Armed]] = {}


def hit(name: str, incarnation: int | None = None) -> bool:
    """Do what is armed for this failpoint; True means that the caller must leave out the step that follows.

    Where anything at all is armed, a name that is none of `NAMES` raises ConfigError.
    """
    return bool(_armed) and _fire(name, incarnation)


def armed() -> bool:
    """Whether anything at all is armed."""
    return bool(_armed)


def load(text: str | None) -> None:
    """Arm what the text says, and nothing else; None or an empty text disarms all.

    Raises ConfigError naming the entry that is malformed, and leaves armed what was.
    """
    global _armed  # noqa: PLW0603 - one truth test of one name is all that an unarmed failpoint may cost
    armed: dict[str, list[Armed]] = {}
    for entry in (text or "").split(";"):
        if entry.strip():
            name, one = _parsed(entry.strip())
            armed.setdefault(name, []).append(one)
    _armed = armed


def _fire(name: str, incarnation: int | None) -> bool:
    if name not in NAMES:
        raise ConfigError(_unknown(name))
    skip = False
    for one in _armed.get(name, ()):
        if one.incarnation is None or one.incarnation == incarnation:
            skip |= one.act()
    return skip


def _parsed(entry: str) -> tuple[str, Armed]:
    where, equals, what = (part.strip() for part in entry.partition("="))
    name, at, number = (part.strip() for part in where.partition("@"))
    kind, colon, argument = (part.strip() for part in what.partition(":"))
    if not equals:
        _refuse(entry, "name=action is the form of an entry")
    if name not in NAMES:
        _refuse(entry, _unknown(name))
    if at and not (_whole(number) and int(number) >= 1):
        _refuse(entry, f"after the @ stands an incarnation, 1 or more, not {number!r}")
    make = _ACTIONS.get(kind)
    if make is None:
        _refuse(entry, f"{kind!r} is no action; there are {', '.join(_ACTIONS)}")
    if colon and not argument:
        _refuse(entry, "nothing stands after the colon")
    try:
        act = make(name, argument)
    except ValueError as error:
        _refuse(entry, str(error))
    return name, Armed(act, int(number) if at else None)


def _refuse(entry: str, why: str) -> NoReturn:
    raise ConfigError(f"failpoint {entry!r}: {why}")


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, NAMES, 1)
    return f"there is no failpoint {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS


def _signal(kind: str, number: str) -> Callable[[str, str], Callable[[], bool]]:
    def make(_name: str, argument: str) -> Callable[[], bool]:
        _no_argument(kind, argument)

        def act() -> bool:
            signal.raise_signal(signal.Signals[number])
            return False

        return act

    return make


def _exit(_name: str, argument: str) -> Callable[[], bool]:
    if not (_whole(argument) and int(argument) <= 255):  # noqa: PLR2004 - what a wait status holds
        raise ValueError("exit takes a code from 0 to 255, as in exit:3")

    def act() -> bool:
        os._exit(int(argument))

    return act


def _raise(name: str, argument: str) -> Callable[[], bool]:
    def act() -> bool:
        raise RuntimeError(argument or f"failpoint {name}")

    return act


def _sleep(_name: str, argument: str) -> Callable[[], bool]:
    try:
        seconds = float(argument)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < _LONGEST:
        raise ValueError("sleep takes a number of seconds, as in sleep:0.05")

    def act() -> bool:
        time.sleep(seconds)
        return False

    return act


def _skip(_name: str, argument: str) -> Callable[[], bool]:
    _no_argument("skip", argument)
    return lambda: True


def _no_argument(kind: str, argument: str) -> None:
    if argument:
        raise ValueError(f"{kind} takes no argument")


_ACTIONS: dict[str, Callable[[str, str], Callable[[], bool]]] = {
    "kill9": _signal("kill9", "SIGKILL"),
    "segv": _signal("segv", "SIGSEGV"),
    "stop": _signal("stop", "SIGSTOP"),
    "exit": _exit,
    "raise": _raise,
    "sleep": _sleep,
    "skip": _skip,
}

load(os.environ.get(VARIABLE))
