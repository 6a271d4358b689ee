"""What one mail socket has under way: to whom, with what credit, what it has lent, and who is to get which answer."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any

from understudy.errors import ProtocolError, SystemClosed
from understudy.mail.answers import Enclosed, Said, checked, opened
from understudy.mail.borrowing import of_socket
from understudy.mail.ended import closed
from understudy.mail.lending import Lending
from understudy.mail.link import Chained, Link, Peer
from understudy.mail.overflow import Overflow
from understudy.mail.turns import Turns
from understudy.tracing import carried
from understudy.wire import letters
from understudy.wire.bell import Bell
from understudy.wire.bulk import Lender
from understudy.wire.ledger import number_of
from understudy.wire.sealing import Verified, decline, seal

if TYPE_CHECKING:
    from understudy.mail.office import Office

LENT = 0.5
"""Seconds in which what is lent may be taken up, or given back, once nobody lends any more."""
_QUIET = 0.0002
"""Seconds for which the flusher waits for a socket that is in use."""
_LAST_WORDS = 0.1
"""Seconds for which an answer of who is known to have ended is waited for: ZeroMQ's thread may not have read it."""
_AGAIN = 0.005
"""Seconds after which it looks again."""


class Counter(Turns):
    """One socket and its accounts; for who holds the lock."""

    def __init__(self, office: Office) -> None:
        super().__init__(office)
        name = office.name_of_sender()
        self._number = number_of(name)
        self._outlet = office.exchange.outlet(name)
        self.links: dict[int, Link] = {}
        self.expected: dict[int, tuple[int, Callable[[Said], None]]] = {}
        """Of whom the answer of each ask may come, and who is to be given it."""
        self.heard = 0
        """Letters that were read here by `drain` and the like."""
        self._overflow = Overflow(office)
        self._bell: Bell | None = Bell()
        self._packer = letters.Packer(office.system)
        self._borrowing = of_socket(self, office.flusher)
        self.borrower = self._borrowing.borrower

    def link(self, peer: Peer) -> Link:
        """The way to an actor; raises ActorDied, SystemClosed."""
        found = self.links.get(peer.uid)
        if found is None:
            if self.closed:
                raise SystemClosed("this system was shut down")
            if peer.is_closed:
                raise closed(peer)
            packer, heading, life = self._packer, self._office.heading, peer.deaths + 1
            with self._lock:
                route = self._outlet.connect(peer.uid, life)
            found = self.links[peer.uid] = Link(peer, life, route, packer, lambda kind: heading(packer, kind, peer.uid))
        return found

    def seal(self, link: Link, message: Any) -> tuple[letters.Seal, Sequence[Any]]:
        """A message on its way to that actor, with the trace context that stands; raises SerializationError."""
        lending = link.lending
        if lending is None:
            store = self._office.stores.of(link.peer.uid)
            lending = link.lending = Lending(self._office.flusher, store, _looking(weakref.ref(self)))
        return letters.enclosed(lending.note(seal(message, "message", self._office.key, lending.lender)), carried())

    def opened(self, link: Link, said: Said) -> Any:
        """What the answer holds, in the thread that asked; raises the error that was told."""
        return self.open(said, link.peer.name, link.peer.uid)

    def open(self, said: Said, name: str, uid: int) -> Any:
        """The same, of the actor of that name and uid, for any thread."""
        if isinstance(said[1], Verified) and said[1].lent:
            self._borrowing.note()
        return opened(said, name, self.borrower, uid)

    def put(
        self, link: Link, number: int, sealed: letters.Seal, frames: Sequence[Any], give: Callable[[Said], None]
    ) -> int:
        """Send an ask, whose answer is to be given there; how often its actor had died by then, as far as is known."""
        self.expected[number] = link.peer.uid, give
        self._send_batch(link, monotonic())
        self._post(link, letters.ASK, sealed.numbered(number), frames, sealed.loans)
        return link.life - 1

    def cancel(self, link: Link, number: int) -> None:
        """Nobody waits for that answer any more."""
        if self.expected.pop(number, None) is not None and not link.peer.over:
            self.say(link, letters.CANCEL, number)

    def say(self, link: Link, kind: str, content: Any) -> None:
        """What is no message. It bears the seq that stands, so it must not overtake what is to be sent anew.

        Where something is, it would be for a life that has ended.
        """
        if not link.is_behind:
            self._outlet.send_one(link.route, link.head(kind, content))

    def post(self, link: Link, sealed: letters.Seal, frames: Sequence[Any], *, urgent: bool) -> None:
        """Send a tell, for which there is room, behind the batch that was gathered."""
        self._send_batch(link, monotonic())
        self.post_kept(link, sealed, frames, urgent=urgent)

    def post_kept(self, link: Link, sealed: letters.Seal, frames: Sequence[Any], *, urgent: bool) -> None:
        """The same for one that has waited: what its thread has gathered since, and nobody has let in, comes later."""
        letter = self._post(link, letters.TELL, sealed.told(urgent=urgent, reliable=False), frames, sealed.loans)
        link.keep(letter)
        if link.is_heavy:
            self._look_again()

    def post_surely(
        self, link: Link, sealed: letters.Seal, frames: Sequence[Any], chained: Chained | None, *, urgent: bool
    ) -> None:
        """The same for a reliable one; the socket is looked at until it is done."""
        self._send_batch(link, monotonic())
        letter = self._post(link, letters.TELL, sealed.told(urgent=urgent, reliable=True), frames, sealed.loans)
        link.keep_surely(letter, chained)
        self._begin_again()

    def _post(
        self, link: Link, kind: str, content: list[Any], frames: Sequence[Any], loans: Sequence[Any]
    ) -> Sequence[Any]:
        """Send one letter; gives its frames."""
        now = monotonic()
        self.follow(link)
        if self.borrower.given_back:
            self.give_back()
        link.lend_out(loans)  # only now, for a mailbox that is asked about them would not know them
        link.seq += 1
        letter = [link.head(kind, content), *frames]
        self._outlet.send(link.route, letter)
        link.sent_at = now
        return letter

    def _send_batch(self, link: Link, now: float) -> None:
        while link.taken or link.bodies:
            try:
                self.follow(link)
                frame = link.batch()
                self._outlet.send_one(link.route, frame)
            except BaseException:
                self._begin_again()
                raise
            link.batch_sent(frame)
            link.sent_at = now
            if link.is_heavy:
                self._look_again()

    def _begin_again(self) -> None:
        """A batch may not have left, or something is to come: it is to be looked after."""

    def _look_again(self) -> None:
        """Much is kept, and who only tells reads nothing."""

    def lighten(self) -> bool:
        """Ask of which much is kept how far they are; whether there are any."""
        if any(link.is_heavy for link in list(self.links.values())):
            self._read()
        heavy = [link for link in list(self.links.values()) if link.is_heavy]
        for link in heavy:
            if not (link.is_asked or link.is_behind):
                link.is_asked = True
                self.say(link, letters.SYNC, [])
        return bool(heavy)

    def flush(self) -> None:
        """Send all batches; under the lock."""
        now = monotonic()
        for link in list(self.links.values()):  # its thread, or a handler amid this, may speak to a further actor
            if link.begun:
                self._send_batch(link, now)

    def bury(self) -> None:
        """What who has ended has not begun is lost, and told so."""
        for link in [link for link in list(self.links.values()) if link.peer.is_closed]:
            self._read()
            self.drop(link, "has ended" if link.peer.over else "takes no messages")

    def drop(self, link: Link, how: str) -> None:
        """What is under way there is handled by nobody, and told so."""
        link.end_loans()
        lost = link.not_begun(self._number) + self._overflow.forget(link)
        link.acknowledge(link.seq)
        while link.begun and link.bodies:  # one that was not let in raises in the thread that sends it
            link.bodies.popleft()
            lost += 1
        self.links.pop(link.peer.uid, None)
        self._outlet.disconnect(link.peer.uid, link.life)
        if lost > 0:
            self._office.lost(link.peer, lost, how)

    def ring(self) -> None:
        """Look again at what you wait for."""
        bell = self._bell
        if bell is not None:
            bell.ring()

    @property
    def _ear(self) -> Bell:
        bell = self._bell
        if bell is None:
            raise SystemClosed("this system was shut down meanwhile")
        return bell

    def wait(self, seconds: float | None) -> None:
        """Wait so long until something comes, or somebody rings, and read all of it; raises SystemClosed."""
        if self.closed:
            raise SystemClosed("this system was shut down meanwhile")
        if not self._outlet.wait(seconds, self._ear.read):
            self._ear.hush()
        self.drain()

    def drain(self) -> bool:
        """Read all that has arrived, and send what waited for it; whether there was anything."""
        was, self._busy = self._busy, True
        try:
            found = self._read()
            if self._overflow:
                self._overflow.send_on(self)
        finally:
            self._busy = was
        return found

    def _read(self) -> bool:
        found = False
        while (frames := self._outlet.take()) is not None:
            found = True
            self.heard += 1
            self._sort(frames)
        return found

    def _await_borrowers(self, until: float) -> None:
        """What is lent goes with this process, unless the receiver has mapped it: that is given a moment."""
        self.flush()
        while any(link.lends and not link.peer.over for link in list(self.links.values())):
            left = until - monotonic()
            if left <= 0:
                return
            if self._outlet.wait(left, self._ear.read):
                self._read()
            else:
                self._ear.hush()

    def follow(self, link: Link) -> None:
        """Where a life has ended: send the next one what it had not begun, as far as is known, and ask for the credit.

        Its mailbox knows what was begun before, and passes that over. Whatever strikes amid this, it is done again.
        """
        while link.is_behind:
            uid, deaths = link.peer.uid, link.peer.deaths
            if link.life <= deaths:
                self.hear_out(uid)
                self._outlet.disconnect(uid, link.life)
                link.begin(deaths + 1, self._outlet.connect(uid, deaths + 1))
            while link.again:
                self._outlet.send(link.route, link.again[0].frames)
                link.again.popleft()
                link.sent_at = monotonic()
            if link.load or link.lends:
                kept = link.surplus.loans
                loans = [number for number in link.still_lent() if number not in kept]
                self._outlet.send_one(link.route, link.head(letters.SYNC, loans))
            link.synced = link.life

    def hear_out(self, uid: int) -> None:
        """What it said before it ended: an answer among it may still be on its way through this process."""
        self._read()
        until, rung = monotonic() + _LAST_WORDS, False
        try:
            while any(of == uid for of, _ in self.expected.values()) and (left := until - monotonic()) > 0:
                if self._outlet.wait(left, self._ear.read):
                    self._read()
                else:
                    self._ear.hush()
                    rung = True
        finally:
            if rung:  # for something else, which is not to be missed
                self.ring()

    def _sort(self, frames: list[Any]) -> None:
        try:
            said, link, answer = self._read_answer(frames)
        except (ProtocolError, IndexError):
            self._office.drop()
            return
        link.peer.heard, link.is_asked = True, False
        if link.credit < said.credit <= link.seq:
            link.credit = said.credit
        if link.sent:
            link.settle(said.begun)
        if answer is not None:
            if said.kind == letters.REFUSED:
                link.peer.leaving = max(link.peer.leaving, said.incarnation)
            self._give(said, answer)
        elif said.kind == letters.DONE:
            link.acknowledge(said.content)
        elif said.kind == letters.BACK and link.lender is not None:
            for number in said.content:
                link.lender.returned(number)

    def _read_answer(self, frames: list[Any]) -> tuple[letters.Outbound, Link, Enclosed | None]:
        """Raises ProtocolError for what nobody of this system says, or not in answer to what it was asked."""
        said = letters.decode_outbound(frames[1], self._office.system)
        link = self.links.get(said.uid)
        if link is None or frames[0] != link.route:
            raise ProtocolError("nobody was spoken to there")
        content = said.content
        if not isinstance(content, letters.Answer | letters.Failure | letters.Refusal):
            return said, link, None
        if self.expected.get(content.ask, (said.uid,))[0] != said.uid:
            raise ProtocolError("somebody else was asked that")
        return said, link, checked(content, frames[2:], self._office.key)

    def _give(self, said: letters.Outbound, answer: Enclosed) -> None:
        _, give = self.expected.pop(said.content.ask, (0, None))
        if give is not None:
            give((said, answer))
        elif isinstance(answer, Verified):  # nobody waits any more: what was lent for it goes back
            decline(answer, self.borrower, said.uid)

    def look(self) -> None:
        """From the flusher's thread: read what has arrived, unless the thread is at it and does so itself."""
        if self._lock.acquire(timeout=_QUIET):
            try:
                if not self.closed:
                    self._read()
            finally:
                self._lock.release()

    def give_back_late(self) -> float | None:
        """The same for what is free again; seconds until the next look, None if there need be none."""
        if not self._lock.acquire(timeout=_QUIET):
            self.ring()  # who holds it for long waits, and is to give back amid the wait
            return None if self.closed else _AGAIN
        try:
            if not self.closed:
                self.give_back()
            return None
        finally:
            self._lock.release()

    def give_back(self) -> None:
        """Tell who lent something that it is free again."""
        by_lender: dict[int, list[int]] = {}
        while self.borrower.given_back:
            uid, number = self.borrower.given_back.popleft()
            by_lender.setdefault(uid, []).append(number)
        for uid, numbers in by_lender.items():
            if (link := self.links.get(uid)) is not None:
                self.say(link, letters.BACK, numbers)

    def close(self, patience: float = LENT) -> None:
        """Send what waits, and end; what is waited for here ends first, by SystemClosed.

        ``patience`` is how many seconds what is lent has to be taken up.
        """
        self.closed = True
        self.ring()
        with self._lock:
            self._await_borrowers(monotonic() + patience)
            self._bell = None
            for link in list(self.links.values()):
                if (kept := self._overflow.forget(link)) > 0:
                    self._office.lost(link.peer, kept, "was full until its sender ended")
                if link.peer.over:
                    self._outlet.disconnect(link.peer.uid, link.life)
                else:
                    self.follow(link)
                    self._send_batch(link, monotonic())
                    self._outlet.send_one(link.route, link.head(letters.BYE, None))
            for link in self.links.values():
                link.end_loans()
            self.borrower.close()
            now = monotonic()
            self._outlet.close(max((link.leaves_within(now) for link in self.links.values()), default=0.0))
            self.links.clear()


def _looking(counter: weakref.ref[Counter]) -> Callable[[Lender], None]:
    """What is lent does not hold the socket by which it may come back."""

    def look(lender: Lender) -> None:
        if lender.out and (own := counter()) is not None:
            own.look()

    return look
