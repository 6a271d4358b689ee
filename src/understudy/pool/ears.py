"""What wakes the thread of a pool: its bell, whoever connects, and its workers."""

from __future__ import annotations

import selectors
from collections.abc import Iterable, Iterator
from time import monotonic

from understudy.pool.channel import Entrance, Stream
from understudy.pool.reception import Reception, Welcome
from understudy.pool.staff import Hand
from understudy.wire.bell import Bell


class Ears:
    """One poller; all but `ring` is for the pool's thread."""

    def __init__(self, entrance: Entrance, size: int, welcome: Welcome) -> None:
        bell = Bell()
        self._bell: Bell | None = bell
        self._entrance = entrance
        self._selector = selectors.DefaultSelector()
        self._selector.register(bell.read, selectors.EVENT_READ, None)
        self._selector.register(entrance.link, selectors.EVENT_READ, None)
        self._reception = Reception(entrance, self._selector, size, welcome)

    def ring(self) -> None:
        """Wake who waits; when nobody does any more, nothing."""
        bell = self._bell
        if bell is not None:
            bell.ring()

    def listen_to(self, hand: Hand, stream: Stream) -> None:
        """Hear of what that worker says."""
        self._selector.register(stream.link, selectors.EVENT_READ, hand)

    def forget(self, stream: Stream) -> None:
        """Hear of it no more."""
        self._selector.unregister(stream.link)

    def mind(self, hands: Iterable[Hand]) -> None:
        """Hear, too, when those that are behind can take more."""
        for hand in hands:
            if hand.stream is not None:
                events = selectors.EVENT_READ | (selectors.EVENT_WRITE if hand.stream.is_behind else 0)
                if self._selector.get_key(hand.stream.link).events != events:
                    self._selector.modify(hand.stream.link, events, hand)

    def wait(self, due: float | None) -> Iterator[tuple[Hand, bool, bool]]:
        """Until that moment, or a word: of each worker whether it can take more, and whether it has said something."""
        for key, events in self._selector.select(None if due is None else max(0.0, due - monotonic())):
            if isinstance(key.data, Hand):
                yield key.data, bool(events & selectors.EVENT_WRITE), bool(events & selectors.EVENT_READ)
            elif isinstance(key.data, Stream):
                self._reception.greet(key.data)
            elif key.fileobj is self._entrance.link:
                self._reception.open()
            elif self._bell is not None:
                self._bell.hush()

    def close(self) -> None:
        """Hear nothing more."""
        self._reception.close()
        self._selector.close()
        self._bell = None
