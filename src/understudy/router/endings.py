"""How a system ends when nobody closes it: exit, signals, and forked copies of the parent."""

from __future__ import annotations

import _thread
import atexit
import concurrent.futures.thread  # noqa: F401 - see the end
import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic
from types import FrameType
from typing import Protocol

from understudy.config import StopLadder
from understudy.spawners.signals import end_self

AT_EXIT = StopLadder(command=2.0, term=1.0, term_again=1.0)
_LONGEST = 15.0
"""Seconds that a signal's handler waits for the closing; what lives then ends with this process, by its leash."""


class Closable(Protocol):
    """What ends with the process."""

    def close_by(self, ladder: StopLadder) -> None:
        """End every actor by the ladder, then the system."""

    def disown(self) -> None:
        """In a forked copy: hold nothing, end nothing."""


_open: dict[Closable, None] = {}
"""All systems that are open. They are held here, for one that nobody else holds has actors too."""
_TAKEN = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
_handled: dict[int, Callable[[int, FrameType | None], None]] = {}


def enter(system: Closable, *, signals: bool) -> None:
    """A system opened."""
    _open[system] = None
    if signals and threading.current_thread() is threading.main_thread():
        for number in _TAKEN:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _on_signal)
                _handled[number] = _on_signal


def leave(system: Closable) -> None:
    """A system closed."""
    _open.pop(system, None)


def give_back() -> None:
    """The signals, if no system is open any more; only the main thread can, elsewhere it does nothing."""
    if not _open and _handled and threading.current_thread() is threading.main_thread():
        for number in list(_handled):
            if signal.getsignal(number) is _on_signal:
                signal.signal(number, signal.SIG_DFL)
            del _handled[number]


def apart(*works: Callable[[], None], patience: float | None = None) -> None:
    """Have threads of their own do the works, side by side, and wait for them; raises what one of them raised.

    What a signal's handler raises does not strike there, and there nothing waits for a lock that this thread held when
    it was interrupted. Where no thread can be had, as late in an exit, they are done here. Raises TimeoutError when
    ``patience`` seconds are over; the works go on.
    """
    ended: SimpleQueue[BaseException | None] = SimpleQueue()

    def act(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised by who waits
            ended.put(error)
        else:
            ended.put(None)

    for work in works:
        try:
            _thread.start_new_thread(act, (work,))  # not by `threading`, whose own locks the interrupted may hold too
        except RuntimeError:
            act(work)
    until = None if patience is None else monotonic() + patience
    errors = []
    for _ in works:
        try:
            errors.append(ended.get(timeout=None if until is None else max(0.0, until - monotonic())))
        except Empty:
            raise TimeoutError from None
    for error in errors:
        if error is not None:
            raise error


def _on_signal(number: int, _: FrameType | None) -> None:
    try:
        apart(*(partial(system.close_by, AT_EXIT) for system in list(_open)), patience=_LONGEST)
    except TimeoutError:
        pass  # something that the interrupted holds is in the way: the leash and the zygote do the rest
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


# When the main thread has ended and before others are waited for, which may wait for an actor. The executors of
# `concurrent.futures` do the same for theirs, so that module is imported first: the last that came is asked first.
threading._register_atexit(_close_all)  # type: ignore[attr-defined]  # noqa: SLF001 - the public one comes too late
atexit.register(_close_all)  # for what was opened since
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_copy)
