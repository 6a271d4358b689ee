"""Whose turn it is at one socket: its thread's, for moments the flusher's, and amid a send nobody else's."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from understudy.errors import SystemClosed, UnderstudyError
from understudy.mail.link import Link

if TYPE_CHECKING:
    from understudy.mail.office import Office

P = ParamSpec("P")
T = TypeVar("T")


class Turns:
    """The lock of a socket, and what is said while it cannot be."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._lock = threading.RLock()
        self._busy = False
        """Amid a send, where a finalizer or a signal's handler may strike that wants to send, too."""
        self._later: deque[tuple[Link, Callable[[], None]]] = deque()
        """What was said while a send was under way, and to whom."""
        self.closed = False

    def amid(self, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something with the socket; nobody else uses it, and what this thread says meanwhile is said afterwards.

        Raises SystemClosed. What a signal's handler raises, wherever it strikes, leaves neither the lock nor the mark
        behind: to take and to leave each is one step.
        """
        try:
            with self._lock:
                if self.closed:
                    raise SystemClosed("this system was shut down meanwhile")
                was, self._busy = self._busy, True
                try:
                    return act(*args, **kwargs)
                finally:
                    self._busy = was
        finally:
            if self._later:
                self.catch_up()

    def catch_up(self) -> None:
        """Say what was said while a send was under way. Whose call it was has gone on, and hears of no error."""
        while self._later and not self._busy:
            link, say = self._later.popleft()
            try:
                say()
            except UnderstudyError as error:
                self._office.lost(link.peer, 1, f"was not sent it: {error}")
