"""What the program wants to have called when actors have ended: one after the other, in a thread of its own."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from understudy.errors import NoCapacity, UnderstudyError
from understudy.latch import Latch
from understudy.router.threads import LateThread
from understudy.status import ActorInfo, Status

_log = logging.getLogger("understudy")


class ExitCallback:
    """What is to be called when an actor has ended: `ActorRef.on_exit` makes it."""

    __slots__ = ("_call", "_drop", "_name")

    def __init__(self, name: str, call: Callable[[], None]) -> None:
        self._name = name
        # Who takes it out is the one who calls it, or who cancelled it: that is a single step.
        self._call = [call]
        self._drop: Callable[[], None] = lambda: None

    def cancel(self) -> bool:
        """Let it not be called: True if it was still to come, False if it was called, or is, or was cancelled before.

        From any thread.
        """
        try:
            self._call.pop()
        except IndexError:
            return False
        self._drop()
        return True

    @property
    def active(self) -> bool:
        """Whether it is still to be called."""
        return bool(self._call)

    def __repr__(self) -> str:
        return f"<ExitCallback of {self._name}: {'active' if self.active else 'over'}>"


class Exits:
    """One system's; any thread registers, the router's thread says when an actor has ended."""

    def __init__(self, system: str) -> None:
        self._name = f"understudy-callbacks-{system}"
        self._due: SimpleQueue[ExitCallback | None] = SimpleQueue()
        self._thread = LateThread(self._run, self._name)
        self._closed = self._closes_itself = False

    def register(self, name: str, settled: Latch[Status], look: Callable[[], ActorInfo], user: Any) -> ExitCallback:
        """Have the user's function called with what ``look`` gives, as soon as that is settled. Raises NoCapacity."""
        made = ExitCallback(name, lambda: user(look()))
        if not self._closed and not self._thread.begin():
            raise NoCapacity(f"no thread is to be had that would call back when {name} has ended")

        def tell(latch: Latch[Status]) -> None:
            try:
                latch.result()
            except UnderstudyError as error:
                error.__traceback__ = None  # it is kept, and would keep this frame
                return  # the actor was left behind: its end will be known to nobody
            self._due.put(made)
            if self._closed:  # the other one may have ended
                LateThread(self._call_all, self._name).begin()

        made._drop = lambda: settled.remove_done_callback(tell)  # noqa: SLF001 - its maker
        settled.add_done_callback(tell)
        return made

    def about_to_close(self) -> None:
        """If a callback closes the system, it isn't waited for."""
        self._closes_itself = self._closes_itself or threading.current_thread().name == self._name

    def close(self, seconds: float) -> None:
        """All actors have ended: wait so long for what is to be called by then; the thread goes on with the rest."""
        self._closed = True
        self._due.put(None)
        if not self._closes_itself:
            self._thread.join(seconds)

    def _run(self) -> None:
        while (one := self._due.get()) is not None:
            self._call(one)
        self._call_all()

    def _call_all(self) -> None:
        """Whatever is due by now."""
        with contextlib.suppress(Empty):
            while (one := self._due.get_nowait()) is not None:
                self._call(one)
            self._due.put(None)  # which is for the first thread; it calls what is left

    def _call(self, one: ExitCallback) -> None:
        try:
            call = one._call.pop()  # noqa: SLF001 - see there
        except IndexError:
            return  # cancelled
        try:
            call()
        except BaseException:  # noqa: BLE001 - told in full; the next one is for another actor
            _log.exception("the callback for the end of %s failed; others go on", one._name)  # noqa: SLF001
