"""How other threads reach the router's: a queue of calls, a bell, and a future for each answer."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from understudy.errors import SystemClosed

T = TypeVar("T")


class Calls:
    """Calls from any thread, made in the router's in the order of their coming."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        # Reentrant: a signal handler may call while its own thread was interrupted in here.
        self._lock = threading.RLock()
        self.is_open = True
        self.thread: threading.Thread | None = None

    def fileno(self) -> int:
        """Readable when a call waits."""
        return self._read

    def make(self, call: Callable[[], T]) -> T:
        """Have the router's thread make the call; its value, or its error. Raises SystemClosed after the end."""
        if threading.current_thread() is self.thread:
            return call()
        answer: Future[T] = Future()
        with self._lock:
            if not self.is_open:
                raise SystemClosed("this system was shut down; make another")
            self._waiting.append((answer, call))
            with contextlib.suppress(BlockingIOError):
                os.write(self._write, b"c")
        return answer.result()

    def run(self) -> None:
        """In the router's thread: make what waits."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 65536)
        while self._waiting:
            answer, call = self._waiting.popleft()
            try:
                answer.set_result(call())
            except Exception as error:  # noqa: BLE001 - it belongs to the caller
                answer.set_exception(error)

    def close(self) -> None:
        """No more calls; those that wait are refused."""
        with self._lock:
            self.is_open = False
        while self._waiting:
            self._waiting.popleft()[0].set_exception(SystemClosed("this system was shut down meanwhile"))

    def release(self) -> None:
        """Close the bell; nobody polls it any more."""
        with self._lock:
            self.is_open = False
            os.close(self._read)
            os.close(self._write)
