"""In the parent: what processes say on their way to becoming programs.

Each has a socket of its own that an exec closes. So its end tells that the exec succeeded, where the last word before
that was that it comes next.
"""

from __future__ import annotations

import select
import socket
from dataclasses import dataclass, field

from understudy.spawners.base import Executed, Gone, News, NotExecuted, Remarked
from understudy.wire.codec import unpack
from understudy.wire.passing import received

BEGINS, FAILED, REMARK, NOTICES = "begins", "failed", "remark", "notices"
"""The words: an exec follows at once; none succeeded, and why; something else that is worth telling; where the program
says that it is ready, a socket that comes with the word."""
LONGEST = 1 << 16


@dataclass(slots=True)
class _Threshold:
    """One of them."""

    uid: int
    incarnation: int
    ours: socket.socket
    begins: bool = False
    notices: socket.socket | None = None
    starts: dict[str, int] = field(default_factory=dict)


class Thresholds:
    """All of one spawner's."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._open: dict[int, _Threshold] = {}
        self._said: list[News] = []

    def fileno(self) -> int:
        """A descriptor that is readable when there is news."""
        return self._epoll.fileno()

    def begin(self, uid: int, incarnation: int) -> tuple[int]:
        """One more; the descriptor for its process, which the caller closes. Raises OSError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(0)
        self._open[ours.fileno()] = _Threshold(uid, incarnation, ours)
        self._epoll.register(ours.fileno(), select.EPOLLIN)
        return (theirs.detach(),)

    def listen(self) -> None:
        """Before the channels are read: who has come to its exec has told of its birth there already."""
        self._said += [one for fd, _ in self._epoll.poll(0) for one in self._read(self._open[fd])]

    def woven(self, news: list[News]) -> list[News]:
        """The news of the channels, and in its place what was said here."""
        ends = [one for one in news if isinstance(one, Gone)]
        words, self._said = self._said, []
        if ends:
            # Whoever has ended has said its last word here. The births of others may have been told since.
            self.listen()
            dead = {(one.uid, one.incarnation) for one in ends}
            words += [one for one in self._said if (one.uid, one.incarnation) in dead]
            self._said = [one for one in self._said if (one.uid, one.incarnation) not in dead]
        return [*(one for one in news if not isinstance(one, Gone)), *words, *ends]

    @property
    def has_more(self) -> bool:
        """Whether something was said that is to be told when the births of who said it are."""
        return bool(self._said)

    def close(self) -> None:
        """Nobody listens any more; also for a forked copy of the parent."""
        for threshold in self._open.values():
            _close(threshold)
        self._open.clear()
        self._epoll.close()

    def _read(self, threshold: _Threshold) -> list[News]:
        uid, incarnation, news = threshold.uid, threshold.incarnation, list[News]()
        fds: list[int] = []
        while True:
            try:
                data, fds, _ = received(threshold.ours, LONGEST, 1)
            except BlockingIOError:
                return news
            except ConnectionResetError:
                data = b""
            if not data:
                if threshold.begins:
                    news.append(Executed(uid, incarnation, threshold.notices, threshold.starts))
                    threshold.notices = None
                fd = threshold.ours.fileno()
                self._epoll.unregister(fd)
                del self._open[fd]
                _close(threshold)
                return news
            match unpack(data, LONGEST):
                case [word, starts] if word == BEGINS:
                    threshold.begins, threshold.starts = True, starts
                case [word, kind, reason] if word == FAILED:
                    threshold.begins = False
                    news.append(NotExecuted(uid, incarnation, kind, reason))
                case [word, text] if word == REMARK:
                    news.append(Remarked(uid, incarnation, text))
                case [word] if word == NOTICES and fds:
                    threshold.notices = socket.socket(fileno=fds[0])


def _close(threshold: _Threshold) -> None:
    threshold.ours.close()
    if threshold.notices is not None:
        threshold.notices.close()
