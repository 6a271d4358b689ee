"""By how many connections one key asks: each may leave replies of a MiB or two unread, which libzmq keeps."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

EACH = 16
"""Connections of one key that may ask at a time; who shares a key with more comes again when it asks again."""

K = TypeVar("K", bound=Hashable)


class Visits(Generic[K]):
    """Of one gate; the connections of each key, those that asked last at the end."""

    def __init__(self, each: int = EACH) -> None:
        self._each = each
        self._known: dict[str, dict[K, object]] = {}

    def knows(self, user: str, which: K) -> bool:
        """Whether that one has asked before; it did so last, then."""
        known = self._known.get(user, {})
        if which not in known:
            return False
        known[which] = known.pop(which)
        return True

    def came(self, user: str, which: K, peer: object) -> tuple[K, object] | None:
        """One more, and who is at its other end; gives the one that has to go for it, if one has."""
        known = self._known.setdefault(user, {})
        known[which] = peer
        if len(known) <= self._each:
            return None
        oldest = next(iter(known))
        return oldest, known.pop(oldest)

    def forget(self, user: str) -> None:
        """That user may come no more."""
        self._known.pop(user, None)
