"""Sends the ends of batches: a tell that others may follow waits for them, but no longer than a moment."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Protocol

from understudy.mail.mishaps import Mishaps

_TICK = 0.0005
_RESTS_AFTER = 20
"""Ticks without anything to do before it sleeps until it is woken: waking costs more than a tick."""


class Holder(Protocol):
    """Somebody who may have tells waiting."""

    def flush_late(self) -> float | None:
        """Send what has waited, from another thread: in how many seconds to look again, None if all of it went."""
        ...


class Flusher:
    """One thread for all senders of a process, begun with the first batch."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: dict[int, Holder] = {}
        self._later: dict[int, tuple[float, Holder]] = {}
        """Those that wait for others: when to look again."""
        # A lock, for to release it is one step: who notes may be a finalizer that strikes amid another note, or amid
        # the very wait of this thread, where an event's own lock would be held.
        self._bell = threading.Lock()
        self._bell.acquire()
        self._thread: threading.Thread | None = None
        self._beginning = threading.Lock()
        self._over = False
        self._mishaps = Mishaps()

    def note(self, holder: Holder) -> None:
        """This one has something that waits. A finalizer may say so, too, where something was noted before."""
        self._waiting[id(holder)] = holder
        if self._bell.locked() or self._thread is None:
            self._wake()

    def close(self) -> None:
        """End the thread."""
        self._over = True
        self._ring()
        if self._thread is not None:
            self._thread.join()

    def _wake(self) -> None:
        self._ring()
        if self._thread is None and not self._over and self._beginning.acquire(blocking=False):
            try:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                thread.start()
            except BaseException:  # no thread can be had now: the next note tries again
                self._beginning.release()
                raise
            self._thread = thread

    def _run(self) -> None:
        while not self._over:
            rested = 0 if self._bell.acquire(timeout=self._patience()) else _RESTS_AFTER
            self._flush_due()
            while rested < _RESTS_AFTER and not self._over:
                time.sleep(_TICK)
                rested = 0 if self._waiting else rested + 1
                self._flush()
                self._flush_due()
            self._bell.acquire(blocking=False)
            if self._waiting or self._over:  # noted between the last look and the bell's hush
                self._ring()

    def _ring(self) -> None:
        with suppress(RuntimeError):  # it was rung already
            self._bell.release()

    def _patience(self) -> float:
        """Seconds until the next is due, -1 for as long as nobody rings."""
        return max(0.0, min(due for due, _ in self._later.values()) - time.monotonic()) if self._later else -1.0

    def _flush_due(self) -> None:
        if self._later:
            now = time.monotonic()
            for key in [key for key, (due, _) in self._later.items() if due <= now]:
                self._waiting[key] = self._later.pop(key)[1]
            self._flush()

    def _flush(self) -> None:
        for key in list(self._waiting):
            holder = self._waiting.pop(key, None)
            if holder is None:
                continue
            try:
                again = holder.flush_late()
            except Exception as error:  # noqa: BLE001 - the batches of all others hang on this thread
                again = self._mishaps.met(error, "the flusher")
            if again:
                self._later[key] = time.monotonic() + again, holder
            elif again is not None:
                self._waiting[key] = holder
