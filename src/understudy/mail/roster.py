"""Which thread sends by what: a socket of its own, or one that a thread left which has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from understudy.errors import NoCapacity, SystemClosed
from understudy.mail.sender import Sender

if TYPE_CHECKING:
    from understudy.mail.office import Office

S = TypeVar("S", bound=Sender)


class Roster:
    """All senders of one process. One whose thread has ended stays until what it sent is handled.

    A socket that is closed drops after a while what has not left. Meanwhile the next new thread takes it over: a
    program with a thread for each message needs as many sockets as threads speak at once.
    """

    def __init__(self, office: Office) -> None:
        self._office = office
        self._all: set[Sender] = set()
        self._idle: set[Sender] = set()
        self._closed = False

    def hire(self, kind: type[S]) -> S:
        """A new one; raises SystemClosed, NoCapacity."""
        try:
            sender = kind(self._office)
        except OSError as error:
            raise NoCapacity(f"no socket can be had for the messages of one more thread: {error}") from error
        self._all.add(sender)
        if self._closed:  # meanwhile
            self._all.discard(sender)
            sender.close()
            raise SystemClosed("this system was shut down")
        return sender

    def lease(self) -> Lease:
        """For a thread that has none; raises as `hire` does."""
        return Lease(self, self._adopted() or self.hire(Sender))

    def _adopted(self) -> Sender | None:
        for sender in self._idle.copy():
            with sender.held():
                if sender in self._idle and not sender.closed:
                    self._idle.discard(sender)
                    sender.has_thread()
                    return sender
        return None

    def leave(self, sender: Sender) -> None:
        """Its thread has ended."""
        if sender.closed or self._office.is_copy:
            return
        if sender.owes and not self._closed:
            self._idle.add(sender)
            self._office.flusher.note(sender)
        else:
            self.end(sender)

    def is_idle(self, sender: Sender) -> bool:
        """Whether it is no thread's."""
        return sender in self._idle

    def end(self, sender: Sender) -> None:
        """All that it sent is accounted for."""
        self._idle.discard(sender)
        self._all.discard(sender)
        sender.close(0.0)

    @property
    def idle(self) -> int:
        """How many are no thread's."""
        return len(self._idle)

    def senders(self) -> list[Sender]:
        """All that there are now."""
        # Without a lock: who was interrupted while it held one might wait for the router, which asks for them.
        return list(self._all.copy())

    def close(self) -> None:
        """End them all; threads that wait get SystemClosed."""
        self._closed = True
        for sender in self.senders():
            sender.close()
        self._all.clear()
        self._idle.clear()


class Lease:
    """A thread's hold of its sender, which ends with the thread."""

    def __init__(self, roster: Roster, sender: Sender) -> None:
        self._roster, self.sender = roster, sender

    def __del__(self) -> None:
        self._roster.leave(self.sender)
