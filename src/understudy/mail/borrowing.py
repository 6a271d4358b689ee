"""What came by one socket and is borrowed: given back when the last view is gone; no memory is kept of who is gone."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from understudy.mail.flusher import Flusher
from understudy.wire.bulk import Borrower

if TYPE_CHECKING:
    from understudy.mail.counter import Counter

_IDLE = 10.0
"""Seconds after which it is looked at whether lenders are still there."""


class Borrowing:
    """One borrower, with the flusher's thread to look after it.

    ``ring`` is called when something is to be given back, maybe by a finalizer; else ``give_back`` is, in that thread:
    it gives the seconds until it is to be called again, if it could not do so.
    """

    def __init__(
        self,
        flusher: Flusher,
        ring: Callable[[], object] | None = None,
        give_back: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._flusher, self._give_back = flusher, give_back
        self.borrower = Borrower(ring or self.note)

    def note(self) -> None:
        """Something is to be borrowed. Said before, for a finalizer must not be the first to begin the thread."""
        self._flusher.note(self)

    def flush_late(self) -> float | None:
        """Give back, and tidy; seconds until there may be more to do."""
        again = self._give_back() if self.borrower.given_back else None
        return again or (_IDLE if self.borrower.tidy() else None)


def of_socket(counter: Counter, flusher: Flusher) -> Borrowing:
    """For the answers that come by it. Whoever holds a view holds this, and is not to hold the socket by it."""
    own = weakref.ref(counter)

    def give_back() -> float | None:
        counter = own()
        return None if counter is None else counter.give_back_late()

    return Borrowing(flusher, give_back=give_back)
