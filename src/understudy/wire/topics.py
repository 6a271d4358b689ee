"""What the topics at a gate's stream cost, and whom: libzmq keeps each one by its bytes, however many there are.

A byte of a topic takes it some eighty, and it asks nobody: without this a key would be enough to fill the memory.
"""

from __future__ import annotations

from collections import Counter

ROOM = 256 << 10
"""Bytes of the topics of one key at one stream, which take some 20 MiB; a thousand names need 50 KiB."""
OWN = 32
"""Bytes that each topic counts besides."""
MOST_NEW = 10_000
"""Topics of one key that may be new in one second, whether it had them before or not."""
_CAME, _LEFT = b"\x01", b"\x00"


class Topics:
    """Of one stream, as its socket tells them: the first subscription to each, and the end of the last."""

    def __init__(self) -> None:
        self._owners: dict[bytes, str] = {}
        self._spent: Counter[str] = Counter()
        self._new: Counter[str] = Counter()
        self._since = 0.0

    def hear(self, frame: bytes, user: str, now: float) -> bool:
        """What the socket says of that user, who is empty where nobody is left to name; False: it is to be cut off."""
        word, about = frame[:1], frame[1:]
        if word == _LEFT:
            self._left(about)
            return True
        if word != _CAME:
            return False  # followers say nothing else
        if now - self._since >= 1.0:
            self._since = now
            self._new.clear()
        self._left(about)
        self._owners[about] = user
        self._spent[user] += len(about) + OWN
        self._new[user] += 1
        return self._spent[user] <= ROOM and self._new[user] <= MOST_NEW

    def _left(self, about: bytes) -> None:
        owner = self._owners.pop(about, None)
        if owner is not None:
            self._spent[owner] -= len(about) + OWN
            if self._spent[owner] <= 0:
                del self._spent[owner]
