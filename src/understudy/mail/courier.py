"""Mail for asyncio: one thread sends it for all tasks of the process, so that no loop is held up by a wait.

What is sent through it is in order among itself. Answers are opened where they are awaited.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from understudy.errors import ActorDied, AskTimeout, MailboxFull, SystemClosed
from understudy.mail.answers import opened
from understudy.mail.counter import Said, closed, died
from understudy.mail.crowd import Crowd
from understudy.mail.lending import Lending
from understudy.mail.link import Link
from understudy.mail.sender import Sender
from understudy.mail.surplus import Kept
from understudy.settings import check_timeout
from understudy.wire import letters
from understudy.wire.sealing import seal, withdraw

if TYPE_CHECKING:
    from understudy.mail.office import Office


class Steady(Sender):
    """One whose thread holds the lock all the time, and does itself what is left to the flusher elsewhere."""

    def flush_late(self) -> float | None:
        """That thread is told to look."""
        self.ring()
        return None


class Parcel:
    """One message on its way, and the future that waits in its loop: for room (a tell), or for the answer."""

    number: int | None = None
    """Of an ask that was sent."""

    def __init__(self, uid: int, name: str, message: Any, key: bytes, lending: Lending, kind: str) -> None:
        self.uid, self.name, self.kind = uid, name, kind
        """``tell``, ``urgent`` or ``ask``."""
        self._message, self._key, self._lending = message, key, lending
        self._seal()
        if kind != "ask":
            self._message = None
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Said | None] = self._loop.create_future()
        self.given_up = False
        self.life = 0
        """For which life of the actor it was sent."""

    def prepared(self, link: Link) -> Kept:
        """As it is to be sent there."""
        link.lending = self._lending
        return Kept(*letters.enclosed(self._sealed), self.kind == "urgent")

    def begin_again(self) -> None:
        """It arrived where it could not be handled, and what was lent for it went back."""
        self.number, self.life = None, 0
        self._seal()

    def take_back(self) -> None:
        """It was not sent."""
        withdraw(self._sealed, self._lending.lender)

    def done(self, said: Said | None) -> None:
        """From the courier's thread: it is sent, or answered."""
        self._tell(self.future.set_result, said)

    def failed(self, error: BaseException) -> None:
        """From the courier's thread: neither will come about."""
        self._tell(self.future.set_exception, error)

    def _seal(self) -> None:
        self._sealed = self._lending.note(seal(self._message, "message", self._key, self._lending.lender))

    def _tell(self, act: Callable[[Any], None], value: Any) -> None:
        def tell() -> None:
            if not self.future.done():
                act(value)

        with suppress(RuntimeError):  # its loop was closed, and nobody waits any more
            self._loop.call_soon_threadsafe(tell)


class Courier:
    """The thread and what it was given; begun with the first parcel."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._given: deque[Parcel] = deque()
        self._waiting: dict[int, deque[Parcel]] = {}
        """By actor: those that wait for room there, in their order."""
        self._asked: dict[int, Parcel] = {}
        self._lendings: dict[int, Lending] = {}
        self._sender: Steady | None = None
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._over: SystemClosed | None = None
        self._curious: set[int] = set()
        """Of whom somebody would like to know how far they are."""

    async def tell(self, uid: int, name: str, message: Any, *, urgent: bool = False) -> None:
        """As `ActorRef.tell`; waits for room without holding up the loop."""
        await self._until_done(self._give(uid, name, message, "urgent" if urgent else "tell"))

    async def ask(self, uid: int, name: str, message: Any, timeout: float | None) -> Any:
        """As `ActorRef.ask`; cancelling it takes the ask back, if it was not begun."""
        seconds = check_timeout(timeout)
        self._office.check_not_myself(uid, name)
        return await self._answer(self._give(uid, name, message, "ask"), seconds)

    async def ask_all(self, members: Sequence[tuple[int, str]], message: Any, timeout: float | None) -> list[Any]:
        """As `Office.ask_all`."""
        seconds = check_timeout(timeout)
        for uid, name in members:
            self._office.check_not_myself(uid, name)
        asked = [self._give(uid, name, message, "ask") for uid, name in members]
        outcomes = await asyncio.gather(*(self._answer(parcel, seconds) for parcel in asked), return_exceptions=True)
        answers = []
        for parcel, outcome in zip(asked, outcomes, strict=True):
            if isinstance(outcome, ActorDied) and not parcel.life:
                continue  # it had ended, and was sent nothing
            if isinstance(outcome, BaseException):
                raise outcome
            answers.append(outcome)
        return answers

    async def meet(self, members: Sequence[tuple[int, str]]) -> None:
        """Learn how they stand, without holding up the loop."""
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
            lending = self._lendings.setdefault(uid, Lending(self._office.flusher))
        parcel = Parcel(uid, name, message, self._office.key, lending, kind)
        with self._lock:
            if self._over is not None:
                raise self._over
            self._given.append(parcel)
        self._begin().ring()
        return parcel

    async def _answer(self, parcel: Parcel, seconds: float | None) -> Any:
        try:
            async with asyncio.timeout(seconds):
                said = await self._until_done(parcel)
        except TimeoutError:
            raise AskTimeout(f"{parcel.name} did not answer within {seconds:g} s") from None
        answer, frames = said
        return opened(answer, frames, parcel.name, self._office.key, self._begin().borrower, parcel.uid)

    async def _until_done(self, parcel: Parcel) -> Any:
        try:
            return await parcel.future
        except asyncio.CancelledError:
            parcel.given_up = True
            self._begin().ring()
            raise

    def _begin(self) -> Steady:
        with self._lock:
            if self._sender is None:
                self._sender = self._office.hire(Steady)
                self._thread = threading.Thread(target=self._run, name="understudy-courier", daemon=True)
                self._thread.start()
            return self._sender

    # --- in its thread

    def _run(self) -> None:
        sender = self._begin()
        crowd = Crowd(sender)
        over = SystemClosed(f"the courier of the system {self._office.system} has ended")
        try:
            with sender.held():
                while True:
                    self._round(sender, crowd)
                    sender.wait(sender.patience)
        except SystemClosed as error:
            over = error
        finally:
            with self._lock:
                self._over = over
            for parcel in [*self._given, *self._asked.values(), *_all(self._waiting)]:
                parcel.failed(over)

    def _round(self, sender: Steady, crowd: Crowd) -> None:
        while self._given:
            parcel = self._given.popleft()
            self._waiting.setdefault(parcel.uid, deque()).append(parcel)
        for uid, row in list(self._waiting.items()):
            while row and self._is_off(sender, row[0]):
                row.popleft()
            if not row:
                del self._waiting[uid]
        sender.heed_deaths()
        sender.drain()
        while self._curious:
            crowd.wonder(self._curious.pop())
        self._look_after(sender)
        sender.bury()
        if sender.borrower.given_back:
            sender.give_back()

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
        if link.has_to_wait:
            if parcel.kind != "ask" and sender.kept(link, message):
                parcel.done(None)
                return True
            if peer.on_full == "raise" and link.is_full:
                raise MailboxFull(f"{peer.name} takes no more, as mailbox.size allows")
            sender.sync(link)
            return False
        if parcel.kind == "ask":
            parcel.number = self._office.number()
            self._asked[parcel.number] = parcel
            parcel.life = 1 + sender.put(
                link, parcel.number, message.seal, message.frames, lambda said: self._answered(sender, parcel, said)
            )
        else:
            sender.post(link, message.seal, message.frames, urgent=message.urgent)
            parcel.done(None)
        return True

    def _answered(self, sender: Steady, parcel: Parcel, said: Said) -> None:
        self._asked.pop(parcel.number or 0, None)
        link = sender.links.get(parcel.uid)
        if link is not None and sender.came_late(link, said[0], parcel.life):
            parcel.begin_again()
            self._waiting.setdefault(parcel.uid, deque()).appendleft(parcel)
            sender.ring()
        else:
            parcel.done(said)

    def _look_after(self, sender: Steady) -> None:
        """Of those that were asked: who has died, and what nobody waits for any more."""
        for number, parcel in list(self._asked.items()):
            peer = self._office.known(parcel.uid)
            link = sender.links.get(parcel.uid)
            if parcel.given_up:
                self._asked.pop(number, None)
                if link is not None:
                    sender.cancel(link, number)
            elif peer is not None and (peer.over or peer.deaths >= parcel.life):
                sender.drain()
                if sender.expected.pop(number, None) is not None:
                    del self._asked[number]
                    parcel.failed(died(peer, "ended before it answered"))

    def close(self) -> None:
        """Its sender is closed by the office, which ends the thread."""
        if self._thread is not None:
            self._thread.join()


def _all(rows: dict[int, deque[Parcel]]) -> list[Parcel]:
    return [parcel for row in list(rows.values()) for parcel in list(row)]
