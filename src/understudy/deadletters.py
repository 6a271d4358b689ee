"""A message that nobody handled, as a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from understudy.status import DeathReport


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that nobody will handle: for whom it was, of whom, and why.

    ``time`` is the time of day when it was told. ``to`` is the name of the actor that it was for, empty for one that is
    forgotten, ``uid`` its number; ``sender`` is the name of who sent it, empty where that is not known. ``way`` is
    ``tell`` or ``ask``. ``text`` has its type and the beginning of its repr. ``count`` is 1, or how many messages had
    this fate where they are not told one by one. ``report`` is that of the last death, for a reliable message that was
    in hand at three.
    """

    time: float
    to: str
    uid: int
    sender: str
    way: str
    reason: str
    text: str
    count: int = 1
    report: DeathReport | None = field(default=None, repr=False)
    _open: Callable[[], Any] | None = field(default=None, repr=False, compare=False)

    @property
    def message(self) -> Any:
        """The message, opened here and now, and anew each time.

        Raises LookupError where it is not kept, ProtocolError where its tag is not this system's, and what unpickling
        it raises.
        """
        if self._open is None:
            raise LookupError(f"this message to {self.to or self.uid} is not kept; {self.text or 'nothing of it'} is")
        return self._open()

    def __reduce__(self) -> tuple[type[DeadLetter], tuple[Any, ...]]:
        """It travels without the message, which only the system's own process can open."""
        told = (self.time, self.to, self.uid, self.sender, self.way, self.reason, self.text, self.count, self.report)
        return type(self), told
