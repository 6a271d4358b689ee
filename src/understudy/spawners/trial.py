"""In a fork of the zygote: import what actors were seen to import, and judge whether forks may begin from there.

What a fork cannot share, or would share without knowing, disqualifies a module: a thread, a descriptor, a process, a
signal handler, something to do at exit, a changed directory, environment or path.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import logging
import os
import signal
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from understudy import runtime
from understudy.spawners import circumstances, family

_STANDARD = sys.stdlib_module_names


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a trial: nothing against any, or the package that failed and why."""

    package: str = ""
    reason: str = ""


def package_of(module: str) -> str:
    """The topmost package of a module."""
    return module.partition(".")[0]


def preload(modules: list[str], tries: Callable[[str], None]) -> str:
    """Import what was asked for; says why not, if a module cannot be had or would make forks unsafe.

    ``tries`` is told the name of each before its import, which might be the end of this process.
    """
    with _nobody():
        for name in modules:
            tries(name)
            try:
                importlib.import_module(name)
            except BaseException as error:  # noqa: BLE001 - a module may raise anything, or exit
                return f"{name} cannot be imported: {type(error).__name__}: {error}"
            others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
            if others:
                return f"{name} starts a Python thread ({', '.join(others)}), which a fork would lose"
    return ""


def attempt(modules: list[str], place: bytes) -> Verdict:
    """Import them in that place, those first that the others were imported by last."""
    circumstances.take(place)
    with _nobody(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the parent has been told, and each actor that imported it
        last_resort, logging.lastResort = logging.lastResort, None
        try:
            # What a module imports began after it: from the end, each finds most of what it needs.
            for module in reversed(modules):
                if module in sys.modules:
                    continue
                if reason := _import(module):
                    return Verdict(package_of(module), reason)
        finally:
            logging.lastResort = last_resort
            for stream in (sys.stdout, sys.stderr):
                stream.flush()  # or each fork would write it again
    if not circumstances.stands(place):
        return Verdict(package_of(modules[0]), "its import changes the directory, the environment or sys.path")
    return Verdict()


@contextlib.contextmanager
def _nobody() -> Iterator[None]:
    """A module that spawns as it is imported is told that it cannot here, as it is in an actor."""
    stand_in: Any = types.SimpleNamespace(name="that is not born yet")
    runtime.inside = stand_in
    try:
        yield
    finally:
        runtime.inside = None


def _import(module: str) -> str:
    """Import one; what disqualifies it, or nothing."""
    before = [look() for look in TRACES.values()]
    try:
        importlib.import_module(module)
    except BaseException as error:  # noqa: BLE001 - a module may raise anything, or exit
        return f"{type(error).__name__}: {error}"
    for (what, look), was in zip(TRACES.items(), before, strict=True):
        if look() != was and not (what == _AT_EXIT and package_of(module) in _STANDARD):
            return f"its import leaves {what}"
    return ""


def _threads() -> object:
    return os.listdir("/proc/self/task")


def _descriptors() -> object:
    return {(fd, os.readlink(f"/proc/self/fd/{fd}")) for fd in os.listdir("/proc/self/fd") if _is_open(int(fd))}


def _is_open(fd: int) -> bool:
    """Not the descriptor by which the others were listed."""
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _handlers() -> object:
    return [signal.getsignal(number) for number in signal.valid_signals()]


def _exits() -> object:
    return atexit._ncallbacks()  # noqa: SLF001 - how many there are is all that is told


_AT_EXIT = "something to do at exit"
TRACES: dict[str, Callable[[], object]] = {
    "a thread": _threads,
    "a process": family.own_children,
    "a descriptor": _descriptors,
    "a signal handler": _handlers,
    _AT_EXIT: _exits,
}
