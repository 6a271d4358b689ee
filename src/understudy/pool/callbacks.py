"""The thread of the users' callbacks, apart from that of the results."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any


class Callbacks:
    """The thread of the users' callbacks, begun with the first: whatever they do, results go on arriving."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self.thread: threading.Thread | None = None
        self._lock = threading.RLock()  # a signal's handler may come amid a call

    def call(self, act: Callable[[], object]) -> None:
        """Call it there; what it raises is logged."""
        with self._lock:
            if self.thread is None:
                self.thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self.thread.start()
        self._calls.put(act)

    def finish(self) -> None:
        """End the thread when all that was given is called."""
        if self.thread is not None:
            self._calls.put(None)

    def wait(self) -> None:
        """Until it has ended; in the thread itself it does nothing."""
        if self.thread is not None and self.thread is not threading.current_thread():
            self.thread.join()

    def _run(self) -> None:
        while (act := self._calls.get()) is not None:
            try:
                act()
            except BaseException:  # whatever it is, the next ones are called
                logging.getLogger("concurrent.futures").exception("a pool's callback failed")


def call_back(fn: Callable[[Future[Any]], object], done: Future[Any]) -> None:
    """Call it; what it raises is logged, as the standard does."""
    try:
        fn(done)
    except BaseException:  # whatever it is, the callbacks of others are called
        logging.getLogger("concurrent.futures").exception("exception calling callback for %r", done)
