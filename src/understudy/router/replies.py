"""Replies on their way: at once where the client reads, else kept for a while, so many bytes of each client."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import Any, Protocol

from understudy.router.timers import Timers
from understudy.wire.sockets import Sent

BACKLOG, BACKLOGS = 1 << 20, 16 << 20
"""Bytes of a client's replies, and of all clients', from which further ones are dropped."""
_FIRST_AGAIN, _LONGEST_AGAIN = 0.001, 1.0


class Way(Protocol):
    """The socket that clients ask by."""

    def reply(self, frames: Sequence[Any]) -> Sent:
        """Give a reply to the client that the first frame names."""


class _Backlog:
    """What one client has not read."""

    def __init__(self) -> None:
        self.replies: deque[list[Any]] = deque()
        self.size = 0
        self.again = _FIRST_AGAIN


class Replies:
    """Never waits for a client, and gives it its replies in their order."""

    def __init__(self, way: Way, timers: Timers) -> None:
        self._way, self._timers = way, timers
        self._backlogs: dict[bytes, _Backlog] = {}
        self._size = 0
        self.dropped = 0

    def send(self, to: Sequence[Any], body: bytes) -> None:
        """A reply to the client that the first frame of ``to`` names."""
        frames, client = [*to, body], bytes(to[0])
        backlog = self._backlogs.get(client)
        if backlog is None:
            if self._way.reply(frames) is not Sent.FULL:
                return
            backlog = self._backlogs[client] = _Backlog()
            self._wait(client, backlog)
        if backlog.size >= BACKLOG or self._size >= BACKLOGS:
            self.dropped += 1
            return
        backlog.replies.append(frames)
        size = sum(map(len, frames))
        backlog.size += size
        self._size += size

    def _wait(self, client: bytes, backlog: _Backlog) -> None:
        # The socket tells that some client reads, not which: so it is tried, the more seldom the longer it does not.
        self._timers.set((self, client), monotonic() + backlog.again, lambda: self._go_on(client, backlog))

    def _go_on(self, client: bytes, backlog: _Backlog) -> None:
        backlog.again = min(_LONGEST_AGAIN, 2 * backlog.again)
        while backlog.replies:
            sent = self._way.reply(backlog.replies[0])
            if sent is Sent.FULL:
                self._wait(client, backlog)
                return
            if sent is Sent.NOBODY:
                break
            size = sum(map(len, backlog.replies.popleft()))
            backlog.size -= size
            self._size -= size
            backlog.again = _FIRST_AGAIN
        self._size -= backlog.size
        del self._backlogs[client]
