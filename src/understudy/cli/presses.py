"""Ctrl-C and the signals that ask for the end, as exceptions in the main thread."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

from understudy.cli.exits import PRESSED

_ASKING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Asked(KeyboardInterrupt):
    """A signal asked for the end: like Ctrl-C, and a second one forces."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def listen() -> None:
    """From now on; what somebody ignores, as `nohup` does, stays ignored."""
    for number in _ASKING:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _ask)


_missed = [False]
"""Whether Ctrl-C was pressed: Python drops what its handler raises amid a finalizer."""


@contextlib.contextmanager
def remembered() -> Iterator[None]:
    """Within, `check` raises again what was dropped; where somebody else handles Ctrl-C, nothing is changed."""
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    _missed[0] = False
    signal.signal(signal.SIGINT, _press)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _missed[0] = False


def check() -> None:
    """Between two waits: raise KeyboardInterrupt if Ctrl-C was pressed and nobody has heard of it."""
    if _missed[0]:
        raise KeyboardInterrupt


def number_of(press: KeyboardInterrupt) -> int:
    """The signal that it stands for."""
    return press.number if isinstance(press, Asked) else signal.SIGINT


def end_by(number: int) -> int:
    """The exit code for Ctrl-C; any other signal ends this process itself, as it would have."""
    from understudy.spawners.signals import end_self

    if number == signal.SIGINT:
        return PRESSED
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    end_self(number)
    return 128 + number  # the first process of a container is not ended by it


def _press(_: int, __: FrameType | None) -> None:
    _missed[0] = True
    raise KeyboardInterrupt


def _ask(number: int, _: FrameType | None) -> None:
    raise Asked(number)
