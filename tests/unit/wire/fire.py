"""Signals whose handler raises, wherever they strike."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any


class Struck(Exception):
    """What the signal's handler raises."""


def strike(*_: object) -> None:
    raise Struck


def under_fire(act: Callable[[], Any], times: int) -> int:
    """Do it so often, with a signal a little later each time; how often it was struck."""
    former = signal.signal(signal.SIGALRM, strike)
    struck = 0
    for at in range(times):
        try:
            signal.setitimer(signal.ITIMER_REAL, at % 60 * 1e-6 + 1e-6)
            act()
            signal.setitimer(signal.ITIMER_REAL, 0)
        except Struck:
            struck += 1
    with suppress(Struck):
        signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, former)
    assert struck > 10, "else nothing is shown"
    return struck
