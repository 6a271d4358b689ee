"""pdb on a terminal that is neither the standard input of this process nor the terminal of its session."""

from __future__ import annotations

import os
import pdb  # noqa: T100 - what users ask for
from types import FrameType
from typing import Any, Protocol

from understudy.terminal import Terminal


class Guide(Protocol):
    """What the prompt needs of the engine."""

    @property
    def in_a_hook(self) -> bool: ...  # noqa: D102 - told where it is done, in `debugger`
    def pause(self) -> None: ...  # noqa: D102
    def go_on(self) -> None: ...  # noqa: D102
    def quit(self) -> None: ...  # noqa: D102


class Prompt(pdb.Pdb):
    """Holds the terminal from the first stop until `continue`, so that others who debug wait for their turn."""

    def __init__(self, terminal: Terminal, guide: Guide) -> None:
        self._terminal, self._guide = terminal, guide
        self._holds = self._leaves = self._quits = False
        super().__init__(
            stdin=open(os.dup(terminal.fd), encoding="utf-8", errors="replace"),  # noqa: SIM115 - until the process ends
            stdout=open(os.dup(terminal.fd), "w", encoding="utf-8", errors="replace"),  # noqa: SIM115
            nosigint=True,  # Ctrl-C goes to the program in the foreground
            skip=["understudy.*"],  # a step out of a hook leads to the next one
        )

    def stop_here(self, frame: FrameType) -> bool:
        """Not between hooks: what runs there is none of the user's."""
        return self._guide.in_a_hook and super().stop_here(frame)

    def interaction(self, frame: FrameType | None, *rest: Any) -> None:
        """Prompt; every stop comes through here."""
        self._leaves = False
        self._guide.pause()
        try:
            self._hold()
            super().interaction(frame, *rest)
        except BaseException:
            self._leaves = True
            raise
        finally:
            if self._leaves:
                self._release()
            self._guide.go_on()
        if self._quits:
            self._quits = False
            self._guide.quit()

    def set_continue(self) -> None:
        """No stop is foreseen but at breakpoints: the terminal is free meanwhile."""
        self._leaves = True
        super().set_continue()

    def do_quit(self, arg: str) -> bool:
        """q(uit) | exit: end the section and stop the actor, in order; `__onfinish__` and `__result__` follow."""
        self._quits = True
        self.set_continue()
        return True

    do_q = do_exit = do_quit

    def do_EOF(self, arg: str) -> bool:  # noqa: N802 - cmd's name
        """Quit, as at the end of the input."""
        self.message("")
        return self.do_quit(arg)

    def _hold(self) -> None:
        if not self._holds:
            self._terminal.hold()
            self._holds = True
            if os.environ.get("TERM", "dumb") != "dumb":
                self.stdout.write("\r\x1b[K")  # whatever stands in this line is not answered any more

    def _release(self) -> None:
        if self._holds:
            self.stdout.flush()
            self._holds = False
            self._terminal.let_go()
