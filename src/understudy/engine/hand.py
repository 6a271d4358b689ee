"""The message in hand: who sent it, what its answer is for, and how it is answered."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from understudy.engine.entries import Connection, Sure
from understudy.engine.mailbox import Mailbox
from understudy.engine.outbox import Outbox
from understudy.engine.telling import Told
from understudy.receiving.deferred import Pending
from understudy.wire import letters
from understudy.wire.bell import Bell
from understudy.wire.sealing import seal

_DROPPED = "the Deferred of this ask was dropped unanswered, so that nobody can answer it any more"


class Hand:
    """One message, from when it is taken up until it is handled."""

    __slots__ = ("answered", "ask", "connection", "held", "pending", "room", "sure")

    def __init__(self, connection: Connection, ask: int | None, room: int = 0, sure: Sure | None = None) -> None:
        self.connection, self.ask, self.sure = connection, ask, sure
        self.answered = False
        self.pending: Pending | None = None
        """Where its answer was deferred: what came of it."""
        self.held = 0
        """By how many that may answer it."""
        self.room = room
        """How many messages its place in the mailbox counts for; with its answer it needs none."""

    @property
    def deferred(self) -> bool:
        """Whether it is answered otherwise than by returning."""
        return self.pending is not None


class Answers:
    """What goes back to those who asked. Only the main thread touches the mailbox: what others answer, it sends."""

    def __init__(self, mailbox: Mailbox, outbox: Outbox, key: bytes, bell: Bell, lap: Callable[[], int]) -> None:
        self._mailbox, self._outbox, self._key, self._bell, self._lap = mailbox, outbox, key, bell, lap
        self._main = threading.get_ident()
        self._waiting: deque[Callable[[], None]] = deque()

    def reply(self, hand: Hand, value: Any) -> None:
        """Send a value; raises SerializationError for one that cannot travel."""
        if hand.ask is None or hand.connection.has_left:
            return
        if hand.ask in hand.connection.given_up:
            self._send(hand, letters.CREDIT, None, ())
            return
        lending = self._mailbox.lending(hand.connection)
        sealed, frames = letters.enclosed(lending.note(seal(value, "the answer", self._key, lending.lender)))
        hand.connection.lent.update((loan.number, hand.ask) for loan in sealed.loans if loan)
        self._send(hand, letters.REPLY, sealed.numbered(hand.ask), frames)

    def fail(self, hand: Hand, error: BaseException) -> None:
        """Send an error."""
        if hand.ask is not None:
            told = Told(error)
            told.fill()
            self.tell(hand, told)

    def tell(self, hand: Hand, told: Told, timeout: float | None = None) -> None:
        """Send what is told of an error; ``timeout`` is that of its section, if it overran."""
        tag = self._outbox.tag(told.frames)
        content = [hand.ask, self._lap(), timeout, told.name, told.text, told.story, tag]
        self._send(hand, letters.FAILED, content, told.frames)

    def drop(self, hand: Hand) -> None:
        """What may answer was let go of, in whatever thread: with the last one it fails."""

        def fail() -> None:
            hand.held -= 1
            if not (hand.held or hand.answered):
                self.fail(hand, RuntimeError(_DROPPED))

        if hand.ask is not None:
            self._wait(fail)

    def catch_up(self) -> None:
        """In the main thread: send what others have answered."""
        while self._waiting:
            self._waiting.popleft()()

    def _send(self, hand: Hand, kind: str, content: Any, frames: Any) -> None:
        def send() -> None:
            self._mailbox.answer(hand.connection, kind, content, frames, hand.room)
            hand.answered = True

        if threading.get_ident() == self._main:
            send()
        else:
            self._wait(send)

    def _wait(self, send: Callable[[], None]) -> None:
        """For the main thread; an append and a ring, which may be amid anything."""
        self._waiting.append(send)
        self._bell.ring()


class Ticket:
    """The right to answer one ask later; an implementation of `runtime.Answer`."""

    def __init__(self, hand: Hand, answers: Answers) -> None:
        self._hand, self._answers = hand, answers

    def reply(self, value: Any) -> None:
        """The value; raises SerializationError for one that cannot travel."""
        self._answers.reply(self._hand, value)

    def fail(self, error: BaseException) -> None:
        """The error."""
        self._answers.fail(self._hand, error)

    def drop(self) -> None:
        """Neither, ever."""
        self._answers.drop(self._hand)
