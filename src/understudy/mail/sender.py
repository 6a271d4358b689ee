"""One thread's mail: in its order, in batches, and with the answers that it waits for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from understudy.errors import AskTimeout, MailboxFull, UnderstudyError
from understudy.mail.answers import Said
from understudy.mail.counter import LENT, Counter
from understudy.mail.ended import closed, died
from understudy.mail.link import RELIABLE, Chained, Link
from understudy.mail.surplus import Kept
from understudy.tracing import carried
from understudy.wire import letters
from understudy.wire.locks import if_free
from understudy.wire.sealing import INLINE, seal, withdraw

if TYPE_CHECKING:
    from understudy.mail.office import Office

P = ParamSpec("P")
T = TypeVar("T")

_PATIENCE = 0.005
"""Seconds after which the flusher looks again for credit."""
_HEAVY = 1.0
"""Seconds after which it is asked again of what much is kept for next lives."""
_SEEN_OFF = 0.25
"""Seconds, at most, after which a mailbox is asked again how far it is with what an ended thread sent."""
_IN_VAIN = 60.0
"""Seconds for which an actor without handlers, of which nothing was ever heard, may still begin to take messages."""
_LULL = 0.0002
"""Seconds since the last batch after which a tell is a lone one, and goes at once."""
_LONE = 16
"""Lone tells in a row, to whomever, after which they are none: who tells many has less to do if each gets a few."""
LARGE = 4096
"""Bytes of a body beyond which it does not go with others."""
_SOON = 0.05


class Sender(Counter):
    """The mail of one thread, in the order in which it says it.

    The lock is that thread's but for moments: so the flusher never finds a socket that is in use.
    """

    def __init__(self, office: Office) -> None:
        super().__init__(office)
        self._asking = 0
        """How many asks are under way: one may be made by a signal's handler amid another."""
        self._waits = self._due = False
        """Whether the thread waits, with the lock in its hands; whether the flusher has something to do for it then."""
        self._begun_at = 0.0
        self._ended_at = 0.0
        """Since when it is known that the thread has ended."""
        self._looks, self._until = 0, 0.0
        """How often it was asked, after the end of the thread, how far that is handled which it sent; how long it stays
        for what it lent."""
        self._is_heavy = False
        """Whether so much is kept for next lives that it is asked what of it is begun."""
        self._row = 0
        """How many batches were begun, each within a moment of the one before."""

    def gathered(self, link: Link) -> None:
        """A batch was begun, or is full. What began while others had just gone is sent when it is full, or late."""
        if self._busy:
            self._later.append((link, lambda: self.gathered(link)))
            return
        self.amid(self._begin_or_send, link)

    def _begin_or_send(self, link: Link) -> None:
        now = monotonic()
        if link.bodies and not link.begun:
            if not self._let_in(link):
                return
            link.begun = True
            link.size_up()
            self._row = self._row + 1 if now - self._begun_at <= _LULL else 0
            self._begun_at = now
            if (now - link.sent_at <= _LULL or self._row >= _LONE) and link.most > 1:
                self._office.flusher.note(self)
                return
        self._send_batch(link, now)

    def tell(self, link: Link, message: Any, *, urgent: bool) -> None:
        """One that does not go with others."""
        sealed, frames = self.seal(link, message)
        if self._busy:
            self._later.append((link, lambda: self.amid(self._tell, link, sealed, frames, urgent)))
        else:
            self.amid(self._tell, link, sealed, frames, urgent)

    def seal_whole(self, message: Any) -> tuple[letters.Seal, Sequence[Any]]:
        """As `seal`, with nothing of it lent: memory that is given back could not be sent anew."""
        return letters.enclosed(seal(message, "message", self._office.key, None), carried())

    def tell_reliably(self, link: Link, message: Any, *, urgent: bool) -> None:
        """One that is kept until it is done, and sent anew to each life until then."""
        sealed, frames = self.seal_whole(message)
        chained = self._office.chained()
        if chained is not None:
            chained.sent()
        send = partial(self._tell_reliably, link, sealed, frames, chained, urgent=urgent)
        if self._busy:
            self._later.append((link, lambda: self.amid(send)))
        else:
            self.amid(send)

    def _tell_reliably(
        self, link: Link, sealed: letters.Seal, frames: Sequence[Any], chained: Chained | None, *, urgent: bool
    ) -> None:
        try:
            self.let_in(link, RELIABLE, sealed, frames, None)
            self.post_surely(link, sealed, frames, chained, urgent=urgent)
        except BaseException:
            if chained is not None:
                chained.acknowledged()  # it was not sent
            raise

    def seal(self, link: Link, message: Any) -> tuple[letters.Seal, Sequence[Any]]:
        """As `Counter.seal`; what is back meanwhile is lent anew: who only tells would never learn of it."""
        if link.lender is not None and not self._busy and link.lender.out:
            self.amid(self._read)
        return super().seal(link, message)

    def wait(self, seconds: float | None) -> None:
        """As `Counter.wait`; others may be spoken to meanwhile, and then comes what the flusher could not do."""
        was, self._busy, self._waits = self._busy, False, True
        try:
            super().wait(seconds)
        finally:
            self._busy, self._waits = was, False
        if self.closed:
            return
        if self.borrower.given_back:
            self.amid(self.give_back)
        if self._due:
            self._due = False
            self.amid(self._tend)
        self.catch_up()

    def drain(self) -> bool:
        """As `Counter.drain`."""
        found = super().drain()
        self.catch_up()
        return found

    def ask(self, link: Link, message: Any, timeout: float | None) -> Any:
        """As `ActorRef.ask`."""
        if self._busy:
            raise UnderstudyError("nothing can be asked amid another send of this thread, as from a finalizer")
        until = None if timeout is None else monotonic() + timeout
        return self.opened(link, self._ask(link, message, until, timeout))

    def _ask(self, link: Link, message: Any, until: float | None, timeout: float | None) -> Said:
        sealed, frames = self.seal(link, message)
        number = self._office.number()
        box: list[Said] = []
        with self._lock:
            self._asking += 1
            try:
                deaths = self.amid(self.send_ask, link, number, sealed, frames, box, until)
                self._listen(until)
                if not box:
                    self._await(link, number, deaths, until, timeout, box)
            finally:
                self._asking -= 1
                if self._asking:
                    self.ring()  # the other one's answer may have come meanwhile
                self.cancel(link, number)
            return box[0]

    def send_ask(
        self,
        link: Link,
        number: int,
        sealed: letters.Seal,
        frames: Sequence[Any],
        box: list[Said],
        until: float | None,
    ) -> int:
        """Amid a send: one ask, and all that was gathered; how often its actor had died by then."""
        self.let_in(link, letters.ASK, sealed, frames, until)
        deaths = self.put(link, number, sealed, frames, box.append)
        self.flush()
        return deaths

    def _tell(self, link: Link, sealed: letters.Seal, frames: Sequence[Any], urgent: bool) -> None:  # noqa: FBT001
        if link.has_to_wait and self.kept(link, Kept(sealed, frames, urgent)):
            return
        self.let_in(link, letters.TELL, sealed, frames, None)
        self.post(link, sealed, frames, urgent=urgent)

    def let_in(self, link: Link, kind: str, sealed: letters.Seal, frames: Sequence[Any], until: float | None) -> None:
        """Wait for room, as `_find_room`; what will not be sent after all gives back what was lent for it."""
        if not link.holds_up(kind):
            return
        try:
            self._find_room(link, kind, until)
        except BaseException:
            if sealed.loans and link.lender is not None:
                withdraw(sealed.sealed(frames), link.lender)
            raise

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else sends by it meanwhile."""
        with self._lock:
            yield

    @property
    def patience(self) -> float | None:
        """In how many seconds to look again for what nobody rings for."""
        if self._overflow or self._is_chained:
            return _PATIENCE
        return _HEAVY if self._is_heavy else None

    @property
    def _is_chained(self) -> bool:
        """Whether anything reliable is not done yet."""
        return any(link.sure for link in list(self.links.values()))

    @property
    def owes(self) -> bool:
        """Whether anything that was sent is not handled yet, as far as is known: it may be here still."""
        return bool(self._overflow) or any(link.load or link.sure for link in list(self.links.values()))

    def heed_deaths(self) -> bool:
        """Follow those who have died since; whether there were any.

        Nobody may be waiting for it: a mailbox that raises where it is full would be taken for full for ever.
        """
        behind = [link for link in list(self.links.values()) if link.is_behind]
        for link in behind:
            self.follow(link)
        return bool(behind)

    def has_thread(self) -> None:
        """Another thread took it over."""
        self._ended_at, self._looks, self._until = 0.0, 0, 0.0

    def _see_off(self) -> float | None:
        """The thread has ended: stay until what it sent is handled, or accounted for, and what it lent is taken up."""
        self._read()
        now = monotonic()
        self._ended_at = self._ended_at or now
        for link in [link for link in list(self.links.values()) if link.load and link.peer.is_silent]:
            if now >= self._ended_at + _IN_VAIN:
                self.drop(link, f"waited for no message in the {_IN_VAIN:g} s after their sender had ended")
        if not self.owes:
            self._until = self._until or now + LENT
            if now >= self._until or not any(link.lends for link in list(self.links.values())):
                self._office.roster.end(self)
                return None
        self._looks += 1
        for link in list(self.links.values()):
            if link.load and not link.peer.over:
                self.say(link, letters.SYNC, [])
        return min(_SEEN_OFF, self._looks * _PATIENCE)

    def flush_now(self) -> None:
        """Send all batches, but for those that the flusher is at: no two threads may use the socket at once."""
        for _ in if_free(self._lock):
            try:
                self.flush()
            finally:
                self._lock.release()

    def flush_late(self) -> float | None:
        """Send what has waited, and account for what nobody will handle; seconds until there is more to do."""
        if not self._lock.acquire(blocking=False):
            return None if self.closed else self._put_off()
        try:
            if self.closed:
                return None
            again = self._tend()
            is_done = again is None or again == _HEAVY
            return self._see_off() if is_done and self._office.roster.is_idle(self) else again
        finally:
            self._lock.release()

    def _put_off(self) -> float | None:
        """The thread is at it: for a moment, or it waits, and does itself what is due."""
        if self._waits:
            self._due = True
            self.ring()
        # Asked again: it may have looked just before, and waits no more.
        return self.patience if self._due and self._in_wait() else 0.0

    def _in_wait(self) -> bool:
        return self._waits

    def _tend(self) -> float | None:
        """Send what has waited, and account for what nobody will handle."""
        self.bury()
        self.flush()
        if self.heed_deaths() or self._overflow or self._is_chained:
            self._read()
            self._overflow.send_on(self)
        self.lighten()
        return 0.0 if any(link.begun and link.bodies for link in list(self.links.values())) else self.patience

    def _begin_again(self) -> None:
        self._office.flusher.note(self)

    def lighten(self) -> bool:
        """As `Counter.lighten`."""
        self._is_heavy = super().lighten()
        return self._is_heavy

    def _look_again(self) -> None:
        if not self._is_heavy:
            self._is_heavy = True
            self._office.flusher.note(self)

    def _let_in(self, link: Link) -> bool:
        """For the first of a batch there has to be room; False if it is sent later, in a batch of its own."""
        if link.has_to_wait:
            body = link.bodies.pop()
            if self.kept(link, Kept(letters.Seal(INLINE, body, None, ()), (), urgent=False)):
                return False
            self._find_room(link, letters.TELL, None)
            link.bodies.append(body)
        return True

    def kept(self, link: Link, kept: Kept) -> bool:
        """Keep a tell that cannot be sent now, if the receiver's mailbox drops the oldest; else False."""
        if link.peer.is_closed or link.peer.on_full != "drop_oldest":
            return False
        self.drain()
        if not link.has_to_wait:
            return False
        self._send_batch(link, monotonic())  # it came before
        self._overflow.keep(link, kept)
        self._office.flusher.note(self)
        return True

    def _find_room(self, link: Link, kind: str, until: float | None) -> None:
        """Wait for credit, as the receiver's mailbox says; raises MailboxFull, AskTimeout, ActorDied, AskCycle."""
        peer = link.peer
        if peer.is_closed:
            raise closed(peer)
        self.drain()
        if not link.holds_up(kind):
            return
        if peer.on_full == "raise" and link.is_full:
            raise MailboxFull(
                f"{peer.name} has {peer.window} messages of this sender to handle, as mailbox.size allows"
            )
        self.flush()
        # Under a number of its own: a wait that was told to be over is not begun again.
        with self._office.blocking(self._office.number(), peer.uid) as watch:
            while link.holds_up(kind):
                if peer.is_closed:
                    raise closed(peer)
                watch.check()
                self.follow(link)
                if until is not None and monotonic() >= until:
                    why = "its mailbox is full" if link.is_full else "it restarts"
                    raise AskTimeout(f"{peer.name} did not take the message in time: {why}")
                self.wait(watch.patience(until))

    def _listen(self, until: float | None) -> None:
        """For an answer that comes soon; what long waits need is not made ready for it."""
        soon = _SOON if until is None else min(_SOON, max(0.0, until - monotonic()))
        if self._outlet.wait(soon, self._ear.read):
            self.amid(self._hear)

    def _hear(self) -> None:
        frames = self._outlet.take_ready()
        if frames is not None:
            self._sort(frames)

    def _await(
        self, link: Link, number: int, deaths: int, until: float | None, timeout: float | None, box: list[Said]
    ) -> None:
        peer = link.peer
        with self._office.blocking(number, peer.uid) as watch:
            while not box:
                if peer.over or peer.deaths > deaths:
                    self.amid(self.hear_out, peer.uid)
                    if not box:
                        raise died(peer, "ended before it answered")
                    return
                watch.check()
                if until is not None and monotonic() >= until:
                    raise AskTimeout(f"{peer.name} did not answer within {timeout:g} s")
                self.wait(watch.patience(until))
