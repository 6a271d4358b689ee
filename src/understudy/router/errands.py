"""What the router has done by a thread of its own, for it may wait for a process or a disk, and tells when it is."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from understudy.errors import SystemClosed, UnderstudyError
from understudy.router.calls import Calls

LIMIT = 1_000
"""Errands that may wait."""
_log = logging.getLogger("understudy")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request: a value, or the error that stands in its place."""

    value: Any = None
    error: UnderstudyError | None = None


def outcome_of(act: Callable[[], Any]) -> Outcome:
    """What comes of a call."""
    try:
        return Outcome(act())
    except UnderstudyError as error:
        return Outcome(error=error.with_traceback(None))  # it is kept, the frames that it came through are not


class Errands:
    """One thread, begun with the first errand; they are run in the order of their coming."""

    def __init__(self, name: str, calls: Calls) -> None:
        self._calls = calls
        self._waiting: queue.SimpleQueue[tuple[Callable[[], Any], Callable[[Outcome], None]] | None]
        self._waiting = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"understudy-errands-{name}", daemon=True)
        self._started = False

    def run(self, work: Callable[[], Any], then: Callable[[Outcome], None]) -> bool:
        """Do it, then have the router's thread make that call with the outcome; False where too much waits already.

        Also where no thread is to be had.

        For the router's thread.
        """
        if self._waiting.qsize() >= LIMIT or not self._begin():
            return False
        self._waiting.put((work, then))
        return True

    def _begin(self) -> bool:
        if not self._started:
            try:
                self._thread.start()
            except RuntimeError:  # no thread is left, or this process is about to end
                return False
            self._started = True
        return True

    def close(self, seconds: float) -> None:
        """End, when the router has ended; what waits is dropped, with who asked for it."""
        if self._started:
            self._waiting.put(None)
            self._thread.join(seconds)

    def _run(self) -> None:
        while (errand := self._waiting.get()) is not None:
            work, then = errand
            outcome = _attempted(work)
            try:
                self._calls.make(lambda then=then, outcome=outcome: then(outcome))  # type: ignore[misc]
            except SystemClosed:
                return
            except Exception:  # noqa: BLE001 - told in full; the next errand is another one's
                _log.exception("an answer could not be given; please report it")


def _attempted(work: Callable[[], Any]) -> Outcome:
    try:
        return outcome_of(work)
    except Exception:  # noqa: BLE001 - told in full; who asked is told that it failed
        _log.exception("what was asked for could not be had; please report it")
        return Outcome(error=UnderstudyError("the system met an error of its own; its log has it"))
