"""Ctrl-C and the signals that ask for the end, as exceptions in the main thread."""

from __future__ import annotations

import signal
from types import FrameType

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


def number_of(press: KeyboardInterrupt) -> int:
    """The signal that it stands for."""
    return press.number if isinstance(press, Asked) else signal.SIGINT


def _ask(number: int, _: FrameType | None) -> None:
    raise Asked(number)
