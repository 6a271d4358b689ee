"""Who asks the probes: one wait as a value that is looked at, and the thread that sleeps in between."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import select
import time
from collections.abc import Callable
from dataclasses import replace

from understudy.errors import ConfigError, SubjectDied, WaitCancelled, WaitTimeout
from understudy.settings import check_timeout, shown
from understudy.waiting.pace import Pace
from understudy.waiting.protocols import NOBODY, Answer, Holds, Never, NotYet, Subject, Wait

_NAP = 3600.0
"""Seconds of one sleep at most: a poller counts its milliseconds in an int."""


class Waiting:
    """One wait under way, bounded, on behalf of a subject whose end ends it. It is a probe itself.

    Whoever has a poller of his own looks when a descriptor of the last answer, or of the subject, is ready, or the time
    ``within`` which has passed; `wait_until` is for all others.
    """

    def __init__(self, wait: Wait, subject: Subject, timeout: float | None, now: float) -> None:
        check_wait("wait", wait)
        bounds = [bound for bound in (check_timeout(timeout), check_timeout(wait.timeout)) if bound is not None]
        self._wait = wait
        self._subject = subject
        self._bound = min(bounds, default=math.inf)
        self._until = now + self._bound
        self._pace = Pace()
        self._probe = wait.start(subject)

    def look(self, now: float) -> Answer:
        """How things stand, the end of the subject first."""
        over = self._over()
        if over is not None:
            return over
        answer: object = self._probe.look(now)
        match answer:
            case NotYet():
                return self._patience(answer, now)
            case Holds():  # it may have ended while that was found out
                return self._over() or answer
            case Never():
                return answer
            case _:  # of a wait of the user's: who asked on would do so for ever, and without a pause
                advice = "a probe answers Holds, NotYet or Never"
                raise ConfigError(f"{self._told()} answered {shown(answer)}: {advice}")

    def close(self) -> None:
        """Let go of the probe."""
        self._probe.close()

    def _over(self) -> Never | None:
        cause = self._subject.ended()
        if cause is not None:
            error = SubjectDied(f"{self._named()} while {self._wait!r} was waited for: {cause}")
            error.__cause__ = cause
            return Never(error)
        if self._subject.called_off():
            return Never(WaitCancelled(f"{self._told()}: the wait was called off"))
        return None

    def _patience(self, answer: NotYet, now: float) -> Answer:
        if now >= self._until:
            error = WaitTimeout(f"{self._told()} did not hold within {self._bound:g} s; seen last: {answer.seen}")
            error.__cause__ = answer.cause
            return Never(error)
        within = answer.within
        if within is None and not answer.readable and not answer.writable:
            within = self._pace.next(now)
        left = self._until - now
        if within is None or within > left:
            within = None if math.isinf(left) else left
        # What is due already is asked at once: to a poller less than nothing is for ever.
        return replace(answer, within=None if within is None else max(0.0, within))

    def _named(self) -> str:
        return f"{self._subject.name or 'what is waited for'} ended"

    def _told(self) -> str:
        return f"{self._wait!r} of {self._subject.name}" if self._subject.name else repr(self._wait)


def check_wait(field: str, value: object) -> None:
    """Raise ConfigError for what is no Wait."""
    if isinstance(value, type) or not isinstance(value, Wait):
        raise ConfigError(f"{field} must be a Wait, as Port(6390); got {shown(value)}")


def wait_until(
    wait: Wait,
    subject: Subject = NOBODY,
    timeout: float | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> str:
    """Block this thread until the wait holds, and say what was seen then.

    The bound is the ``timeout`` given here, in seconds, or that of the wait, whichever is less. Raises WaitTimeout
    beyond it, with what was seen last; SubjectDied as soon as the subject has ended, whose cause says how;
    WaitCancelled when it was called off; HeldByStranger, and whatever else a wait knows to end it; ConfigError for
    what is no Wait, or gives an answer that is none.
    """
    with contextlib.closing(Waiting(wait, subject, timeout, clock())) as waiting:
        while True:
            match waiting.look(clock()):
                case Holds(seen):
                    return seen
                case Never(error):
                    raise error
                case NotYet() as answer:
                    doze(answer, subject)


def doze(answer: NotYet, subject: Subject) -> None:
    """Block this thread until it is worth while to look again."""
    wanted = dict.fromkeys([*subject.wakes(), *answer.readable], select.POLLIN)
    for fd in answer.writable:
        wanted[fd] = wanted.get(fd, 0) | select.POLLOUT
    poller = select.poll()
    for fd, events in wanted.items():
        poller.register(fd, events)
    nap = _NAP if answer.within is None else min(answer.within, _NAP)
    for fd, event in poller.poll(nap * 1000):
        if event & select.POLLNVAL:  # it would be ready for ever
            raise OSError(errno.EBADF, f"{os.strerror(errno.EBADF)}: a wait gave descriptor {fd}")
