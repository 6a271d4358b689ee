"""One section with its deadline, and the interrupts that end it wherever it stands."""

from __future__ import annotations

import _thread
import faulthandler
import os
import signal
import threading
from collections.abc import Callable
from time import monotonic
from types import FrameType
from typing import Any

from understudy.config import Timeouts
from understudy.engine.halt import AFTER_SECTION, NO, Halt
from understudy.runtime import Interruption
from understudy.spawners import signals
from understudy.spawners.signals import INTERRUPT, STACKS
from understudy.wire.page import DEADLINE, NEVER, PLACE, PLACE_SHIFT, SECTION_NUMBER, SECTIONS, Page

MODE = "UNDERSTUDY_INTERRUPT"


class Overrun(Interruption):
    """The section ran beyond its deadline."""


class Cut(Interruption):
    """A stop stands and its grace is over for this section: it ends without an error."""


class Sections:
    """The sections of one process; its handlers run in the main thread, between bytecodes."""

    def __init__(self, page: Page, halt: Halt) -> None:
        self.page = page
        self._halt = halt
        self._raised_for: tuple[int, float] | None = None
        self._main = threading.main_thread().ident or 0
        self._within_python = False

    def enter(self, page: Page, halt: Halt) -> None:
        """The part is given: from now on it is about these, and what was held back until now may come."""
        self.page, self._halt = page, halt
        halt.page = page
        self._within_python = os.environ.get(MODE) == "async"
        signals.mask(signal.SIG_UNBLOCK, (INTERRUPT, signal.SIGTERM))

    def install(self) -> None:
        """Take SIGTERM and the private signal; SIGINT is the parent's."""
        signals.handle(INTERRUPT, self._on_overrun)
        signals.handle(signal.SIGTERM, self._on_term)
        # A handler rather than SIG_IGN, which programs started by the actor would inherit.
        signals.handle(signal.SIGINT, _pass)
        os.register_at_fork(after_in_child=self._give_back)

    def _give_back(self) -> None:
        """In a copy that the user's code forked: signals do what they do in any process; the user's handlers stay."""
        ours = {INTERRUPT: self._on_overrun, signal.SIGTERM: self._on_term, signal.SIGINT: _pass}
        for number, handler in ours.items():
            if signal.getsignal(number) == handler:
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        faulthandler.disable()  # it would write into the page of the actor
        faulthandler.unregister(STACKS)

    def run(self, name: str, hook: Callable[..., Any], seconds: float | None, *args: Any) -> Any:
        """Run a hook as a section of its own; raises what it raises, Overrun or Cut."""
        lap = self.page.words[PLACE] >> PLACE_SHIFT
        try:
            return self.step(name, hook, seconds, *args)
        finally:
            self.close(lap)

    def step(self, name: str, hook: Callable[..., Any], seconds: float | None, *args: Any) -> Any:
        """The same; where it raises, the section stays open, and the page says where that was."""
        page = self.page
        lap = page.words[PLACE] >> PLACE_SHIFT
        page.reals[DEADLINE] = NEVER if seconds is None else monotonic() + seconds
        page.words[PLACE] = lap << PLACE_SHIFT | SECTION_NUMBER[name]
        value = hook(*args)
        self.close(lap)
        return value

    def close(self, lap: int) -> None:
        """No section is open any more."""
        self.page.words[PLACE] = lap << PLACE_SHIFT
        self.page.reals[DEADLINE] = NEVER

    def suspend(self) -> None:
        """Nothing is due until `resume`."""
        self.page.debugged = True

    def resume(self, timeouts: Timeouts) -> None:
        """The open section has its whole time again, from now.

        From another thread than the main one it has no deadline any more: which section is open may change meanwhile.
        """
        section = self.page.place[0]
        timed = section and threading.get_ident() == self._main
        seconds = timeout_of(timeouts, section) if timed else None
        self.page.reals[DEADLINE] = NEVER if seconds is None else monotonic() + seconds
        self.page.debugged = False

    def renew(self, seconds: float | None) -> None:
        """The open section has so many seconds, from now."""
        self.page.reals[DEADLINE] = NEVER if seconds is None else monotonic() + seconds

    def disarm(self) -> None:
        """The open section may take for ever."""
        self.page.reals[DEADLINE] = NEVER

    def cut(self) -> None:
        """End the open section here, without an error; in the main thread only, another one goes on."""
        if threading.get_ident() == self._main:
            self._raised_for = self._open
            raise Cut(self.page.place[0])

    def interrupt(self) -> None:
        """From the link's thread: end the section that the main thread is in."""
        if self._within_python:
            # No thread signals here: the handler waits for the next bytecode, what blocks is ended from outside. An
            # exception set from this thread would not do: by the time it lands another section may be open.
            _thread.interrupt_main(INTERRUPT)  # type: ignore[arg-type]  # a number does, named or not
        else:
            signal.pthread_kill(self._main, INTERRUPT)

    @property
    def _open(self) -> tuple[int, float]:
        """The section that is open: messages are handled in the same place, each with a deadline of its own."""
        return self.page.words[PLACE], self.page.reals[DEADLINE]

    def _on_overrun(self, _: int, __: FrameType | None) -> None:
        place = self.page.words[PLACE]
        # It may arrive late: only the deadline that stands now counts, and each section is told once.
        if place & 7 and self._open != self._raised_for and self.page.overrun(monotonic()) is not None:
            self._raised_for = self._open
            raise Overrun(SECTIONS[place & 7])

    def _on_term(self, _: int, __: FrameType | None) -> None:
        place = self.page.words[PLACE]
        if self._halt.level == NO:
            self._halt.stop(AFTER_SECTION, "SIGTERM")
        elif place & 7 and self._open != self._raised_for:
            self._raised_for = self._open
            raise Cut(SECTIONS[place & 7])


def _pass(_: int, __: FrameType | None) -> None:
    pass


def timeout_of(timeouts: Timeouts, section: str) -> float | None:
    """The configured seconds of a section."""
    seconds: float | None = getattr(timeouts, section)
    return seconds
