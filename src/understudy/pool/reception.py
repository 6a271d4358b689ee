"""Whoever connects to a pool: a worker says first of all that it knows the secret, others are turned away."""

from __future__ import annotations

import selectors
from collections.abc import Callable

from understudy.errors import ProtocolError
from understudy.pool.channel import Entrance, Stream
from understudy.pool.frames import Message

_MOST = 32
"""Of those that have connected, said nothing yet, and are more than the workers of the pool."""

Welcome = Callable[[int, Stream, Message], Stream | None]
"""Lets a worker of that number in; None for who is none."""


class Reception:
    """Those that have not said yet who they are; for the pool's thread."""

    def __init__(self, entrance: Entrance, selector: selectors.BaseSelector, size: int, welcome: Welcome) -> None:
        self._entrance, self._selector, self._welcome = entrance, selector, welcome
        self._most = size + _MOST
        self._strangers: list[Stream] = []

    def open(self) -> None:
        """Somebody has connected."""
        for stranger in self._entrance.strangers():
            self._strangers.append(stranger)
            self._selector.register(stranger.link, selectors.EVENT_READ, stranger)
            self.greet(stranger)
        for stranger in self._strangers[: -self._most]:
            self._turn_away(stranger)

    def greet(self, stranger: Stream) -> None:
        """He has said something, or may have."""
        if stranger not in self._strangers:  # he was turned away meanwhile
            return
        try:
            said = stranger.receive()
        except (OSError, ProtocolError):
            said = None
        if said == []:
            return
        # Another stream is made of the same socket, in place of the one that reads but a few bytes.
        self._strangers.remove(stranger)
        self._selector.unregister(stranger.link)
        content = said[0].content if said else None
        number = content[0] if isinstance(content, list) and content else None
        if not said or type(number) is not int or self._welcome(number, stranger, said[0]) is None:
            stranger.close()

    def close(self) -> None:
        """Nobody is let in any more."""
        for stranger in [*self._strangers]:
            self._turn_away(stranger)

    def _turn_away(self, stranger: Stream) -> None:
        self._strangers.remove(stranger)
        self._selector.unregister(stranger.link)
        stranger.close()
