"""One message of an asyncio task on its way, and the future that waits for it in the task's loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from understudy.mail.answers import Said
from understudy.mail.lending import Lending
from understudy.mail.link import RELIABLE, Chained, Link
from understudy.mail.surplus import Kept
from understudy.tracing import carried
from understudy.wire import letters
from understudy.wire.sealing import seal, withdraw


class Parcel:
    """One message on its way, and the future that waits in its loop: for room (a tell), or for the answer."""

    number: int | None = None
    """Of an ask that was sent."""
    _said: Said | None = None

    def __init__(
        self,
        uid: int,
        name: str,
        message: Any,
        key: bytes,
        lending: Lending,
        kind: str,
        unread: Callable[[int, Said], object],
        chained: Chained | None,
    ) -> None:
        """``unread`` is given, in any thread, the answer that nobody took, and whose it is."""
        self.uid, self.name, self.kind = uid, name, kind
        """``tell``, ``urgent``, ``reliable``, ``urgent and reliable`` or ``ask``."""
        self.chained = chained
        self._unread = unread
        self._lending = lending
        self._sealed = lending.note(seal(message, "message", key, None if self.is_reliable else lending.lender))
        self._context = carried()
        import asyncio  # who awaits has it; the others do without

        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = self._loop.create_future()
        self.given_up = False
        self.life = 0
        """For which life of the actor it was sent."""

    @property
    def is_reliable(self) -> bool:
        """Whether it is kept until it is done."""
        return self.kind.endswith(RELIABLE)

    @property
    def waits_as(self) -> str:
        """As which kind it has to wait."""
        return letters.ASK if self.kind == "ask" else RELIABLE if self.is_reliable else letters.TELL

    def prepared(self, link: Link) -> Kept:
        """As it is to be sent there."""
        link.lending = self._lending
        return Kept(*letters.enclosed(self._sealed, self._context), self.kind.startswith("urgent"))

    def _unchain(self) -> None:
        chained, self.chained = self.chained, None
        if chained is not None:
            chained.acknowledged()

    def take_back(self) -> None:
        """It was not sent."""
        self._unchain()
        withdraw(self._sealed, self._lending.lender)

    def done(self, said: Said | None) -> None:
        """From the courier's thread: it is sent, or answered."""
        self._said = said
        self._tell(lambda: self.future.set_result(None))

    def failed(self, error: BaseException) -> None:
        """From the courier's thread: neither will come about."""
        self._unchain()
        self._tell(lambda: self.future.set_exception(error))

    def taken(self) -> Said | None:
        """The answer, for who waited for it."""
        said, self._said = self._said, None
        return said

    def give_up(self) -> None:
        """Nobody waits any more."""
        self.given_up = True
        if (said := self.taken()) is not None:
            self._unread(self.uid, said)

    def _tell(self, act: Callable[[], None]) -> None:
        def tell() -> None:
            if self.given_up or self.future.done():
                self.give_up()
            else:
                act()

        try:
            self._loop.call_soon_threadsafe(tell)
        except RuntimeError:  # its loop was closed
            self.give_up()

    def __del__(self) -> None:
        self.give_up()  # its loop was closed with the answer on its way
