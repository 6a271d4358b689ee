"""One thread's mail: its socket, its batches, and the answers that it waits for."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from understudy.errors import ActorDied, AskTimeout, MailboxFull, ProtocolError, SystemClosed, UnderstudyError
from understudy.mail.answers import opened
from understudy.mail.link import Link, Peer
from understudy.wire import letters
from understudy.wire.bell import Bell
from understudy.wire.bulk import Borrower, Lender
from understudy.wire.sealing import Sealed, decline, seal

if TYPE_CHECKING:
    from understudy.mail.office import Office

_QUIET = 0.0002
"""Seconds since the last batch after which a tell is a lone one, and goes at once."""
_LONE = 16
"""Lone tells in a row, to whomever, after which they are none: who tells many has less to do if each gets a few."""
LARGE = 4096
"""Bytes of a body beyond which it does not go with others."""
_SOON = 0.05
_LAST_WORDS = 0.05
"""Seconds in which what an actor said of its credit at its end arrives, after the news of the end."""
_LINGER = 1.0
"""Seconds for what was handed over to leave, once nobody sends any more."""

Said = tuple[letters.Outbound, list[Any]]
"""What came back, and the frames behind it."""


class Sender:
    """The mail of one thread, in the order in which it says it.

    The lock is that thread's but for moments: so the flusher never finds a socket that is in use.
    """

    def __init__(self, office: Office) -> None:
        self._office = office
        self._outlet = office.exchange.outlet()
        self._lock = threading.RLock()
        self._busy = False
        """Amid a send, where a finalizer or a signal's handler may strike that wants to send, too."""
        self._later: deque[Callable[[], None]] = deque()
        self._begun_at = 0.0
        self._row = 0
        """How many batches were begun, each within a moment of the one before."""
        self.links: dict[int, Link] = {}
        self.expected: dict[int, Callable[[Said], None]] = {}
        """Who is to be given the answer of each ask."""
        self._bell: Bell | None = Bell()
        self._packer = letters.Packer(office.system)
        self.borrower = Borrower()
        self.closed = False

    # --- sending

    def link(self, peer: Peer) -> Link:
        """The way to an actor; raises ActorDied, SystemClosed."""
        found = self.links.get(peer.uid)
        if found is None:
            if self.closed:
                raise SystemClosed("this system was shut down")
            if peer.over:
                raise died(peer, "has ended")
            packer, heading = self._packer, self._office.heading
            with self._lock:
                route = self._outlet.connect(peer.uid)
            found = self.links[peer.uid] = Link(peer, route, packer, lambda kind: heading(packer, kind, peer.uid))
        return found

    def gathered(self, link: Link) -> None:
        """A batch was begun, or is full. What began while others had just gone is sent when it is full, or late."""
        if self._busy:
            self._later.append(lambda: self.gathered(link))
            return
        with self._sending():
            now = monotonic()
            if link.bodies and not link.begun:
                self._let_in(link)
                link.begun = True
                link.size_up()
                self._row = self._row + 1 if now - self._begun_at <= _QUIET else 0
                self._begun_at = now
                if (now - link.sent_at <= _QUIET or self._row >= _LONE) and link.most > 1:
                    self._office.flusher.note(self)
                    return
            self._send_batch(link, now)

    def tell(self, link: Link, message: Any, *, urgent: bool) -> None:
        """One that does not go with others."""
        sealed, frames = self.seal(link, message)
        if self._busy:
            self._later.append(lambda: self._tell(link, sealed, frames, urgent=urgent))
        else:
            self._tell(link, sealed, frames, urgent=urgent)

    def ask(self, link: Link, message: Any, timeout: float | None) -> Any:
        """As `ActorRef.ask`."""
        if self._busy:
            raise UnderstudyError("nothing can be asked amid another send of this thread, as from a finalizer")
        until = None if timeout is None else monotonic() + timeout
        said = self._ask_once(link, message, until, timeout)
        while said is None:  # it arrived at a later life than it was made for, which has not touched it
            said = self._ask_once(link, message, until, timeout)
        return self.opened(link, said)

    def _ask_once(self, link: Link, message: Any, until: float | None, timeout: float | None) -> Said | None:
        sealed, frames = self.seal(link, message)
        number = self._office.number()
        box: list[Said] = []
        with self._lock:
            try:
                with self._sending():
                    if link.has_to_wait:
                        self._find_room(link, until, number)
                    deaths = self.put(link, number, sealed, frames, box.append)
                    self.flush()
                self._listen(box, until)
                if not box:
                    self._await(link, number, deaths, until, timeout, box)
            finally:
                self.cancel(link, number)
            return None if self._came_late(link, box[0][0], deaths + 1) else box[0]

    def _came_late(self, link: Link, said: letters.Outbound, life: int) -> bool:
        """Whether a later life refused what was made for this one; a life that refuses its own ends."""
        if not isinstance(said.content, letters.Refusal):
            return False
        if said.incarnation <= life:
            link.peer.leaving = max(link.peer.leaving, said.incarnation)
            return False
        link.peer.deaths = max(link.peer.deaths, said.incarnation - 1)
        return True

    def seal(self, link: Link, message: Any) -> tuple[letters.Seal, Sequence[Any]]:
        """A message on its way to that actor; raises SerializationError."""
        if link.lender is None:
            link.lender = Lender()
        return letters.enclosed(seal(message, "message", self._office.key, link.lender))

    def opened(self, link: Link, said: Said) -> Any:
        """What the answer holds, in the thread that asked; raises the error that was told."""
        return opened(*said, link.peer.name, self._office.key, self.borrower, link.peer.uid)

    def put(
        self, link: Link, number: int, sealed: letters.Seal, frames: Sequence[Any], give: Callable[[Said], None]
    ) -> int:
        """Send an ask, whose answer is to be given there; how often its actor had died by then, as far as is known."""
        self.expected[number] = give
        deaths = link.peer.deaths
        self._post(link, letters.ASK, [*sealed, number, deaths + 1], frames)
        return deaths

    def cancel(self, link: Link, number: int) -> None:
        """Nobody waits for that answer any more."""
        if self.expected.pop(number, None) is not None and not link.peer.over:
            self._outlet.send_one(link.route, link.head(letters.CANCEL, number))

    def post(self, link: Link, sealed: letters.Seal, frames: Sequence[Any], *, urgent: bool) -> None:
        """Send a tell, for which there is room."""
        self._post(link, letters.TELL, [*sealed, urgent], frames)

    def _tell(self, link: Link, sealed: letters.Seal, frames: Sequence[Any], *, urgent: bool) -> None:
        with self._sending():
            if link.has_to_wait:
                self._find_room(link, None)
            self.post(link, sealed, frames, urgent=urgent)

    @contextmanager
    def _sending(self) -> Iterator[None]:
        with self._lock:
            if self.closed:
                raise SystemClosed("this system was shut down meanwhile")
            self._busy = True
            try:
                yield
            finally:
                self._busy = False
        while self._later and not self._busy:
            self._later.popleft()()

    def _post(self, link: Link, kind: str, content: list[Any], frames: Sequence[Any]) -> None:
        """Send one letter behind the batch that was gathered."""
        now = monotonic()
        self._send_batch(link, now)
        if self.borrower.given_back:
            self.give_back()
        link.seq += 1
        self._outlet.send(link.route, [link.head(kind, content), *frames])
        link.sent_at = now

    def _send_batch(self, link: Link, now: float) -> None:
        if link.bodies:
            self._outlet.send_one(link.route, link.batch())
            link.sent_at = now

    def flush(self) -> None:
        """Send all batches; in the thread itself, or under the lock."""
        now = monotonic()
        for link in self.links.values():
            if link.begun:
                self._send_batch(link, now)

    # --- from other threads

    def flush_late(self) -> bool:
        """Send what has waited, and account for what nobody will handle; False where there is more to do."""
        if not self._lock.acquire(blocking=False):
            return self.closed
        try:
            if not self.closed:
                self.bury()
                self.flush()
                for link in list(self.links.values()):
                    if link.lender is not None and link.lender.out:
                        self.sync(link)
                return not any(link.bodies for link in list(self.links.values()))
        finally:
            self._lock.release()
        return True

    def bury(self) -> None:
        """Under the lock: what was under way to who has ended is lost, and told so."""
        for link in [link for link in list(self.links.values()) if link.peer.over]:
            self._ear.hush()
            while link.seq > link.credit and self._outlet.wait(_LAST_WORDS, self._ear.read):
                if not self.drain():
                    break  # it was the bell
            if link.lender is not None:
                link.lender.close()
            lost = link.seq - link.credit
            while link.begun and link.bodies:  # one that was not let in raises in the thread that sends it
                link.bodies.popleft()
                lost += 1
            self.links.pop(link.peer.uid, None)
            self._outlet.disconnect(link.peer.uid)
            if lost > 0:
                self._office.lost(link.peer, lost)

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

    def close(self) -> None:
        """Send what waits, and end; what is waited for here ends first, by SystemClosed."""
        self.closed = True
        self.ring()
        with self._lock:
            self._bell = None
            for link in list(self.links.values()):
                if link.peer.over:
                    self._outlet.disconnect(link.peer.uid)
                else:
                    self._send_batch(link, monotonic())
                    self._outlet.send_one(link.route, link.head(letters.BYE, None))
            for link in self.links.values():
                if link.lender is not None:
                    link.lender.close()
            self.borrower.close()
            self._outlet.close(_LINGER)
            self.links.clear()

    # --- credit

    def _let_in(self, link: Link) -> None:
        """For the first of a batch there has to be room; if there is none, it is not kept."""
        if not link.has_to_wait:
            return
        body = link.bodies.pop()
        self._find_room(link, None)
        link.bodies.append(body)

    def _find_room(self, link: Link, until: float | None, number: int | None = None) -> None:
        """Wait for credit, as the receiver's mailbox says; raises MailboxFull, AskTimeout, ActorDied, AskCycle."""
        peer = link.peer
        if peer.over:
            raise died(peer, "has ended")
        self.drain()
        if not link.has_to_wait:
            return
        if peer.on_full == "raise" and link.is_full:
            raise MailboxFull(
                f"{peer.name} has {peer.window} messages of this sender to handle, as mailbox.size allows"
            )
        self.flush()
        with self._office.blocking(number or self._office.number(), peer.uid) as watch:
            while link.has_to_wait:
                if peer.over:
                    raise died(peer, "has ended")
                watch.check()
                self.sync(link)
                if until is not None and monotonic() >= until:
                    why = "its mailbox is full" if link.is_full else "it restarts"
                    raise AskTimeout(f"{peer.name} did not take the message in time: {why}")
                self.wait(watch.patience(until))

    def sync(self, link: Link) -> None:
        """What a life had taken in when it ended is handled by nobody: only the next one can tell what is left."""
        if link.synced != link.peer.deaths:
            link.synced = link.peer.deaths
            loans = [] if link.lender is None else link.lender.numbers
            self._outlet.send_one(link.route, link.head(letters.SYNC, loans))

    def wait(self, seconds: float | None) -> None:
        """Wait so long until something comes, or somebody rings, and read all of it; raises SystemClosed."""
        if self.closed:
            raise SystemClosed("this system was shut down meanwhile")
        if self._outlet.wait(seconds, self._ear.read):
            self.drain()
        else:
            self._ear.hush()

    def drain(self) -> bool:
        """Read all that has arrived; whether there was anything."""
        found = False
        while (frames := self._outlet.take()) is not None:
            found = True
            self._sort(frames)
        return found

    def _sort(self, frames: list[Any]) -> None:
        try:
            said = letters.decode_outbound(frames[1], self._office.system)
        except (ProtocolError, IndexError):
            self._office.dropped += 1
            return
        link = self.links.get(said.uid)
        if link is None or frames[0] != link.route:
            self._office.dropped += 1
            return
        if link.credit < said.credit <= link.seq:
            link.credit = said.credit
        content = said.content
        if said.kind == letters.BACK and link.lender is not None:
            for number in content:
                link.lender.returned(number)
        elif isinstance(content, letters.Answer | letters.Failure | letters.Refusal):
            give = self.expected.pop(content.ask, None)
            if give is not None:
                give((said, frames[2:]))
            elif isinstance(content, letters.Answer):
                self._decline(content.seal.sealed(frames[2:]), said.uid)

    def _decline(self, sealed: Sealed, uid: int) -> None:
        """Nobody waits for that answer: what was lent for it goes back."""
        with suppress(ProtocolError):
            decline(sealed, self._office.key, self.borrower, uid)

    def give_back(self) -> None:
        """Tell who lent something that it is free again."""
        by_lender: dict[int, list[int]] = {}
        while self.borrower.given_back:
            uid, number = self.borrower.given_back.popleft()
            by_lender.setdefault(uid, []).append(number)
        for uid, numbers in by_lender.items():
            if (link := self.links.get(uid)) is not None:
                self._outlet.send_one(link.route, link.head(letters.BACK, numbers))

    # --- answers

    def _listen(self, box: list[Said], until: float | None) -> None:
        """For an answer that comes soon; what long waits need is not made ready for it."""
        soon = _SOON if until is None else min(_SOON, max(0.0, until - monotonic()))
        if self._outlet.wait(soon, self._ear.read):
            self._sort(self._outlet.take_ready())

    def _await(
        self, link: Link, number: int, deaths: int, until: float | None, timeout: float | None, box: list[Said]
    ) -> None:
        peer = link.peer
        with self._office.blocking(number, peer.uid) as watch:
            while not box:
                if peer.over or peer.deaths > deaths:
                    self.drain()  # it may have answered before it ended
                    if not box:
                        raise died(peer, "ended before it answered")
                    return
                watch.check()
                if until is not None and monotonic() >= until:
                    raise AskTimeout(f"{peer.name} did not answer within {timeout:g} s")
                self.wait(watch.patience(until))

    def __del__(self) -> None:
        if not self.closed and not self._office.is_copy:
            self.close()


def died(peer: Peer, how: str) -> ActorDied:
    """What becomes of a message to who has died."""
    if peer.state == "unknown":
        return ActorDied(f"{peer.name} is no actor of this system any more", name=peer.name)
    return ActorDied(f"{peer.name} {how}", name=peer.name, incarnation=peer.deaths)
