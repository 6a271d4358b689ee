"""Mail for asyncio: one thread sends it for all tasks of the process, so that no loop is held up by a wait.

What is sent through it is in order among itself. Answers are opened where they are awaited.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from understudy.errors import AskTimeout, MailboxFull, SystemClosed
from understudy.mail.answers import opened
from understudy.mail.counter import Said, died
from understudy.mail.link import Link, Peer
from understudy.mail.sender import Sender
from understudy.settings import check_timeout
from understudy.wire import letters
from understudy.wire.sealing import seal

if TYPE_CHECKING:
    from understudy.mail.office import Office


class Parcel:
    """One message on its way, and the future that waits in its loop: for room (a tell), or for the answer."""

    def __init__(
        self, peer: Peer, sealed: letters.Seal, frames: Sequence[Any], *, urgent: bool, number: int | None
    ) -> None:
        self.peer, self.sealed, self.frames, self.urgent, self.number = peer, sealed, frames, urgent, number
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Said | None] = self._loop.create_future()
        self.given_up = False
        self.deaths = 0
        self.link: Link | None = None

    def done(self, said: Said | None) -> None:
        """From the courier's thread: it is sent, or answered."""
        self._tell(self.future.set_result, said)

    def failed(self, error: BaseException) -> None:
        """From the courier's thread: neither will come about."""
        self._tell(self.future.set_exception, error)

    def _tell(self, act: Callable[[Any], None], value: Any) -> None:
        def tell() -> None:
            if not self.future.done():
                act(value)

        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(tell)


class Courier:
    """The thread and what it was given; begun with the first parcel."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._given: deque[Parcel] = deque()
        self._waiting: dict[int, deque[Parcel]] = {}
        """By actor: those that wait for room there, in their order."""
        self._asked: dict[int, Parcel] = {}
        self._sender: Sender | None = None
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None

    async def tell(self, uid: int, name: str, message: Any, *, urgent: bool = False) -> None:
        """As `ActorRef.tell`; waits for room without holding up the loop."""
        await self._send(uid, name, message, urgent=urgent, number=None)

    async def ask(self, uid: int, name: str, message: Any, timeout: float | None) -> Any:
        """As `ActorRef.ask`; cancelling it takes the ask back, if it was not begun."""
        seconds = check_timeout(timeout)
        self._office.check_not_myself(uid, name)
        try:
            async with asyncio.timeout(seconds):
                said = await self._send(uid, name, message, urgent=False, number=self._office.number())
        except TimeoutError:
            raise AskTimeout(f"{name} did not answer within {timeout:g} s") from None
        if said is None:
            raise SystemClosed("this system was shut down meanwhile")
        return opened(*said, name, self._office.key, self._begin().borrower, uid)

    async def meet(self, members: Sequence[tuple[int, str]]) -> None:
        """Learn how they stand, without holding up the loop."""
        for uid, name in members:
            if self._office.known(uid) is None:
                await asyncio.to_thread(self._office.peer, uid, name)

    def loads(self, members: Sequence[tuple[int, str]]) -> list[int | None]:
        """Of those that were met: how many messages that went this way each has yet to handle; None of the ended."""
        under_way = Counter(parcel.peer.uid for parcel in [*self._given, *_all(self._waiting)])
        links = {} if self._sender is None else self._sender.links
        for uid, _ in members:
            link = links.get(uid)
            under_way[uid] += 0 if link is None else link.seq - link.credit
        return [under_way[uid] if self._office.lives(uid, name) else None for uid, name in members]

    async def _send(self, uid: int, name: str, message: Any, *, urgent: bool, number: int | None) -> Said | None:
        sealed, frames = letters.enclosed(seal(message, "message", self._office.key))
        peer = self._office.known(uid)
        if peer is None:
            peer = await asyncio.to_thread(self._office.peer, uid, name)
        parcel = Parcel(peer, sealed, frames, urgent=urgent, number=number)
        self._given.append(parcel)
        self._begin().ring()
        try:
            return await parcel.future
        except asyncio.CancelledError:
            parcel.given_up = True
            self._begin().ring()
            raise

    def _begin(self) -> Sender:
        with self._lock:
            if self._sender is None:
                self._sender = self._office.hire()
                self._thread = threading.Thread(target=self._run, name="understudy-courier", daemon=True)
                self._thread.start()
            return self._sender

    def _run(self) -> None:
        sender = self._begin()
        try:
            while True:
                while self._given:
                    parcel = self._given.popleft()
                    self._waiting.setdefault(parcel.peer.uid, deque()).append(parcel)
                for uid in list(self._waiting):
                    self._serve(sender, uid)
                self._look_after(sender)
                sender.wait(None)
        except SystemClosed as error:
            for parcel in [*self._given, *self._asked.values(), *_all(self._waiting)]:
                parcel.failed(error)

    def _serve(self, sender: Sender, uid: int) -> None:
        row = self._waiting[uid]
        while row:
            parcel = row[0]
            if not parcel.given_up and not self._goes(sender, parcel):
                return
            row.popleft()
        del self._waiting[uid]

    def _goes(self, sender: Sender, parcel: Parcel) -> bool:
        """Send it, or fail it; False if it has to wait."""
        try:
            link = sender.link(parcel.peer)
        except SystemClosed:
            raise
        except Exception as error:  # noqa: BLE001 - it belongs to who sent
            parcel.failed(error)
            return True
        if link.has_to_wait:
            if parcel.peer.on_full == "raise" and link.is_full:
                parcel.failed(MailboxFull(f"{parcel.peer.name} takes no more, as mailbox.size allows"))
                return True
            sender.sync(link)
            return False
        parcel.link = link
        if parcel.number is None:
            sender.post(link, parcel.sealed, parcel.frames, urgent=parcel.urgent)
            parcel.done(None)
        else:
            self._asked[parcel.number] = parcel
            parcel.deaths = sender.put(link, parcel.number, parcel.sealed, parcel.frames, parcel.done)
        return True

    def _look_after(self, sender: Sender) -> None:
        """Of those that were asked: who has answered, who has died, and what nobody waits for any more."""
        for number, parcel in list(self._asked.items()):
            peer, link = parcel.peer, parcel.link
            if number not in sender.expected:
                del self._asked[number]
            elif parcel.given_up and link is not None:
                del self._asked[number]
                sender.cancel(link, number)
            elif peer.over or peer.deaths > parcel.deaths:
                sender.drain()
                if sender.expected.pop(number, None) is not None:
                    parcel.failed(died(peer, "ended before it answered"))
                del self._asked[number]

    def close(self) -> None:
        """Its sender is closed by the office, which ends the thread."""
        if self._thread is not None:
            self._thread.join()


def _all(rows: dict[int, deque[Parcel]]) -> list[Parcel]:
    return [parcel for row in list(rows.values()) for parcel in list(row)]
