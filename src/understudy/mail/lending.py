"""What is lent to one receiver, by each that sends there; memory of which nothing was lent for a while is let go."""

from __future__ import annotations

import threading
from collections.abc import Callable
from weakref import WeakValueDictionary

from understudy.mail.flusher import Flusher
from understudy.wire.bulk import Lender
from understudy.wire.sealing import Sealed
from understudy.wire.stock import Stock

_IDLE = 10.0
"""Seconds: whose table pages are filled is five times as quick, so it is kept while it may be needed again."""


class Store(Stock):
    """What all threads of this process share that send to one receiver, or answer it."""

    __slots__ = ()

    def flush_late(self) -> float | None:
        """Let go of what was idle for long; seconds until there may be more of it."""
        return _IDLE if self.let_go(_IDLE) else None


class Stores:
    """One for each receiver, by uid, as long as anybody lends there."""

    def __init__(self) -> None:
        self._stores: WeakValueDictionary[int, Store] = WeakValueDictionary()
        self._lock = threading.RLock()

    def of(self, uid: int) -> Store:
        """The one for that receiver."""
        with self._lock:
            return self._stores.setdefault(uid, Store())


class Lending:
    """One lender, with the flusher's thread to look after it and its store."""

    def __init__(self, flusher: Flusher, store: Store, look: Callable[[Lender], object] = lambda _: None) -> None:
        """``look`` is called in the flusher's thread, while anything is lent: to find what is back meanwhile."""
        self.lender = Lender(store)
        self._flusher, self._store, self._look = flusher, store, look

    def note(self, sealed: Sealed) -> Sealed:
        """Something was sealed, and parts of it may be lent."""
        if sealed.loans:
            self._flusher.note(self)
            self._flusher.note(self._store)
        return sealed

    def flush_late(self) -> float | None:
        """Find what is back; seconds until there may be more of it."""
        self._look(self.lender)
        return _IDLE if self.lender.out else None
