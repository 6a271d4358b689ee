"""Replies on their way: at once where the client reads, else kept for a while, so many bytes of each client."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import Any

from understudy.router.timers import Timers
from understudy.wire.sockets import Hub, Sent

BACKLOG = 1 << 20
"""Bytes of a client's replies from which further ones are dropped, beside what its connection holds."""
_FIRST_AGAIN, _LONGEST_AGAIN = 0.005, 1.0


class _Backlog:
    """What one client has not read."""

    def __init__(self) -> None:
        self.replies: deque[list[Any]] = deque()
        self.size = 0
        self.again = _FIRST_AGAIN


class Replies:
    """Never waits for a client, and gives it its replies in their order."""

    def __init__(self, hub: Hub, timers: Timers) -> None:
        self._hub, self._timers = hub, timers
        self._backlogs: dict[bytes, _Backlog] = {}
        self.dropped = 0

    def send(self, to: Sequence[Any], body: bytes) -> None:
        """A reply to the client that the first frame of ``to`` names."""
        frames, client = [*to, body], bytes(to[0])
        backlog = self._backlogs.get(client)
        if backlog is None:
            if self._hub.reply(frames) is not Sent.FULL:
                return
            backlog = self._backlogs[client] = _Backlog()
            self._wait(client, backlog)
        if backlog.size >= BACKLOG:
            self.dropped += 1
            return
        backlog.replies.append(frames)
        backlog.size += sum(map(len, frames))

    def _wait(self, client: bytes, backlog: _Backlog) -> None:
        # The socket tells that some client reads, not which: so it is tried, the more seldom the longer it does not.
        self._timers.set(("replies", client), monotonic() + backlog.again, lambda: self._go_on(client, backlog))

    def _go_on(self, client: bytes, backlog: _Backlog) -> None:
        backlog.again = min(_LONGEST_AGAIN, 2 * backlog.again)
        while backlog.replies:
            sent = self._hub.reply(backlog.replies[0])
            if sent is Sent.FULL:
                self._wait(client, backlog)
                return
            if sent is Sent.NOBODY:
                break
            backlog.size -= sum(map(len, backlog.replies.popleft()))
            backlog.again = _FIRST_AGAIN
        del self._backlogs[client]
