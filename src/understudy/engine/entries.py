"""What a mailbox holds: the sending threads that it knows, and what it took in of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from understudy.mail.lending import Lending
from understudy.wire import letters
from understudy.wire.ledger import NOWHERE


class Connection:
    """One sending thread, as the mailbox knows it."""

    __slots__ = (
        "ahead", "done", "given_up", "has_left", "held", "ident", "incarnation", "inherited", "last", "lending", "lent",
        "loans", "name", "spot", "sure", "told", "told_done", "uid",
    )  # fmt: skip

    def __init__(
        self, ident: bytes, uid: int, incarnation: int, name: str, spot: int, last: int, ahead: set[int]
    ) -> None:
        self.ident, self.uid, self.incarnation, self.name = ident, uid, incarnation, name
        self.spot = spot
        """Where the ledger has it."""
        self.last = last
        """The seq of the last that was taken in, or that an earlier life began."""
        self.inherited = last
        """Through which seq an earlier life may have begun them."""
        self.sure: dict[int, Sure] = {}
        """The reliable ones that were taken in, from the first on that is not done."""
        self.done = self.told_done = 0
        """Through which seq they are done, and through which it knows of that."""
        self.ahead = ahead
        """Those behind it that an earlier life began."""
        self.held = 0
        self.told = last
        """The credit that it knows of."""
        self.lending: Lending | None = None
        """Of answers."""
        self.lent: dict[int, int] = {}
        """For each loan that is out, the ask that it answers."""
        self.given_up: dict[int, None] = {}
        """Asks of which it said so when they were in hand, or answered: the last of these, in their order."""
        self.has_left = False
        """Whether it said so: then no answer finds it."""
        self.loans: set[int] = set()
        """What this one has lent us for messages, and has not back."""

    @property
    def credit(self) -> int:
        """Through which seq all is handled, in number."""
        return self.last - self.held


NOBODY = Connection(b"", 0, 0, "", NOWHERE, 0, set())
"""Who sends what is no message of anybody's, and is owed neither room nor answers."""


class Sure:
    """A reliable message: done when it is handled, and all reliable ones are that its handling sent."""

    __slots__ = ("_acknowledged", "connection", "handled", "is_again", "pending", "seq")

    def __init__(self, connection: Connection, seq: int, acknowledged: Callable[[Sure], None]) -> None:
        self.connection, self.seq, self._acknowledged = connection, seq, acknowledged
        self.is_again = seq <= connection.inherited or seq in connection.ahead
        """Whether an earlier life may have handled it, wholly or in part."""
        self.handled = False
        self.pending = 0
        """Those that were sent and are not done."""

    def sent(self) -> None:
        """One more was sent; in the main thread."""
        self.pending += 1

    def acknowledged(self) -> None:
        """One of them is done, or nobody will handle it. In any thread."""
        self._acknowledged(self)

    @property
    def is_done(self) -> bool:
        """Whether its sender may forget it."""
        return self.handled and not self.pending


@dataclass(slots=True, eq=False)
class Batch:
    """Plain tells of one sender, the first of them that of ``seq``; those before ``at`` are handled."""

    connection: Connection
    seq: int
    bodies: list[Any]
    at: int = 0
    place: int = 0
    """See `Mailbox.places`."""


@dataclass(slots=True, eq=False)
class Single:
    """A tell that bears frames, or an ask with its number."""

    connection: Connection
    seq: int
    seal: letters.Seal
    frames: Sequence[Any]
    ask: int | None = None
    urgent: bool = False
    sure: Sure | None = None
    place: int = 0
    """See `Mailbox.places`; an urgent one goes before all that have one."""


Entry = Batch | Single


def is_urgent(entry: Entry) -> bool:
    """Whether it goes before all that wait."""
    return isinstance(entry, Single) and entry.urgent
