"""How other threads reach the router's: a queue of calls, a bell, and an answer for each.

Signal handlers and finalizers call too, in whatever thread and wherever it stands. So there is no lock here that a
thread interrupted in the midst of a call could hold against the router or against itself.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

from understudy.errors import SystemClosed, UnderstudyError
from understudy.wire.bell import Bell

T = TypeVar("T")
_CLOSED = "this system was shut down; make another"
_Answer = SimpleQueue[tuple[Any, BaseException | None]]


class Calls:
    """Calls from any thread, made in the router's in the order of their coming."""

    def __init__(self) -> None:
        self._bell: Bell | None = Bell()
        self._waiting: deque[tuple[_Answer, Callable[[], Any]]] = deque()
        self.is_open = True
        self.thread: threading.Thread | None = None
        self.closed: Callable[[str], SystemClosed] = SystemClosed
        """Makes the error that is raised after the end: who knows more says why that was."""

    def fileno(self) -> int:
        """Readable when a call waits."""
        return -1 if self._bell is None else self._bell.read

    def make(self, call: Callable[[], T], meanwhile: Callable[[], T] | None = None) -> T:
        """Have the router's thread make the call; its value, or its error. Raises SystemClosed after the end.

        In the router's own thread only a finalizer calls, or whatever else the interpreter runs amid a decision: the
        call is made after it, and ``meanwhile`` is answered. Without that it raises UnderstudyError.
        """
        if self._is_ours():
            if meanwhile is None:
                raise UnderstudyError("in the router's own thread, where finalizers may run, this cannot be waited for")
            self._queue(SimpleQueue(), call)
            return meanwhile()
        answer: _Answer = SimpleQueue()
        self._queue(answer, call)
        value, error = answer.get()
        if error is None:
            made: T = value
            return made
        try:
            raise error
        finally:
            error = None  # the traceback holds this frame

    def look(self, call: Callable[[], T]) -> T:
        """The same for a call that changes nothing: in the router's own thread it is made at once."""
        return call() if self._is_ours() else self.make(call)

    def run(self) -> None:
        """In the router's thread: make what waits."""
        if self._bell is not None:
            self._bell.hush()
        for _ in range(len(self._waiting)):
            answer, call = self._waiting.popleft()
            try:
                answer.put((call(), None))
            except BaseException as error:  # noqa: BLE001 - it belongs to the caller
                answer.put((None, error))

    def close(self) -> None:
        """No more calls; those that wait are refused."""
        self.is_open = False
        self._refuse("this system was shut down meanwhile")

    def release(self) -> None:
        """Let go of the bell; nobody polls it any more."""
        self.close()
        self._bell = None

    def _is_ours(self) -> bool:
        thread = self.thread
        return self.is_open and thread is not None and thread.ident == threading.get_ident()

    def _queue(self, answer: _Answer, call: Callable[[], Any]) -> None:
        bell = self._bell
        if bell is None:
            raise self.closed(_CLOSED)
        self._waiting.append((answer, call))
        bell.ring()
        if not self.is_open:
            # Closed before or in between: whoever of the two looks last finds the call and answers.
            self._refuse(_CLOSED)

    def _refuse(self, why: str) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._waiting.popleft()[0].put((None, self.closed(why)))
