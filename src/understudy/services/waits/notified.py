"""A program's own word: ``READY=1``, as systemd's services say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from understudy.errors import ConfigError
from understudy.services.waits import values
from understudy.waiting import Answer, Holds, Never, NotYet, Probe, Subject
from understudy.waiting.notices import Notices


@dataclass(frozen=True, slots=True, repr=False)
class Notified(values.Value):
    """Holds once the program, or something that it has started, says ``READY=1`` to the socket of NOTIFY_SOCKET.

    It is what `sd_notify` does, and what ``Type=notify`` means to systemd. ``STATUS=…`` is told with the error of who
    waits in vain. What comes after READY is read by nobody. It is for `spawn(Exec(…), wait=Notified())`: of whatever
    was begun without such a socket it never holds. ``timeout`` is in seconds, None for no bound. Raises
    ConfigError for another.
    """

    timeout: float | None = None
    notifies: ClassVar[bool] = True
    """That a program which is waited for in this way is to have such a socket."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "timeout", values.seconds("Notified.timeout", self.timeout))

    def __repr__(self) -> str:
        return "Notified()" if self.timeout is None else f"Notified(timeout={self.timeout!r})"

    def start(self, subject: Subject) -> Probe:
        """Read what it has said, when it is first looked at."""
        return _Listening(getattr(subject, "notices", None))


@dataclass(slots=True)
class _Listening:
    notices: Notices | None

    def look(self, now: float) -> Answer:
        del now
        if self.notices is None:
            return Never(ConfigError("it was begun without a socket to say READY=1 to"))
        self.notices.read()
        if self.notices.ready:
            return Holds("it said READY=1")
        status = f", but: {self.notices.status}" if self.notices.status else ""
        return NotYet(f"it has not said READY=1{status}", readable=(self.notices.fileno(),))

    def close(self) -> None:
        """The socket is whose it was."""
