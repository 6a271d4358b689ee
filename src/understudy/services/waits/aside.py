"""A call in a thread of its own, for a probe that must not block: it rings when it has returned."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from understudy.wire.bell import Bell

T = TypeVar("T")


class Aside(Generic[T]):
    """One call under way. Nothing can end it from outside; whoever loses patience lets go of it."""

    def __init__(self, name: str, function: Callable[[], T], now: float) -> None:
        self.began = now
        self._bell = Bell()
        self._function = function
        self._outcome: tuple[T | None, BaseException | None] | None = None
        threading.Thread(target=self._run, name=f"understudy-{name}", daemon=True).start()

    @property
    def fd(self) -> int:
        """Readable once the call is over."""
        return self._bell.read

    def outcome(self) -> tuple[T | None, BaseException | None] | None:
        """What it returned, and what it raised instead; None while it runs."""
        return self._outcome

    def _run(self) -> None:
        try:
            self._outcome = self._function(), None
        except BaseException as error:  # noqa: BLE001 - it is told in the thread that asks
            # Only the function's own frames: this one holds an object that would hold the error.
            self._outcome = None, error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
        self._bell.ring()
        del self  # those frames lead back to this one
