"""Mail for asyncio: one thread sends it for all tasks of the process, so that no loop is held up by a wait.

What is sent through it is in order among itself. Answers are opened where they are awaited.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from understudy.errors import ActorDied, AskTimeout, MailboxFull, SystemClosed
from understudy.mail.answers import Said
from understudy.mail.crowd import Crowd
from understudy.mail.ended import closed, died
from understudy.mail.lending import Lending
from understudy.mail.link import RELIABLE, Peer
from understudy.mail.mishaps import Mishaps
from understudy.mail.parcel import Parcel
from understudy.mail.sender import Sender
from understudy.settings import check_timeout
from understudy.tracing import ASK, TELL, around
from understudy.wire import letters
from understudy.wire.sealing import Verified, decline

if TYPE_CHECKING:
    from understudy.mail.office import Office


class Steady(Sender):
    """One whose thread holds the lock all the time, and does itself what is left to the flusher elsewhere."""

    def flush_late(self) -> float | None:
        """That thread is told to look."""
        self.ring()
        return None


class Courier:
    """The thread and what it was given; begun with the first parcel."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._given: deque[Parcel] = deque()
        self._waiting: dict[int, deque[Parcel]] = {}
        """By actor: those that wait for room there, in their order."""
        self._asked: dict[int, dict[int, Parcel]] = {}
        """By actor, and by number: what waits for an answer. In a round only those are looked at that have news."""
        self._changed: deque[Peer] = deque()
        """Those that were told to stand otherwise now."""
        self._given_up: deque[Parcel] = deque()
        self._unread: deque[tuple[int, Said]] = deque()
        """Answers that came too late for who had asked, and of whom they are."""
        self._lendings: WeakValueDictionary[int, Lending] = WeakValueDictionary()
        """By actor, as long as there is a way to it, or something that is to go there."""
        self._sender: Steady | None = None
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._over: SystemClosed | None = None
        self._mishaps = Mishaps()
        self._curious: set[int] = set()
        """Of whom somebody would like to know how far they are."""

    async def tell(self, uid: int, name: str, message: Any, *, urgent: bool = False, reliable: bool = False) -> None:
        """As `ActorRef.tell`; waits for room without holding up the loop."""
        kind = " and ".join(word for word, is_so in (("urgent", urgent), (RELIABLE, reliable)) if is_so)
        with around(TELL, name):
            await self._until_done(self._give(uid, name, message, kind or "tell"))

    async def ask(self, uid: int, name: str, message: Any, timeout: float | None) -> Any:
        """As `ActorRef.ask`; cancelling it takes the ask back, if it was not begun."""
        seconds = check_timeout(timeout)
        self._office.check_not_myself(uid, name)
        with around(ASK, name):
            return await self._answer(self._give(uid, name, message, "ask"), seconds)

    async def ask_all(self, members: Sequence[tuple[int, str]], message: Any, timeout: float | None) -> list[Any]:
        """As `Office.ask_all`."""
        seconds = check_timeout(timeout)
        for uid, name in members:
            self._office.check_not_myself(uid, name)
        with around(ASK, None, len(members)):
            return await self._ask_all(members, message, seconds)

    async def _ask_all(self, members: Sequence[tuple[int, str]], message: Any, seconds: float | None) -> list[Any]:
        import asyncio  # who awaits has it; the others do without

        asked: list[Parcel] = []
        try:
            asked.extend(self._give(uid, name, message, "ask") for uid, name in members)
            answers = (self._answer(parcel, seconds) for parcel in asked)
            outcomes = await asyncio.gather(*answers, return_exceptions=True)
        except BaseException:
            for parcel in asked:  # a task that was cancelled before it began does not say so itself
                self._give_up(parcel)
            raise
        found = []
        for parcel, outcome in zip(asked, outcomes, strict=True):
            if isinstance(outcome, ActorDied) and not parcel.life:
                continue  # it had ended, and was sent nothing
            if isinstance(outcome, BaseException):
                raise outcome
            found.append(outcome)
        return found

    async def meet(self, members: Sequence[tuple[int, str]]) -> None:
        """Learn how they stand, without holding up the loop."""
        import asyncio

        for uid, name in members:
            if self._office.known(uid) is None:
                await asyncio.to_thread(self._office.peer, uid, name)

    def loads(self, members: Sequence[tuple[int, str]]) -> list[int | None]:
        """Of those that were met: how many messages that went this way each has yet to handle; None of the ended."""
        under_way = Counter(parcel.uid for parcel in [*self._given, *_all(self._waiting)])
        if self._sender is not None:
            links = self._sender.links
            under_way.update({uid: links[uid].load for uid, _ in members if uid in links})
            self._curious.update(under_way)
            self._sender.ring()
        return [under_way[uid] if self._office.lives(uid, name) else None for uid, name in members]

    def _give(self, uid: int, name: str, message: Any, kind: str) -> Parcel:
        self._office.check_open()
        with self._lock:
            lending = self._lendings.get(uid)
            if lending is None:
                lending = self._lendings[uid] = Lending(self._office.flusher, self._office.stores.of(uid))
        chained = self._office.chained() if kind.endswith(RELIABLE) else None
        parcel = Parcel(uid, name, message, self._office.key, lending, kind, self._come_unread, chained)
        if chained is not None:
            chained.sent()
        with self._lock:
            if self._over is not None:
                raise self._over
            self._given.append(parcel)
        self._begin().ring()
        return parcel

    async def _answer(self, parcel: Parcel, seconds: float | None) -> Any:
        import asyncio

        try:
            async with asyncio.timeout(seconds):
                said = await self._until_done(parcel)
        except TimeoutError:
            raise AskTimeout(f"{parcel.name} did not answer within {seconds:g} s") from None
        return self._begin().open(said, parcel.name, parcel.uid)

    async def _until_done(self, parcel: Parcel) -> Any:
        import asyncio

        try:
            await parcel.future
        except (asyncio.CancelledError, GeneratorExit):
            self._give_up(parcel)
            raise
        return parcel.taken()

    def _give_up(self, parcel: Parcel) -> None:
        parcel.give_up()
        self._given_up.append(parcel)
        self._ring()

    def _come_unread(self, uid: int, said: Said) -> None:
        """Also from a finalizer."""
        self._unread.append((uid, said))
        self._ring()

    def _ring(self) -> None:
        if self._sender is not None:
            self._sender.ring()

    def _begin(self) -> Steady:
        with self._lock:
            if self._sender is None:
                sender = self._sender = self._office.hire(Steady)
                thread = threading.Thread(target=self._run, name="understudy-courier", daemon=True)
                try:
                    thread.start()
                except BaseException:  # no thread can be had now
                    self._sender = None
                    self._office.roster.end(sender)
                    raise
                self._thread = thread
            return self._sender

    # --- in its thread

    def _run(self) -> None:
        sender = self._begin()
        crowd = Crowd(sender)
        over = SystemClosed(f"the courier of the system {self._office.system} has ended")
        try:
            with sender.held():
                while True:
                    sender.wait(self._rounds(sender, crowd))
        except SystemClosed as error:
            over = error
        finally:
            with self._lock:
                self._over = over
            for parcel in [*self._given, *self._under_way(), *_all(self._waiting)]:
                parcel.failed(over)

    def _rounds(self, sender: Steady, crowd: Crowd) -> float | None:
        """Do what there is to do; in how many seconds to look again."""
        try:
            while self._round(sender, crowd):
                pass
        except SystemClosed:
            raise
        except Exception as error:  # noqa: BLE001 - the mail of all others hangs on this thread
            return self._mishaps.met(error, "the courier")
        return sender.patience

    def _round(self, sender: Steady, crowd: Crowd) -> bool:
        """Whether anything was read since a row was looked at that waits for it, as for credit."""
        given_up: list[Parcel] = []
        while self._given_up:  # before what was given, for that came before
            given_up.append(self._given_up.popleft())
        while self._given:
            parcel = self._given.popleft()
            self._waiting.setdefault(parcel.uid, deque()).append(parcel)
        self._take_out(sender, given_up)
        heard = sender.heard
        for uid, row in list(self._waiting.items()):
            while row and self._is_off(sender, parcel := row[0]):
                row.popleft()
            if not row:
                del self._waiting[uid]
        sender.heed_deaths()
        sender.drain()
        sender.lighten()
        while self._curious:
            crowd.wonder(self._curious.pop())
        while self._changed:
            self._look_after(sender, self._changed.popleft())
        while self._unread:
            uid, (_, answer) = self._unread.popleft()
            if isinstance(answer, Verified):  # what was lent for it goes back
                decline(answer, sender.borrower, uid)
        sender.bury()
        return sender.heard != heard

    def _take_out(self, sender: Steady, given_up: Sequence[Parcel]) -> None:
        """What nobody waits for any more holds nothing, wherever it stands in its row; its actor need not answer it."""
        for parcel in given_up:
            link = sender.links.get(parcel.uid)
            if self._forget(parcel) and link is not None:
                sender.cancel(link, parcel.number or 0)
        for uid in {parcel.uid for parcel in given_up} & self._waiting.keys():
            row: deque[Parcel] = deque()
            for parcel in self._waiting[uid]:
                if parcel.given_up:
                    parcel.take_back()
                else:
                    row.append(parcel)
            self._waiting[uid] = row

    def _is_off(self, sender: Steady, parcel: Parcel) -> bool:
        """Send it, or fail it, or forget it; False if it has to wait."""
        if parcel.given_up:
            parcel.take_back()
            return True
        try:
            return self._goes(sender, parcel)
        except SystemClosed:
            raise
        except Exception as error:  # noqa: BLE001 - it belongs to who sent
            parcel.take_back()
            parcel.failed(error)
            return True

    def _goes(self, sender: Steady, parcel: Parcel) -> bool:
        # Asked here and not where it was sent: who comes second must not learn it first.
        peer = self._office.known(parcel.uid) or self._office.peer(parcel.uid, parcel.name)
        link = sender.link(peer)
        if peer.is_closed:
            raise closed(peer)
        message = parcel.prepared(link)
        if link.holds_up(parcel.waits_as):
            if parcel.waits_as == letters.TELL and sender.kept(link, message):
                parcel.done(None)
                return True
            if peer.on_full == "raise" and link.is_full:
                raise MailboxFull(f"{peer.name} takes no more, as mailbox.size allows")
            sender.follow(link)
            return False
        if parcel.kind == "ask":
            parcel.number = self._office.number()
            self._asked.setdefault(parcel.uid, {})[parcel.number] = parcel
            parcel.life = 1 + sender.put(
                link, parcel.number, message.seal, message.frames, lambda said: self._answered(parcel, said)
            )
        elif parcel.is_reliable:
            sender.post_surely(link, message.seal, message.frames, parcel.chained, urgent=message.urgent)
            parcel.chained = None
            parcel.done(None)
        else:
            sender.post(link, message.seal, message.frames, urgent=message.urgent)
            parcel.done(None)
        return True

    def _answered(self, parcel: Parcel, said: Said) -> None:
        self._forget(parcel)
        parcel.done(said)

    def _under_way(self) -> list[Parcel]:
        return [parcel for asked in self._asked.values() for parcel in asked.values()]

    def _forget(self, parcel: Parcel) -> bool:
        """It waits for an answer no more; whether it did."""
        asked = self._asked.get(parcel.uid, {})
        if asked.pop(parcel.number or 0, None) is None:
            return False
        if not asked:
            del self._asked[parcel.uid]
        return True

    def _look_after(self, sender: Steady, peer: Peer) -> None:
        """What was asked of a life that has ended since gets no answer."""
        asked = self._asked.get(peer.uid, {})
        late = [parcel for parcel in asked.values() if peer.over or peer.deaths >= parcel.life]
        if late:
            sender.hear_out(peer.uid)
        for parcel in late:
            if sender.expected.pop(parcel.number or 0, None) is not None:
                self._forget(parcel)
                parcel.failed(died(peer, "ended before it answered"))

    def changed(self, peer: Peer) -> None:
        """From any thread, before the courier is rung: that actor stands otherwise now."""
        if self._sender is not None and self._over is None:
            self._changed.append(peer)

    def close(self) -> None:
        """Its sender is closed by the office, which ends the thread."""
        if self._thread is not None:
            self._thread.join()


def _all(rows: dict[int, deque[Parcel]]) -> list[Parcel]:
    return [parcel for row in list(rows.values()) for parcel in list(row)]
