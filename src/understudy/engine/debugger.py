"""What `breakpoint()` calls in an actor: a prompt on the terminal of the program, with the deadlines put off."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Any

from understudy.config import ProcessConfig
from understudy.engine.halt import AFTER_SECTION, Halt
from understudy.engine.link import Link
from understudy.engine.sections import Sections
from understudy.terminal import Terminal

if TYPE_CHECKING:
    from understudy.engine.prompt import Prompt

VARIABLE = "PYTHONBREAKPOINT"
_OURS = "pdb.set_trace"
_log = logging.getLogger("understudy")


class Debugger:
    """`sys.breakpointhook` of one incarnation."""

    def __init__(self, sections: Sections, link: Link, halt: Halt, config: ProcessConfig, terminal: str | None) -> None:
        self._sections, self._link, self._halt = sections, link, halt
        self._timeouts = config.timeouts
        self._terminal = terminal
        self._prompt: Prompt | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Stop in the caller's next line; without a terminal say so and go on."""
        chosen = "" if sys.flags.ignore_environment else os.environ.get(VARIABLE, "")
        if chosen not in {"", _OURS}:
            if chosen != "0":
                self._sections.disarm()  # when somebody else's debugger is left cannot be seen
            return sys.__breakpointhook__(*args, **kwargs)  # noqa: T100 - the one that was chosen
        frame = sys._getframe(1)  # noqa: SLF001 - as pdb itself does
        prompt = self._prompt or self._open()
        if prompt is None:
            place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
            _log.warning("breakpoint() at %s is passed over: the program has no terminal to read from", place)
            return None
        self._prompt = prompt
        if header := kwargs.get("header"):
            prompt.message(header)
        prompt.set_trace(frame)
        return None

    def pause(self) -> None:
        """The prompt is open: nothing is due."""
        self._sections.suspend()

    def go_on(self) -> None:
        """The prompt was left: the section has its whole time again."""
        self._sections.resume(self._timeouts)
        self._link.ring()

    def quit(self) -> None:
        """A stop, and the section is over."""
        self._halt.stop(AFTER_SECTION, "quit in the debugger")
        self._sections.cut()

    @property
    def in_a_hook(self) -> bool:
        """Whether a section is open."""
        return bool(self._sections.page.place[0])

    def _open(self) -> Prompt | None:
        from understudy.engine.prompt import Prompt  # pdb and what it needs: only where somebody debugs

        if self._terminal is None:
            return None
        try:
            return Prompt(Terminal(self._terminal), self)
        except OSError as error:
            _log.warning("the terminal %s cannot be opened: %s", self._terminal, error)
            return None
