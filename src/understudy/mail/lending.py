"""What is lent to one receiver; memory of which nothing was lent for a while is let go."""

from __future__ import annotations

from collections.abc import Callable

from understudy.mail.flusher import Flusher
from understudy.wire.bulk import Lender
from understudy.wire.sealing import Sealed

_IDLE = 10.0
"""Seconds: whose table pages are filled is five times as quick, so it is kept while it may be needed again."""


class Lending:
    """One lender, with the flusher's thread to look after it."""

    def __init__(self, flusher: Flusher, look: Callable[[Lender], object] = lambda _: None) -> None:
        """``look`` is called in the flusher's thread, while there is any memory: to find what is back meanwhile."""
        self.lender = Lender()
        self._flusher, self._look = flusher, look

    def note(self, sealed: Sealed) -> Sealed:
        """Something was sealed, and parts of it may be lent."""
        if sealed.loans:
            self._flusher.note(self)
        return sealed

    def flush_late(self) -> float | None:
        """Let go of what was idle for long; seconds until there may be more of it."""
        self._look(self.lender)
        return _IDLE if self.lender.let_go(_IDLE) else None
