"""What an actor was sent and has not handled: taken in by its main thread, counted, and given credit for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile
from typing import Any

from understudy.engine.entries import Batch, Connection, Entry, Single, Sure, is_urgent
from understudy.engine.halt import GLANCE
from understudy.engine.nowhere import Nowhere
from understudy.engine.sureties import DEADLY, Sureties
from understudy.errors import ProtocolError
from understudy.mail.borrowing import Borrowing
from understudy.mail.lending import Lending
from understudy.mail.office import Office
from understudy.spawners.base import Birth
from understudy.wire import letters
from understudy.wire.bell import Bell
from understudy.wire.bulk import Lender
from understudy.wire.codec import MAX_FRAMES
from understudy.wire.ledger import NOWHERE, SLOTS
from understudy.wire.page import BEGUN, DROPPED, HANDLED, TAKEN, Page
from understudy.wire.sealing import Foreign, decline, verified
from understudy.wire.sockets import Inlet

_CREDITS = 4
"""In how many parts the window of a sender is given back."""
_BARE = 2
"""Frames of a letter with none behind its envelope, and whose it is."""
_GIVEN_UP = 1_000
_ROUND = 1_000
"""Letters that are no messages, or none at all, after which those that are have their turn."""


class Mailbox:
    """The mailbox of one incarnation; its main thread's."""

    def __init__(self, inlet: Inlet, birth: Birth, size: int, page: Page, office: Office, bell: Bell) -> None:
        self._inlet: Inlet | Nowhere = inlet
        self._birth, self.size, self._page = birth, size, page
        self._office, self._bell = office, bell
        self._packer = letters.Packer(birth.system)
        self._connections: dict[bytes, Connection] = {}
        self.ledger = page.ledger()
        self.poisoned: Callable[[Single, int], None] = lambda *_: None
        """Told of a reliable message that nobody will handle, for so many died that had it in hand."""
        self.sureties = Sureties(self.answer, self.ledger, size, bell)
        self.entries: deque[Entry] = deque()
        self._borrowing = Borrowing(office.flusher, bell.ring)
        self.borrower = self._borrowing.borrower
        self.held = 0
        self.places = 0
        """The place of the last one that was taken in; each has one behind those before it."""
        self.behind = False
        """Whether more may have arrived than was looked at: the rest had to wait for its turn."""
        self._is_ready = False
        """A wait has found a letter, which is still to be taken."""

    def fileno(self) -> int:
        """For an event loop; see `Inlet.fileno`."""
        return self._inlet.fileno()

    def lending(self, connection: Connection) -> Lending:
        """What lends answers that are too large to be sent."""
        if connection.lending is None:
            look = _forfeiting(self._office, connection.uid, connection.incarnation, connection.name)
            connection.lending = Lending(self._office.flusher, self._office.stores.of(connection.uid), look)
            if connection.has_left:  # meanwhile: this may be any thread
                connection.lending.lender.close()
        return connection.lending

    def take_in(self) -> None:
        """Take what has arrived, as far as there is room."""
        if self.borrower.given_back:
            self._give_back()
        self.sureties.heed()
        idle = 0
        while self.held < self.size and idle < _ROUND and (frames := self._next()) is not None:
            held = self.held
            try:
                letter = self._read(frames)
            except ProtocolError:
                self._drop()
            else:
                known = self._connections.get(frames[0]) or self._admit(frames[0], letter)
                self._sort(known, letter, frames[2:])
            idle += self.held == held
        self.behind = idle == _ROUND
        if self.held >= self.size:
            self._inlet.hush()

    def reject(self, entry: Single) -> None:
        """Nobody of this system has sealed it: it is counted, answered by nothing, and nobody has lent what it says."""
        entry.connection.loans.difference_update(_numbers(entry.seal))
        self._drop()

    def wait(self, seconds: float | None) -> None:
        """Wait at most so long for a letter, or until somebody rings; what he may have rung for is to be looked at."""
        self.sureties.tell()
        self._is_ready, is_rung = self._inlet.wait(GLANCE if seconds is None else min(seconds, GLANCE))
        if is_rung:
            self._bell.hush()

    def next_body(self) -> tuple[Connection, Any] | Single | None:
        """Take the next one out, as begun: a plain tell opened, another one as it is; None if there is none."""
        if not self.entries:
            return None
        entry = self.entries[0]
        if isinstance(entry, Single):
            self.entries.popleft()
            self.begin(entry)
            self.done(entry.connection, 1)
            return entry
        body = entry.bodies[entry.at]
        self._page.words[BEGUN] += 1
        self.ledger.words[entry.connection.spot] = entry.seq + entry.at
        entry.at += 1
        if entry.at == len(entry.bodies):
            self.entries.popleft()
        self.done(entry.connection, 1)
        return entry.connection, body

    def handled(self, ask: int | None, sure: Sure | None) -> None:
        """One that was taken out is in hand no more.

        An ask, whose asker hears of a death, and a reliable one, which comes again, would not be lost: they count as
        begun only now.
        """
        words = self._page.words
        if ask is not None or sure is not None:
            words[BEGUN] += 1
        words[HANDLED] += 1

    def begin(self, entry: Single) -> None:
        """It is in hand, and no later life's. Counted first: whatever dies between is lost to nobody's knowledge."""
        spot, words = entry.connection.spot, self.ledger.words
        if entry.sure is None:
            self._page.words[BEGUN] += entry.ask is None
        else:
            self.ledger.take_in_hand(spot, entry.seq)
            if entry.seq <= words[spot]:
                return
        if entry.urgent and entry.seq > words[spot] + 1:
            self.ledger.begin_ahead(spot, entry.seq)
        else:
            words[spot] = entry.seq

    def buried(self, connection: Connection, count: int) -> None:
        """So many are handled by nobody; their sender hears of it at the end, for else it would send more."""
        connection.held -= count
        self.held -= count

    def done(self, connection: Connection, count: int) -> None:
        """So many of that sender need no room any more."""
        connection.held -= count
        self.held -= count
        if connection.credit - connection.told >= max(1, self.size // _CREDITS):
            self.answer(connection, letters.CREDIT, None)

    def answer(
        self, connection: Connection, kind: str, content: Any, frames: Sequence[Any] = (), room: int = 0
    ) -> None:
        """Say something to a sender, its credit with it, and of so many more as are done by this."""
        credit = connection.told = connection.credit + room
        begun = self._begun(connection)
        head = self._packer.answer(kind, self._birth.uid, self._birth.incarnation, credit, begun, content)
        self._inlet.send(connection.ident, [head, *frames])

    def _begun(self, connection: Connection) -> int:
        """Through which seq: where nothing is held, also what was begun ahead of its turn."""
        words, spot = self.ledger.words, connection.spot
        if connection.held:
            return words[spot] if spot != NOWHERE else 0
        if spot != NOWHERE:
            words[spot] = connection.last
        return connection.last

    def tell_credit(self) -> None:
        """At the end: what was handled is not to be taken for lost."""
        self.sureties.tell()
        for connection in self._connections.values():
            if connection.credit > connection.told:
                self.answer(connection, letters.CREDIT, None)

    def refuse(self, connection: Connection, ask: int, how: str) -> None:
        """Nobody will answer that ask."""
        self.answer(connection, letters.REFUSED, [ask, f"{self._birth.name} {how}"])

    def settle(self, connections: Iterable[Connection]) -> None:
        """All that was taken in of these is accounted for: nobody else is to do so."""
        words = self.ledger.words
        for one in connections:
            if one.spot != NOWHERE:
                words[one.spot] = max(words[one.spot], one.last)

    def leave_to_heirs(self) -> None:
        """What was told, and is not begun, is for the next life: its senders have it; but of those who have left."""
        self.entries = deque(
            entry
            for entry in self.entries
            if entry.connection.has_left or (isinstance(entry, Single) and entry.ask is not None)
        )

    def disown(self) -> None:
        """In a forked copy: what comes is for the original, and so are its answers to give."""
        self.entries.clear()
        self._inlet, self._is_ready = Nowhere(), False

    def close(self, linger: float) -> None:
        """Take nothing more; answers are given so many seconds to leave."""
        self._inlet.close(linger)

    def _next(self) -> list[Any] | None:
        if self._is_ready:
            self._is_ready = False
            return self._inlet.take_ready()
        return self._inlet.take()

    def _drop(self) -> None:
        self._page.words[DROPPED] += 1

    def _read(self, frames: Sequence[Any]) -> letters.Inbound:
        if not 1 < len(frames) <= MAX_FRAMES + 1:
            raise ProtocolError(f"a letter has 1 to {MAX_FRAMES} frames, not {len(frames) - 1}")
        letter = letters.decode_inbound(frames[1], self._birth.system, self._birth.uid)
        if len(frames) > _BARE and not frames[-1] and isinstance(letter.content, letters.Told | letters.Asked):
            # It may have been broken off, as it was sent anew: its seq is for the whole one, which follows.
            verified(letter.content.seal.sealed(frames[2:]), self._birth.key)
        return letter

    def _sort(self, connection: Connection, letter: letters.Inbound, frames: list[Any]) -> None:
        kind, content = letter.kind, letter.content
        if kind == letters.TELLS:
            first, last = max(letter.seq, connection.last + 1), letter.seq + len(content) - 1
            if first <= last:
                self._keep(connection, last, last - first + 1)
                self._place(Batch(connection, first, content[first - letter.seq :]))
        elif not isinstance(content, letters.Told | letters.Asked):
            self._heed(connection, letter)
        elif isinstance(content, letters.Told) and content.reliable:
            self._take_surely(connection, letter.seq, content, frames)
        elif letter.seq > connection.last:
            if letter.seq in connection.ahead:
                connection.ahead.discard(letter.seq)
                connection.last = letter.seq
                return
            self._keep(connection, letter.seq, 1)
            entry = self._single(connection, letter.seq, content.seal, frames)
            if isinstance(content, letters.Asked):
                entry.ask = content.ask
            else:
                entry.urgent = content.urgent
            self._line_up(entry)

    def _line_up(self, entry: Single) -> None:
        if entry.urgent:
            self.entries.insert(sum(1 for _ in takewhile(is_urgent, self.entries)), entry)
        else:
            self._place(entry)

    def _place(self, entry: Entry) -> None:
        self.places = entry.place = self.places + 1
        self.entries.append(entry)

    def _take_surely(self, connection: Connection, seq: int, told: letters.Told, frames: list[Any]) -> None:
        sure = self.sureties.take(connection, seq)
        if sure is None:
            return
        self._keep(connection, max(seq, connection.last), 1)
        entry = self._single(connection, seq, told.seal, frames)
        entry.urgent, entry.sure = told.urgent, sure
        deaths = self.sureties.deaths(sure)
        if deaths < DEADLY:
            self._line_up(entry)
            return
        self.poisoned(entry, deaths)
        self.handled(None, sure)
        self.done(connection, 1)
        self.sureties.returned(sure)

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
                self._is_back(connection.lending, connection, number)
        elif kind == letters.CANCEL:
            self._forget(connection, content)
        elif kind == letters.BYE:
            connection.has_left = True
            self._forget_sender(connection)

    def _single(self, connection: Connection, seq: int, seal: letters.Seal, frames: list[Any]) -> Single:
        if seal.loans:
            self._borrowing.note()
            connection.loans.update(_numbers(seal))
        return Single(connection, seq, seal, frames)

    def pass_over(self, entry: Single) -> None:
        """It will not be opened: what was lent for it goes back."""
        if entry.seal.loans:
            try:
                lent = verified(entry.seal.sealed(entry.frames), self._birth.key)
            except Foreign:
                self.reject(entry)
            else:
                decline(lent, self.borrower, entry.connection.ident)

    def _pass_over(self, entry: Single) -> None:
        self.pass_over(entry)
        self._page.words[BEGUN] += 1
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
        connection.given_up[ask] = None
        if len(connection.given_up) > _GIVEN_UP:
            del connection.given_up[next(iter(connection.given_up))]
        if connection.lending is not None:  # what answers it will not be opened, whether it arrives or not
            for number in [number for number, answers in connection.lent.copy().items() if answers == ask]:
                self._is_back(connection.lending, connection, number)

    @staticmethod
    def _is_back(lending: Lending, connection: Connection, number: int) -> None:
        lending.lender.returned(number)
        connection.lent.pop(number, None)

    def _forget_sender(self, connection: Connection) -> None:
        self._connections.pop(connection.ident, None)
        self.ledger.forget(connection.ident)
        connection.spot = NOWHERE
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
        if len(self._connections) >= SLOTS:  # who was killed did not say that it leaves
            idle = [known for known in self._connections.values() if not (known.held or known.sure)]
            for old in idle[: SLOTS // 2]:
                self.answer(old, letters.CREDIT, None)  # else it would send again what no later life knows to be begun
                self._forget_sender(old)
        before = max(0, letter.seq - 1)
        spot = self.ledger.spot(ident, before)
        last, ahead = (before, set[int]()) if spot == NOWHERE else (self.ledger.words[spot], self.ledger.ahead(spot))
        made = Connection(ident, letter.sender, letter.incarnation, letter.name, spot, last, ahead)
        made.done = made.told_done = before if spot == NOWHERE else self.ledger.done(spot)
        self._connections[ident] = made
        return made


def _forfeiting(office: Office, uid: int, incarnation: int, name: str) -> Callable[[Lender], None]:
    """Who was killed gives nothing back, and says no goodbye; the program itself does not outlive its actors."""

    def look(lender: Lender) -> None:
        if uid and lender.out and office.has_lost(uid, incarnation, name):
            lender.forfeit()

    return look


def _numbers(seal: letters.Seal) -> list[int]:
    """Of the loans that it speaks of."""
    return [loan[0] for loan in seal.loans if loan is not None]
