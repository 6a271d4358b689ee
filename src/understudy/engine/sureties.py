"""Reliable messages that were taken in: which of them are done, and who is to be told so."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from understudy.engine.entries import Connection, Sure
from understudy.wire import letters
from understudy.wire.bell import Bell
from understudy.wire.ledger import Ledger

_SAYINGS = 4
"""In how many parts of a window a busy actor says what is done; one that waits says all of it."""
DEADLY = 3
"""Deaths with a message in hand after which nobody is given it any more."""


class Sureties:
    """Those of one mailbox; its main thread's."""

    def __init__(self, answer: Callable[[Connection, str, Any], None], ledger: Ledger, size: int, bell: Bell) -> None:
        self._answer, self._ledger, self._bell = answer, ledger, bell
        self._part = max(1, size // _SAYINGS)
        self._acknowledged: deque[Sure] = deque()
        """Of whose handling something is done elsewhere; filled by any thread."""
        self._unsaid: set[Connection] = set()

    def take(self, connection: Connection, seq: int) -> Sure | None:
        """One that has arrived; None if it is here, or done."""
        if seq <= connection.done:
            self._unsaid.add(connection)  # an earlier life may have died before it said so
            return None
        if seq in connection.sure:
            return None
        sure = connection.sure[seq] = Sure(connection, seq, self._is_acknowledged)
        connection.ahead.discard(seq)
        return sure

    def deaths(self, sure: Sure) -> int:
        """How many died that had it in hand."""
        return self._ledger.deaths(sure.connection.spot, sure.seq)

    def returned(self, sure: Sure | None) -> None:
        """Its handler has, and no death is its fault any more. None is no message, or no reliable one."""
        if sure is not None:
            sure.handled = True
            self._ledger.let_go(sure.connection.spot, sure.seq)
            self._settle(sure)

    def heed(self) -> None:
        """What was acknowledged since."""
        while self._acknowledged:
            sure = self._acknowledged.popleft()
            sure.pending -= 1
            self._settle(sure)

    def tell(self) -> None:
        """What is done, to all who do not know it yet."""
        self.heed()
        while self._unsaid:
            self._say(self._unsaid.pop())

    def _settle(self, sure: Sure) -> None:
        connection, done = sure.connection, 0
        if not sure.is_done:
            return
        while connection.sure and (first := next(iter(connection.sure.values()))).is_done:
            del connection.sure[first.seq]
            done = first.seq
        if done:
            connection.done = done
            self._ledger.set_done(connection.spot, done)
            self._unsaid.add(connection)
            if done - connection.told_done >= self._part:
                self._unsaid.discard(connection)
                self._say(connection)

    def _say(self, connection: Connection) -> None:
        connection.told_done = connection.done
        self._answer(connection, letters.DONE, connection.done)

    def _is_acknowledged(self, sure: Sure) -> None:
        self._acknowledged.append(sure)
        self._bell.ring()
