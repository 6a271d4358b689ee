"""The ends of those whom an actor watches: told by the link's thread, handled by the main thread in their turn.

What the one that ended had said before comes first, as far as it has arrived: an end has its place among the messages.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from understudy.engine.entries import is_urgent
from understudy.engine.halt import Halt
from understudy.engine.mailbox import Mailbox
from understudy.engine.sections import Sections
from understudy.wire.messages import Noted, Terminated
from understudy.wire.page import BEGUN, HANDLED, TAKEN


class Vigil:
    """Of one incarnation."""

    def __init__(self, halt: Halt, sections: Sections, say: Callable[[Noted], None]) -> None:
        self._halt, self._sections, self._say = halt, sections, say
        self._told: deque[Terminated] = deque()
        self._line: deque[tuple[int, Terminated]] = deque()
        """Those that have their place, see `Mailbox.places`."""
        self._since: int | None = None
        """The last place when the first of those that have none was looked at."""
        self._void: set[int] = set()
        """Numbers of those that are to be passed over."""

    def tell(self, end: Terminated) -> None:
        """From the link's thread."""
        self._told.append(end)
        if self._halt.waiter is not None:
            self._halt.waiter.ring()

    def drop(self, uid: int, last: int) -> None:
        """That one is watched no more: what was told of its end, up to that number, is passed over. In any thread."""
        for end in (*tuple(self._told), *(end for _, end in tuple(self._line))):
            if end.uid == uid and end.number <= last:
                self._void.add(end.number)

    def is_due(self, mailbox: Mailbox) -> bool:
        """Whether it is the turn of an end, and not that of a message; what has arrived is taken in for that."""
        if not (self._told or self._line):  # which is so before most messages
            return False
        if self._told:
            self._line_up(mailbox)
        if not self._has_valid():
            return False
        first = mailbox.entries[0] if mailbox.entries else None
        return first is None or (not is_urgent(first) and first.place > self._line[0][0])

    def has_come(self, mailbox: Mailbox) -> bool:
        """Whether there is one for an actor whose messages are taken by its hooks: in no order with these."""
        self._place(mailbox, len(self._told))
        return self._has_valid()

    def take(self) -> Terminated:
        """The end whose turn it is."""
        return self._line.popleft()[1]

    def handled(self, end: Terminated) -> None:
        """It counts as a message. As begun only now: it comes again if it is not handled, so it cannot be lost."""
        words = self._sections.page.words
        words[BEGUN] += 1
        words[HANDLED] += 1
        self._say(Noted(end.uid, end.number))

    @property
    def is_waiting(self) -> bool:
        """Whether there is any, be it its turn or not."""
        return bool(self._told or self._line)

    def _line_up(self, mailbox: Mailbox) -> None:
        """Give places to those that were told by now, when all that had arrived before has its own.

        Where messages arrive faster than they are handled, as many are let in before as the mailbox holds.
        """
        count = len(self._told)
        mailbox.take_in()
        self._since = mailbox.places if self._since is None else self._since
        has_more = mailbox.behind or mailbox.held >= mailbox.size
        if has_more and mailbox.places - self._since < mailbox.size:
            return
        self._since = None
        self._place(mailbox, count)

    def _place(self, mailbox: Mailbox, count: int) -> None:
        for _ in range(count):
            mailbox.places += 1
            self._sections.page.words[TAKEN] += 1
            self._line.append((mailbox.places, self._told[0]))
            self._told.popleft()  # only now, for `drop` is to find it in one of the two

    def _has_valid(self) -> bool:
        while self._line:
            if self._line[0][1].number not in self._void:
                return True
            self._void.discard(self._line.popleft()[1].number)
            self._sections.page.words[TAKEN] -= 1
        return False
