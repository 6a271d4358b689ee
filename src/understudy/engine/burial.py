"""Messages that nobody will handle: told to the router as dead letters, with what they held where it is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from understudy.engine.entries import Connection, Single
from understudy.engine.mailbox import Mailbox
from understudy.engine.outbox import Outbox
from understudy.spawners.base import Birth
from understudy.wire.messages import Letter
from understudy.wire.page import BEGUN, HANDLED, Page
from understudy.wire.payload import brief, plain

_SHOWN = 200
_KEPT = 100
"""Dead letters that are told one by one when an actor ends; of the rest, how many they are."""


class Burial:
    """Of one incarnation."""

    def __init__(self, birth: Birth, outbox: Outbox) -> None:
        self._birth, self._outbox = birth, outbox
        self._single = _KEPT
        """How many more are told one by one."""

    def unhandled(self, connection: Connection, body: Any, why: str) -> None:
        """A tell that has no handler."""
        packed = plain(body)
        self._tell(connection, why, brief(body), frames=() if packed is None else (packed,))

    def unhandled_alone(self, entry: Single, body: Any, why: str) -> None:
        """The same for one that was opened: it goes along as it came."""
        self._bury(entry, why, brief(body))

    def unopened(self, connection: Connection, error: Exception) -> None:
        """A tell that cannot be opened."""
        self._tell(connection, f"it cannot be opened: {type(error).__name__}: {error}"[:_SHOWN], "")

    def poisoned(self, entry: Single, deaths: int) -> None:
        """A reliable tell that was in hand at so many deaths."""
        self._bury(entry, f"in hand at {deaths} deaths of {self._birth.name}", deaths=deaths)

    def all_of(self, mailbox: Mailbox, page: Page) -> None:
        """The actor is over: who waits for an answer is told, what was told to it is buried."""
        mailbox.take_in()
        while mailbox.entries:
            known = {entry.connection for entry in mailbox.entries}
            self.taken_in(mailbox, page, f"{self._birth.name} has ended")
            mailbox.settle(known)
            mailbox.take_in()

    def left(self, mailbox: Mailbox, page: Page) -> None:
        """Another life follows, which has what was told; who asked is told."""
        mailbox.take_in()
        while mailbox.entries:
            mailbox.leave_to_heirs()
            self.taken_in(mailbox, page, f"its sender has ended, and that life of {self._birth.name}")
            mailbox.take_in()

    def taken_in(self, mailbox: Mailbox, page: Page, reason: str) -> None:
        """The same for what was taken in."""
        more: dict[Connection, int] = {}
        while mailbox.entries:
            entry = mailbox.entries.popleft()
            known = entry.connection
            if isinstance(entry, Single):
                count = 1
                mailbox.pass_over(entry)
                if entry.ask is not None:
                    mailbox.refuse(known, entry.ask, "ended before it answered")
                elif self._single:
                    self._single -= 1
                    self._bury(entry, reason)
                else:
                    more[known] = more.get(known, 0) + 1
            else:
                bodies, count = entry.bodies[entry.at :], len(entry.bodies) - entry.at
                single = min(count, self._single)
                self._single -= single
                for body in bodies[:single]:
                    self.unhandled(known, body, reason)
                more[known] = more.get(known, 0) + count - single
            page.words[BEGUN] += count
            page.words[HANDLED] += count
            mailbox.buried(known, count)
        for known, count in more.items():
            if count:
                self._tell(known, reason, "", count=count)

    def _bury(self, entry: Single, reason: str, text: str = "", *, deaths: int = 0) -> None:
        """What it holds goes along, unopened, if it is in the frames alone."""
        whole = not entry.seal.loans and (entry.seal.tag is not None or entry.seal.inline is not None)
        tag = entry.seal.tag if whole else None
        frames = (entry.seal.inline,) if entry.seal.inline is not None else tuple(entry.frames)
        self._tell(entry.connection, reason, text, tag=tag, frames=frames if whole else (), deaths=deaths)

    def _tell(
        self,
        connection: Connection,
        reason: str,
        text: str,
        *,
        count: int = 1,
        tag: bytes | None = None,
        frames: Sequence[Any] = (),
        deaths: int = 0,
    ) -> None:
        sender, name = connection.uid, connection.name
        uid = self._birth.uid
        self._outbox.say(Letter(uid, reason, "tell", text, count, sender, name, deaths, tag, tuple(frames)))
