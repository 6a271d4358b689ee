"""The mailbox of an actor as its hooks and handlers reach it: the message in hand, and waiting for the next one."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from understudy.config import ProcessConfig
from understudy.engine.burial import Burial
from understudy.engine.entries import NOBODY, Single
from understudy.engine.halt import NO, Halt
from understudy.engine.hand import Answers, Hand, Ticket
from understudy.engine.mailbox import Mailbox
from understudy.engine.sections import Sections
from understudy.engine.spans import Spans
from understudy.engine.vigil import Vigil
from understudy.errors import WaitTimeout, WrongProcess
from understudy.receiving.deferred import Deferred, Pending
from understudy.receiving.handlers import Handler, Handlers
from understudy.ref import ActorRef
from understudy.spawners.base import Birth
from understudy.status import ActorInfo
from understudy.wire.messages import Terminated
from understudy.wire.sealing import Foreign, unseal

if TYPE_CHECKING:
    from understudy.engine.ticking import Ticking

Run = Callable[[Handler, Any], Any]
"""Calls a handler, also one that is `async def`, and gives its value."""


class Reception:
    """The mailbox of one incarnation."""

    ticking: Ticking | None = None
    """Its timers, from the first one on."""

    def __init__(
        self,
        mailbox: Mailbox,
        handlers: Handlers,
        run: Run,
        birth: Birth,
        config: ProcessConfig,
        halt: Halt,
        sections: Sections,
        answers: Answers,
        burial: Burial,
        vigil: Vigil,
        flush: Callable[[], None],
    ) -> None:
        self.mailbox, self.handlers, self.answers, self.burial = mailbox, handlers, answers, burial
        self.vigil, self.spans = vigil, Spans(birth)
        self._run, self._birth, self._config = run, birth, config
        self._halt, self._sections, self._flush = halt, sections, flush
        self._hand: Hand | None = None
        self._received: Hand | None = None

    @property
    def hand(self) -> Hand | None:
        """The message in hand."""
        return self._hand

    @property
    def sender(self) -> ActorRef[Any] | None:
        """Who sent the message in hand; None for the program itself, or if there is none."""
        hand = self.hand
        if hand is None or not hand.connection.uid:
            return None
        return ActorRef(self._birth.system, hand.connection.uid, hand.connection.name)

    def defer(self) -> Deferred:
        """What answers the message in hand; what its handler returns is no answer then."""
        hand = self.hand
        if hand is None:
            raise WrongProcess("defer() is for a handler, or after receive(): there is no message in hand")
        if hand.pending is None:
            hand.pending = Pending(self.ticket(hand))
        hand.held += 1
        return Deferred(hand.pending)

    def ticket(self, hand: Hand) -> Ticket:
        """The right to answer it later."""
        return Ticket(hand, self.answers)

    def timers(self) -> Ticking:
        """Its timers; in any thread."""
        if self.ticking is not None:
            return self.ticking
        from understudy.engine.ticking import Ticking  # for those who have any

        made = Ticking(self.mailbox, self._halt)
        found: Ticking = vars(self).setdefault("ticking", made)  # one step: two threads may both be the first
        return found

    def receive(self, timeout: float | None) -> Any:
        """The next message, in place of its handler; raises WaitTimeout, also when a stop stands."""
        until = None if timeout is None else monotonic() + timeout
        self.settle()
        self._flush()
        while True:
            self._halt.check()
            self.mailbox.take_in()
            self.answers.catch_up()
            if self.ticking is not None and (due := self.ticking.next()) is not None:
                self._hand = self.ticking.hand()
                return due.message
            if self.handlers.ends_at_once and self.vigil.is_due(self.mailbox):
                self._end_amid()
                continue
            found = self.mailbox.next_body()
            if isinstance(found, Single):
                self.mailbox.handled(found.ask, found.sure)  # as far as anybody can tell
                self._hand = self._received = Hand(found.connection, found.ask, sure=found.sure)
                try:
                    return self.open(found)
                except Exception as error:  # noqa: BLE001 - what a user's pickle raises is no crash of who is sent it
                    self._received = None
                    self.unopened(found, error)
                    continue
            if found is not None:
                self.mailbox.handled(None, None)
                self._hand = Hand(found[0], None)
                return found[1]
            if self._halt.level != NO:
                self._sections.cut()
            if until is not None and monotonic() >= until:
                raise WaitTimeout(f"no message came to {self._birth.name} within {timeout:g} s")
            self.mailbox.wait(self._patience(None if until is None else max(0.0, until - monotonic())))

    def _end_amid(self) -> None:
        """An end whose turn has come while a hook waits for messages is a part of that hook's section."""
        end, held = self.vigil.take(), self._hand
        self._hand = Hand(NOBODY, None)
        try:
            self.end(end)
        finally:
            self._hand = held
        self.vigil.handled(end)

    def end(self, end: Terminated) -> None:
        """Call the hook for it."""
        if self.handlers.terminated is not None:
            self._run(self.handlers.terminated, ActorInfo.from_dict(end.info))

    def settle(self) -> None:
        """What `receive` gave last is handled: who asked, and is not to be answered later, gets None."""
        hand, self._received = self._received, None
        if hand is not None and not hand.deferred:
            self.answers.reply(hand, None)
        if hand is not None:
            self.mailbox.sureties.returned(hand.sure)

    def open(self, entry: Single) -> Any:
        """The message; raises ProtocolError, and what opening it raises."""
        return unseal(entry.seal.sealed(entry.frames), self._birth.key, self.mailbox.borrower, entry.connection.ident)

    def _patience(self, seconds: float | None) -> float | None:
        """For how long to wait, at most so many seconds."""
        return seconds if self.ticking is None else self.ticking.patience(seconds)

    def unopened(self, entry: Single, error: Exception) -> None:
        """One that was not sealed here is rejected; of another one the sender has a word, or a dead letter."""
        self.mailbox.sureties.returned(entry.sure)
        if isinstance(error, Foreign):
            self.mailbox.reject(entry)
        elif entry.ask is None:
            self.burial.unopened(entry.connection, error)
        else:
            self.answers.fail(Hand(entry.connection, entry.ask), error)
