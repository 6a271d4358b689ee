"""What an actor was sent and has not handled: taken in by its main thread, counted, and given credit for."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from understudy.errors import ProtocolError
from understudy.mail.flusher import Flusher
from understudy.mail.lending import Lending
from understudy.spawners.base import Birth
from understudy.wire import letters
from understudy.wire.bulk import Borrower
from understudy.wire.page import HANDLED, TAKEN, Page
from understudy.wire.sealing import decline
from understudy.wire.sockets import Inlet

_CREDITS = 4
"""In how many parts the window of a sender is given back."""
_MOST_SENDERS = 10_000


class Connection:
    """One sending thread, as the mailbox knows it."""

    __slots__ = ("held", "ident", "incarnation", "last", "lending", "loans", "name", "told", "uid")

    def __init__(self, ident: bytes, uid: int, incarnation: int, name: str) -> None:
        self.ident, self.uid, self.incarnation, self.name = ident, uid, incarnation, name
        self.last = 0
        """The seq of the last that was taken in."""
        self.held = 0
        self.told = 0
        """The credit that it knows of."""
        self.lending: Lending | None = None
        """Of answers."""
        self.loans: set[int] = set()
        """What this one has lent us for messages, and has not back."""

    @property
    def credit(self) -> int:
        """Through which seq all is handled, in number."""
        return self.last - self.held


@dataclass(slots=True, eq=False)
class Batch:
    """Plain tells of one sender; those before ``at`` are handled."""

    connection: Connection
    bodies: list[Any]
    at: int = 0


@dataclass(slots=True, eq=False)
class Single:
    """A tell that bears frames, or an ask with its number."""

    connection: Connection
    seal: letters.Seal
    frames: Sequence[Any]
    ask: int | None = None
    urgent: bool = False


Entry = Batch | Single


def _is_urgent(entry: Entry) -> bool:
    return isinstance(entry, Single) and entry.urgent


class _Nowhere:
    """The inlet of a forked copy: the descriptors are shared, so to touch the real one would rob the original."""

    def fileno(self) -> int:
        return -1

    def take(self) -> None:
        """Nothing comes."""

    def take_ready(self) -> list[Any]:
        raise AssertionError("nothing is ready here")

    def hush(self) -> None: ...

    def wait(self, seconds: float | None) -> bool:
        return False

    def send(self, to: bytes, frames: Sequence[Any]) -> None: ...

    def close(self, linger: float) -> None: ...


class Mailbox:
    """The mailbox of one incarnation; its main thread's."""

    def __init__(self, inlet: Inlet, birth: Birth, size: int, page: Page, flusher: Flusher) -> None:
        self._inlet: Inlet | _Nowhere = inlet
        self._birth, self._size, self._page = birth, size, page
        self._flusher = flusher
        self._packer = letters.Packer(birth.system)
        self._connections: dict[bytes, Connection] = {}
        self.entries: deque[Entry] = deque()
        self.borrower = Borrower()
        self.held = 0
        self.dropped = 0
        """What was no letter to this actor."""
        self._is_ready = False
        """A wait has found a letter, which is still to be taken."""

    def fileno(self) -> int:
        """For an event loop; see `Inlet.fileno`."""
        return self._inlet.fileno()

    def lending(self, connection: Connection) -> Lending:
        """What lends answers that are too large to be sent."""
        if connection.lending is None:
            connection.lending = Lending(self._flusher)
        return connection.lending

    def take_in(self) -> None:
        """Take what has arrived, as far as there is room."""
        if self.borrower.given_back:
            self._give_back()
        while self.held < self._size and (frames := self._next()) is not None:
            try:
                letter = letters.decode_inbound(frames[1], self._birth.system, self._birth.uid)
            except (ProtocolError, IndexError):
                self.dropped += 1
                continue
            known = self._connections.get(frames[0]) or self._admit(frames[0], letter)
            self._sort(known, letter, frames[2:])
        if self.held >= self._size:
            self._inlet.hush()

    def wait(self, seconds: float | None) -> None:
        """Wait so long for a letter, or until somebody rings."""
        self._is_ready = self._inlet.wait(seconds)

    def next_body(self) -> tuple[Connection, Any] | Single | None:
        """Take the next one out, as handled: a plain tell opened, another one as it is; None if there is none."""
        if not self.entries:
            return None
        entry = self.entries[0]
        self._page.words[HANDLED] += 1
        if isinstance(entry, Single):
            self.entries.popleft()
            self.done(entry.connection, 1)
            return entry
        body = entry.bodies[entry.at]
        entry.at += 1
        if entry.at == len(entry.bodies):
            self.entries.popleft()
        self.done(entry.connection, 1)
        return entry.connection, body

    def buried(self, connection: Connection, count: int) -> None:
        """So many are handled by nobody; their sender hears of it at the end, for else it would send more."""
        connection.held -= count
        self.held -= count

    def done(self, connection: Connection, count: int) -> None:
        """So many of that sender need no room any more."""
        connection.held -= count
        self.held -= count
        if connection.credit - connection.told >= max(1, self._size // _CREDITS):
            self.answer(connection, letters.CREDIT, None)

    def answer(
        self, connection: Connection, kind: str, content: Any, frames: Sequence[Any] = (), room: int = 0
    ) -> None:
        """Say something to a sender, its credit with it, and of so many more as are done by this."""
        credit = connection.told = connection.credit + room
        head = self._packer.answer(kind, self._birth.uid, self._birth.incarnation, credit, content)
        self._inlet.send(connection.ident, [head, *frames])

    def tell_credit(self) -> None:
        """At the end: what was handled is not to be taken for lost."""
        for connection in self._connections.values():
            if connection.credit > connection.told:
                self.answer(connection, letters.CREDIT, None)

    def refuse(self, connection: Connection, ask: int, how: str) -> None:
        """Nobody will answer that ask."""
        self.answer(connection, letters.REFUSED, [ask, f"{self._birth.name} {how}"])

    def disown(self) -> None:
        """In a forked copy: what comes is for the original, and so are its answers to give."""
        self.entries.clear()
        self._inlet, self._is_ready = _Nowhere(), False

    def close(self, linger: float) -> None:
        """Take nothing more; answers are given so many seconds to leave."""
        self._inlet.close(linger)

    def _next(self) -> list[Any] | None:
        if self._is_ready:
            self._is_ready = False
            return self._inlet.take_ready()
        return self._inlet.take()

    def _sort(self, connection: Connection, letter: letters.Inbound, frames: list[Any]) -> None:
        kind, content = letter.kind, letter.content
        if kind == letters.TELLS:
            self._keep(connection, letter.seq + len(content) - 1, len(content))
            self.entries.append(Batch(connection, content))
        elif isinstance(content, letters.Told):
            self._keep(connection, letter.seq, 1)
            entry = self._single(connection, content.seal, frames)
            if content.urgent:
                entry.urgent = True
                self.entries.insert(sum(1 for _ in takewhile(_is_urgent, self.entries)), entry)
            else:
                self.entries.append(entry)
        elif isinstance(content, letters.Asked):
            self._keep(connection, letter.seq, 1)
            entry = self._single(connection, content.seal, frames, content.ask)
            if content.incarnation < self._birth.incarnation:  # made for a life that has ended; who asked was told so
                self._pass_over(entry)
                self.refuse(connection, content.ask, "ended before it answered")
            else:
                self.entries.append(entry)
        else:
            self._heed(connection, letter)

    def _heed(self, connection: Connection, letter: letters.Inbound) -> None:
        """What is no message."""
        kind, content = letter.kind, letter.content
        if kind == letters.SYNC:
            connection.last = max(connection.last, letter.seq)
            self.answer(connection, letters.CREDIT, None)
            if unseen := [number for number in content if number not in connection.loans]:
                self.answer(connection, letters.BACK, unseen)
        elif kind == letters.BACK and connection.lending is not None:
            for number in content:
                connection.lending.lender.returned(number)
        elif kind == letters.CANCEL:
            self._forget(connection, content)
        elif kind == letters.BYE and not connection.held:
            self._forget_sender(connection)

    def _single(self, connection: Connection, seal: letters.Seal, frames: list[Any], ask: int | None = None) -> Single:
        for loan in seal.loans:
            if type(loan) is list and loan:
                connection.loans.add(loan[0])
        return Single(connection, seal, frames, ask)

    def pass_over(self, entry: Single) -> None:
        """It will not be opened: what was lent for it goes back."""
        if entry.seal.loans:
            with suppress(ProtocolError):
                decline(entry.seal.sealed(entry.frames), self._birth.key, self.borrower, entry.connection.ident)

    def _pass_over(self, entry: Single) -> None:
        self.pass_over(entry)
        self._page.words[HANDLED] += 1
        self.done(entry.connection, 1)

    def _keep(self, connection: Connection, last: int, count: int) -> None:
        connection.last = last
        connection.held += count
        self.held += count
        self._page.words[TAKEN] += count

    def _forget(self, connection: Connection, ask: int) -> None:
        """Nobody waits for that answer any more."""
        for entry in self.entries:
            if isinstance(entry, Single) and entry.ask == ask and entry.connection is connection:
                self.entries.remove(entry)
                self._pass_over(entry)
                return

    def _forget_sender(self, connection: Connection) -> None:
        self._connections.pop(connection.ident, None)
        if connection.lending is not None:
            connection.lending.lender.close()

    def _give_back(self) -> None:
        """Tell who lent something that it is free again."""
        by_lender: dict[bytes, list[int]] = {}
        while self.borrower.given_back:
            ident, number = self.borrower.given_back.popleft()
            by_lender.setdefault(ident, []).append(number)
        for ident, numbers in by_lender.items():
            if (connection := self._connections.get(ident)) is not None:
                connection.loans.difference_update(numbers)
                self.answer(connection, letters.BACK, numbers)

    def _admit(self, ident: bytes, letter: letters.Inbound) -> Connection:
        if len(self._connections) >= _MOST_SENDERS:  # who was killed did not say that it leaves
            for old in [known for known in self._connections.values() if not known.held][: _MOST_SENDERS // 2]:
                self._forget_sender(old)
        made = self._connections[ident] = Connection(ident, letter.sender, letter.incarnation, letter.name)
        made.last = made.told = max(0, letter.seq - 1)
        return made
