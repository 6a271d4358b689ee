"""Deferred: an answer that is given later than by returning."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NoReturn

from understudy.settings import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from understudy.runtime import Answer


class Pending:
    """The state of one answer, which all have in common that may give it."""

    __slots__ = ("_lock", "answer", "answered")

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.answered = False
        self._lock = threading.RLock()

    def give(self, give: Callable[[Any], None], value: Any) -> None:
        """Answer so, if it was not; raises RuntimeError."""
        with self._lock:  # of two threads that answer at once one is told
            if self.answered:
                raise RuntimeError("this ask was answered before")
            give(value)
            self.answered = True


class Deferred:
    """The answer to an ask, to be given later than by returning: `Process.defer` makes it.

    It is answered once, from any thread of the actor, by `reply` or `fail`. Where the last reference to it goes before
    that, the asker gets ReceiveError: nobody could answer any more. It belongs to this life of its actor: it cannot be
    sent, and when the life ends, the asker gets ActorDied. Who told rather than asked gets no answer; to give one does
    nothing.
    """

    __slots__ = ("_pending",)

    def __init__(self, pending: Pending) -> None:
        self._pending = pending

    @property
    def answered(self) -> bool:
        """Whether it was replied to, or failed, by this one or another one for the same message."""
        return self._pending.answered

    def reply(self, value: Any = None) -> None:
        """Answer with this value.

        Raises SerializationError for a value that cannot travel, and the ask is still open then; RuntimeError if it was
        answered before.
        """
        self._pending.give(self._pending.answer.reply, value)

    def fail(self, error: BaseException) -> None:
        """Answer with this error: the asker gets ReceiveError, of which it is the cause.

        Raises TypeError for what is no exception, RuntimeError if it was answered before.
        """
        if not isinstance(error, BaseException):
            raise TypeError(f"fail() takes an exception, not {shown(error)}")
        self._pending.give(self._pending.answer.fail, error)

    def __del__(self) -> None:
        if not self._pending.answered:
            self._pending.answer.drop()

    def __repr__(self) -> str:
        return f"<Deferred: {'answered' if self.answered else 'open'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Deferred answers from its own actor: keep it there, and send by what you find it again")
