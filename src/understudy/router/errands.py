"""What the router has done by a thread of its own, for it may wait for a process or a disk, and tells when it is."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from understudy.errors import SystemClosed, UnderstudyError
from understudy.router.calls import Calls
from understudy.router.threads import LateThread

LIMIT = 1_000
"""Errands that may wait."""
HELD_UP = 1.0
"""Seconds after which an errand holds up its thread."""
MOST_HELD_UP = 8
"""Threads that may be held up at once; beyond them what waits does wait."""
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


@dataclass(slots=True, eq=False)
class _Worker:
    """A thread, and since when it has been at its present errand."""

    thread: LateThread
    since: float | None = None

    @property
    def is_held_up(self) -> bool:
        since = self.since
        return since is not None and monotonic() - since >= HELD_UP


class Errands:
    """One thread, begun with the first errand; they are run in the order of their coming.

    What one errand holds up, as a process can whose figures are read, another thread takes over, a few times at most.
    """

    def __init__(self, name: str, calls: Calls) -> None:
        self._calls, self._name = calls, f"understudy-errands-{name}"
        self._waiting: queue.SimpleQueue[tuple[Callable[[], Any], Callable[[Outcome], None]] | None]
        self._waiting = queue.SimpleQueue()
        self._lock = threading.RLock()
        self._held_up: list[_Worker] = []
        self._worker = self._another()

    def run(self, work: Callable[[], Any], then: Callable[[Outcome], None]) -> bool:
        """Do it, then have the router's thread make that call with the outcome; False where too much waits already.

        Also where no thread is to be had.
        """
        if self._waiting.qsize() >= LIMIT or not self._begin():
            return False
        self._waiting.put((work, then))
        return True

    def run_within(self, seconds: float, work: Callable[[], Any]) -> bool:
        """Have it done, and wait for it so long; whether it is done. For any thread but the router's."""
        done = threading.Event()

        def act() -> None:
            try:
                work()
            finally:
                done.set()

        return self.run(act, lambda _: None) and done.wait(seconds)

    def close(self, seconds: float) -> None:
        """End, when the router has ended; what waits is dropped, with who asked for it."""
        workers = [worker for worker in (*self._held_up, self._worker) if worker.thread.started]
        until = monotonic() + seconds
        for _ in workers:
            self._waiting.put(None)
        for worker in workers:
            worker.thread.join(until - monotonic())

    def _begin(self) -> bool:
        if self._worker.is_held_up:
            with self._lock:
                self._relieve()
        return self._worker.thread.begin()

    def _relieve(self) -> None:
        """Let another thread take over from one that is held up."""
        self._held_up = [one for one in self._held_up if one.thread.is_alive]
        if self._worker.is_held_up and len(self._held_up) < MOST_HELD_UP:
            another = self._another()
            if another.thread.begin():
                self._held_up.append(self._worker)
                self._worker = another

    def _another(self) -> _Worker:
        worker = _Worker(LateThread(lambda: self._run(worker), self._name))
        return worker

    def _run(self, me: _Worker) -> None:
        # One that was held up and comes free has been replaced.
        while me not in self._held_up and (errand := self._waiting.get()) is not None:
            work, then = errand
            me.since = monotonic()
            outcome = _attempted(work)
            me.since = None
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
