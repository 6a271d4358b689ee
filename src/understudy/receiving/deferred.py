"""Deferred: an answer that is given later than by returning."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NoReturn

from understudy.settings import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from understudy.runtime import Answer


class Deferred:
    """The answer to an ask, to be given later than by returning: `Process.defer` makes it.

    It is answered once, from any thread of the actor, by `reply` or `fail`. It belongs to this life of its actor: it
    cannot be sent, and when the life ends, the asker gets ActorDied. Who told rather than asked gets no answer; to give
    one does nothing.
    """

    __slots__ = ("_answer", "_answered", "_lock")

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._answered = False
        self._lock = threading.RLock()

    @property
    def answered(self) -> bool:
        """Whether it was replied to, or failed."""
        return self._answered

    def reply(self, value: Any = None) -> None:
        """Answer with this value.

        Raises SerializationError for a value that cannot travel, and the ask is still open then; RuntimeError if it was
        answered before.
        """
        self._give(self._answer.reply, value)

    def fail(self, error: BaseException) -> None:
        """Answer with this error: the asker gets ReceiveError, of which it is the cause.

        Raises TypeError for what is no exception, RuntimeError if it was answered before.
        """
        if not isinstance(error, BaseException):
            raise TypeError(f"fail() takes an exception, not {shown(error)}")
        self._give(self._answer.fail, error)

    def _give(self, give: Callable[[Any], None], value: Any) -> None:
        with self._lock:  # of two threads that answer at once one is told
            if self._answered:
                raise RuntimeError("this ask was answered before")
            give(value)
            self._answered = True

    def __repr__(self) -> str:
        return f"<Deferred: {'answered' if self._answered else 'open'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Deferred answers from its own actor: keep it there, and send by what you find it again")
