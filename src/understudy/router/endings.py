"""How a system ends when nobody closes it: exit, signals, and forked copies of the parent."""

from __future__ import annotations

import atexit
import os
import signal
import threading
import weakref
from collections.abc import Callable
from types import FrameType
from typing import Protocol

from understudy.config import StopLadder
from understudy.spawners.signals import end_self

AT_EXIT = StopLadder(command=2.0, term=1.0, term_again=1.0)


class Closable(Protocol):
    """What ends with the process."""

    def close_by(self, ladder: StopLadder) -> None:
        """End every actor by the ladder, then the system."""

    def disown(self) -> None:
        """In a forked copy: hold nothing, end nothing."""


_open: weakref.WeakSet[Closable] = weakref.WeakSet()
_TAKEN = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
_handled: dict[int, Callable[[int, FrameType | None], None]] = {}


def enter(system: Closable, *, signals: bool) -> None:
    """A system opened."""
    _open.add(system)
    if signals and threading.current_thread() is threading.main_thread():
        for number in _TAKEN:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _on_signal)
                _handled[number] = _on_signal


def leave(system: Closable) -> None:
    """A system closed; with the last one the signals are given back."""
    _open.discard(system)
    if not len(_open) and _handled and threading.current_thread() is threading.main_thread():
        for number in list(_handled):
            if signal.getsignal(number) is _on_signal:
                signal.signal(number, signal.SIG_DFL)
            del _handled[number]


def _on_signal(number: int, _: FrameType | None) -> None:
    try:
        _close_all()
    finally:
        end_self(number)


def _close_all() -> None:
    for system in list(_open):
        system.close_by(AT_EXIT)


def _in_copy() -> None:
    """A fork of the parent has the objects, not the system."""
    for system in list(_open):
        system.disown()
    _open.clear()
    for number in list(_handled):
        if signal.getsignal(number) is _on_signal:
            signal.signal(number, signal.SIG_DFL)
    _handled.clear()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_copy)
