"""What a sender keeps for a mailbox that drops the oldest: its newest messages, as many as that holds."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, NamedTuple

from understudy.wire import letters
from understudy.wire.bulk import Lender
from understudy.wire.payload import brief, opened
from understudy.wire.sealing import withdraw


class Kept(NamedTuple):
    """A tell that waits for credit."""

    seal: letters.Seal
    frames: Sequence[Any]
    urgent: bool

    def told(self) -> tuple[str, bytes | None, tuple[Any, ...]]:
        """For a dead letter: a text where it can be had, and tag and frames unless some of it was lent."""
        if self.seal.inline is not None:
            return brief(opened(self.seal.inline)), None, (self.seal.inline,)
        return "", self.seal.tag, () if self.seal.loans else tuple(self.frames)


def _is_urgent(kept: Kept) -> bool:
    return kept.urgent


class Surplus:
    """Of one link; used as the link is."""

    def __init__(self) -> None:
        self._kept: deque[Kept] = deque()
        self.count = 0
        """How many were dropped and are not told yet."""
        self._last: Kept | None = None

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, kept: Kept, most: int, lender: Lender | None) -> None:
        """Add one; where that is more than `most`, the oldest goes, an urgent one last of all."""
        if kept.frames:  # they are the sender's own, who may change them as soon as it was told that they are sent
            kept = kept._replace(frames=[bytes(frame) for frame in kept.frames])
        if kept.urgent:
            self._kept.insert(sum(1 for _ in takewhile(_is_urgent, self._kept)), kept)
        else:
            self._kept.append(kept)
        while len(self._kept) > most:
            at = next((at for at, one in enumerate(self._kept) if not one.urgent), 0)
            gone = self._kept[at]
            del self._kept[at]
            if lender is not None and gone.seal.loans:
                withdraw(gone.seal.sealed(gone.frames), lender)
            self.count += 1
            self._last = gone

    def next(self) -> Kept:
        """Take the one out that is to be sent next."""
        return self._kept.popleft()

    @property
    def loans(self) -> set[int]:
        """The numbers of what was lent for these."""
        return {loan[0] for kept in self._kept for loan in kept.seal.loans if loan is not None}

    def dropped(self) -> tuple[int, Kept | None]:
        """Take for told those that were dropped: how many, and the message if it was one."""
        count, last = self.count, self._last
        self.count, self._last = 0, None
        return count, last if count == 1 else None
