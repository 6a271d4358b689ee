"""In a fork of the zygote: import what actors were seen to import, and judge whether forks may begin from there.

What a fork cannot share, or what would reach actors that never asked for it, disqualifies a module: a thread, a
process, a descriptor, shared memory, a signal handler, something to do at exit, a setting of the whole process, another
function in place of one that stood in a module, a changed directory, environment or path.
"""

from __future__ import annotations

import _locale
import atexit
import contextlib
import gc
import importlib
import os
import resource
import signal
import sys
import threading
import types
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


def preload(modules: list[str], tries: Callable[[str], object]) -> str:
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
    """Import them in that place: the standard library's first, the others in the order in which their imports began."""
    circumstances.take(place)
    before = _callables()
    with _nobody(), _silence():
        for module in sorted(modules, key=lambda name: package_of(name) not in _STANDARD):
            if module not in sys.modules and (reason := _import(module)):
                return Verdict(package_of(module), reason)
    others = dict.fromkeys(package_of(name) for name in modules if package_of(name) not in _STANDARD)
    blamed = next(iter(others), package_of(modules[0]))
    if not circumstances.stands(place):
        return Verdict(blamed, "its import changes the directory, the environment or sys.path")
    if patched := _replaced(before):
        return Verdict(blamed, f"its import replaces {patched}")
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


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """What modules print as they are imported was printed when the parent imported them."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    kept = [os.dup(fd) for fd in (1, 2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for fd in (1, 2):
            os.dup2(nowhere, fd)
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()  # or each fork would write it again
        for fd, was in zip((1, 2), kept, strict=True):
            os.dup2(was, fd)
        for fd in (*kept, nowhere):
            os.close(fd)


def _callables() -> dict[str, dict[str, object]]:
    """The functions and classes in all modules that are there."""
    return {
        name: {key: value for key, value in vars(module).items() if callable(value)}
        for name, module in list(sys.modules.items())
    }


def _replaced(before: dict[str, dict[str, object]]) -> str:
    """The first of these that is another one by now, by its dotted name."""
    for name, known in before.items():
        now = vars(sys.modules[name]) if name in sys.modules else {}
        for key, value in known.items():
            if now.get(key) is not value:
                return f"{name}.{key}"
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


def _shared_memory() -> object:
    with open("/proc/self/maps", "rb") as file:
        return [line.split()[5:] for line in file if line.split()[1].endswith(b"s")]


def _settings() -> object:
    limits = [resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT_")]
    defaults = sys.modules.get("socket")
    return [
        os.getpriority(os.PRIO_PROCESS, 0),
        limits,
        signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        signal.getitimer(signal.ITIMER_REAL),
        _locale.setlocale(_locale.LC_ALL),
        None if defaults is None else defaults.getdefaulttimeout(),
        sys.getrecursionlimit(),
        sys.getswitchinterval(),
        gc.get_threshold(),
        [getattr(sys, name) for name in ("excepthook", "displayhook", "unraisablehook", "breakpointhook")],
        threading.excepthook,
    ]


def _handlers() -> object:
    return [signal.getsignal(number) for number in signal.valid_signals()]


def _exits() -> object:
    return atexit._ncallbacks()  # noqa: SLF001 - how many there are is all that is told


_AT_EXIT = "something to do at exit"
TRACES: dict[str, Callable[[], object]] = {
    "a thread": _threads,
    "a process": family.own_children,
    "a descriptor": _descriptors,
    "shared memory": _shared_memory,
    "a setting of the whole process": _settings,
    "a signal handler": _handlers,
    _AT_EXIT: _exits,
}
